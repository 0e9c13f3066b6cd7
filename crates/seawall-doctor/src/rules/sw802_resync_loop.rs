//! A replica is sent everything again and again.

use crate::facts::{Facts, Line, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::limits;
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(802),
    title: "a replica is resynchronised again and again",
    explanation: "The replica's connection breaks, and what it missed is no longer in the backlog: the primary forks, writes \
everything and sends it. If meanwhile more changes pile up than `client-output-buffer-limit replica` allows, the primary closes \
the replica, and it begins again.",
    messages: &[],
    needs: &[Need::ServerLog],
    brings: &[],
    sources: &["redis: replication.c", "redis: networking.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let closed: Vec<_> = facts
        .lines(|line| match line {
            Line::OutputLimit(peer) if peer.replicates() => Some(peer),
            _ => None,
        })
        .collect();
    let full: Vec<_> = facts
        .lines(|line| match line {
            Line::FullResync(replica) => Some(replica),
            _ => None,
        })
        .collect();
    if closed.is_empty() && full.len() < 3 {
        return Vec::new();
    }
    let confidence = if closed.is_empty() {
        Confidence::Likely
    } else {
        Confidence::Proved
    };
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, confidence);
    for (fact, peer) in &closed {
        finding = finding
            .at(fact.at)
            .struck(format!("replica {}", peer.addr))
            .supported(
                fact.place.clone(),
                format!(
                    "replica closed at {} unsent{}",
                    bytes(peer.output_bytes),
                    limits::of_class(facts, "slave")
                ),
            );
    }
    for (fact, replica) in &full {
        finding = finding.at(fact.at).supported(
            fact.place.clone(),
            format!("full resync asked for by {replica}"),
        );
    }
    vec![
        finding
            .claims(format!("{} full resyncs, and {} times the primary closed the replica over its output limit.", full.len(), closed.len()))
            .fix("redis-cli CONFIG SET repl-backlog-size 256mb", "that much memory", "redis-cli CONFIG SET repl-backlog-size <old>")
            .fix(
                "redis-cli CONFIG SET client-output-buffer-limit 'replica 1gb 256mb 300'",
                "a slow replica may take that much of the primary's memory",
                limits::undo(facts, "slave"),
            )
            .checked_by("sync_full of INFO stays as it is, and master_link_status:up on the replica"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    const CLOSED: &str = "9:M 23 Nov 2026 02:58:11.042 # Client id=7 addr=10.0.0.9:51234 fd=9 name= flags=S omem=268435457 cmd=psync scheduled to be closed ASAP for overcoming of output buffer limits.\n";
    const FULL: &str =
        "9:M 23 Nov 2026 02:58:12.042 * Full resync requested by replica 10.0.0.9:6379\n";

    #[test]
    fn a_replica_over_its_limit_is_proof() {
        assert_eq!(
            verdicts(check(&log(CLOSED))),
            [(Verdict::Cause, Confidence::Proved)]
        );
    }

    #[test]
    fn one_full_resync_is_how_a_replica_begins() {
        assert_eq!(verdicts(check(&log(FULL))), []);
        assert_eq!(
            verdicts(check(&log(&FULL.repeat(3)))),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }
}
