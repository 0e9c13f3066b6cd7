//! The cluster refuses commands: slots have no server.

use crate::evidence::{self, counted};
use crate::facts::{Facts, Look, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const FAILED: Text = Text::server("Cluster state changed: fail");
const BACK: Text = Text::server("Cluster state changed: ok");
const DOWN: Text = Text::client("CLUSTERDOWN ");
const DOWN_BARE: Text = Text::client("The cluster is down");
const UNSERVED: Text = Text::client("Hash slot not served");

/// What a node that begins says of itself until it has heard the others.
const JOINING_S: f64 = 10.0;

/// As many slots as there are.
const SLOTS: u64 = 16_384;

pub(super) const RULE: Rule = Rule {
    code: Code(831),
    title: "the cluster is down: slots have no server",
    explanation: "A primary died and no replica of its took over, most primaries cannot be reached, or slots were never given to \
anybody. With `cluster-require-full-coverage yes`, the default, every node then answers CLUSTERDOWN, also for slots that are \
served.",
    messages: &["CLUSTERDOWN", "The cluster is down", "Hash slot not served"],
    needs: &[Need::Server, Need::ServerLog, Need::ClientLog],
    brings: &[],
    texts: &[FAILED, BACK, DOWN, DOWN_BARE, UNSERVED],
    sources: &["redis: cluster.c clusterUpdateState"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told = evidence::lines(facts, &[DOWN, DOWN_BARE, UNSERVED]);
    let down: Vec<_> = facts.looks.iter().filter(|look| is_down(look)).collect();
    let fails = failures(facts);
    if told.is_empty() && down.is_empty() && fails.is_empty() {
        return Vec::new();
    }
    let sources = usize::from(!told.is_empty())
        + usize::from(!down.is_empty())
        + usize::from(!fails.is_empty());
    let confidence = match sources {
        1 if told.is_empty() && !down.is_empty() => Confidence::Proved,
        1 => Confidence::Likely,
        _ => Confidence::Strong,
    };
    let mut finding = evidence::with(
        evidence::finding(&RULE, Verdict::Cause, confidence, &fails),
        &told,
    );
    let mut claim = vec![format!(
        "{} answered CLUSTERDOWN",
        counted(told.len(), "call was", "calls were")
    )];
    if told.is_empty() {
        claim = Vec::new();
    }
    if !fails.is_empty() {
        claim.push(format!(
            "a node saw the cluster fail {}{}",
            times(fails.len()),
            lasted(facts, &fails)
        ));
    }
    for look in down {
        let served = number(look, "cluster_slots_ok").unwrap_or(0);
        finding = finding.at(look.at).struck(&*look.source).supported(
            look.place("CLUSTER INFO"),
            format!("cluster_state:fail, {served} of {SLOTS} slots are served"),
        );
        claim.push(format!(
            "now {} of {SLOTS} slots have no server",
            SLOTS.saturating_sub(served)
        ));
        for node in look
            .nodes
            .iter()
            .filter(|node| node.is("fail") || node.is("fail?"))
        {
            finding = finding.struck(format!("node {}", node.addr));
            claim.push(format!(
                "{} ({} slots) is held to have failed",
                node.addr, node.slots
            ));
        }
    }
    vec![
        finding
            .claims(format!("{}.", claim.join("; ")))
            .fix("bring the failed node back, or its replica up: on that replica redis-cli CLUSTER FAILOVER TAKEOVER", "what the replica had not got is lost", "")
            .fix("slots that nobody was given: redis-cli --cluster fix HOST:PORT", "a slot with keys on two nodes is decided by it", "")
            .fix("stop-gap: redis-cli CONFIG SET cluster-require-full-coverage no, on every node", "the rest is served, and the missing part answers with errors", "redis-cli CONFIG SET cluster-require-full-coverage yes")
            .checked_by("redis-cli --cluster check HOST:PORT says [OK] All 16384 slots covered"),
    ]
}

fn number(look: &Look, field: &str) -> Option<u64> {
    look.cluster.get(field)?.parse().ok()
}

fn is_down(look: &Look) -> bool {
    look.cluster
        .get("cluster_state")
        .is_some_and(|state| state == "fail")
}

/// The lines that tell of it, but for those of a node that had just begun.
fn failures(facts: &Facts) -> Vec<&crate::facts::Fact<crate::text::Said>> {
    let began: Vec<_> = facts
        .lines(|line| matches!(line, crate::facts::Line::Started).then_some(()))
        .filter_map(|(fact, ())| Some((fact.place.source.clone(), fact.at?)))
        .collect();
    evidence::lines(facts, &[FAILED])
        .into_iter()
        .filter(|fact| {
            !began.iter().any(|(source, began)| {
                *source == fact.place.source
                    && fact
                        .at
                        .is_some_and(|at| (0.0..JOINING_S).contains(&began.seconds_to(at)))
            })
        })
        .collect()
}

fn lasted(facts: &Facts, fails: &[&crate::facts::Fact<crate::text::Said>]) -> String {
    let backs = evidence::lines(facts, &[BACK]);
    let spans = fails.iter().filter_map(|fail| {
        let back = backs
            .iter()
            .find(|back| back.place.source == fail.place.source && back.at > fail.at)?;
        Some(fail.at?.seconds_to(back.at?))
    });
    match spans.fold(0.0, f64::max) {
        0.0 => String::new(),
        seconds => format!(", for {seconds:.1} s at the longest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, pasted, verdicts};

    const LOG: &str = "9:M 23 Nov 2026 02:58:11.042 # Cluster state changed: fail\n9:M 23 Nov 2026 02:58:26.042 # Cluster state changed: ok\n";

    #[test]
    fn the_servers_own_state_is_proof() {
        let info = "cluster_enabled:1\ncluster_state:fail\ncluster_slots_assigned:16384\ncluster_slots_ok:10923\n";
        let found = check(&pasted(info));
        assert!(
            found[0]
                .claim
                .contains("5461 of 16384 slots have no server"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
        assert_eq!(verdicts(check(&pasted(&info.replace("fail", "ok")))), []);
    }

    #[test]
    fn log_and_application_together_are_strong() {
        let mut facts = log(LOG);
        assert!(check(&facts)[0].claim.contains("for 15.0 s"));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.add(application("2026-11-23T02:58:12Z redis.exceptions.ClusterDownError: CLUSTERDOWN The cluster is down\n"));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn a_node_that_begins_has_not_yet_heard_the_others() {
        let began =
            "9:C 23 Nov 2026 02:58:10.042 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n";
        assert_eq!(verdicts(check(&log(&format!("{began}{LOG}")))), []);
    }
}
