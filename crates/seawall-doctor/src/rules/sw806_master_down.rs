//! A replica without its primary refuses to answer.

use crate::evidence::{self, counted};
use crate::facts::{Facts, span};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const REFUSED: Text = Text::client("replica-serve-stale-data is set to 'no'");
const REFUSED_THEN: Text = Text::client("slave-serve-stale-data is set to 'no'");

pub(super) const RULE: Rule = Rule {
    code: Code(806),
    title: "a replica without its primary refused to answer",
    explanation: "With `replica-serve-stale-data no` a replica whose link to the primary is down, or that is being sent \
everything, answers MASTERDOWN rather than with old data. The link is what to mend.",
    messages: &["MASTERDOWN", "Link with MASTER is down"],
    needs: &[Need::ClientLog, Need::Server],
    brings: &[],
    texts: &[REFUSED, REFUSED_THEN],
    sources: &["redis: server.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told = evidence::lines(facts, &[REFUSED, REFUSED_THEN]);
    if told.is_empty() {
        return Vec::new();
    }
    let down = facts.looks.iter().find(|look| {
        look.info
            .get("master_link_status")
            .is_some_and(|status| status == "down")
    });
    let confidence = if down.is_some() {
        Confidence::Strong
    } else {
        Confidence::Likely
    };
    let mut finding = evidence::finding(&RULE, Verdict::Cause, confidence, &told);
    let mut claim = format!(
        "{} answered MASTERDOWN",
        counted(told.len(), "call was", "calls were")
    );
    if let Some(look) = down {
        let since = look.number("master_link_down_since_seconds");
        let since = since.map_or_else(String::new, |seconds| format!(" for {}", span(seconds)));
        claim = format!("{claim}; the replica's link is down{since}");
        finding = finding.struck(&*look.source).supported(
            look.place("INFO"),
            format!("master_link_status:down{since}"),
        );
    }
    vec![
        finding
            .claims(format!("{claim}."))
            .fix("bring the link back: the replica's log says why it breaks (redis-cli INFO replication; master_host, masterauth)", "", "")
            .fix("stop-gap, where old answers will do: redis-cli CONFIG SET replica-serve-stale-data yes, on the replica", "readers get what was true when the link broke", "redis-cli CONFIG SET replica-serve-stale-data no")
            .checked_by("master_link_status:up in the replica's INFO, for an hour"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

    /// Redis 7.0.15.
    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.MasterDownError: Link with MASTER is down and replica-serve-stale-data is set to 'no'.\n";

    #[test]
    fn its_words_and_the_link_together_are_strong() {
        let mut facts = application(TOLD);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.add(pasted(
            "role:slave\nmaster_link_status:down\nmaster_link_down_since_seconds:300\n",
        ));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("down for 5 min"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_link_that_is_down_refuses_nobody_by_itself() {
        assert_eq!(
            verdicts(check(&pasted("role:slave\nmaster_link_status:down\n"))),
            []
        );
    }
}
