//! A breaker around something that cannot be probed: may it be called now?
//!
//! `Closed -> Open -> HalfOpen -> Closed`, and two states that only a hand sets and only a hand ends: `Isolated` lets
//! nothing through, `Disabled` everything. What has no endpoint of its own to ask after (an HTTP service, a driver, a
//! function) is judged by the calls to it alone, so while it is open nobody knows how it is; after a time that grows
//! from one opening to the next, a few calls are let through to see.
//!
//! [`Breaker`]'s methods: the question is [`admit`](Breaker::admit), and each permit that it gives comes back once in
//! [`ended`](Breaker::ended); [`open`](Breaker::open), [`close`](Breaker::close), [`isolate`](Breaker::isolate) and
//! [`disable`](Breaker::disable) are the hand's; the rest are getters.
//!
//! A permit belongs to the state that gave it. What was called before the breaker opened says nothing on how things are
//! now, and what was called before it closed nothing on what follows: such outcomes are counted and decide nothing.

mod settings;
#[cfg(test)]
mod tests;
mod window;
mod words;

pub use settings::{BreakerSettings, Slow};
pub use window::{PARTS, Tally};
pub use words::{Admission, Change, Counts, Outcome, Permit, State, Trip};

use crate::backoff::Rng;
use seawall_model::Moment;
use std::time::Duration;
use window::Window;

/// A circuit breaker. See the [module](self).
#[derive(Clone, Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    rng: Rng,
    course: Course,
    since: Moment,
    /// Which state this is, counted from the first: what permits are compared by.
    epoch: u64,
    window: Window,
    /// How often it opened without having been closed for a whole window between.
    openings: u32,
    /// When it opened after it was last closed.
    began: Moment,
    /// Refused calls since then.
    refused: u64,
    counts: Counts,
}

#[derive(Clone, Debug)]
enum Course {
    Closed {
        failures: u32,
    },
    Open {
        until: Moment,
        why: Trip,
    },
    HalfOpen {
        /// When the trials under way began, by their numbers; at most as many as are allowed at once.
        under_way: Vec<(u32, Moment)>,
        begun: u32,
        good: u32,
    },
    Isolated,
    Disabled,
}

impl Breaker {
    /// A closed one; `seed` spreads its times open.
    pub fn new(settings: BreakerSettings, seed: u64) -> Self {
        let window = Window::new(settings.window);
        Self {
            settings,
            rng: Rng::new(seed),
            course: Course::Closed { failures: 0 },
            since: Moment::ORIGIN,
            epoch: 0,
            window,
            openings: 0,
            began: Moment::ORIGIN,
            refused: 0,
            counts: Counts::default(),
        }
    }

    // -- the question --

    /// Whether a call may be made now. The first one after the time open is a trial, and makes the breaker half open.
    pub fn admit(&mut self, now: Moment) -> (Admission, Option<Change>) {
        match &mut self.course {
            Course::Closed { .. } | Course::Disabled => (self.pass(now, None), None),
            Course::Open { until, .. } if now < *until => {
                let retry_at = *until;
                (self.refuse(Some(retry_at)), None)
            }
            Course::Open { .. } => {
                self.enter(
                    now,
                    Course::HalfOpen {
                        under_way: vec![(1, now)],
                        begun: 1,
                        good: 0,
                    },
                );
                (self.pass(now, Some(1)), Some(Change::HalfOpen))
            }
            Course::HalfOpen {
                under_way, begun, ..
            } => {
                let longest = self.settings.trial_longest;
                if under_way
                    .iter()
                    .any(|(_, began)| now.since(*began) >= longest)
                {
                    let change = self.trip(now, Trip::TrialOverdue);
                    let Course::Open { until, .. } = self.course else {
                        return (self.refuse(None), Some(change));
                    };
                    return (self.refuse(Some(until)), Some(change));
                }
                if under_way.len() >= self.settings.trials_max.max(1) as usize {
                    // When a trial ends is not known; soon, if all is well.
                    return (self.refuse(None), None);
                }
                *begun += 1;
                let number = *begun;
                under_way.push((number, now));
                (self.pass(now, Some(number)), None)
            }
            Course::Isolated => (self.refuse(None), None),
        }
    }

    /// A call ended. Each permit comes back once.
    pub fn ended(&mut self, now: Moment, permit: Permit, outcome: Outcome) -> Option<Change> {
        let slow = self
            .settings
            .slow
            .is_some_and(|slow| now.since(permit.began) >= slow.after);
        self.counts.note(outcome, slow);
        if permit.epoch != self.epoch {
            return None;
        }
        match &mut self.course {
            Course::Closed { failures } => {
                let tally = Tally {
                    calls: 1,
                    failed: u64::from(outcome == Outcome::Failed),
                    slow: u64::from(slow),
                };
                match outcome {
                    Outcome::Abandoned => return None,
                    Outcome::Good => *failures = 0,
                    Outcome::Failed => *failures += 1,
                }
                let failures = *failures;
                let tally = self.window.add(now, tally);
                // A good call in good time opens nothing, whatever the shares have come to meanwhile.
                let bad = slow || outcome == Outcome::Failed;
                let why = if bad {
                    self.judge(failures, tally)
                } else {
                    None
                };
                why.map(|why| self.trip(now, why))
            }
            Course::HalfOpen {
                under_way, good, ..
            } => {
                under_way.retain(|(number, _)| Some(*number) != permit.trial);
                match outcome {
                    Outcome::Abandoned => None,
                    Outcome::Good if !slow => {
                        *good += 1;
                        let closes = *good >= self.settings.trials_to_close;
                        closes.then(|| self.closed(now))
                    }
                    Outcome::Good | Outcome::Failed => Some(self.trip(now, Trip::Trial)),
                }
            }
            Course::Open { .. } | Course::Isolated | Course::Disabled => None,
        }
    }

    // -- the hand --

    /// Opens it as a failure would, for the time that is due.
    pub fn open(&mut self, now: Moment) -> Change {
        self.trip(now, Trip::Hand)
    }

    /// Closes it from whatever state, and forgets what it counted.
    pub fn close(&mut self, now: Moment) -> Option<Change> {
        self.openings = 0;
        if let Course::Closed { failures } = &mut self.course {
            *failures = 0;
            self.window.clear();
            return None;
        }
        Some(self.closed(now))
    }

    /// Lets nothing through until it is closed.
    pub fn isolate(&mut self, now: Moment) -> Option<Change> {
        if matches!(self.course, Course::Isolated) {
            return None;
        }
        if matches!(self.course, Course::Closed { .. } | Course::Disabled) {
            self.begin(now);
        }
        self.enter(now, Course::Isolated);
        Some(Change::Isolated)
    }

    /// Lets everything through until it is closed, and goes on counting.
    pub fn disable(&mut self, now: Moment) -> Option<Change> {
        if matches!(self.course, Course::Disabled) {
            return None;
        }
        self.enter(now, Course::Disabled);
        Some(Change::Disabled)
    }

    /// Trials under way will never report: whoever made them is gone, as the threads of a forked child's parent are.
    pub fn forget_trials(&mut self) {
        if let Course::HalfOpen { under_way, .. } = &mut self.course {
            under_way.clear();
        }
    }

    /// Begins to count calls anew; what it decides by stays.
    pub fn count_anew(&mut self) {
        self.counts = Counts::default();
    }

    // -- getters --

    /// The numbers it goes by.
    pub const fn settings(&self) -> &BreakerSettings {
        &self.settings
    }

    /// How it stands.
    pub const fn state(&self) -> State {
        match &self.course {
            Course::Closed { .. } => State::Closed,
            Course::Open { until, why } => State::Open {
                until: *until,
                why: *why,
            },
            Course::HalfOpen { .. } => State::HalfOpen,
            Course::Isolated => State::Isolated,
            Course::Disabled => State::Disabled,
        }
    }

    /// Since when it stands so; the origin of time before the first change.
    pub const fn since(&self) -> Moment {
        self.since
    }

    /// Which state this is, counted from the first.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Calls so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    // -- inside --

    const fn pass(&self, began: Moment, trial: Option<u32>) -> Admission {
        Admission::Pass(Permit {
            epoch: self.epoch,
            began,
            trial,
        })
    }

    const fn refuse(&mut self, retry_at: Option<Moment>) -> Admission {
        self.counts.refused += 1;
        self.refused += 1;
        Admission::Refuse { retry_at }
    }

    fn judge(&self, failures: u32, tally: Tally) -> Option<Trip> {
        if let Some(max) = self.settings.failures_max
            && failures >= max.max(1)
        {
            return Some(Trip::InARow { failures });
        }
        if tally.calls < u64::from(self.settings.calls_min.max(1)) {
            return None;
        }
        let reaches =
            |count: u64, share: f64| count > 0 && count as f64 >= share * tally.calls as f64;
        if let Some(share) = self.settings.failed_share
            && reaches(tally.failed, share)
        {
            return Some(Trip::Failed(tally));
        }
        let slow = self.settings.slow?;
        reaches(tally.slow, slow.share).then_some(Trip::Slow(tally))
    }

    fn trip(&mut self, now: Moment, why: Trip) -> Change {
        match self.course {
            Course::Closed { .. } => {
                if now.since(self.since) >= self.settings.window {
                    self.openings = 0;
                }
                self.begin(now);
            }
            Course::Disabled => self.begin(now),
            _ => {}
        }
        // A hand that opens it again and again does not mean longer and longer.
        if why != Trip::Hand || self.openings == 0 {
            self.openings = self.openings.saturating_add(1);
        }
        let (least, most) = self.settings.open_span(self.openings);
        let until = now + least + self.rng.up_to(most.saturating_sub(least));
        self.enter(now, Course::Open { until, why });
        Change::Opened { why, until }
    }

    const fn begin(&mut self, now: Moment) {
        self.began = now;
        self.refused = 0;
    }

    fn closed(&mut self, now: Moment) -> Change {
        let lasted = match self.course {
            Course::Disabled => Duration::ZERO,
            _ => now.since(self.began),
        };
        self.window.clear();
        self.enter(now, Course::Closed { failures: 0 });
        Change::Closed {
            lasted,
            refused: std::mem::take(&mut self.refused),
        }
    }

    fn enter(&mut self, now: Moment, course: Course) {
        self.course = course;
        self.since = now;
        self.epoch += 1;
    }
}
