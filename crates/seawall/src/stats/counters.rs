//! What the ledger counts, under the lock that it is held by anyway.

use std::time::Duration;

use seawall_model::journal::{HealthState, Restarted};
use seawall_model::{Cause, Moment};

use super::{ByCause, Histogram};

/// While an endpoint is down, how often that is told anew.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What became of the calls of an outage, from the first failure that made the endpoint suspect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutageCalls {
    /// Those that were answered in spite of it.
    pub answered: u64,
    /// Those that failed and surely did not run.
    pub failed: u64,
    /// Those that failed and may have run.
    pub maybe_ran: u64,
    /// Of the failed, those that were refused at once, since the endpoint was known to be down.
    pub refused: u64,
}

impl OutageCalls {
    fn since(self, start: Self) -> Self {
        Self {
            answered: self.answered - start.answered,
            failed: self.failed - start.failed,
            maybe_ran: self.maybe_ran - start.maybe_ran,
            refused: self.refused - start.refused,
        }
    }
}

impl Default for Course {
    fn default() -> Self {
        Self {
            state: HealthState::Up,
            lasting: Duration::ZERO,
            calls: OutageCalls::default(),
            fails: 0,
            refused_anew: 0,
        }
    }
}

/// An outage that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PastOutage {
    /// Why.
    pub cause: Cause,
    /// From the first failure to the first good probe.
    pub lasted: Duration,
    /// Whether the server came back as another process.
    pub restarted: Restarted,
    /// What became of its calls.
    pub calls: OutageCalls,
}

/// How a call ended that was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It was refused at once, since the endpoint was known to be down.
    Refused,
    /// It surely did not run.
    NotRun,
    /// It may have run.
    MaybeRan,
}

/// What has been counted since the client was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    /// Calls that asked for a connection, leases among them.
    pub(crate) asked: u64,
    pub(crate) leased: u64,
    /// Calls over connections that were lent.
    pub(crate) said: u64,
    pub(crate) answered: u64,
    pub(crate) failed: ByCause,
    pub(crate) refused: u64,
    pub(crate) may_have_run: u64,
    pub(crate) retried: u64,
    pub(crate) retries_refused: u64,
    pub(crate) lost: ByCause,
    pub(crate) dialled: u64,
    pub(crate) dials_failed: ByCause,
    pub(crate) create_time: Histogram,
    pub(crate) wait_time: Histogram,
    pub(crate) use_time: Histogram,
    pub(crate) outages: u64,
    pub(crate) last_outage: Option<PastOutage>,
    trouble: Option<Trouble>,
}

/// An outage or a suspicion that lasts.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    state: HealthState,
    began: Moment,
    calls_before: OutageCalls,
    dials_failed_before: u64,
    /// How many refusals have been told of.
    refused_told: u64,
    told_at: Moment,
}

/// How an outage or a suspicion went until now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Course {
    /// Suspect or down.
    pub(crate) state: HealthState,
    pub(crate) lasting: Duration,
    pub(crate) calls: OutageCalls,
    /// The failure that began it, and the dials and probes that failed after it.
    pub(crate) fails: u64,
    /// Refusals that have not been told of.
    pub(crate) refused_anew: u64,
}

impl Counters {
    /// A call ended without an answer.
    pub(crate) fn failed(&mut self, cause: Cause, how: Failed) {
        self.failed.count(cause);
        match how {
            Failed::Refused => self.refused += 1,
            Failed::NotRun => {}
            Failed::MaybeRan => self.may_have_run += 1,
        }
    }

    /// A call over a lent connection ended.
    pub(crate) fn said(&mut self, failed: Option<(Cause, Failed)>) {
        self.said += 1;
        match failed {
            Some((cause, how)) => self.failed(cause, how),
            None => self.answered += 1,
        }
    }

    /// The endpoint became suspect.
    pub(crate) fn suspected(&mut self, now: Moment) {
        self.trouble = Some(Trouble {
            state: HealthState::Suspect,
            began: now,
            calls_before: self.calls(),
            dials_failed_before: self.dials_failed.total(),
            refused_told: 0,
            told_at: now,
        });
    }

    /// It is down.
    pub(crate) fn declared(&mut self) {
        self.outages += 1;
        if let Some(trouble) = &mut self.trouble {
            trouble.state = HealthState::Down;
        }
    }

    /// It is up again.
    pub(crate) fn recovered(&mut self, cause: Cause, lasted: Duration, restarted: Restarted) {
        let Some(trouble) = self.trouble.take() else {
            return;
        };
        if trouble.state == HealthState::Down {
            self.last_outage = Some(PastOutage {
                cause,
                lasted,
                restarted,
                calls: self.calls().since(trouble.calls_before),
            });
        }
    }

    /// How the present outage or suspicion went until now.
    pub(crate) fn course(&self, now: Moment) -> Option<Course> {
        let trouble = self.trouble.as_ref()?;
        let calls = self.calls().since(trouble.calls_before);
        Some(Course {
            state: trouble.state,
            lasting: now.since(trouble.began),
            calls,
            fails: 1 + self.dials_failed.total() - trouble.dials_failed_before,
            refused_anew: calls.refused - trouble.refused_told,
        })
    }

    /// How an outage goes on, if it is time to tell.
    pub(crate) fn progress(&mut self, now: Moment) -> Option<Course> {
        let course = self.course(now)?;
        let trouble = self.trouble.as_mut()?;
        if trouble.state != HealthState::Down || now.since(trouble.told_at) < TELL_EVERY {
            return None;
        }
        trouble.told_at = now;
        trouble.refused_told = course.calls.refused;
        Some(course)
    }

    fn calls(&self) -> OutageCalls {
        OutageCalls {
            answered: self.answered,
            failed: self.failed.total() - self.may_have_run,
            maybe_ran: self.may_have_run,
            refused: self.refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u32) -> Moment {
        Moment::ORIGIN + SECOND * seconds
    }

    #[test]
    fn an_outage_counts_its_own_calls_and_no_others() {
        let mut counters = Counters {
            answered: 100,
            ..Counters::default()
        };
        counters.failed(Cause::ReplyTimeout, Failed::MaybeRan);
        counters.lost.count(Cause::ConnectionReset);
        counters.lost.count(Cause::ConnectionReset);
        counters.suspected(at(1));
        counters.answered += 2;
        counters.failed(Cause::ConnectionReset, Failed::MaybeRan);
        counters.failed(Cause::ConnectionReset, Failed::NotRun);
        counters.dials_failed.count(Cause::ConnectionRefused);
        counters.declared();
        counters.failed(Cause::ConnectionRefused, Failed::Refused);
        let calls = OutageCalls {
            answered: 2,
            failed: 2,
            maybe_ran: 1,
            refused: 1,
        };
        let course = Course {
            state: HealthState::Down,
            lasting: SECOND * 3,
            calls,
            fails: 2,
            refused_anew: 1,
        };
        assert_eq!(counters.course(at(4)), Some(course));
        counters.recovered(Cause::ConnectionRefused, SECOND * 3, Restarted::Yes);
        assert_eq!(counters.outages, 1);
        assert_eq!(counters.last_outage.map(|outage| outage.calls), Some(calls));
        assert_eq!(counters.course(at(5)), None);
    }

    #[test]
    fn a_suspicion_that_is_cleared_is_no_outage() {
        let mut counters = Counters::default();
        counters.suspected(at(1));
        assert_eq!(counters.progress(at(100)), None);
        let state = counters.course(at(2)).map(|course| course.state);
        assert_eq!(state, Some(HealthState::Suspect));
        counters.recovered(Cause::ConnectionReset, SECOND, Restarted::No);
        assert_eq!((counters.outages, counters.last_outage), (0, None));
    }

    #[test]
    fn a_long_outage_is_told_every_ten_seconds_with_what_is_new() {
        let mut counters = Counters::default();
        let refused = |course: Option<Course>| {
            course.map(|course| (course.calls.refused, course.refused_anew))
        };
        counters.suspected(at(1));
        counters.declared();
        counters.failed(Cause::ConnectionRefused, Failed::Refused);
        assert_eq!(counters.progress(at(10)), None);
        assert_eq!(refused(counters.progress(at(11))), Some((1, 1)));
        assert_eq!(counters.progress(at(20)), None);
        counters.failed(Cause::ConnectionRefused, Failed::Refused);
        assert_eq!(refused(counters.progress(at(21))), Some((2, 1)));
        assert_eq!(refused(counters.course(at(22))), Some((2, 0)));
    }
}
