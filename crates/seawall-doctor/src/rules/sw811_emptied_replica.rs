//! An empty primary made its replicas empty.

use crate::evidence;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Said, Text};

const FLUSHING: Text = Text::server(" REPLICA sync: Flushing old data");
const FLUSHING_THEN: Text = Text::server(" SLAVE sync: Flushing old data");
const CACHED: Text = Text::server("Discarding previously cached ");
const KEYS: Text = Text::server("Done loading RDB, keys loaded: ").keeping(Keeps::Word);
const ALL: &[Text] = &[FLUSHING, FLUSHING_THEN, CACHED, KEYS];

/// From throwing the old data away to the end of loading nothing.
const SYNC_S: i64 = 60;

pub(super) const RULE: Rule = Rule {
    code: Code(811),
    title: "a primary that came back empty emptied its replica",
    explanation: "A primary without persistence that is started anew by systemd, Docker or Kubernetes is empty, and its \
replicas copy that: they throw their data away and load no keys. Sentinel does not interfere if the restart is quicker than \
`down-after-milliseconds`.",
    messages: &[],
    needs: &[Need::ServerLog],
    brings: &[],
    texts: ALL,
    sources: &[
        "redis: replication.c",
        "redis documentation: replication, safety when the primary has persistence turned off",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, ALL) {
        for (place, fact) in lines.iter().enumerate() {
            if keys(&fact.what) != Some(0) {
                continue;
            }
            let before = &lines[..place];
            let near = |text: &Text| {
                before.iter().rev().find(|other| {
                    let soon = other
                        .at
                        .zip(fact.at)
                        .is_none_or(|(then, now)| then.seconds_to(now) <= SYNC_S as f64);
                    other.what.text == *text && other.what.pid == fact.what.pid && soon
                })
            };
            let Some(flushed) = near(&FLUSHING).or_else(|| near(&FLUSHING_THEN)) else {
                continue;
            };
            // A replica that begins flushes nothing that it had: one that followed a primary before has its state to discard.
            let had = before.iter().rev().find_map(|other| {
                keys(&other.what).filter(|count| *count > 0 && other.what.pid == fact.what.pid)
            });
            let Some(cached) = near(&CACHED).copied().or_else(|| had.map(|_| *flushed)) else {
                continue;
            };
            let confidence = if had.is_some() {
                Confidence::Proved
            } else {
                Confidence::Possible
            };
            let verdict = if had.is_some() {
                Verdict::Cause
            } else {
                Verdict::Risk
            };
            let told = had.map_or_else(
                || "Whether it held any before, its log does not tell".to_owned(),
                |count| format!("Proved: the same process had loaded {count} keys before"),
            );
            found.push(
                evidence::finding(&RULE, verdict, confidence, &[cached, flushed, fact])
                    .struck(&*source)
                    .claims(format!("The replica threw its data away and loaded 0 keys from its primary{}. {told}.", evidence::when(Some((fact.at, fact.at)).and_then(|(from, to)| from.zip(to)))))
                    .fix("stop writes; restore the primary from its last dump (or from a replica that was not yet synchronised: REPLICAOF NO ONE on it at once)", "what was written since is lost", "")
                    .fix("on the primary: redis-cli CONFIG SET appendonly yes and in redis.conf; or no restart by itself (Restart=no), so that a failover comes first", "disk, and forks", "redis-cli CONFIG SET appendonly no")
                    .checked_by("DBSIZE of primary and replicas; the line `keys loaded: 0` does not come again"),
            );
        }
    }
    found
}

/// `2,` of `keys loaded: 2, keys expired: 0.`
fn keys(said: &Said) -> Option<u64> {
    (said.text == KEYS).then(|| said.number()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    /// Redis 7.0.15: a primary without persistence, ended and started again.
    const LOADED: &str =
        "1792:S 28 Nov 2026 23:41:05.307 * Done loading RDB, keys loaded: 2, keys expired: 0.\n";
    const EMPTIED: &str = "1792:S 28 Nov 2026 23:41:25.745 * Discarding previously cached master state.\n\
1792:S 28 Nov 2026 23:41:25.746 * MASTER <-> REPLICA sync: Flushing old data\n\
1792:S 28 Nov 2026 23:41:25.751 * Done loading RDB, keys loaded: 0, keys expired: 0.\n";

    #[test]
    fn a_replica_that_had_keys_and_loads_none_is_proof() {
        let found = check(&log(&format!("{LOADED}{EMPTIED}")));
        assert!(
            found[0].claim.contains("had loaded 2 keys before"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn without_the_number_of_before_it_is_no_more_than_possible() {
        assert_eq!(
            verdicts(check(&log(EMPTIED))),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }

    #[test]
    fn a_new_replica_of_an_empty_primary_lost_nothing() {
        let (_, new) = EMPTIED.split_once('\n').expect("three lines");
        assert_eq!(verdicts(check(&log(new))), []);
        let full = format!("{LOADED}{}", EMPTIED.replace("loaded: 0", "loaded: 3"));
        assert_eq!(verdicts(check(&log(&full))), []);
    }
}
