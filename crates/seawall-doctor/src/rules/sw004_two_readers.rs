//! Two tasks or threads use one connection at the same time.

use crate::evidence;
use crate::facts::{Facts, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const ASYNCIO: Text =
    Text::client("called while another coroutine is already waiting for incoming data").shared();
const GEVENT: Text = Text::client("This socket is already used by another greenlet");
const EVENTLET: Text = Text::client("Second simultaneous read on fileno");
const ALL: &[Text] = &[ASYNCIO, GEVENT, EVENTLET];

pub(super) const RULE: Rule = Rule {
    code: Code(4),
    title: "two tasks read from one connection at the same time",
    explanation: "One connection (a PubSub, a pipeline, a client with single_connection_client=True) was used by two tasks or \
greenlets at once. The loop refuses the second one; where it does not come to that, replies get to the wrong one.",
    messages: &[
        "called while another coroutine is already waiting for incoming data",
        "This socket is already used by another greenlet",
        "Second simultaneous read on fileno",
    ],
    needs: &[Need::ClientLog],
    brings: &[Code(3)],
    texts: ALL,
    sources: &["cpython: asyncio/streams.py", "gevent", "eventlet"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told = evidence::lines(facts, ALL);
    if told.is_empty() {
        return Vec::new();
    }
    let finding = evidence::finding(&RULE, Verdict::Cause, Confidence::Proved, &told);
    let when = evidence::when(finding.window);
    vec![
        finding
            .claims(format!("A second task read from a connection that another one was reading from, told {}{when}. Proved: the loop says so.", times(told.len())))
            .fix("a PubSub or a pipeline for each task; no single_connection_client=True in a client that tasks share", "a connection more for each", "")
            .fix("greenlets: gevent.monkey.patch_all() before anything else is imported", "", "")
            .checked_by("no such line under the same load"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, verdicts};

    #[test]
    fn the_loops_own_words_are_proof() {
        for words in [
            "RuntimeError: readuntil() called while another coroutine is already waiting for incoming data",
            "RuntimeError: read() called while another coroutine is already waiting for incoming data",
            "gevent.exceptions.ConcurrentObjectUseError: This socket is already used by another greenlet: <bound method Waiter.switch>",
        ] {
            let facts = application(&format!("2026-11-23T02:58:11Z redis worker: {words}\n"));
            assert_eq!(
                verdicts(check(&facts)),
                [(Verdict::Cause, Confidence::Proved)],
                "{words}"
            );
        }
    }

    #[test]
    fn a_call_that_ran_out_of_time_is_silent() {
        let facts = application(
            "2026-11-23T02:58:11Z redis.exceptions.TimeoutError: Timeout reading from cache:6379\n",
        );
        assert_eq!(verdicts(check(&facts)), []);
    }
}
