//! A replica cannot connect to its primary.

use std::collections::BTreeSet;

use crate::evidence;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const SYNC: Text = Text::server("Error condition on socket for SYNC: ").keeping(Keeps::Rest);
const CONNECT_MASTER: Text = Text::server("Unable to connect to MASTER: ").keeping(Keeps::Rest);
const CONNECT_PRIMARY: Text = Text::server("Unable to connect to PRIMARY: ").keeping(Keeps::Rest);
const TIMEOUT: Text = Text::server("Timeout connecting to the ").keeping(Keeps::Rest);
const ALL: &[Text] = &[SYNC, CONNECT_MASTER, CONNECT_PRIMARY, TIMEOUT];

/// The replica tries every second: while its primary is started anew, some of these are as it should be.
const TRIES: usize = 30;

pub(super) const RULE: Rule = Rule {
    code: Code(815),
    title: "a replica cannot connect to its primary",
    explanation: "The replica tries every second and is refused, or hears nothing: the primary is away, listens elsewhere \
(`bind`, another port, another pod address), or packets between them are dropped. Until then it answers with old data.",
    messages: &[],
    needs: &[Need::ServerLog],
    brings: &[Code(806), Code(807)],
    texts: ALL,
    sources: &["redis: replication.c syncWithMaster"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, ALL) {
        if lines.len() < TRIES {
            continue;
        }
        let words: BTreeSet<_> = lines.iter().map(|fact| fact.what.rest.as_str()).collect();
        let words: Vec<_> = words.into_iter().collect();
        let finding = evidence::finding(&RULE, Verdict::Cause, Confidence::Likely, &lines);
        let when = evidence::when(finding.window);
        found.push(
            finding
                .struck(&*source)
                .claims(format!("{} tries to reach the primary failed{when}: {}.", lines.len(), words.join(", ")))
                .fix("from the replica's host: nc -vz PRIMARY PORT, with master_host and master_port of the replica's INFO; then bind, firewall, or the address that changed", "", "")
                .fix("where the primary has a new address: redis-cli REPLICAOF <host> <port>, on the replica", "", "redis-cli REPLICAOF <old host> <old port>")
                .checked_by("master_link_status:up in the replica's INFO"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    /// Redis 7.0.15.
    const LINE: &str = "2889:S 28 Nov 2026 23:41:35.413 # Error condition on socket for SYNC: Connection refused\n";

    #[test]
    fn half_a_minute_of_tries_is_told_with_the_kernels_words() {
        let found = check(&log(&LINE.repeat(30)));
        assert!(
            found[0].claim.contains("Connection refused"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn a_primary_that_is_started_anew_is_waited_for() {
        assert_eq!(verdicts(check(&log(&LINE.repeat(5)))), []);
    }
}
