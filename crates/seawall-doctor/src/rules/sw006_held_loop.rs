//! The client's event loop was held up by its own work.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

/// asyncio's debug mode: `Executing <Task ..> took 2.345 seconds`.
const TASK: Text = Text::client("Executing <Task")
    .keeping(Keeps::Amount)
    .no_failure();
const HANDLE: Text = Text::client("Executing <Handle")
    .keeping(Keeps::Amount)
    .no_failure();
const TIMER: Text = Text::client("Executing <TimerHandle")
    .keeping(Keeps::Amount)
    .no_failure();

/// Below this no timeout of seconds comes of it.
const FELT_S: f64 = 1.0;

pub(super) const RULE: Rule = Rule {
    code: Code(6),
    title: "the application's event loop stood still",
    explanation: "asyncio runs one piece of code at a time. One that computes or blocks for seconds (a large JSON, a password \
hash, a synchronous client) keeps all others from their sockets: replies that arrived in time are read too late, and calls time \
out that did nothing wrong. asyncio tells in debug mode (PYTHONASYNCIODEBUG=1).",
    messages: &["Timeout reading from", "asyncio.exceptions.TimeoutError"],
    needs: &[Need::ClientLog],
    brings: &[],
    texts: &[TASK, HANDLE, TIMER],
    sources: &["cpython: asyncio/base_events.py _run_once"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let held: Vec<_> = evidence::lines(facts, &[TASK, HANDLE, TIMER])
        .into_iter()
        .filter(|fact| fact.what.amount().is_some_and(|seconds| seconds >= FELT_S))
        .collect();
    let longest = held
        .iter()
        .filter_map(|fact| fact.what.amount())
        .fold(0.0, f64::max);
    if held.is_empty() {
        return Vec::new();
    }
    // The line comes when the piece is through: the timeout right after it.
    let kinds = [Failure::ReadTimeout, Failure::ConnectTimeout];
    let struck: Vec<_> = held
        .iter()
        .flat_map(|fact| evidence::beside(facts, fact.at.zip(fact.at), &kinds, 5))
        .collect();
    let finding = evidence::finding(&RULE, Verdict::Risk, Confidence::Possible, &held);
    let finding = evidence::with_failures(finding, &struck, Confidence::Likely);
    let after = if struck.is_empty() {
        "no call is told to have timed out beside it"
    } else {
        "calls timed out within 5 s of it"
    };
    vec![
        finding
            .claims(format!("One piece of code held the loop up for {longest:.1} s, and {} did for a second or more; {after}.", times(held.len())))
            .fix("await asyncio.to_thread(..) for what blocks, a process pool for what computes; the line names the task", "", "")
            .checked_by("loop.slow_callback_duration = 0.1 in debug mode: no line of a second"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, verdicts};

    const HELD: &str = "2026-11-23 02:58:11,042 WARNING asyncio: Executing <Task pending name='Task-7' coro=<render() running at app.py:41>> took 3.214 seconds\n";
    const TOLD: &str = "2026-11-23 02:58:11,050 ERROR redis.exceptions.TimeoutError: Timeout reading from cache:6379\n";

    #[test]
    fn a_timeout_right_after_it_makes_it_likely() {
        let found = check(&application(&format!("{HELD}{TOLD}")));
        assert!(found[0].claim.contains("for 3.2 s"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn a_timeout_of_another_hour_leaves_it_a_risk_and_a_short_piece_is_nothing() {
        let later = TOLD.replace("02:58", "09:58");
        assert_eq!(
            verdicts(check(&application(&format!("{HELD}{later}")))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let short = HELD.replace("3.214", "0.214");
        assert_eq!(verdicts(check(&application(&format!("{short}{TOLD}")))), []);
    }
}
