use super::Case;
use crate::contender::{Event, Gap};
use crate::run::{Heard, History, Outcome};
use seawall_model::{Cause, Moment};
use std::collections::BTreeMap;

/// What the client said about why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// Its verdict: of its first outage if it declared one, else what it said most often of lost connections, failed calls
    /// and gaps.
    pub verdict: Option<Cause>,
    /// How many outages it declared.
    pub outages: u64,
    /// How many lost connections it reported.
    pub lost_connections: u64,
    /// Each cause that it named for a lost connection, a failed call or a gap, and how often.
    pub tally: BTreeMap<Cause, u64>,
    /// Failed calls.
    pub failed: u64,
    /// Failed calls for which it named none.
    pub unnamed: u64,
    /// The words of the first failed call.
    pub first_message: Option<String>,
}

impl Naming {
    pub(super) fn of(cases: &[Case<'_>], history: &History) -> Self {
        let events = &history.events;
        let mut naming = Self::default();
        let failures = cases.iter().filter_map(|case| match &case.record.outcome {
            Outcome::Failed { failure, .. } if !case.was_given_up() => Some(failure),
            _ => None,
        });
        for failure in failures {
            naming.failed += 1;
            naming
                .first_message
                .get_or_insert_with(|| failure.message.clone());
            match failure.cause {
                Some(cause) => *naming.tally.entry(cause).or_default() += 1,
                None => naming.unnamed += 1,
            }
        }
        let lost = events.iter().filter_map(|(_, event)| match event {
            Event::Lost { cause } => Some(cause),
            _ => None,
        });
        for cause in lost {
            naming.lost_connections += 1;
            if let Some(cause) = cause {
                *naming.tally.entry(*cause).or_default() += 1;
            }
        }
        for heard in history.heard.iter().flatten() {
            if let Heard::Gap(Gap {
                cause: Some(cause), ..
            }) = heard
            {
                *naming.tally.entry(*cause).or_default() += 1;
            }
        }
        naming.outages = events
            .iter()
            .filter(|(_, event)| matches!(event, Event::OutageStart { .. }))
            .count() as u64;
        naming.verdict = outage_verdict(events).or_else(|| naming.most_frequent());
        naming
    }

    fn most_frequent(&self) -> Option<Cause> {
        self.tally
            .iter()
            .max_by_key(|&(_, count)| count)
            .map(|(&cause, _)| cause)
    }
}

/// The cause of the first outage: as its end tells it, since more is known by then, else as its start did.
fn outage_verdict(events: &[(Moment, Event)]) -> Option<Cause> {
    let mut at_start = None;
    for (_, event) in events {
        match event {
            Event::OutageStart { cause } if at_start.is_none() => at_start = Some(*cause),
            Event::OutageEnd {
                cause: Some(cause), ..
            } if at_start.is_some() => return Some(*cause),
            _ => {}
        }
    }
    at_start.flatten()
}

#[cfg(test)]
mod tests {
    use crate::contender::{Event, Restarted};
    use crate::oracle::testing::{Trial, ms};
    use crate::work::Read;
    use seawall_model::{Cause, Sent};

    #[test]
    fn the_end_of_an_outage_knows_better_than_its_start_and_both_better_than_single_failures() {
        let start = Event::OutageStart {
            cause: Some(Cause::ConnectionReset),
        };
        let end = Event::OutageEnd {
            cause: Some(Cause::ConnectionRefused),
            lasted: None,
            restarted: Restarted::Unsaid,
        };
        let trial = || {
            Trial::new().call(Read::default(), ms(0)).fails(
                ms(9),
                Sent::Perhaps,
                Some(Cause::ReplyTimeout),
            )
        };
        let verdict = |trial: Trial| trial.judge().naming.verdict;
        assert_eq!(verdict(trial()), Some(Cause::ReplyTimeout));
        assert_eq!(
            verdict(trial().event(start.clone())),
            Some(Cause::ConnectionReset)
        );
        assert_eq!(
            verdict(trial().event(start).event(end)),
            Some(Cause::ConnectionRefused)
        );
    }

    #[test]
    fn without_an_outage_the_most_frequent_cause_is_the_verdict() {
        let lost = |cause| Event::Lost { cause: Some(cause) };
        let score = Trial::new()
            .event(lost(Cause::IdleReset))
            .event(lost(Cause::IdleReset))
            .event(lost(Cause::ConnectionReset))
            .judge();
        assert_eq!(score.naming.verdict, Some(Cause::IdleReset));
        assert_eq!(
            (score.naming.lost_connections, score.naming.outages),
            (3, 0)
        );
    }

    #[test]
    fn failures_without_a_cause_are_counted_as_such() {
        let score = Trial::new()
            .call(Read::default(), ms(0))
            .fails(ms(9), Sent::Perhaps, None)
            .judge();
        assert_eq!((score.naming.verdict, score.naming.unnamed), (None, 1));
    }
}
