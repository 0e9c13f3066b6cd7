//! A client sends on and on without reading, and is closed.

use crate::facts::{Facts, Peer, bytes};
use crate::finding::Finding;
use crate::limits;
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(303),
    title: "Redis closed a client that sent on and on without reading",
    explanation: "A pipeline whose replies are read only after the last command: they wait in the server until \
`client-output-buffer-limit normal` is reached. Requests are still on their way then, so that the client sees a reset while it \
writes, and does not know which of its commands ran. With the default `normal 0 0 0` it is never closed; the server's memory \
grows instead.",
    messages: &["Connection reset by peer", "Broken pipe"],
    needs: &[Need::ServerLog],
    brings: &[],
    sources: &["redis: networking.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let sends_on = |peer: &Peer| {
        !peer.subscribes() && !peer.replicates() && peer.query_bytes >= limits::PIPELINE_BYTES
    };
    let Some((finding, place, peer)) = limits::closed(facts, &RULE, sends_on) else {
        return Vec::new();
    };
    let claim = format!(
        "Redis closed {} with {} of replies unread{} while {} of its requests waited. Proved: {place} names this connection. Which of its commands ran, it cannot know.",
        peer.label(),
        bytes(peer.output_bytes),
        limits::of_class(facts, "normal"),
        bytes(peer.query_bytes),
    );
    vec![
        finding
            .claims(claim)
            .fix("bounded pipelines: 1,000 commands or 1 MB at a time, each read to its end before the next", "a little less throughput", "")
            .fix(
                "stop-gap: redis-cli CONFIG SET client-output-buffer-limit 'normal <more> 0 0'",
                "each such client may take that much of the server's memory",
                limits::undo(facts, "normal"),
            )
            .checked_by("the same load runs through, and the line does not come again"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{log, verdicts};

    const CLOSED: &str = "9:M 23 Nov 2026 02:58:11.042 # Client id=7 addr=10.0.0.7:51234 laddr=10.0.0.2:6379 fd=9 name= age=1 idle=0 flags=N db=0 \
qbuf=20480 qbuf-free=0 obl=16384 oll=64 omem=5242944 events=rw cmd=get user=default scheduled to be closed ASAP for overcoming of output buffer limits.\n";

    #[test]
    fn unexecuted_requests_in_the_line_tell_it_from_one_large_reply() {
        let found = check(&log(CLOSED));
        assert!(
            found[0].claim.contains("20.5 kB of its requests"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
        assert_eq!(
            verdicts(check(&log(&CLOSED.replace("qbuf=20480", "qbuf=25")))),
            []
        );
    }

    #[test]
    fn a_replica_is_another_rules() {
        assert_eq!(
            verdicts(check(&log(&CLOSED.replace("flags=N", "flags=S")))),
            []
        );
    }
}
