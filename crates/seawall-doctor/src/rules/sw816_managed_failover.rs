//! A provider made a replica the primary.

use crate::evidence::counted;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::provider::Act;
use crate::rule::{Code, Need, Rule};
use crate::stamp::Stamp;

/// The event is written when it is over; calls fail before that.
const BEFORE_S: f64 = 300.0;

/// A pool's connections are met with for so long after.
const AFTER_S: f64 = 600.0;

pub(super) const RULE: Rule = Rule {
    code: Code(816),
    title: "the provider made a replica the primary",
    explanation: "ElastiCache, MemoryDB, Azure and Memorystore replace a primary that fails, is patched or is resized by one of \
its replicas: connections break at once, connects fail until the name points to the new one (its TTL is some seconds), and what \
stays connected to the old one gets READONLY. Clients that connect anew and resolve the name anew lose seconds.",
    messages: &[
        "Connection reset by peer",
        "Connection closed by server",
        "READONLY You can't write against a read only replica",
    ],
    needs: &[Need::Provider, Need::ClientLog],
    brings: &[Code(101), Code(102), Code(801), Code(807)],
    sources: &[
        "docs.aws.amazon.com: ElastiCache events, Multi-AZ",
        "redis-py#460",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for fact in &facts.provider {
        if !matches!(fact.what.act, Act::Failover | Act::FailoverAsked) {
            continue;
        }
        let near = |at: Stamp| {
            fact.at
                .is_some_and(|act| (-BEFORE_S..=AFTER_S).contains(&act.seconds_to(at)))
        };
        let failed: Vec<_> = facts
            .client_log
            .iter()
            .filter(|call| call.at.is_some_and(near))
            .collect();
        let (verdict, confidence) = if failed.is_empty() {
            (Verdict::Risk, Confidence::Possible)
        } else {
            (Verdict::Cause, Confidence::Strong)
        };
        let at = fact.at.map_or_else(String::new, |at| format!(" at {at}"));
        let says = format!("{}{at}: {}", fact.what.provider, fact.what.act.words());
        // Who asked for it, and that it was done, are one failover.
        let told = found.iter().position(|finding| {
            let (from, to) = finding.window.unzip();
            let during = |end: Option<Stamp>| {
                end.zip(fact.at)
                    .is_some_and(|(end, at)| end.seconds_to(at).abs() <= BEFORE_S)
            };
            finding.subjects.contains(&fact.what.resource) && (during(from) || during(to))
        });
        if let Some(place) = told {
            let finding = found[place].clone().at(fact.at);
            found[place] = finding.supported(fact.place.clone(), says);
            continue;
        }
        let mut finding = Finding::new(RULE.code, RULE.title, verdict, confidence)
            .at(fact.at)
            .struck(fact.what.resource.clone())
            .supported(fact.place.clone(), says.clone());
        if let Some(first) = failed.first() {
            finding = finding.at(first.at).supported(
                first.place.clone(),
                format!(
                    "{} failed around it, the first here",
                    counted(failed.len(), "call", "calls")
                ),
            );
        }
        found.push(
            finding
                .claims(format!("{says} ({}); {} failed around it.", fact.what.resource, counted(failed.len(), "call", "calls")))
                .fix("connect to the primary's own name (not to a node's), resolve it anew for each connect (JVM: networkaddress.cache.ttl=5), and try again with jitter for 60 s", "writes that were under way may be done twice", "")
                .fix("why it failed over: the provider's events before it (maintenance window, scaling, a node that failed)", "", "")
                .checked_by("a drill (aws elasticache test-failover --replication-group-id ID --node-group-id 0001): errors end within 30 s"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, document, verdicts};

    const EVENTS: &str = r#"{"Events": [{"SourceIdentifier": "shop", "SourceType": "replication-group",
         "Message": "Test Failover API called for node group 0001", "Date": "2026-11-23T02:57:20.000Z"},
        {"SourceIdentifier": "shop", "SourceType": "replication-group",
         "Message": "Failover to replica node shop-002 completed", "Date": "2026-11-23T02:57:55.000Z"}]}"#;

    #[test]
    fn calls_that_fail_around_it_make_it_the_cause_once() {
        let mut facts = document(EVENTS);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        facts.add(application(
            "2026-11-23T02:57:31Z redis.exceptions.ConnectionError: Connection closed by server.\n",
        ));
        let found = check(&facts);
        assert_eq!(found[0].supports.len(), 3);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_failover_of_last_week_and_a_snapshot_broke_nothing() {
        let mut facts = document(&EVENTS.replace("11-23", "11-16"));
        facts.add(application(
            "2026-11-23T02:57:31Z redis.exceptions.ConnectionError: Connection closed by server.\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let snapshot = r#"{"Events": [{"SourceIdentifier": "shop", "SourceType": "replication-group",
            "Message": "Snapshot succeeded for snapshot with ID 'x'", "Date": "2026-11-23T02:57:20.000Z"}]}"#;
        assert_eq!(verdicts(check(&document(snapshot))), []);
    }
}
