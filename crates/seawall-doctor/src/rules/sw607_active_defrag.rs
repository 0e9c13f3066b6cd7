//! Defragmentation takes the server's time.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::stall;

/// More hundredths of the server's time than this are felt.
const PERCENT: u64 = 20;

pub(super) const RULE: Rule = Rule {
    code: Code(607),
    title: "active defragmentation took the server's time",
    explanation: "With `activedefrag yes` the server moves values together, in turns between commands, and takes up to \
`active-defrag-cycle-max` (25 %) of its time for it. The latency monitor calls it active-defrag-cycle; `active_defrag_running` of INFO \
tells how many hundredths it takes now.",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::Server, Need::ClientLog],
    brings: stall::BRINGS,
    sources: &["redis: defrag.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let stalls = stall::monitored(facts, &["active-defrag-cycle"]);
    if let Some(finding) = stall::finding(facts, &RULE, &stalls) {
        return vec![advised(finding.claims(format!(
            "A turn of defragmentation took {}, and everybody waited.",
            stall::longest(&stalls)
        )))];
    }
    let mut found = Vec::new();
    for look in &facts.looks {
        let running = look.number("active_defrag_running").unwrap_or(0);
        if running < PERCENT {
            continue;
        }
        let says = format!("active_defrag_running:{running}");
        let risk = Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Likely);
        found.push(advised(
            risk.at(look.at)
                .supported(look.place("INFO"), says)
                .claims(format!(
                    "Defragmentation takes {running} % of the server's time now."
                )),
        ));
    }
    found
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix(
            "redis-cli CONFIG SET active-defrag-cycle-max 10",
            "fragmentation goes more slowly",
            "redis-cli CONFIG SET active-defrag-cycle-max 25",
        )
        .fix(
            "stop-gap: redis-cli CONFIG SET activedefrag no",
            "fragmentation stays",
            "redis-cli CONFIG SET activedefrag yes",
        )
        .checked_by("LATENCY LATEST has no active-defrag-cycle of 100 ms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{latency, pasted, timeout, together, verdicts};

    #[test]
    fn a_turn_that_was_felt_is_the_cause() {
        let found = check(&together([
            latency("active-defrag-cycle", 180),
            timeout("02:58:07"),
        ]));
        assert!(found[0].claim.contains("180 ms"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn much_of_it_is_a_risk_and_a_little_is_in_order() {
        let now = |percent: u64| pasted(&format!("# Memory\nactive_defrag_running:{percent}\n"));
        assert_eq!(
            verdicts(check(&now(25))),
            [(Verdict::Risk, Confidence::Likely)]
        );
        assert_eq!(verdicts(check(&now(2))), []);
        assert_eq!(verdicts(check(&now(0))), []);
    }
}
