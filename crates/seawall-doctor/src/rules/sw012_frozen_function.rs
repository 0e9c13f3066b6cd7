//! A serverless function was frozen with its connections, and woke up with dead ones.

use crate::evidence;
use crate::facts::{Facts, Failure};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::stamp::Stamp;
use crate::text::Text;

/// AWS Lambda begins and ends a call with these.
const START: Text = Text::client("START RequestId: ").no_failure();
const END: Text = Text::client("END RequestId: ").no_failure();

/// A function that rested for less was not frozen for long enough to lose a connection.
const REST_S: f64 = 60.0;

/// What woke up meets its dead connection in its first call.
const AWAKE_S: f64 = 5.0;

/// Fewer are no pattern.
const CALLS_MIN: usize = 3;

const KINDS: &[Failure] = &[
    Failure::Reset,
    Failure::Closed,
    Failure::WriteFailed,
    Failure::ReadTimeout,
];

pub(super) const RULE: Rule = Rule {
    code: Code(12),
    title: "a function was frozen, and woke up with dead connections",
    explanation: "Between two calls Lambda and its like freeze the process: it answers no keepalive and sends no ping. A balancer \
or the server ends its connections meanwhile, and the first call after the rest fails. The next one, seconds later, works.",
    messages: &[
        "Connection reset by peer",
        "read ECONNRESET",
        "Socket closed unexpectedly",
    ],
    needs: &[Need::ClientLog],
    brings: &[],
    texts: &[START, END],
    sources: &[
        "ioredis#1183",
        "AWS Lambda: execution environment lifecycle",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, &[START, END]) {
        let rests: Vec<_> = lines
            .windows(2)
            .filter(|pair| pair[1].what.text == START)
            .filter_map(|pair| Some((pair[1].at?, pair[0].at?.seconds_to(pair[1].at?))))
            .filter(|(_, rest)| *rest >= REST_S)
            .collect();
        let failed: Vec<_> = facts
            .client_log
            .iter()
            .filter(|fact| fact.place.source == source && KINDS.contains(&fact.what.failure))
            .collect();
        let woke = |at: Stamp| {
            rests
                .iter()
                .find(|(start, _)| (0.0..=AWAKE_S).contains(&start.seconds_to(at)))
        };
        let after: Vec<_> = failed
            .iter()
            .filter_map(|fact| Some((*fact, woke(fact.at?)?.1)))
            .collect();
        if after.len() < CALLS_MIN || after.len() * 5 < failed.len() * 4 {
            continue;
        }
        let shortest = after.iter().map(|(_, rest)| *rest).fold(f64::MAX, f64::min);
        let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Likely)
            .struck(&*source);
        for (fact, rest) in &after {
            finding = finding
                .at(fact.at)
                .supported(fact.place.clone(), format!("woke up after {rest:.0} s"));
        }
        found.push(
            finding
                .claims(format!(
                    "{} of {} failures came within {AWAKE_S:.0} s after the function woke up from a rest of {shortest:.0} s or more.",
                    after.len(),
                    failed.len()
                ))
                .fix("when a call begins: close what has rested for more than 60 s, or PING it with a timeout of 1 s and connect anew", "a connect now and then", "")
                .fix("one more try of calls that may be done twice, after a new connection", "", "")
                .checked_by("a call after twice that rest succeeds at once"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, verdicts};

    fn calls(hours: std::ops::Range<u32>, minute: u32) -> String {
        let call = |hour: u32| {
            format!(
                "2026-11-23T{hour:02}:00:00.000Z START RequestId: 7be9d3c4 Version: $LATEST\n\
2026-11-23T{hour:02}:{minute:02}:01.000Z ERROR redis: read ECONNRESET at TCP.onStreamRead cache:6379\n\
2026-11-23T{hour:02}:{minute:02}:03.000Z END RequestId: 7be9d3c4\n"
            )
        };
        hours.map(call).collect()
    }

    #[test]
    fn failures_right_after_waking_up_are_likely() {
        let found = check(&application(&calls(1..6, 0)));
        assert!(
            found[0].claim.contains("4 of 5 failures"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn failures_in_the_middle_of_a_call_are_another_things_doing() {
        assert_eq!(verdicts(check(&application(&calls(1..6, 9)))), []);
        assert_eq!(verdicts(check(&application(&calls(1..3, 0)))), []);
    }
}
