//! What the users saw, and where it fell short.

use super::load::{Ending, Request};
use crate::scenario::{Burst, Scenario};
use crate::world::Timeline;
use seawall_model::Moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long after everything is mended an application may still fail: a probe of ours in a long outage comes within a
/// second, and a client that looks less often keeps its users waiting without need.
const SETTLED: Duration = Duration::from_secs(1);
/// An outage that the probe saw is one from here on; it asks every 5 ms.
const OUTAGE_MIN: Duration = Duration::from_millis(20);

/// The times of a run.
pub(super) struct Course {
    began: Moment,
    /// When the scenario's own time begins.
    pub(super) play: Moment,
    /// When it ends.
    pub(super) play_ends: Moment,
    ends: Moment,
    broken: Moment,
    mended: Moment,
    bursts: Vec<Burst>,
}

impl Course {
    /// Lays the scenario between two spans of calm.
    pub(super) fn lay(scenario: &Scenario, began: Moment, calm: Duration) -> Self {
        let play = began + calm;
        let play_ends = play + scenario.lasts;
        let steps = &scenario.steps;
        let broken = play + steps.first().map_or(Duration::ZERO, |step| step.at);
        // The last of several steps mends, or is the last blow. A lone one is mended by itself, or at the end.
        let mended = match steps.len() {
            0 | 1 => play_ends,
            _ => play + steps.last().map_or(Duration::ZERO, |step| step.at),
        };
        Self {
            began,
            play,
            play_ends,
            ends: play_ends + calm,
            broken,
            mended,
            bursts: scenario
                .flows
                .first()
                .map(|flow| flow.bursts.clone())
                .unwrap_or_default(),
        }
    }

    /// When users come: evenly, and not while the scenario's own load pauses.
    pub(super) fn due(&self, per_second: u32) -> Vec<Moment> {
        let pauses = |at: Moment| {
            let is_playing = at >= self.play && at < self.play_ends;
            let within = |burst: &Burst| at >= self.play + burst.from && at < self.play + burst.to;
            is_playing && !self.bursts.is_empty() && !self.bursts.iter().any(within)
        };
        let rate = u64::from(per_second.max(1));
        let lasts = u64::try_from(self.ends.since(self.began).as_millis()).unwrap_or(0);
        // From the count, not from a rounded period.
        (0..lasts * rate / 1000)
            .map(|turn| self.began + Duration::from_nanos(turn * 1_000_000_000 / rate))
            .filter(|&at| !pauses(at))
            .collect()
    }
}

/// What users saw in one phase of a run, by when they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How long it was.
    pub lasted: Duration,
    /// How many came.
    pub requests: u64,
    /// Answered with 2xx or 3xx.
    pub good: u64,
    /// Answered with 4xx.
    pub client_errors: u64,
    /// Answered with 5xx.
    pub server_errors: u64,
    /// Not answered.
    pub unanswered: u64,
    /// What half of the answers, of whatever kind, stayed below.
    pub median: Duration,
    /// What 99 % of them stayed below.
    pub p99: Duration,
    /// The longest that anybody waited, answered or not.
    pub worst: Duration,
}

/// A phase of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Before anything was broken.
    Before,
    /// From the first thing that was broken until all was mended.
    During,
    /// After that.
    After,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Before, Self::During, Self::After];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
        }
    }
}

/// What the users of an application saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// By phase, in the order of [`Phase::ALL`].
    pub phases: [Share; 3],
    /// Answers by their status.
    pub statuses: BTreeMap<u16, u64>,
    /// Causes that were named, and how often.
    pub causes: BTreeMap<String, u64>,
    /// Errors (5xx) that named none.
    pub without_cause: u64,
    /// Requests without an answer, and why.
    pub unanswered: BTreeMap<&'static str, u64>,
    /// For how long the probe saw no server.
    pub down: Duration,
    /// From everything being mended to the first good answer after that; none: it never came.
    pub back: Option<Duration>,
    /// How the application ended, if it did by itself.
    pub died: Option<String>,
    /// What fell short.
    pub shortfalls: Vec<String>,
}

fn share(requests: &[&Request], lasted: Duration) -> Share {
    let count = |what: &dyn Fn(&Request) -> bool| {
        requests.iter().filter(|request| what(request)).count() as u64
    };
    let status = |request: &Request| match &request.ending {
        Ending::Answered(answer) => Some(answer.status),
        _ => None,
    };
    let within = |from: u16, to: u16| {
        count(&|request| status(request).is_some_and(|it| it >= from && it < to))
    };
    let mut took: Vec<Duration> = requests
        .iter()
        .filter(|request| status(request).is_some())
        .map(|request| request.took())
        .collect();
    took.sort_unstable();
    let percent = |share: usize| {
        took.get(took.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    Share {
        lasted,
        requests: requests.len() as u64,
        good: within(200, 400),
        client_errors: within(400, 500),
        server_errors: within(500, 1000),
        unanswered: count(&|request| status(request).is_none()),
        median: percent(50),
        p99: percent(99),
        worst: requests
            .iter()
            .map(|request| request.took())
            .max()
            .unwrap_or_default(),
    }
}

fn why(ending: &Ending) -> Option<&'static str> {
    Some(match ending {
        Ending::Answered(_) => return None,
        Ending::TimedOut => "timed out",
        Ending::Refused => "refused",
        Ending::CutOff => "cut off",
        Ending::Garbled => "no HTTP",
        Ending::TurnedAway => "too many under way",
        Ending::NotBegun => "no socket here",
    })
}

/// Judges a run.
pub(super) fn judge(
    course: &Course,
    requests: &[Request],
    timeline: &Timeline,
    died: Option<String>,
) -> Seen {
    // A server that came back later than it was started is mended when it is back.
    let outages = || {
        timeline
            .outages(OUTAGE_MIN)
            .filter(|outage| outage.to > course.broken)
    };
    let returned = outages()
        .map(|outage| outage.to)
        .filter(|&to| to < course.ends)
        .max();
    let mended = match returned {
        // A lone step that mends itself is over with it, and not only at the scenario's end.
        Some(returned) if course.mended == course.play_ends => returned,
        Some(returned) => returned.max(course.mended),
        None => course.mended,
    };
    let bounds = [course.began, course.broken, mended, course.ends];
    let phases = [0, 1, 2].map(|phase| {
        let (from, to) = (bounds[phase], bounds[phase + 1]);
        let those: Vec<_> = requests
            .iter()
            .filter(|request| request.due >= from && request.due < to)
            .collect();
        share(&those, to.since(from))
    });
    let mut seen = Seen {
        phases,
        down: outages()
            .map(|outage| outage.to.since(outage.from.max(course.broken)))
            .sum(),
        died,
        ..Seen::default()
    };
    for request in requests {
        match &request.ending {
            Ending::Answered(answer) => {
                *seen.statuses.entry(answer.status).or_default() += 1;
                match &answer.cause {
                    Some(cause) => *seen.causes.entry(cause.clone()).or_default() += 1,
                    None if answer.status >= 500 => seen.without_cause += 1,
                    None => {}
                }
            }
            other => {
                let why = why(other).unwrap_or("unclear");
                *seen.unanswered.entry(why).or_default() += 1;
            }
        }
    }
    let good_after = requests
        .iter()
        .filter(|request| request.is_good() && request.ended >= mended);
    seen.back = good_after
        .map(|request| request.ended)
        .min()
        .map(|at| at.since(mended));
    seen.shortfalls = shortfalls(&seen, course, mended, requests);
    seen
}

fn shortfalls(seen: &Seen, course: &Course, mended: Moment, requests: &[Request]) -> Vec<String> {
    let mut short = Vec::new();
    if let Some(how) = &seen.died {
        short.push(format!("the application ended by itself: {how}"));
    }
    let waited = seen.unanswered.get("timed out").copied().unwrap_or(0);
    if waited > 0 {
        short.push(format!(
            "{waited} requests were not answered in the time that users wait"
        ));
    }
    let failed = |from: Moment, to: Moment| {
        let in_it = requests
            .iter()
            .filter(|request| request.due >= from && request.due < to);
        // What was under way when it broke is not counted as having failed before.
        in_it
            .filter(|request| {
                request.is_failed() && (request.ended < course.broken || from >= mended)
            })
            .count()
    };
    match failed(course.began, course.broken) {
        0 => {}
        count => short.push(format!(
            "{count} requests failed before anything was broken"
        )),
    }
    match failed(mended + SETTLED, course.ends) {
        0 => {}
        count => short.push(format!(
            "{count} requests failed later than {SETTLED:?} after all was mended"
        )),
    }
    match seen.back {
        None => short.push("no good answer came after all was mended".to_owned()),
        Some(back) if back > SETTLED => {
            short.push(format!(
                "the first good answer came {back:.1?} after all was mended, {SETTLED:?} allowed"
            ));
        }
        Some(_) => {}
    }
    short
}

#[cfg(test)]
mod tests {
    use super::super::http::Answer;
    use super::*;
    use crate::scenario::{Chapter, StageError};
    use crate::world::Serving;

    fn ms(ms: u64) -> Moment {
        Moment::ORIGIN + Duration::from_millis(ms)
    }

    fn course() -> Course {
        let nothing = |_: &crate::scenario::Stage| -> Result<(), StageError> { Ok(()) };
        let scenario = Scenario::new("test", Chapter::ServerGone, "a test")
            .lasts_ms(4000)
            .at_ms(1000, "down", nothing)
            .at_ms(3000, "up", nothing);
        Course::lay(&scenario, ms(0), Duration::from_secs(3))
    }

    /// Down from 4 s to 6.1 s of 10 s.
    fn timeline() -> Timeline {
        let mut line = Timeline::new();
        line.extend(ms(0), ms(4000), Serving::All);
        line.extend(ms(4000), ms(6100), Serving::Nothing);
        line.extend(ms(6100), ms(10_000), Serving::All);
        line
    }

    fn request(due: u64, took: u64, status: u16) -> Request {
        let ending = match status {
            0 => Ending::TimedOut,
            status => Ending::Answered(Answer {
                status,
                cause: (status == 503).then(|| "loading".to_owned()),
                first_line: String::new(),
            }),
        };
        Request {
            due: ms(due),
            ended: ms(due + took),
            ending,
        }
    }

    #[test]
    fn each_user_is_counted_in_the_phase_in_which_they_came() {
        let requests = [
            request(0, 5, 200),
            request(3900, 300, 503),
            request(4500, 2, 503),
            request(5000, 2, 500),
            request(6050, 100, 302),
            request(6200, 7, 404),
        ];
        let seen = judge(&course(), &requests, &timeline(), None);
        let counts: Vec<_> = seen
            .phases
            .iter()
            .map(|share| {
                (
                    share.requests,
                    share.good,
                    share.client_errors,
                    share.server_errors,
                )
            })
            .collect();
        assert_eq!(counts, [(2, 1, 0, 1), (3, 1, 0, 2), (1, 0, 1, 0)]);
        assert_eq!(seen.down, Duration::from_millis(2100));
        assert_eq!(seen.back, Some(Duration::from_millis(50)));
        assert_eq!((seen.causes["loading"], seen.without_cause), (2, 1));
        assert_eq!(seen.shortfalls, Vec::<String>::new());
    }

    #[test]
    fn who_waits_in_vain_and_who_fails_while_redis_is_well_fall_short() {
        let requests = [
            request(100, 5, 500),
            request(4500, 5000, 0),
            request(7500, 5, 502),
            request(9000, 5, 200),
        ];
        let seen = judge(
            &course(),
            &requests,
            &timeline(),
            Some("exit status: 1".into()),
        );
        let text = seen.shortfalls.join("; ");
        for words in [
            "exit status: 1",
            "1 requests were not answered",
            "before anything",
            "later than 1s",
            "2.9s after",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn users_come_evenly_and_pause_where_the_scenario_pauses() {
        let mut course = course();
        assert_eq!(course.due(50).len(), 500);
        course.bursts = vec![Burst {
            from: Duration::ZERO,
            to: Duration::from_secs(1),
        }];
        assert_eq!(course.due(50).len(), 500 - 150);
    }
}
