use super::{Case, OUTAGE_MIN};
use crate::scenario::Expect;
use crate::world::Timeline;
use seawall_model::Moment;
use std::time::Duration;

/// When calls ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Calls that neither returned nor failed by their deadline and the grace.
    pub hung: u64,
    /// The longest that any call took to return or fail, from when it was due. Calls that never did are not in it.
    pub worst: Duration,
    /// What half of the good answers stayed below.
    pub median: Duration,
    /// What 99 % of the good answers stayed below.
    pub p99: Duration,
    /// For each outage that the probe saw end: how long after its end the next good answer came. An outage after which
    /// none came counts with all the time that was left.
    pub first_good: Vec<Duration>,
}

impl Timing {
    pub(super) fn of(cases: &[Case<'_>], timeline: &Timeline) -> Self {
        let took = |case: &Case<'_>| case.record.outcome.at().map(|at| at.since(case.record.due));
        let mut good: Vec<Duration> = cases
            .iter()
            .filter(|case| case.is_good())
            .filter_map(took)
            .collect();
        good.sort_unstable();
        let share = |percent: usize| {
            good.get(good.len() * percent / 100)
                .copied()
                .unwrap_or_default()
        };
        Self {
            hung: cases.iter().filter(|case| case.hangs()).count() as u64,
            worst: cases.iter().filter_map(took).max().unwrap_or_default(),
            median: share(50),
            p99: share(99),
            first_good: first_good(cases, timeline),
        }
    }
}

/// The clock starts with the probe's first good answer after an outage and ends with the contender's first one after
/// that moment, whichever call it answers: a user who had waited is served from then on.
fn first_good(cases: &[Case<'_>], timeline: &Timeline) -> Vec<Duration> {
    let answerable = || {
        cases
            .iter()
            .filter(|case| case.flow.expect == Expect::Answers)
    };
    let mut good: Vec<Moment> = answerable()
        .filter(|case| case.is_good())
        .filter_map(|case| case.record.outcome.at())
        .collect();
    good.sort_unstable();
    let Some(last_due) = answerable().map(|case| case.record.due).max() else {
        return Vec::new();
    };
    let returns = timeline
        .outages(OUTAGE_MIN)
        .map(|outage| outage.to)
        .filter(|&back| back < last_due);
    returns
        .map(|back| {
            let next = good.partition_point(|&at| at < back);
            good.get(next).copied().unwrap_or(last_due).since(back)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::oracle::testing::{Trial, ms};
    use crate::work::Read;
    use crate::world::Serving;
    use seawall_model::Sent;
    use std::time::Duration;

    #[test]
    fn silence_and_an_end_past_the_grace_are_hung() {
        let score = Trial::new()
            .call(Read::default(), ms(0))
            .call(Read::default(), ms(0))
            .answered(ms(1501))
            .call(Read::default(), ms(0))
            .fails(ms(1500), Sent::No, None)
            .judge();
        assert_eq!(score.timing.hung, 2);
        assert_eq!(score.timing.worst, Duration::from_millis(1501));
        assert!(
            score.shortfalls.iter().any(|short| short.contains("hung")),
            "{:?}",
            score.shortfalls
        );
    }

    #[test]
    fn the_first_good_answer_is_timed_from_the_servers_return() {
        let score = Trial::new()
            .serving(0, 1000, Serving::All)
            .serving(1000, 2000, Serving::Nothing)
            .serving(2000, 4000, Serving::All)
            .call(Read::default(), ms(900))
            .answered(ms(901))
            .call(Read::default(), ms(1900))
            .answered(ms(2060))
            .call(Read::default(), ms(3000))
            .answered(ms(3001))
            .judge();
        assert_eq!(score.timing.first_good, [Duration::from_millis(60)]);
    }

    #[test]
    fn a_short_gap_of_the_probe_is_no_outage_to_return_from() {
        let score = Trial::new()
            .serving(0, 1000, Serving::All)
            .serving(1000, 1040, Serving::Nothing)
            .serving(1040, 4000, Serving::All)
            .call(Read::default(), ms(2000))
            .answered(ms(2001))
            .judge();
        assert!(score.timing.first_good.is_empty());
    }
}
