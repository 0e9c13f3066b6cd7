//! A slot is on its way from one node to another, and is not getting there.

use crate::evidence::{self, counted};
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const AGAIN: Text = Text::client("Multiple keys request during rehashing of slot");
const AGAIN_WORD: Text = Text::client("TRYAGAIN ");

pub(super) const RULE: Rule = Rule {
    code: Code(836),
    title: "a slot is being moved, and commands of several keys have to wait",
    explanation: "While a slot is moved its keys are on two nodes. Commands of one key are redirected (ASK) and succeed; those \
of several keys get TRYAGAIN until all of them are on one side. A move that was broken off leaves the slot so for ever.",
    messages: &["TRYAGAIN", "Multiple keys request during rehashing of slot"],
    needs: &[Need::ClientLog, Need::Server],
    brings: &[],
    texts: &[AGAIN, AGAIN_WORD],
    sources: &["redis: cluster.c getNodeByQuery"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told = evidence::lines(facts, &[AGAIN, AGAIN_WORD]);
    let moving = facts.looks.iter().find_map(|look| {
        let slots: Vec<_> = look.nodes.iter().flat_map(|node| &node.moving).collect();
        (!slots.is_empty()).then_some((look, slots))
    });
    let (verdict, confidence) = match (&moving, told.is_empty()) {
        (None, true) => return Vec::new(),
        (Some(_), false) => (Verdict::Cause, Confidence::Strong),
        (None, false) => (Verdict::Cause, Confidence::Likely),
        (Some(_), true) => (Verdict::Risk, Confidence::Possible),
    };
    let mut finding = evidence::finding(&RULE, verdict, confidence, &told);
    let mut claim = if told.is_empty() {
        Vec::new()
    } else {
        vec![format!(
            "{} answered TRYAGAIN",
            counted(told.len(), "command was", "commands were")
        )]
    };
    if let Some((look, slots)) = moving {
        let first = slots[0];
        claim.push(format!(
            "{} slots are between two nodes, {first} for one",
            slots.len()
        ));
        finding = finding.at(look.at).supported(
            look.place("CLUSTER NODES"),
            format!("slot {first} is being moved"),
        );
    }
    vec![
        finding
            .claims(format!("{}.", claim.join("; ")))
            .fix("if a reshard runs: wait, and try such commands again after some 10 ms", "", "")
            .fix("if none runs: redis-cli --cluster check HOST:PORT names the slots, redis-cli --cluster fix HOST:PORT ends the moves", "where both sides have keys of it, one side wins", "")
            .checked_by("redis-cli CLUSTER NODES shows no [slot->-..] and no [slot-<-..]"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

    const NODES: &str = "07c37dfeb235213a872192d90877d0cd55635b91 10.244.1.5:6379@16379 master - 0 1795402691000 4 connected 0-8191\n\
67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1 10.244.1.6:6379@16379 myself,master - 0 1795402691000 2 connected 8192-16383 [9000->-07c37dfeb235213a872192d90877d0cd55635b91]\n";
    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.TryAgainError: Multiple keys request during rehashing of slot\n";

    #[test]
    fn words_and_a_slot_between_two_nodes_are_strong() {
        let mut facts = application(TOLD);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.add(pasted(NODES));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("9000 for one"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_reshard_that_nobody_feels_is_a_risk_and_a_quiet_cluster_is_nothing() {
        assert_eq!(
            verdicts(check(&pasted(NODES))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let quiet = NODES.replace(" [9000->-07c37dfeb235213a872192d90877d0cd55635b91]", "");
        assert_eq!(verdicts(check(&pasted(&quiet))), []);
    }
}
