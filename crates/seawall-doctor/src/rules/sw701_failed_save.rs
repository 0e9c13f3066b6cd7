//! A save failed, and writes are refused.

use crate::evidence::counted;
use crate::facts::{Facts, Failure, Line};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(701),
    title: "Redis refused writes: its last save failed",
    explanation: "With `stop-writes-on-bgsave-error yes` (the default) a failed save makes the server answer writes with \
MISCONF until one succeeds. Reads go on. The log says why it failed: no space, no permission, no memory to fork, a killed child; \
each of them has a code of its own.",
    messages: &[
        "MISCONF Redis is configured to save RDB snapshots",
        "unable to persist",
    ],
    needs: &[Need::Server, Need::ServerLog, Need::ClientLog],
    brings: &[],
    sources: &["redis: rdb.c, server.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told: Vec<_> = facts.failures(Failure::SaveFailed).collect();
    let now = facts.looks.iter().find(|look| {
        look.info
            .get("rdb_last_bgsave_status")
            .is_some_and(|status| status == "err")
    });
    let why: Vec<_> = facts
        .lines(|line| match line {
            Line::ForkFailed(why) => Some(format!("it could not fork: {why}")),
            Line::SaveFailed => Some("a save in the background failed".to_owned()),
            _ => None,
        })
        .collect();
    if told.is_empty() && now.is_none() {
        return Vec::new();
    }
    let sources =
        usize::from(!told.is_empty()) + usize::from(now.is_some()) + usize::from(!why.is_empty());
    let confidence = if sources > 1 {
        Confidence::Strong
    } else {
        Confidence::Likely
    };
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, confidence);
    if told.is_empty() {
        // Nobody wrote meanwhile, or nobody told.
        finding.verdict = Verdict::Risk;
        finding.confidence = Confidence::Possible;
    }
    finding = finding.at_each(told.iter().map(|fact| fact.at));
    if let Some(first) = told.first() {
        finding = finding.supported(
            first.place.clone(),
            format!(
                "{} answered MISCONF",
                counted(told.len(), "write was", "writes were")
            ),
        );
    }
    if let Some(look) = now {
        finding = finding.supported(look.place("INFO"), "rdb_last_bgsave_status:err");
    }
    for (fact, why) in &why {
        finding = finding
            .at(fact.at)
            .supported(fact.place.clone(), why.as_str());
    }
    let because = why
        .last()
        .map_or("the log says why".to_owned(), |(_, why)| why.clone());
    vec![
        finding
            .claims(format!("A save failed, and the server refuses writes until one succeeds: {because}."))
            .fix("make room or give permission in `dir`; vm.overcommit_memory=1 if it could not fork; then redis-cli BGSAVE", "", "")
            .fix(
                "stop-gap: redis-cli CONFIG SET stop-writes-on-bgsave-error no",
                "what is written is lost if the server ends before a save succeeds",
                "redis-cli CONFIG SET stop-writes-on-bgsave-error yes",
            )
            .checked_by("rdb_last_bgsave_status:ok in INFO, and writes are answered"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, pasted, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.ResponseError: MISCONF Redis is configured to save RDB snapshots\n";

    #[test]
    fn the_servers_words_and_its_log_together_are_strong() {
        let mut facts = application(TOLD);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.add(log("9:M 23 Nov 2026 02:58:01.042 # Can't save in background: fork: Cannot allocate memory\n"));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("Cannot allocate memory"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_failed_save_that_nobody_met_is_a_risk() {
        assert_eq!(
            verdicts(check(&pasted(
                "# Persistence\nrdb_last_bgsave_status:err\n"
            ))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        assert_eq!(
            verdicts(check(&pasted("# Persistence\nrdb_last_bgsave_status:ok\n"))),
            []
        );
    }
}
