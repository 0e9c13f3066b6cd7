//! Writes go to a replica.

use crate::facts::{Facts, Failure};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(801),
    title: "writes went to a replica",
    explanation: "After a failover, or with a URL that names a replica, the server answers writes with READONLY. Connections \
that were open before the role changed stay on the wrong server until the client connects anew.",
    messages: &[
        "READONLY You can't write against a read only replica",
        "You can't write against a read only",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    sources: &["redis: server.c", "redis-py: exceptions.py"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told: Vec<_> = facts.failures(Failure::ReadOnly).collect();
    let Some(first) = told.first() else {
        return Vec::new();
    };
    let replica = facts
        .looks
        .iter()
        .find(|look| look.info.get("role").is_some_and(|role| role == "slave"));
    let primary = facts
        .looks
        .iter()
        .find(|look| look.info.get("role").is_some_and(|role| role == "master"));
    let confidence = if replica.is_some() {
        Confidence::Strong
    } else {
        Confidence::Likely
    };
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, confidence).supported(
        first.place.clone(),
        format!("{} writes were answered READONLY", told.len()),
    );
    for fact in &told {
        finding = finding.at(fact.at);
    }
    if let Some(look) = replica {
        finding = finding
            .struck(&*look.source)
            .supported(look.place("INFO"), "role:slave");
    } else if let Some(look) = primary {
        finding = finding.supported(
            look.place("INFO"),
            format!("role:master now; up {}", look.counting_since()),
        );
    }
    vec![
        finding
            .claims("The server that the writes went to is a replica; either its role changed, or the URL names the wrong one.")
            .fix("connect to the primary's own name, or through Sentinel; close a connection on READONLY", "", "")
            .fix("redis-cli CLIENT KILL TYPE normal on the old primary", "its readers reconnect", "")
            .checked_by("SET is answered on a fresh connection, and after a failover drill"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.ReadOnlyError: You can't write against a read only replica.\n";

    #[test]
    fn the_servers_words_and_its_role_together_are_strong() {
        let mut facts = application(TOLD);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.add(pasted("# Replication\nrole:slave\n"));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn a_replica_that_nobody_writes_to_is_in_order() {
        assert_eq!(verdicts(check(&pasted("# Replication\nrole:slave\n"))), []);
    }
}
