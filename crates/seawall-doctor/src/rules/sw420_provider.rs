//! The provider of a managed server took it down.

use crate::evidence::counted;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::provider::Act;
use crate::rule::{Code, Need, Rule};

/// Failed calls belong to what the provider did if they are no further from it, in seconds.
const BEFORE_S: f64 = 60.0;
const AFTER_S: f64 = 900.0;

pub(super) const RULE: Rule = Rule {
    code: Code(420),
    title: "the provider restarted, moved or changed the managed server",
    explanation: "Maintenance, a change of size, a node that is replaced: on a managed service each of these ends every connection, \
and often changes the addresses behind the name. The provider's events tell of it, mostly some minutes late. What heals it is a \
client that connects anew, looks up the name again, and tries again for as long as the change takes.",
    messages: &[
        "Connection reset by peer",
        "Connection closed by server",
        "Connection refused",
        "Timeout connecting to server",
        "READONLY You can't write against a read only replica",
    ],
    needs: &[Need::Provider, Need::ClientLog],
    brings: &[
        Code(101),
        Code(102),
        Code(206),
        Code(401),
        Code(406),
        Code(408),
        Code(801),
    ],
    sources: &[
        "docs.aws.amazon.com: ElastiCache events",
        "learn.microsoft.com: Azure Cache for Redis, maintenance",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let acts = facts.provider.iter().filter(|fact| {
        // A failover has a rule of its own.
        fact.what.act.breaks() && !matches!(fact.what.act, Act::Failover | Act::FailoverAsked)
    });
    let mut found: Vec<Finding> = Vec::new();
    for fact in acts {
        let event = &fact.what;
        let near = |at: crate::stamp::Stamp| {
            fact.at
                .is_some_and(|act| (-BEFORE_S..=AFTER_S).contains(&act.seconds_to(at)))
        };
        let failed: Vec<_> = facts
            .client_log
            .iter()
            .filter(|call| call.at.is_some_and(near))
            .collect();
        let says = format!(
            "{}: {} ({})",
            event.provider,
            event.act.words(),
            event.resource
        );
        let met = failed.first().map(|first| {
            (
                first.place.clone(),
                format!(
                    "{} failed from a minute before it to a quarter of an hour after",
                    counted(failed.len(), "call", "calls")
                ),
            )
        });
        if let Some(known) = found
            .iter_mut()
            .find(|known| known.subjects.contains(&event.resource))
        {
            let mut wider = known
                .clone()
                .at(fact.at)
                .supported(fact.place.clone(), says);
            if let (Some((place, says)), Confidence::Likely) = (met, wider.confidence) {
                wider.confidence = Confidence::Strong;
                wider = wider.supported(place, says);
            }
            *known = wider;
            continue;
        }
        let confidence = if met.is_some() {
            Confidence::Strong
        } else {
            Confidence::Likely
        };
        let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, confidence)
            .at(fact.at)
            .struck(event.resource.clone())
            .claims(format!(
                "{}'s own events tell that {} at {}: its connections ended.",
                event.provider,
                event.act.words(),
                event.resource
            ))
            .supported(fact.place.clone(), says);
        if let Some((place, says)) = met {
            finding = finding.supported(place, says);
        }
        found.push(
            finding
                .fix("a maintenance window at the hour of least traffic; changes of size by hand, then; several nodes with automatic failover", "", "")
                .fix("clients that try again for a minute with jitter, look up the name for each connect, and do not keep addresses (JVM: networkaddress.cache.ttl=10)", "calls wait up to that long", "")
                .checked_by("the next change of that kind costs no failed call"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Place, Spot};
    use crate::provider::{Provider, ProviderEvent};
    use crate::stamp::Stamp;
    use crate::testing::{application, verdicts};

    fn did(act: Act) -> Facts {
        let mut facts = Facts::default();
        facts.provider.push(Fact {
            at: Stamp::of((2026, 11, 23), (2, 58, 0), 0),
            place: Place {
                source: "events.json".into(),
                spot: Spot::Entry("Events[0]".to_owned()),
            },
            what: ProviderEvent {
                provider: Provider::Aws,
                resource: "shop-001".to_owned(),
                act,
            },
        });
        facts
    }

    #[test]
    fn the_providers_words_and_failed_calls_beside_them_are_strong() {
        let mut facts = did(Act::NodeLost);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.add(application(
            "2026-11-23T02:59:11Z redis: Connection reset by peer\n",
        ));
        let found = check(&facts);
        assert!(
            found[0]
                .claim
                .contains("a node failed and is made anew at shop-001"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn several_acts_at_one_resource_are_one_finding() {
        let mut facts = did(Act::MaintenanceBegan);
        facts.add(did(Act::Restarted));
        assert_eq!(check(&facts).len(), 1);
    }

    #[test]
    fn a_snapshot_breaks_nothing_and_a_failover_is_another_rules() {
        assert_eq!(verdicts(check(&did(Act::Snapshot))), []);
        assert_eq!(verdicts(check(&did(Act::Failover))), []);
    }
}
