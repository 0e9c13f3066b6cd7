//! A reply outgrows the output buffer of a normal client.

use crate::facts::{Facts, Peer, bytes};
use crate::finding::Finding;
use crate::limits;
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(302),
    title: "Redis closed a client over its output buffer limit",
    explanation: "A reply, or the replies of a long pipeline that nobody reads, outgrew `client-output-buffer-limit normal`. \
The client sees a plain end of stream without a byte of the reply, or a reset if it was still sending. It is never the case \
with the default `normal 0 0 0`. Trying again makes the server build the reply again.",
    messages: &[
        "Connection closed by server",
        "Connection reset by peer",
        "Unexpected end of stream",
    ],
    needs: &[Need::ServerLog],
    brings: &[],
    sources: &["redis: networking.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    // One that was still sending is a pipeline that nobody reads: another rule's.
    let is_normal = |peer: &Peer| {
        !peer.subscribes() && !peer.replicates() && peer.query_bytes < limits::PIPELINE_BYTES
    };
    let Some((mut finding, place, peer)) = limits::closed(facts, &RULE, is_normal) else {
        return Vec::new();
    };
    let command = peer.command.to_ascii_uppercase();
    finding.title = format!("{} ({command})", RULE.title);
    let finding = finding.claims(format!(
        "Redis closed {} because the reply to {command} reached {}{}. Proved: {place} names this connection.",
        peer.label(),
        bytes(peer.output_bytes),
        limits::of_class(facts, "normal"),
    ));
    vec![
        finding
            .fix("ask for less at a time: HSCAN, SSCAN, LRANGE in windows, GETRANGE; read a pipeline's replies while sending it", "", "")
            .fix(
                format!(
                    "stop-gap: redis-cli CONFIG SET client-output-buffer-limit {}",
                    limits::twice(facts, "normal", "normal <more> 0 0")
                ),
                "each such client may take that much of the server's memory",
                limits::undo(facts, "normal"),
            )
            .checked_by("the same command is answered whole, and the line does not come again"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{log, verdicts};

    const CLOSED: &str = "9:M 23 Nov 2026 02:58:11.042 # Client id=7 addr=10.0.0.7:51234 fd=9 name= age=1 idle=0 flags=N db=0 \
omem=5242944 cmd=hgetall user=default scheduled to be closed ASAP for overcoming of output buffer limits.\n";

    #[test]
    fn the_line_of_the_log_is_proof_and_names_the_command() {
        let found = check(&log(CLOSED));
        assert!(found[0].title.ends_with("(HGETALL)"), "{}", found[0].title);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn one_that_was_still_sending_is_another_rules() {
        assert_eq!(
            verdicts(check(&log(&CLOSED.replace("db=0", "db=0 qbuf=20480")))),
            []
        );
    }

    #[test]
    fn a_replica_or_a_subscriber_is_another_rules() {
        for flags in ["flags=S", "flags=P"] {
            assert_eq!(verdicts(check(&log(&CLOSED.replace("flags=N", flags)))), []);
        }
    }
}
