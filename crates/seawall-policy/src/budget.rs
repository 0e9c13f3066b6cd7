//! What retries may cost: a share of the calls of the last ten seconds.
//!
//! Retries help while few calls fail, and harm when most do: a server that cannot answer 2,000 calls a second will not
//! answer 6,000. So every retry is paid for by calls: when everything fails, the load grows by the share, never to a
//! multiple.
//!
//! A connection that many calls share takes all of them along when it is lost, and the share would soon be used up by
//! calls that had nothing to do with the reason. So they cost it one retry together, since they are one reconnect, and
//! each is paid for by an answer of the last ten seconds instead: where nothing is answered nothing is carried over, and
//! where everything is, the load is doubled at most.

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
        let floor = self.floor();
        if share > floor { share } else { floor }
    }

    /// How many are allowed within one window whatever happens.
    const fn floor(&self) -> u64 {
        self.floor_per_second as u64 * WINDOW.as_secs()
    }
}

/// The account of one endpoint: calls pay in, retries are paid from it.
///
/// At the moment of every retry, that retry and those of the ten seconds before it are at most
/// [`allowed`](BudgetSettings::allowed) by the calls of these ten seconds; requests that were carried over are at most
/// as many as the answers of these ten seconds, or the floor, and each connection that they came from is one of the
/// retries. Counting is in buckets and errs to the strict side: a bucket that is only partly inside the window counts
/// with all that it paid out and nothing that was paid in.
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
    /// The last lost connection that was paid for.
    paid_loss: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket {
    calls: u64,
    retries: u64,
    answers: u64,
    carried: u64,
}

impl Budget {
    /// An account that nothing was paid into yet.
    pub const fn new(settings: BudgetSettings) -> Self {
        const EMPTY: Bucket = Bucket {
            calls: 0,
            retries: 0,
            answers: 0,
            carried: 0,
        };
        Self {
            settings,
            buckets: [EMPTY; BUCKETS + 1],
            total: EMPTY,
            newest: 0,
            slot: 0,
            ends: Moment::from_nanos(BUCKET_NANOS),
            paid_loss: None,
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

    /// Calls were answered.
    pub fn answered(&mut self, now: Moment, answers: u64) {
        let slot = self.advance(now);
        self.buckets[slot].answers += answers;
        self.total.answers += answers;
    }

    /// Takes out of the account that a request is carried over to another connection, from one that many shared and
    /// that was lost for another's sake. `loss` is the number of that connection. If there are no answers to pay with
    /// it is a retry like any other; `false` if nothing is left for that either.
    #[must_use]
    pub fn carry(&mut self, now: Moment, loss: u64) -> bool {
        let slot = self.advance(now);
        let leaving = self.oldest(slot);
        let answers = self.total.answers - leaving.answers;
        if self.total.carried >= answers.max(self.settings.floor()) {
            return self.withdraw(now);
        }
        if self.paid_loss != Some(loss) {
            if !self.withdraw(now) {
                return false;
            }
            self.paid_loss = Some(loss);
        }
        self.buckets[slot].carried += 1;
        self.total.carried += 1;
        true
    }

    /// How many retries could be taken out now.
    pub fn left(&mut self, now: Moment) -> u64 {
        let slot = self.advance(now);
        self.left_at(slot)
    }

    fn left_at(&self, newest_slot: usize) -> u64 {
        let leaving = self.oldest(newest_slot);
        let calls = self.total.calls - leaving.calls;
        self.settings
            .allowed(calls)
            .saturating_sub(self.total.retries)
    }

    /// The bucket that is about to leave the window.
    fn oldest(&self, newest_slot: usize) -> Bucket {
        self.buckets[(newest_slot + 1) % self.buckets.len()]
    }

    /// Forgets what left the window, and answers the slot for `now`. At most one round over the buckets.
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
            self.total.answers -= slot.answers;
            self.total.carried -= slot.carried;
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

    #[test]
    fn what_a_lost_connection_took_along_costs_one_retry_and_an_answer_each() {
        let mut budget = Budget::new(BudgetSettings {
            share_percent: 20,
            floor_per_second: 1,
        });
        let now = Moment::ORIGIN + SECOND;
        for _ in 0..100 {
            budget.call(now);
        }
        budget.answered(now, 60);
        let carried =
            |budget: &mut Budget, loss| (0..1_000).take_while(|_| budget.carry(now, loss)).count();
        let before = budget.left(now);
        assert!((0..30).all(|_| budget.carry(now, 7)));
        assert_eq!(budget.left(now), before - 1);
        assert!((0..30).all(|_| budget.carry(now, 8)));
        assert_eq!(budget.left(now), before - 2);
        let rest = carried(&mut budget, 8);
        assert_eq!(rest as u64, before - 2, "without answers they are retries");
        assert_eq!(carried(&mut budget, 9), 0);
    }

    #[test]
    fn where_nothing_is_answered_only_the_floor_is_carried_over() {
        let mut budget = Budget::new(BudgetSettings {
            share_percent: 0,
            floor_per_second: 1,
        });
        for _ in 0..1_000 {
            budget.call(Moment::ORIGIN);
        }
        let carried = (0..1_000)
            .take_while(|_| budget.carry(Moment::ORIGIN, 1))
            .count();
        assert_eq!(
            carried,
            10 + 9,
            "of the ten retries one paid for the connection"
        );
        assert_eq!(budget.left(Moment::ORIGIN), 0);
    }

    proptest! {
        /// The exact account, by lists of moments, is never stricter than the buckets.
        #[test]
        fn retries_never_exceed_what_the_calls_of_the_window_allow(
            steps in prop::collection::vec((0_u64..400, 0_u8..6), 1..1_500),
        ) {
            let settings = BudgetSettings { share_percent: 20, floor_per_second: 1 };
            let mut budget = Budget::new(settings.clone());
            let (mut calls, mut answers) = (Vec::new(), Vec::new());
            let (mut retries, mut carried) = (Vec::new(), Vec::new());
            let mut now = Moment::ORIGIN;
            let mut loss = 0;
            for (millis, what) in steps {
                now += Duration::from_millis(millis);
                // What left the window is forgotten now, so that a difference is what the step took out.
                budget.left(now);
                let before = budget.total;
                let granted = match what {
                    0 => {
                        budget.call(now);
                        calls.push(now);
                        false
                    }
                    1 => {
                        budget.answered(now, 1);
                        answers.push(now);
                        false
                    }
                    2 => {
                        loss += 1;
                        false
                    }
                    3 => budget.withdraw(now),
                    _ => budget.carry(now, loss),
                };
                let inside = |list: &[Moment]| {
                    list.iter().filter(|at| now.since(**at) < WINDOW).count() as u64
                };
                let after = budget.total;
                retries.extend((before.retries < after.retries).then_some(now));
                carried.extend((before.carried < after.carried).then_some(now));
                if granted {
                    prop_assert!(after != before, "for nothing");
                    prop_assert!(inside(&retries) <= settings.allowed(inside(&calls)));
                }
                if before.carried < after.carried {
                    prop_assert!(inside(&carried) <= inside(&answers).max(10));
                }
            }
        }
    }
}
