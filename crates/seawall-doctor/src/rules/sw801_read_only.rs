//! Writes go to a replica.

use crate::evidence::{self, counted};
use crate::facts::{Facts, Failure, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::provider::Act;
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const DEMOTED: Text = Text::server("REPLICAOF ").keeping(Keeps::Word);
const DEMOTED_THEN: Text = Text::server("SLAVE OF ").keeping(Keeps::Word);
const PROMOTED: Text = Text::server("MASTER MODE enabled");
const PROMOTED_VALKEY: Text = Text::server("PRIMARY MODE enabled");
const SWITCHED: Text = Text::server("+switch-master ").keeping(Keeps::Rest);
const CHANGES: &[Text] = &[DEMOTED, DEMOTED_THEN, PROMOTED, PROMOTED_VALKEY, SWITCHED];

/// So long before the first refusal a change of roles may lie: a connection may rest before it writes.
const BEFORE_S: i64 = 3_600;

pub(super) const RULE: Rule = Rule {
    code: Code(801),
    title: "writes went to a replica",
    explanation: "After a failover, or with a URL that names a replica, the server answers writes with READONLY. Connections \
that were open before the role changed stay on the wrong server until the client connects anew: the name may have pointed to the \
new primary for hours.",
    messages: &[
        "READONLY You can't write against a read only replica",
        "You can't write against a read only",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    texts: CHANGES,
    sources: &[
        "redis: server.c",
        "redis-py#460",
        "redisson#3897",
        "spring-data-redis#2668",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told: Vec<_> = facts.failures(Failure::ReadOnly).collect();
    let Some(first) = told.first() else {
        return Vec::new();
    };
    let role = |role: &str| {
        facts
            .looks
            .iter()
            .find(|look| look.word("role") == Some(role))
    };
    let (replica, primary) = (role("slave"), role("master"));
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Likely)
        .supported(
            first.place.clone(),
            format!(
                "{} answered READONLY",
                counted(told.len(), "write was", "writes were")
            ),
        )
        .at_each(told.iter().map(|fact| fact.at));
    let mut claim = vec![format!(
        "{} answered READONLY{}",
        counted(told.len(), "write was", "writes were"),
        evidence::when(finding.window)
    )];
    let mut sure = false;
    let mut changed = false;
    for (place, says) in changes(facts, &finding) {
        finding = finding.supported(place, says.clone());
        if !changed {
            claim.push(says);
        }
        (sure, changed) = (true, true);
    }
    if let Some(look) = replica {
        finding = finding
            .struck(&*look.source)
            .supported(look.place("INFO"), "role:slave");
        claim.push(format!("{} is a replica now", look.source));
        sure = true;
    }
    if let Some(look) = primary {
        finding = finding.supported(
            look.place("INFO"),
            format!("role:master now; up {}", look.counting_since()),
        );
        if replica.is_none() && !changed && never_followed(look) {
            finding = finding.contradicted(
                look.place("INFO"),
                "it has been a primary ever since it began",
            );
        }
    }
    for fact in &facts.names {
        finding = finding.supported(
            fact.place.clone(),
            format!("{} is {} now", fact.what.name, fact.what.address),
        );
        claim.push(format!("{} is {} now", fact.what.name, fact.what.address));
    }
    for look in &facts.looks {
        if let Some(address) = &look.address {
            finding = finding.supported(
                look.place("connect"),
                format!("its name stands for {address} now"),
            );
            claim.push(format!(
                "{} is {address} now, {}",
                look.source,
                role_now(look)
            ));
        }
    }
    claim.push(if changed {
        "what is still refused goes over connections from before that: a new one reaches the primary".to_owned()
    } else {
        "either its role changed, or the URL names the wrong server".to_owned()
    });
    if sure && finding.contradicts.is_empty() {
        finding.confidence = Confidence::Strong;
    }
    vec![
        finding
            .claims(format!("{}.", claim.join("; ")))
            .fix("restart the application, or close its connections to the old primary: redis-cli -h <old primary> CLIENT KILL TYPE normal", "its readers reconnect, too", "")
            .fix("for good: close a connection on READONLY and connect anew (reconnectOnError of ioredis, Retry with ReadOnlyError of redis-py), to the primary's own name, or through Sentinel", "a write that is tried again may be done twice, if it was done", "")
            .checked_by("SET is answered on a fresh connection, and after a failover drill (aws elasticache test-failover, SENTINEL FAILOVER) errors end within 5 s"),
    ]
}

fn role_now(look: &Look) -> &'static str {
    match look.word("role") {
        Some("master") => "a primary",
        Some("slave") => "a replica",
        _ => "of unknown role",
    }
}

/// What tells that roles changed before the first refusal, in words.
fn changes(facts: &Facts, finding: &Finding) -> Vec<(crate::facts::Place, String)> {
    let Some((first, last)) = finding.window else {
        return Vec::new();
    };
    let within = |at: Option<crate::stamp::Stamp>| {
        at.filter(|at| first.plus_seconds(-BEFORE_S) <= *at && *at <= last)
    };
    let mut found = Vec::new();
    let acts = [Act::Failover, Act::FailoverAsked, Act::NodeLost];
    for fact in facts
        .provider
        .iter()
        .filter(|fact| acts.contains(&fact.what.act))
    {
        if let Some(at) = within(fact.at) {
            let says = format!(
                "{} at {at}: {} ({})",
                fact.what.provider,
                fact.what.act.words(),
                fact.what.resource
            );
            found.push((fact.what.act != Act::Failover, fact.place.clone(), says));
        }
    }
    for fact in evidence::lines(facts, CHANGES) {
        if let Some(at) = within(fact.at) {
            let says = format!("{} {} at {at}", fact.what.text.words.trim(), fact.what.rest);
            found.push((true, fact.place.clone(), says));
        }
    }
    // The change itself before what led to it.
    found.sort();
    found
        .into_iter()
        .map(|(_, place, says)| (place, says))
        .collect()
}

/// Whether it was promoted or demoted at any time.
fn never_followed(look: &Look) -> bool {
    look.word("second_repl_offset") == Some("-1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, document, log, pasted, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.ReadOnlyError: You can't write against a read only replica.\n";
    const EVENTS: &str = r#"{"Events": [{"SourceIdentifier": "shop-001", "SourceType": "replication-group",
        "Message": "Failover to replica node shop-002 completed", "Date": "2026-11-23T02:57:55.000Z"}]}"#;

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
    fn a_providers_failover_just_before_says_why() {
        let mut facts = application(TOLD);
        facts.add(document(EVENTS));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("AWS at 2026-11-23T02:57:55"),
            "{}",
            found[0].claim
        );
        assert!(
            found[0].claim.contains("connections from before that"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
        let mut facts = application(TOLD);
        facts.add(document(&EVENTS.replace("11-23T02", "11-22T02")));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn the_old_primarys_log_says_when_it_was_demoted() {
        let mut facts = application(TOLD);
        facts.add(log("2889:S 23 Nov 2026 02:57:31.860 * REPLICAOF 10.0.0.9:6379 enabled (user request from 'id=9 addr=10.0.0.5:56584 laddr=10.0.0.1:6379')\n"));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("REPLICAOF 10.0.0.9:6379 at"),
            "{}",
            found[0].claim
        );
    }

    #[test]
    fn a_primary_that_never_was_anything_else_speaks_against_it() {
        let mut facts = application(TOLD);
        facts.add(pasted(
            "# Replication\nrole:master\nsecond_repl_offset:-1\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Possible)]
        );
    }

    #[test]
    fn a_replica_that_nobody_writes_to_is_in_order() {
        assert_eq!(verdicts(check(&pasted("# Replication\nrole:slave\n"))), []);
    }
}
