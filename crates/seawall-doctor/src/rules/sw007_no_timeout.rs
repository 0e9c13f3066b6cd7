//! A worker was killed while it waited, since nothing else would end its wait.

use crate::evidence;
use crate::facts::{Facts, Failure};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const GUNICORN: Text = Text::client("WORKER TIMEOUT (pid:")
    .keeping(Keeps::Word)
    .no_failure();
const CELERY: Text = Text::client("Hard time limit (")
    .keeping(Keeps::Word)
    .no_failure();
const CELERY_SOFT: Text = Text::client("Soft time limit (")
    .keeping(Keeps::Word)
    .no_failure();

/// The frames of a worker that waited for Redis when it was killed.
const IN_REDIS: &[Text] = &[RECV, READ_RESPONSE];
const RECV: Text = Text::client("in _read_from_socket").no_failure();
const READ_RESPONSE: Text = Text::client("in read_response").no_failure();

/// A traceback is no longer.
const TRACEBACK_LINES: u64 = 80;

pub(super) const RULE: Rule = Rule {
    code: Code(7),
    title: "workers were killed while they waited for Redis without a limit",
    explanation: "Without `socket_timeout` (the default of redis-py before 8, of ioredis and others) a call waits for ever if its \
reply is lost: a half-open connection, a failover, a server that stands still. Then gunicorn or Celery kills the whole worker \
after its own limit, with every request in it.",
    messages: &["WORKER TIMEOUT", "Hard time limit"],
    needs: &[Need::ClientLog],
    brings: &[],
    texts: &[GUNICORN, CELERY, CELERY_SOFT, RECV, READ_RESPONSE],
    sources: &[
        "gunicorn: arbiter.py",
        "celery: worker/request.py",
        "redis-py: connection.py",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let killed = evidence::lines(facts, &[GUNICORN, CELERY, CELERY_SOFT]);
    let frames = evidence::lines(facts, IN_REDIS);
    let line = |place: &crate::facts::Place| match place.spot {
        crate::facts::Spot::Line(number) => number,
        _ => 0,
    };
    let waited: Vec<_> = killed
        .iter()
        .copied()
        .filter(|kill| {
            frames.iter().any(|frame| {
                let after = line(&frame.place).checked_sub(line(&kill.place));
                frame.place.source == kill.place.source
                    && after.is_some_and(|after| after <= TRACEBACK_LINES)
            })
        })
        .collect();
    if waited.is_empty() {
        return Vec::new();
    }
    let mut finding = evidence::finding(&RULE, Verdict::Cause, Confidence::Likely, &waited);
    let timeouts = facts.failures(Failure::ReadTimeout).next();
    if let Some(timeout) = timeouts {
        finding = finding.contradicted(
            timeout.place.clone(),
            "another call had a timeout of its own",
        );
    }
    let when = evidence::when(finding.window);
    vec![
        finding
            .claims(format!("{} workers were killed{when}, and their tracebacks end where redis-py waits for a reply: nothing else would have ended that wait.", waited.len()))
            .fix("socket_timeout=5, socket_connect_timeout=2 in the client (less than the worker's limit)", "a reply that takes longer fails", "without them")
            .fix("then why the reply did not come: seawall doctor with the server's URL and log", "", "")
            .checked_by("a drill with the server stopped (kill -STOP) for 10 s: calls fail after 5 s, no worker dies"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, verdicts};

    const KILLED: &str = "[2026-11-23 02:58:11 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:41)\n\
[2026-11-23 02:58:11 +0000] [41] [ERROR] Error handling request /cart\n\
Traceback (most recent call last):\n\
  File \"redis/connection.py\", line 512, in read_response\n\
    response = self._parser.read_response()\n\
  File \"redis/_parsers/socket.py\", line 65, in _read_from_socket\n\
    data = self._sock.recv(socket_read_size)\n";

    #[test]
    fn a_worker_that_was_killed_in_a_read_is_likely() {
        let found = check(&application(KILLED));
        assert!(
            found[0].claim.contains("1 workers were killed"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn a_worker_that_computed_is_another_things_doing() {
        let (kill, _) = KILLED.split_once("Traceback").expect("it is there");
        assert_eq!(verdicts(check(&application(kill))), []);
    }
}
