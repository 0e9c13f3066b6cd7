//! The server's container was killed, and not for lack of memory.

use crate::container::{ContainerNews, News, Reason};
use crate::facts::{Fact, Facts};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

const SIGKILL: i64 = 137;

/// A runner waits for so long, in seconds, at most, before it kills what it told to end.
const GRACE_MAX_S: f64 = 600.0;

pub(super) const RULE: Rule = Rule {
    code: Code(422),
    title: "the server's container was killed (SIGKILL), and not for lack of memory",
    explanation: "Exit code 137 is SIGKILL, whoever sent it. After SIGTERM, a runner sends it when the grace period is over (30 s in \
Kubernetes, 10 s for `docker stop`): a server that saves a large dataset, or waits for its replicas, takes longer, and what it had \
not saved is lost. Without a SIGTERM before, somebody sent it by hand, or the node's own OOM killer did.",
    messages: &[
        "Connection closed by server",
        "Connection reset by peer",
        "Connection refused",
    ],
    needs: &[Need::Containers],
    brings: &[Code(101), Code(406), Code(408), Code(410)],
    sources: &[
        "kubernetes.io: termination of pods",
        "docs.docker.com: docker stop",
    ],
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
        let News::Ended {
            reason,
            exit: SIGKILL,
        } = &fact.what.news
        else {
            continue;
        };
        let label = fact.what.container.label();
        if *reason == Reason::OomKilled
            || oom_beside(facts, fact)
            || found.iter().any(|known| known.subjects.contains(&label))
        {
            continue;
        }
        let asked = asked(facts, fact);
        if asked.is_some_and(|(_, by_probe)| by_probe) {
            continue;
        }
        let (confidence, claim) = match asked {
            Some((stop, _)) => {
                let waited = stop
                    .at
                    .zip(fact.at)
                    .map_or(0.0, |(asked, ended)| asked.seconds_to(ended));
                (
                    Confidence::Strong,
                    format!(
                        "{label} was told to end, did not within {waited:.0} s, and was killed: what it had not saved is lost."
                    ),
                )
            }
            None => (
                Confidence::Likely,
                format!(
                    "{label} ended by SIGKILL; its runner names no lack of memory. Who sent it, is not told."
                ),
            ),
        };
        let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, confidence)
            .at(fact.at)
            .struck(label)
            .claims(claim)
            .supported(
                fact.place.clone(),
                format!("exit code 137, reason {reason}"),
            );
        if let Some((stop, _)) = asked {
            finding = finding.supported(
                stop.place.clone(),
                format!("{} told it to end", stop.what.container.runner),
            );
        }
        found.push(
            finding
                .fix("terminationGracePeriodSeconds: 300 (docker stop -t 300): as long as a save takes, rdb_last_bgsave_time_sec of INFO, and more", "a drain of the node takes that much longer", "the old value")
                .fix("who sent it, if nobody told it to end: kubectl get events; journalctl -k on the node (an OOM kill that the runtime did not notice)", "", "")
                .checked_by("the next stop ends with exit code 0, and the log with its farewell"),
        );
    }
    found
}

fn near(one: &Fact<ContainerNews>, other: &Fact<ContainerNews>, within: f64) -> bool {
    let between = one
        .at
        .zip(other.at)
        .map(|(one, other)| one.seconds_to(other));
    one.what.container.is(&other.what.container)
        && between.is_some_and(|between| (0.0..=within).contains(&between))
}

/// What told it to end before, and whether that was for a failed probe, which is another rule's.
fn asked<'a>(
    facts: &'a Facts,
    end: &Fact<ContainerNews>,
) -> Option<(&'a Fact<ContainerNews>, bool)> {
    facts
        .containers
        .iter()
        .find_map(|fact| match fact.what.news {
            News::Stopping { probe } if near(fact, end, GRACE_MAX_S) => {
                Some((fact, probe.is_some()))
            }
            _ => None,
        })
}

/// The kernel or the node told of a lack of memory at that time: that is another rule's.
fn oom_beside(facts: &Facts, end: &Fact<ContainerNews>) -> bool {
    let close = |at: Option<crate::stamp::Stamp>| {
        at.zip(end.at)
            .is_some_and(|(one, other)| one.seconds_to(other).abs() <= 60.0)
    };
    let node = facts
        .containers
        .iter()
        .any(|fact| fact.what.news == News::NodeOom && close(fact.at));
    let kernel = facts.kernel_log.iter().any(|fact| {
        matches!(fact.what, crate::facts::KernelLine::OomKilled { .. }) && close(fact.at)
    });
    node || kernel
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{document, kernel, verdicts};

    fn pod(reason: &str, exit: i64, stop: &str) -> Facts {
        document(&format!(
            r#"{{"kind": "List", "items": [{{"kind": "Pod", "metadata": {{"name": "redis-0", "namespace": "shop"}},
"spec": {{"containers": [{{"name": "redis", "image": "redis:7"}}]}},
"status": {{"containerStatuses": [{{"name": "redis", "restartCount": 1, "lastState": {{"terminated": {{"reason": "{reason}", "exitCode": {exit}, "finishedAt": "2026-11-23T02:58:40Z"}}}}}}]}}}}{stop}]}}"#
        ))
    }

    fn stop(message: &str) -> String {
        format!(
            r#",{{"kind": "Event", "involvedObject": {{"kind": "Pod", "namespace": "shop", "name": "redis-0", "fieldPath": "spec.containers{{redis}}"}}, "reason": "Killing", "message": "{message}", "lastTimestamp": "2026-11-23T02:58:10Z"}}"#
        )
    }

    #[test]
    fn a_stop_that_took_too_long_is_told_with_how_long() {
        let found = check(&pod("Error", 137, &stop("Stopping container redis")));
        assert!(found[0].claim.contains("within 30 s"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn without_a_stop_before_it_it_is_likely_and_in_order_it_is_none() {
        assert_eq!(
            verdicts(check(&pod("Error", 137, ""))),
            [(Verdict::Cause, Confidence::Likely)]
        );
        assert_eq!(verdicts(check(&pod("Completed", 0, ""))), []);
    }

    #[test]
    fn a_lack_of_memory_and_a_failed_probe_are_other_rules() {
        assert_eq!(verdicts(check(&pod("OOMKilled", 137, ""))), []);
        let probe = stop("Container redis failed liveness probe, will be restarted");
        assert_eq!(verdicts(check(&pod("Error", 137, &probe))), []);
        let mut facts = pod("Error", 137, "");
        facts.add(kernel("2026-11-23T02:58:39+0000 host kernel: Memory cgroup out of memory: Killed process 9 (redis-server) total-vm:9kB\n"));
        assert_eq!(verdicts(check(&facts)), []);
    }
}
