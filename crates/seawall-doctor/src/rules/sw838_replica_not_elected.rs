//! A replica of a dead primary may not take over.

use std::collections::BTreeSet;

use crate::evidence;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const UNABLE: Text = Text::server("Currently unable to failover: ").keeping(Keeps::Rest);
const DENIED: Text = Text::server("Failover auth denied to ");

pub(super) const RULE: Rule = Rule {
    code: Code(838),
    title: "a replica of a failed primary could not take over",
    explanation: "The replica says why: it was cut off from its primary for too long (`cluster-replica-validity-factor` times \
`cluster-node-timeout`), too few primaries can vote, or the vote took too long. Its slots stay without a server until one of \
that is mended.",
    messages: &["CLUSTERDOWN"],
    needs: &[Need::ServerLog],
    brings: &[Code(831)],
    texts: &[UNABLE, DENIED],
    sources: &["redis: cluster.c clusterLogCantFailover"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, &[UNABLE, DENIED]) {
        let why: BTreeSet<_> = lines
            .iter()
            .filter(|fact| fact.what.text == UNABLE)
            .map(|fact| fact.what.rest.trim_end_matches('.'))
            // It waits for a moment before it asks: that is no hindrance.
            .filter(|why| !why.starts_with("Waiting the delay"))
            .collect();
        if why.is_empty() {
            continue;
        }
        let joined: Vec<_> = why.iter().copied().collect();
        let joined = joined.join("; ");
        let mut finding =
            evidence::finding(&RULE, Verdict::Cause, Confidence::Proved, &lines).struck(&*source);
        finding = finding.claims(format!(
            "{source} could not take over for its primary: {joined}. Proved: it says so."
        ));
        if joined.contains("Disconnected from master")
            || joined.contains("Disconnected from primary")
        {
            finding = finding.fix(
                "on that replica: redis-cli CONFIG SET cluster-replica-validity-factor 0",
                "a replica with old data may take over",
                "redis-cli CONFIG SET cluster-replica-validity-factor 10",
            );
        }
        found.push(
            finding
                .fix("bring the other primaries back: most of them must vote", "", "")
                .fix("stop-gap, where that takes too long: redis-cli CLUSTER FAILOVER TAKEOVER on that replica", "it asks nobody: what it had not got is lost, and two may serve a slot", "")
                .checked_by("`Failover election won: I'm the new master.` in its log; cluster_state:ok"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    const LINE: &str = "9:S 23 Nov 2026 02:58:11.042 * Currently unable to failover: Waiting for votes, but majority still not reached.\n";

    #[test]
    fn the_replica_tells_why() {
        let found = check(&log(LINE));
        assert!(
            found[0].claim.contains("majority still not reached"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn a_replica_that_waits_its_turn_is_in_order() {
        let line = LINE.replace(
            "Waiting for votes, but majority still not reached.",
            "Waiting the delay before I can start a new failover.",
        );
        assert_eq!(verdicts(check(&log(&line))), []);
    }
}
