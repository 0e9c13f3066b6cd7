//! Kubernetes took the server's pod from its node.

use crate::container::News;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(421),
    title: "Kubernetes took the server's pod from its node",
    explanation: "A node with too little memory or disk evicts pods, those first that use more than they asked for; a node that goes \
away takes its pods along. The pod comes up elsewhere, with another address, and without its data if it has no volume.",
    messages: &[
        "Connection closed by server",
        "Connection refused",
        "No route to host",
        "Timeout connecting to server",
    ],
    needs: &[Need::Containers],
    brings: &[
        Code(101),
        Code(102),
        Code(115),
        Code(206),
        Code(401),
        Code(406),
        Code(408),
    ],
    sources: &["kubernetes.io: node-pressure eviction"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for fact in facts
        .containers
        .iter()
        .filter(|fact| fact.what.container.serves)
    {
        let label = fact.what.container.label();
        let (title, why, fix) = match &fact.what.news {
            News::Evicted(lack) => (
                format!("{} (evicted: {lack})", RULE.title),
                format!("its node had too little: {lack}"),
                "requests equal to limits, with maxmemory at 60 to 75 % of them (QoS Guaranteed is evicted last); kubectl describe node: Allocated resources",
            ),
            News::NodeNotReady => (
                format!("{} (the node went away)", RULE.title),
                "its node went away".to_owned(),
                "kubectl describe node NODE, and its provider's events (a spot instance that was taken back?); a replica on another node (podAntiAffinity)",
            ),
            _ => continue,
        };
        if found
            .iter()
            .any(|known| known.subjects.contains(&label) && known.title == title)
        {
            continue;
        }
        found.push(
            Finding::new(RULE.code, title, Verdict::Cause, Confidence::Proved)
                .at(fact.at)
                .struck(label.clone())
                .claims(format!(
                    "{label} had to go: {why}. Proved: the event names this pod and this reason."
                ))
                .supported(fact.place.clone(), why)
                .fix(fix, "", "")
                .fix(
                    "a volume for /data, and a PodDisruptionBudget with maxUnavailable: 1",
                    "a drained node waits for it",
                    "kubectl delete pdb NAME",
                )
                .checked_by("kubectl get pod -o wide shows the pod on one node for a week"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{document, verdicts};

    fn event(reason: &str, message: &str, pod: &str) -> Facts {
        document(&format!(
            r#"{{"kind": "List", "items": [{{"kind": "Pod", "metadata": {{"name": "{pod}", "namespace": "shop"}}, "spec": {{"containers": [{{"name": "main", "image": "{pod}:7"}}]}}, "status": {{}}}}
,{{"kind": "Event", "involvedObject": {{"kind": "Pod", "namespace": "shop", "name": "{pod}"}}, "reason": "{reason}", "message": "{message}", "lastTimestamp": "2026-11-23T02:58:10Z"}}]}}"#
        ))
    }

    #[test]
    fn an_eviction_is_proof_and_names_what_was_lacking() {
        let found = check(&event(
            "Evicted",
            "The node was low on resource: memory. Container main was using 3Gi, request is 1Gi.",
            "redis",
        ));
        assert!(found[0].title.contains("memory"), "{}", found[0].title);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn the_end_of_another_pod_and_an_ordinary_stop_are_none() {
        assert_eq!(
            verdicts(check(&event(
                "Evicted",
                "The node was low on resource: memory.",
                "web"
            ))),
            []
        );
        assert_eq!(
            verdicts(check(&event("Killing", "Stopping container main", "redis"))),
            []
        );
    }
}
