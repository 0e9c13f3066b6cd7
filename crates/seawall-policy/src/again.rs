//! Whether a callable that failed is called again: attempts, a time for all of them, and a budget.
//!
//! Unlike [`retry`](crate::retry) this knows nothing of what was called. That running it twice is harmless is the word of
//! whoever asks for it.

use crate::backoff::Rng;
use crate::budget::{Budget, BudgetSettings};
use seawall_model::Moment;
use std::time::Duration;

/// How often, and how long.
#[derive(Clone, Debug, PartialEq)]
pub struct AgainSettings {
    /// Calls in all, the first one included. Default 10.
    pub attempts_max: u32,
    /// The time for all of them, from the first call's beginning: no pause goes beyond it. Default 45 s.
    pub within: Duration,
    /// The pause before the first repetition, without its jitter. Default 100 ms.
    pub wait_initial: Duration,
    /// The longest pause. Default 5 s.
    pub wait_max: Duration,
    /// How much longer a pause is made at most, by chance. Default 1 s: more than the first pauses themselves, so that
    /// clients that failed together come back spread.
    pub wait_jitter: Duration,
    /// What each pause is multiplied by for the next, at least 1. Default 2.
    pub wait_base: f64,
    /// What repetitions may cost.
    pub budget: BudgetSettings,
}

impl Default for AgainSettings {
    /// Those of Python's stamina, which are known to many, but for the budget.
    fn default() -> Self {
        Self {
            attempts_max: 10,
            within: Duration::from_secs(45),
            wait_initial: Duration::from_millis(100),
            wait_max: Duration::from_secs(5),
            wait_jitter: Duration::from_secs(1),
            wait_base: 2.0,
            budget: BudgetSettings::default(),
        }
    }
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Call again after this pause; it is paid for.
    After(Duration),
    /// Give up.
    GiveUp(Spent),
}

/// What is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// It was called as often as it may be.
    Attempts,
    /// The pause would end too late.
    Time,
    /// Too many calls were repeated lately.
    Budget,
}

/// Decides on repetitions of calls to one thing.
#[derive(Clone, Debug)]
pub struct Again {
    settings: AgainSettings,
    budget: Budget,
    rng: Rng,
}

impl Again {
    /// Nothing was called yet; `seed` spreads the pauses.
    pub fn new(settings: AgainSettings, seed: u64) -> Self {
        let budget = Budget::new(settings.budget.clone());
        Self {
            settings,
            budget,
            rng: Rng::new(seed),
        }
    }

    /// The numbers it goes by.
    pub const fn settings(&self) -> &AgainSettings {
        &self.settings
    }

    /// A call ended at its first attempt, well or not: it pays into the budget.
    pub fn called(&mut self, now: Moment) {
        self.budget.call(now);
    }

    /// Attempt number `attempt` (the first is 1) of a call that began then has failed. `until`: a deadline of the
    /// caller's own. `asked`: a pause that somebody chose instead of the usual one.
    pub fn failed(
        &mut self,
        now: Moment,
        began: Moment,
        attempt: u32,
        until: Moment,
        asked: Option<Duration>,
    ) -> Next {
        if attempt >= self.settings.attempts_max {
            return Next::GiveUp(Spent::Attempts);
        }
        let pause = asked.unwrap_or_else(|| self.pause(attempt));
        if now + pause > until.min(began + self.settings.within) {
            return Next::GiveUp(Spent::Time);
        }
        if self.budget.withdraw(now) {
            Next::After(pause)
        } else {
            Next::GiveUp(Spent::Budget)
        }
    }

    fn pause(&mut self, attempt: u32) -> Duration {
        let doublings = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let longest = self.settings.wait_max;
        let factor = self.settings.wait_base.max(1.0).powi(doublings);
        let seconds = self.settings.wait_initial.as_secs_f64() * factor;
        // Infinite is longer than the longest as well.
        let span = Duration::try_from_secs_f64(seconds).unwrap_or(longest);
        let more = self.rng.up_to(self.settings.wait_jitter);
        span.saturating_add(more).min(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Moment = Moment::from_nanos(60_000_000_000);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn pauses_grow_by_the_base_and_stop_at_the_longest() {
        let settings = AgainSettings {
            wait_jitter: Duration::ZERO,
            within: Duration::MAX,
            attempts_max: u32::MAX,
            ..AgainSettings::default()
        };
        let mut again = Again::new(settings, 1);
        let pauses = [1, 2, 3, 6, 7, 2_000, u32::MAX - 1]
            .map(|attempt| again.failed(NOW, NOW, attempt, Moment::NEVER, None));
        let wanted = [100, 200, 400, 3_200, 5_000, 5_000, 5_000];
        assert_eq!(pauses, wanted.map(|pause| Next::After(millis(pause))));
    }

    #[test]
    fn each_limit_has_its_name() {
        let settings = AgainSettings {
            attempts_max: 3,
            within: millis(1_000),
            wait_jitter: Duration::ZERO,
            budget: BudgetSettings {
                share_percent: 0,
                floor_per_second: 0,
            },
            ..AgainSettings::default()
        };
        let mut again = Again::new(settings, 1);
        let gave_up = |next| matches!(next, Next::GiveUp(_)).then_some(next);
        let mut ask = |now, attempt, until| gave_up(again.failed(now, NOW, attempt, until, None));
        assert_eq!(
            ask(NOW, 3, Moment::NEVER),
            Some(Next::GiveUp(Spent::Attempts))
        );
        let late = NOW + millis(901);
        assert_eq!(ask(late, 1, Moment::NEVER), Some(Next::GiveUp(Spent::Time)));
        assert_eq!(
            ask(NOW, 1, NOW + millis(99)),
            Some(Next::GiveUp(Spent::Time))
        );
        assert_eq!(
            ask(NOW, 1, Moment::NEVER),
            Some(Next::GiveUp(Spent::Budget))
        );
    }

    #[test]
    fn a_pause_that_somebody_chose_is_kept_and_paid_for() {
        let mut again = Again::new(AgainSettings::default(), 1);
        let next = again.failed(NOW, NOW, 1, Moment::NEVER, Some(millis(7_000)));
        assert_eq!(next, Next::After(millis(7_000)));
    }

    proptest! {
        #[test]
        fn no_pause_goes_beyond_its_limits(
            seed: u64, initial in 0_u64..20_000, longest in 0_u64..20_000, jitter in 0_u64..20_000,
            base in 0.0_f64..10.0, elapsed in 0_u64..60_000, attempt in 1_u32..12, left in 0_u64..60_000,
        ) {
            let settings = AgainSettings {
                wait_initial: millis(initial),
                wait_max: millis(longest),
                wait_jitter: millis(jitter),
                wait_base: base,
                ..AgainSettings::default()
            };
            let mut again = Again::new(settings.clone(), seed);
            let now = NOW + millis(elapsed);
            let until = now + millis(left);
            if let Next::After(pause) = again.failed(now, NOW, attempt, until, None) {
                prop_assert!(attempt < settings.attempts_max);
                prop_assert!(pause <= settings.wait_max);
                prop_assert!(now + pause <= until && now + pause <= NOW + settings.within);
                let least = settings.wait_initial.min(settings.wait_max);
                prop_assert!(pause >= least);
            }
        }
    }
}
