//! A request outgrows the query buffer.

use crate::facts::{Facts, Line, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::joined;
use crate::limits;
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(305),
    title: "Redis closed a client over its query buffer limit",
    explanation: "What a client sent and the server did not execute yet outgrew `client-query-buffer-limit` (1 GB by default; \
since 7.0 the commands queued in MULTI count). The client sees a reset in the middle of sending.",
    messages: &[
        "Connection reset by peer",
        "Broken pipe",
        "while writing to socket",
    ],
    needs: &[Need::ServerLog],
    brings: &[],
    sources: &["redis: networking.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let closed: Vec<_> = facts
        .lines(|line| match line {
            Line::QueryLimit(peer) => Some(peer),
            _ => None,
        })
        .collect();
    if closed.is_empty() {
        return Vec::new();
    }
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Proved);
    for (fact, peer) in &closed {
        finding = finding.at(fact.at).struck(peer.label()).supported(
            fact.place.clone(),
            format!(
                "{} closed with {} unexecuted",
                peer.label(),
                bytes(peer.query_bytes)
            ),
        );
    }
    let who = finding.whom();
    let peers = closed
        .iter()
        .map(|(fact, peer)| (peer.addr.clone(), fact.at));
    let finding = joined::joined(finding, facts, peers);
    let finding = joined::with_journals(finding, facts, &closed);
    let old = facts
        .looks
        .iter()
        .find_map(|look| look.config.get("client-query-buffer-limit"));
    let old = old.map_or("<old>", String::as_str);
    vec![
        finding
            .claims(format!("Redis closed {who} since more came than it takes unexecuted. Proved: the log names the connection."))
            .fix("send less at a time: smaller values, shorter pipelines and transactions", "", "")
            .fix(
                format!(
                    "stop-gap: redis-cli CONFIG SET client-query-buffer-limit {}",
                    limits::twice_as_much(facts.looks.first(), "client-query-buffer-limit")
                ),
                "each such client may take that much of the server's memory",
                format!("redis-cli CONFIG SET client-query-buffer-limit {old}"),
            )
            .checked_by("the same request is answered, and the line does not come again"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    const CLOSED: &str = "9:M 23 Nov 2026 02:58:11.042 # Closing client that reached max query buffer length: id=7 \
addr=10.0.0.7:51234 laddr=10.0.0.2:6379 fd=9 name= qbuf=1073741825 omem=0 cmd=set (qbuf initial bytes: \"*3 secret\")\n";

    #[test]
    fn the_line_of_the_log_is_proof_and_its_bytes_are_not_shown() {
        let found = check(&log(CLOSED));
        assert!(!format!("{found:?}").contains("secret"));
        assert_eq!(found[0].whom(), "id=7 10.0.0.7:51234");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn without_the_line_nothing_is_said() {
        assert_eq!(
            verdicts(check(&log(
                "9:M 23 Nov 2026 02:58:11.042 * Ready to accept connections\n"
            ))),
            []
        );
    }
}
