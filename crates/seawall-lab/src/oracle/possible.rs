use super::{Case, RETURN, RETURN_SHARE, RIDE_OUT};
use crate::contender::{Failure, Refused};
use crate::run::Outcome;
use crate::scenario::Expect;
use crate::world::{Serving, Timeline};
use seawall_model::{Cause, Moment, Sent};

/// A number of calls out of those that were possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many could have been answered.
    pub possible: u64,
    /// How many of these were.
    pub answered: u64,
}

impl Share {
    /// Answered in percent of possible; 100 if nothing was possible.
    pub fn percent(self) -> f64 {
        if self.possible == 0 {
            100.0
        } else {
            100.0 * self.answered as f64 / self.possible as f64
        }
    }

    fn add(&mut self, answered: bool) {
        self.possible += 1;
        self.answered += u64::from(answered);
    }
}

/// How much was answered of what could be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    /// All calls.
    pub all: Share,
    /// Reads alone.
    pub reads: Share,
    /// Writes that ended as "may have run".
    pub in_doubt: u64,
    /// Calls that were turned away where that is what the policy promises: not counted as possible.
    pub excepted: u64,
    /// Calls that were turned away in all.
    pub refused: u64,
    /// Calls that no client could have had answered.
    pub impossible: u64,
    /// Calls that ended because their caller gave them up.
    pub given_up: u64,
}

impl Availability {
    pub(super) fn of(cases: &[Case<'_>], timeline: &Timeline) -> Self {
        let mut sums = Self::default();
        for case in cases {
            sums.add(case, timeline);
        }
        sums
    }

    fn add(&mut self, case: &Case<'_>, timeline: &Timeline) {
        if case.was_given_up() {
            self.given_up += 1;
            return;
        }
        let in_doubt = is_in_doubt(case);
        self.in_doubt += u64::from(in_doubt);
        self.refused += u64::from(was_refused(case));
        if case.flow.expect != Expect::Answers {
            return;
        }
        if is_excepted(case, timeline) {
            self.excepted += 1;
        } else if is_possible(case, timeline) {
            let answered = case.ended_in_time() && (case.is_good() || in_doubt);
            self.all.add(answered);
            if case.is_read() {
                self.reads.add(answered);
            }
        } else {
            self.impossible += 1;
        }
    }
}

fn is_possible(case: &Case<'_>, timeline: &Timeline) -> bool {
    let (from, to) = (case.record.due, case.deadline());
    if case.is_read() {
        timeline.serving_overlaps(from, to)
    } else {
        timeline.taking_writes_overlaps(from, to)
    }
}

fn is_in_doubt(case: &Case<'_>) -> bool {
    !case.is_read()
        && matches!(&case.record.outcome, Outcome::Failed { failure, .. } if failure.sent == Sent::Perhaps)
}

fn was_refused(case: &Case<'_>) -> bool {
    matches!(&case.record.outcome, Outcome::Failed { failure, .. } if failure.refused == Refused::Yes)
}

fn is_excepted(case: &Case<'_>, timeline: &Timeline) -> bool {
    let Outcome::Failed { at, failure } = &case.record.outcome else {
        return false;
    };
    if failure.sent == Sent::Perhaps {
        return false;
    }
    let closed = |serving| match serving {
        Serving::Nothing => true,
        Serving::ReadsOnly => !case.is_read(),
        Serving::All => false,
    };
    let policy = failure.refused == Refused::Yes && past_the_ride_out(*at, timeline, closed);
    policy || (!case.is_read() && passes_on_a_refusal(failure) && refusing_writes(*at, timeline))
}

/// Whether what the call needs had been gone for the ride-out when it was turned away. Neighbouring intervals in which
/// it was gone count as one.
fn past_the_ride_out(at: Moment, timeline: &Timeline, closed: impl Fn(Serving) -> bool) -> bool {
    let mut gone_since = None;
    for interval in timeline.intervals() {
        if interval.from > at {
            break;
        }
        if !closed(interval.serving) {
            // Back for long enough that a client ought to know.
            let known_after = gone_since.map_or(RETURN, |since: Moment| {
                RETURN.max(interval.from.since(since) / RETURN_SHARE)
            });
            if interval.to.min(at).since(interval.from) > known_after {
                gone_since = None;
            }
        } else if gone_since.is_none() {
            gone_since = Some(interval.from);
        }
    }
    gone_since.is_some_and(|since: Moment| at.since(since) >= RIDE_OUT)
}

/// The server's own words for "no writes now".
const fn passes_on_a_refusal(failure: &Failure) -> bool {
    matches!(
        failure.cause,
        Some(Cause::SaveFailed | Cause::ReadOnly | Cause::OutOfMemory | Cause::NoReplicas)
    )
}

fn refusing_writes(at: Moment, timeline: &Timeline) -> bool {
    let refusing = |interval: &&crate::world::Interval| interval.serving == Serving::ReadsOnly;
    timeline
        .intervals()
        .iter()
        .filter(refusing)
        .any(|interval| interval.from.before(RETURN) <= at && at <= interval.to + RETURN)
}

#[cfg(test)]
mod tests {
    use crate::oracle::testing::{Trial, ms};
    use crate::work::{Count, Read};
    use crate::world::Serving;
    use seawall_model::{Cause, Sent};

    /// Down from 1 s to 3 s of 4 s.
    fn outage() -> Trial {
        Trial::new()
            .serving(0, 1000, Serving::All)
            .serving(1000, 3000, Serving::Nothing)
            .serving(3000, 4000, Serving::All)
    }

    #[test]
    fn a_call_that_began_and_expired_within_the_outage_was_not_possible() {
        let score = outage()
            .call(Read::default(), ms(1500))
            .fails(ms(2500), Sent::No, None)
            .call(Read::default(), ms(2500))
            .answered(ms(3010))
            .judge();
        assert_eq!(
            (
                score.availability.all.possible,
                score.availability.all.answered
            ),
            (1, 1)
        );
        assert_eq!(score.availability.impossible, 1);
    }

    #[test]
    fn a_write_in_doubt_counts_as_answered_and_a_read_in_doubt_does_not() {
        let score = outage()
            .call(Count, ms(500))
            .fails(ms(1000), Sent::Perhaps, None)
            .call(Read::default(), ms(500))
            .fails(ms(1000), Sent::Perhaps, None)
            .judge();
        assert_eq!(
            (
                score.availability.all.possible,
                score.availability.all.answered
            ),
            (2, 1)
        );
        assert_eq!(
            (
                score.availability.reads.answered,
                score.availability.in_doubt
            ),
            (0, 1)
        );
    }

    #[test]
    fn being_turned_away_is_excepted_only_past_the_ride_out() {
        let score = outage()
            .call(Read::default(), ms(1100))
            .refused(ms(1200))
            .call(Read::default(), ms(2200))
            .refused(ms(2200))
            .judge();
        assert_eq!(
            (score.availability.excepted, score.availability.refused),
            (1, 2)
        );
        assert_eq!(score.availability.all.answered, 0);
    }

    #[test]
    fn being_turned_away_long_after_the_return_is_not_excepted() {
        let score = outage()
            .call(Read::default(), ms(3050))
            .refused(ms(3050))
            .call(Read::default(), ms(3500))
            .refused(ms(3500))
            .judge();
        assert_eq!(
            (score.availability.excepted, score.availability.all.possible),
            (1, 1)
        );
    }

    #[test]
    fn after_a_long_outage_the_return_may_be_noticed_later_and_not_much() {
        let outage = Trial::new()
            .serving(0, 1000, Serving::All)
            .serving(1000, 8000, Serving::Nothing)
            .serving(8000, 10_000, Serving::All);
        let score = outage
            .call(Read::default(), ms(8190))
            .refused(ms(8190))
            .call(Read::default(), ms(8210))
            .refused(ms(8210))
            .judge();
        assert_eq!(
            (score.availability.excepted, score.availability.all.possible),
            (1, 1)
        );
    }

    #[test]
    fn a_call_that_its_caller_gave_up_is_neither_possible_nor_a_failure() {
        let cancelled = Some(Cause::Cancelled);
        let score = Trial::new()
            .call(Count, ms(0))
            .given_up(ms(5))
            .fails(ms(6), Sent::Perhaps, cancelled)
            .call(Read::default(), ms(0))
            .given_up(ms(5))
            .answered(ms(3))
            .call(Read::default(), ms(0))
            .given_up(ms(5))
            .fails(ms(3), Sent::Perhaps, Some(Cause::ConnectionReset))
            .judge();
        assert_eq!(
            (
                score.availability.given_up,
                score.availability.all.possible,
                score.availability.all.answered
            ),
            (1, 2, 1)
        );
        assert_eq!((score.availability.in_doubt, score.naming.failed), (0, 1));
        assert_eq!(score.naming.verdict, Some(Cause::ConnectionReset));
    }

    #[test]
    fn a_call_that_nobody_gave_up_may_not_end_as_cancelled() {
        let score = Trial::new()
            .call(Read::default(), ms(0))
            .fails(ms(6), Sent::No, Some(Cause::Cancelled))
            .judge();
        assert_eq!(
            (score.availability.given_up, score.availability.all.answered),
            (0, 0)
        );
        assert_eq!(score.availability.all.possible, 1);
    }

    #[test]
    fn a_late_reply_is_no_answer() {
        let score = outage()
            .call(Read::default(), ms(0))
            .answered(ms(1101))
            .judge();
        assert_eq!(
            (
                score.availability.all.possible,
                score.availability.all.answered
            ),
            (1, 0)
        );
    }

    #[test]
    fn a_server_that_takes_no_writes_makes_writes_impossible_and_its_refusals_excepted() {
        let score = Trial::new()
            .serving(0, 1000, Serving::All)
            .serving(1000, 3000, Serving::ReadsOnly)
            .serving(3000, 4000, Serving::All)
            .call(Count, ms(1500))
            .fails(ms(1700), Sent::No, None)
            .call(Count, ms(2500))
            .fails(ms(2501), Sent::No, Some(Cause::SaveFailed))
            .call(Read::default(), ms(1500))
            .answered(ms(1501))
            .judge();
        assert_eq!(
            (score.availability.impossible, score.availability.excepted),
            (1, 1)
        );
        assert_eq!(
            (
                score.availability.all.possible,
                score.availability.all.answered
            ),
            (1, 1)
        );
    }
}
