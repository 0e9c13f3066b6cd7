//! Two servers of one family both take writes.

use crate::facts::{Facts, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(809),
    title: "two servers of one replication history are both primary",
    explanation: "After a partition, or a failover that the old primary did not hear of, two servers that once held the same \
data both answer role:master. What clients write to the loser is thrown away when it is made a replica. Their replication ids \
tell that they were one: the second id of the one is the first of the other.",
    messages: &[],
    needs: &[Need::Server],
    brings: &[],
    sources: &["redis: replication.c shiftReplicationId"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let primaries: Vec<_> = facts
        .looks
        .iter()
        .filter(|look| look.info.get("role").is_some_and(|role| role == "master"))
        .collect();
    let mut found = Vec::new();
    for new in &primaries {
        for old in &primaries {
            if !once_followed(new, old) {
                continue;
            }
            let both = [new, old].iter().all(|look| serves(look));
            let (verdict, confidence) = if both {
                (Verdict::Cause, Confidence::Strong)
            } else {
                (Verdict::Risk, Confidence::Possible)
            };
            let mut finding = Finding::new(RULE.code, RULE.title, verdict, confidence)
                .struck(&*old.source)
                .struck(&*new.source)
                .claims(format!(
                    "{} once followed {}, and both are primary now{}.",
                    new.source,
                    old.source,
                    if both {
                        ", with clients on each: what is written to one is unknown to the other"
                    } else {
                        ""
                    }
                ));
            for look in [new, old] {
                let clients = look.number("connected_clients").unwrap_or(0);
                finding = finding.at(look.at).supported(
                    look.place("INFO"),
                    format!("role:master, {clients} clients"),
                );
            }
            found.push(
                finding
                    .fix("decide which one stays; keep the other's data first: redis-cli -h LOSER --rdb loser.rdb", "", "")
                    .fix("then: redis-cli -h LOSER REPLICAOF WINNER PORT", "what was written to the loser since is thrown away: export it first", "redis-cli -h LOSER REPLICAOF NO ONE (its data are the winner's by then)")
                    .checked_by("one role:master among all of them; min-replicas-to-write 1 keeps an isolated primary from taking writes"),
            );
        }
    }
    found
}

/// Whether `new` was made primary out of a replica of `old`'s.
fn once_followed(new: &Look, old: &Look) -> bool {
    let other = new.info.get("run_id") != old.info.get("run_id");
    let before = new.info.get("master_replid2");
    other
        && before == old.info.get("master_replid")
        && before.is_some_and(|id| id.chars().any(|c| c != '0'))
}

/// Whether anybody but the doctor and its replicas is connected.
fn serves(look: &Look) -> bool {
    if look.clients.is_empty() {
        return look.number("connected_clients").unwrap_or(0) > 1;
    }
    look.clients
        .iter()
        .any(|client| !client.replicates() && !client.name.starts_with("seawall-doctor"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, verdicts};

    fn info(run: &str, id: &str, before: &str, clients: u32) -> Facts {
        pasted(&format!(
            "run_id:{run}\nrole:master\nconnected_clients:{clients}\nmaster_replid:{id}\nmaster_replid2:{before}\n"
        ))
    }

    #[test]
    fn clients_on_both_make_it_a_cause() {
        let mut facts = info("r1", "a1", "00", 5);
        facts.add(info("r2", "b2", "a1", 7));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
        let mut facts = info("r1", "a1", "00", 1);
        facts.add(info("r2", "b2", "a1", 7));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }

    #[test]
    fn two_that_never_met_and_one_looked_at_twice_are_in_order() {
        let mut facts = info("r1", "a1", "00", 5);
        facts.add(info("r2", "b2", "00", 7));
        assert_eq!(verdicts(check(&facts)), []);
        let mut twice = info("r1", "a1", "a1", 5);
        twice.add(info("r1", "a1", "a1", 7));
        assert_eq!(verdicts(check(&twice)), []);
    }
}
