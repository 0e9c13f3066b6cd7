//! What retries may cost: a share of the calls of the last ten seconds.
//!
//! Retries help while few calls fail, and harm when most do: a server that cannot answer 2,000 calls a second will not
//! answer 6,000. So every retry is paid for by calls: when everything fails, the load grows by the share, never to a
//! multiple.

use seawall_model::Moment;
use std::time::Duration;

/// The span over which calls and retries are counted.
pub const WINDOW: Duration = Duration::from_secs(10);

/// The window in buckets: half a second each, so that counting is at most 5 % stricter than exact.
const BUCKETS: usize = 20;
const BUCKET_NANOS: u64 = WINDOW.as_nanos() as u64 / BUCKETS as u64;

/// How much a [`Budget`] allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetSettings {
    /// Retries allowed for each hundred calls. Default 20: with everything failing the server sees 1.2 times the usual
    /// load, which it must be able to carry at any time; 100 would double it just when it is weak.
    pub share_percent: u32,
    /// Retries a second allowed however few calls there are, counted over the window (10 a second are 100 in ten
    /// seconds, at any time within it). Default 10: a job that calls once a second is not refused its one retry, and
    /// ten more requests a second harm no server.
    pub floor_per_second: u32,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self {
            share_percent: 20,
            floor_per_second: 10,
        }
    }
}

impl BudgetSettings {
    /// How many retries `calls` calls within one window allow.
    pub const fn allowed(&self, calls: u64) -> u64 {
        let share = calls.saturating_mul(self.share_percent as u64) / 100;
        let floor = self.floor_per_second as u64 * WINDOW.as_secs();
        if share > floor { share } else { floor }
    }
}

/// The account of one endpoint: calls pay in, retries are paid from it.
///
/// At the moment of every retry, that retry and those of the ten seconds before it are at most
/// [`allowed`](BudgetSettings::allowed) by the calls of these ten seconds. Counting is in buckets and errs to the
/// strict side: a bucket that is only partly inside the window counts with all its retries and none of its calls.
///
/// Moments may come a little out of order, as threads do: an older one is counted as of the newest seen.
#[derive(Clone, Debug)]
pub struct Budget {
    settings: BudgetSettings,
    /// One more than the window needs, for the bucket that is about to leave it. Indexed by `bucket number % len`.
    buckets: [Bucket; BUCKETS + 1],
    /// Sums over `buckets`.
    total: Bucket,
    /// The number of the newest bucket since the start of time, its slot, and when it ends.
    newest: u64,
    slot: usize,
    ends: Moment,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket {
    calls: u64,
    retries: u64,
}

impl Budget {
    /// An account that nothing was paid into yet.
    pub const fn new(settings: BudgetSettings) -> Self {
        const EMPTY: Bucket = Bucket {
            calls: 0,
            retries: 0,
        };
        Self {
            settings,
            buckets: [EMPTY; BUCKETS + 1],
            total: EMPTY,
            newest: 0,
            slot: 0,
            ends: Moment::from_nanos(BUCKET_NANOS),
        }
    }

    /// A call began (its first attempt, not its retries).
    pub fn call(&mut self, now: Moment) {
        let slot = self.advance(now);
        self.buckets[slot].calls += 1;
        self.total.calls += 1;
    }

    /// Takes one retry out of the account; `false` if nothing is left, and the retry must not be made.
    #[must_use]
    pub fn withdraw(&mut self, now: Moment) -> bool {
        let slot = self.advance(now);
        if self.left_at(slot) == 0 {
            return false;
        }
        self.buckets[slot].retries += 1;
        self.total.retries += 1;
        true
    }

    /// How many retries could be taken out now.
    pub fn left(&mut self, now: Moment) -> u64 {
        let slot = self.advance(now);
        self.left_at(slot)
    }

    fn left_at(&self, newest_slot: usize) -> u64 {
        let leaving = self.buckets[(newest_slot + 1) % self.buckets.len()];
        let calls = self.total.calls - leaving.calls;
        self.settings
            .allowed(calls)
            .saturating_sub(self.total.retries)
    }

    /// Forgets what left the window, and answers the slot for `now`.
    fn advance(&mut self, now: Moment) -> usize {
        // All calls but one in half a second.
        if now >= self.ends {
            self.turn(now);
        }
        self.slot
    }

    /// A new bucket begins. At most one round over the buckets.
    #[cold]
    fn turn(&mut self, now: Moment) {
        let len = self.buckets.len() as u64;
        let number = now.as_nanos() / BUCKET_NANOS;
        let steps = number.saturating_sub(self.newest);
        for step in 1..=steps.min(len) {
            let slot = &mut self.buckets[((self.newest + step) % len) as usize];
            self.total.calls -= slot.calls;
            self.total.retries -= slot.retries;
            *slot = Bucket::default();
        }
        self.newest += steps;
        self.slot = (self.newest % len) as usize;
        self.ends = Moment::from_nanos((number + 1).saturating_mul(BUCKET_NANOS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn drain(budget: &mut Budget, now: Moment) -> u64 {
        (0_u64..10_000).take_while(|_| budget.withdraw(now)).count() as u64
    }

    #[test]
    fn the_floor_holds_without_calls_and_comes_back_after_the_window() {
        let mut budget = Budget::new(BudgetSettings::default());
        let start = Moment::ORIGIN + SECOND * 1_000_000;
        assert_eq!(drain(&mut budget, start), 100);
        assert_eq!(drain(&mut budget, start + SECOND * 9), 0);
        assert_eq!(drain(&mut budget, start + WINDOW + SECOND), 100);
    }

    #[test]
    fn a_fifth_of_the_calls_may_be_retried() {
        let mut budget = Budget::new(BudgetSettings::default());
        for millis in 0..4_000 {
            budget.call(Moment::ORIGIN + Duration::from_millis(millis));
        }
        let now = Moment::ORIGIN + SECOND * 4;
        assert_eq!(budget.left(now), 800);
        assert_eq!(drain(&mut budget, now), 800);
        assert_eq!(
            budget.left(now + WINDOW * 2),
            100,
            "the calls are forgotten, the floor is left"
        );
    }

    #[test]
    fn a_moment_that_comes_late_is_counted_as_of_the_newest() {
        let mut budget = Budget::new(BudgetSettings {
            share_percent: 20,
            floor_per_second: 1,
        });
        let now = Moment::ORIGIN + SECOND * 30;
        assert_eq!(drain(&mut budget, now), 10);
        assert!(
            !budget.withdraw(now.before(SECOND * 29)),
            "going back in time earns nothing"
        );
    }

    proptest! {
        /// The exact account, by lists of moments, is never stricter than the buckets.
        #[test]
        fn retries_never_exceed_what_the_calls_of_the_window_allow(
            steps in prop::collection::vec((0_u64..400, 0_u8..3), 1..1_500),
        ) {
            let settings = BudgetSettings { share_percent: 20, floor_per_second: 1 };
            let mut budget = Budget::new(settings.clone());
            let (mut calls, mut retries) = (Vec::new(), Vec::new());
            let mut now = Moment::ORIGIN;
            for (millis, what) in steps {
                now += Duration::from_millis(millis);
                if what == 0 {
                    budget.call(now);
                    calls.push(now);
                } else if budget.withdraw(now) {
                    retries.push(now);
                    let inside = |list: &[Moment]| {
                        list.iter().filter(|at| now.since(**at) < WINDOW).count() as u64
                    };
                    prop_assert!(inside(&retries) <= settings.allowed(inside(&calls)));
                }
            }
        }
    }
}
