//! The primary refuses writes, since too few replicas are near enough.

use crate::evidence::{self, counted};
use crate::facts::{Facts, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const REFUSED: Text = Text::client("Not enough good replicas to write");
const REFUSED_THEN: Text = Text::client("Not enough good slaves to write");

pub(super) const RULE: Rule = Rule {
    code: Code(805),
    title: "the primary refused writes: too few replicas follow it",
    explanation: "`min-replicas-to-write` demands so many replicas whose last word is no older than `min-replicas-max-lag` \
(10 s). Below that the primary answers writes with NOREPLICAS, as it was told to: so that no write is lost by a failover. \
Mend the replica, not the guard.",
    messages: &[
        "Not enough good replicas to write",
        "NOREPLICAS",
        "Not enough good slaves to write",
    ],
    needs: &[Need::ClientLog, Need::Server],
    brings: &[],
    texts: &[REFUSED, REFUSED_THEN],
    sources: &["redis: server.c processCommand", "redis#9503"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told = evidence::lines(facts, &[REFUSED, REFUSED_THEN]);
    // The field is there only where the guard is set.
    let guarded: Option<(&Look, u64)> = facts
        .looks
        .iter()
        .find_map(|look| Some((look, look.number("min_slaves_good_slaves")?)));
    let wanted = |look: &Look| {
        look.setting("min-replicas-to-write")
            .or_else(|| look.setting("min-slaves-to-write"))
    };
    let lacks_now = guarded.filter(|(look, good)| *good < wanted(look).unwrap_or(1));
    if told.is_empty() && lacks_now.is_none() {
        return Vec::new();
    }
    let confidence = if !told.is_empty() && guarded.is_some() {
        Confidence::Strong
    } else {
        Confidence::Likely
    };
    let mut finding = evidence::finding(&RULE, Verdict::Cause, confidence, &told);
    let mut claim = if told.is_empty() {
        "The primary refuses writes now".to_owned()
    } else {
        format!(
            "{} answered NOREPLICAS",
            counted(told.len(), "write was", "writes were")
        )
    };
    if let Some((look, good)) = guarded {
        let of = wanted(look).map_or_else(String::new, |wanted| {
            format!(" of {wanted} that are demanded")
        });
        claim = format!("{claim}; {good}{of} replicas are near enough now");
        finding = finding.struck(&*look.source).supported(
            look.place("INFO"),
            format!("min_slaves_good_slaves {good}{of}"),
        );
        if lacks_now.is_some() {
            finding = finding.at(look.at);
        }
    }
    vec![
        finding
            .claims(format!("{claim}."))
            .fix("bring the replica back: seawall doctor with its log; master_link_status of its INFO", "", "")
            .fix("stop-gap: redis-cli CONFIG SET min-replicas-to-write 0", "what is written until a replica follows is lost if the primary dies", "redis-cli CONFIG SET min-replicas-to-write <old>")
            .checked_by("min_slaves_good_slaves of INFO is at least min-replicas-to-write, and lag of each slave line is 0 or 1"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.ResponseError: NOREPLICAS Not enough good replicas to write.\n";

    #[test]
    fn words_and_counter_together_are_strong_and_name_the_numbers() {
        let mut facts = application(TOLD);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.add(pasted(
            "role:master\nconnected_slaves:0\nmin_slaves_good_slaves:0\n",
        ));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("0 replicas are near enough"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_guard_that_is_met_and_a_server_without_one_are_in_order() {
        assert_eq!(
            verdicts(check(&pasted(
                "role:master\nconnected_slaves:1\nmin_slaves_good_slaves:1\n"
            ))),
            []
        );
        assert_eq!(
            verdicts(check(&pasted("role:master\nconnected_slaves:0\n"))),
            []
        );
    }
}
