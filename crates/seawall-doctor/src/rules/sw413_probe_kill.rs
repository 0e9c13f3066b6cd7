//! Kubernetes restarts a server whose probe failed.

use crate::container::{News, Probe};
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(413),
    title: "Kubernetes killed the server since its probe failed",
    explanation: "A liveness or startup probe that gets no answer in time makes the kubelet restart the container, though the server \
may only be slow: it loads its data, forks for a save, or runs one long command. Each restart makes it load again. The exit code \
is 137 or 143 as with an OOM kill, and the event tells them apart.",
    messages: &[
        "Connection closed by server",
        "Connection refused",
        "LOADING Redis is loading the dataset in memory",
    ],
    needs: &[Need::Containers],
    brings: &[Code(101), Code(401), Code(406), Code(408), Code(410)],
    sources: &["kubernetes: pkg/kubelet/prober"],
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
        let News::Stopping { probe: Some(probe) } = fact.what.news else {
            continue;
        };
        let container = &fact.what.container;
        let failures = facts
            .containers
            .iter()
            .filter_map(|other| match other.what.news {
                News::ProbeFailed {
                    probe: failed,
                    count,
                } if failed == probe && other.what.container.is(container) => Some((other, count)),
                _ => None,
            });
        let says = format!("{} stops it: its {probe} probe failed", container.runner);
        let label = container.label();
        if let Some(known) = found
            .iter_mut()
            .find(|known| known.subjects.contains(&label))
        {
            *known = known
                .clone()
                .at(fact.at)
                .supported(fact.place.clone(), says);
            continue;
        }
        let mut finding = Finding::new(RULE.code, format!("{} ({probe})", RULE.title), Verdict::Cause, Confidence::Proved)
            .at(fact.at)
            .struck(label.clone())
            .claims(format!("{label} was stopped because its {probe} probe failed. Proved: the event names this container and this reason."))
            .supported(fact.place.clone(), says);
        for (other, count) in failures {
            finding = finding.supported(
                other.place.clone(),
                format!("the {probe} probe failed {count} times"),
            );
        }
        let name = if probe == Probe::Startup {
            "startupProbe"
        } else {
            "livenessProbe"
        };
        found.push(
            finding
                .fix(format!("give it time: {name} with timeoutSeconds: 5, periodSeconds: 10, failureThreshold: 6; a startupProbe for the load of its data"), "a server that really hangs is found a minute later", "the old values")
                .fix("the probe itself: redis-cli PING over localhost, and LOADING taken for alive (readiness is another probe)", "", "")
                .checked_by("the restart count stays over a save (BGSAVE) and over one restart by hand"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{document, verdicts};

    fn event(reason: &str, message: &str, container: &str) -> String {
        format!(
            r#"{{"kind": "Event", "involvedObject": {{"kind": "Pod", "namespace": "shop", "name": "{container}-0", "fieldPath": "spec.containers{{{container}}}"}},
"reason": "{reason}", "message": "{message}", "count": 4, "lastTimestamp": "2026-11-23T02:58:10Z"}}"#
        )
    }

    fn list(events: &[String]) -> Facts {
        document(&format!(
            r#"{{"kind": "List", "items": [{}]}}"#,
            events.join(",")
        ))
    }

    #[test]
    fn the_event_is_proof_and_says_how_often_the_probe_failed() {
        let killed = event(
            "Killing",
            "Container redis failed liveness probe, will be restarted",
            "redis",
        );
        let failed = event(
            "Unhealthy",
            "Liveness probe failed: command timed out",
            "redis",
        );
        let found = check(&list(&[killed, failed]));
        assert!(
            found[0]
                .supports
                .iter()
                .any(|one| one.says.contains("failed 4 times")),
            "{:?}",
            found[0].supports
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn a_failed_probe_alone_and_an_ordinary_stop_are_none() {
        let failed = event("Unhealthy", "Readiness probe failed: LOADING", "redis");
        let stopped = event("Killing", "Stopping container redis", "redis");
        let other = event(
            "Killing",
            "Container web failed liveness probe, will be restarted",
            "web",
        );
        assert_eq!(verdicts(check(&list(&[failed, stopped, other]))), []);
    }
}
