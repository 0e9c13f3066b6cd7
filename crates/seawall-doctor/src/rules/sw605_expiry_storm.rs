//! Many keys expire at once.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::memory::keyspace;
use crate::rule::{Code, Need, Rule};
use crate::stall;

/// More hundredths of keys than this that have expired and are still there: the cycle does not keep up.
const STALE_PERCENT: f64 = 10.0;

/// With fewer keys that expire, that is nothing.
const FLOOR: u64 = 10_000;

pub(super) const RULE: Rule = Rule {
    code: Code(605),
    title: "many keys expired at once",
    explanation: "The server removes expired keys in short turns between commands; where very many expire in the same second (all written with \
one time to live by a job, or up to midnight) the turns grow, and everybody waits. The latency monitor calls it expire-cycle; \
`expired_stale_perc` and `expired_time_cap_reached_count` of INFO tell that it does not keep up.",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::Server, Need::ClientLog],
    brings: stall::BRINGS,
    sources: &["redis: expire.c activeExpireCycle"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let stalls = stall::monitored(facts, &["expire-cycle"]);
    if let Some(finding) = stall::finding(facts, &RULE, &stalls) {
        return vec![advised(finding.claims(format!(
            "Removing expired keys took {} in one turn, and everybody waited.",
            stall::longest(&stalls)
        )))];
    }
    let mut found = Vec::new();
    for look in &facts.looks {
        let stale = look.decimal("expired_stale_perc").unwrap_or(0.0);
        let Some(rose) = look.rose_by("expired_time_cap_reached_count") else {
            continue;
        };
        let expiring = keyspace(&look.info).unwrap_or_default().expiring;
        if stale <= STALE_PERCENT || expiring < FLOOR {
            continue;
        }
        let says = format!(
            "{stale:.0} % of the keys that expire have expired and are still there; expired_time_cap_reached_count {rose}"
        );
        let risk = Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Likely);
        found.push(advised(
            risk.supported(look.place("INFO"), says.as_str())
                .claims(format!("{says}: their removal does not keep up.")),
        ));
    }
    found
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("vary the time to live where keys are written, by 10 % at random", "", "")
        .fix(
            "redis-cli CONFIG SET hz 50",
            "shorter turns more often: some hundredths of a core more",
            "redis-cli CONFIG SET hz 10",
        )
        .fix(
            "redis-cli CONFIG SET lazyfree-lazy-expire yes",
            "memory is given back a little later than the key is gone",
            "redis-cli CONFIG SET lazyfree-lazy-expire no",
        )
        .checked_by("expired_stale_perc of INFO stays below 1, and LATENCY LATEST has no expire-cycle of 100 ms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{latency, timeout, together, twice, verdicts};

    fn counted(stale: &str, expiring: u64) -> Facts {
        let info = |reached: u64| {
            format!(
                "total_commands_processed:9\nexpired_stale_perc:{stale}\nexpired_time_cap_reached_count:{reached}\ndb0:keys=90000,expires={expiring},avg_ttl=9"
            )
        };
        twice(&info(3), 60, &info(40))
    }

    #[test]
    fn a_turn_that_was_felt_is_the_cause() {
        let found = check(&together([
            latency("expire-cycle", 430),
            timeout("02:58:07"),
        ]));
        assert!(found[0].claim.contains("430 ms"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_cycle_that_does_not_keep_up_is_a_risk() {
        let found = check(&counted("31.20", 80_000));
        assert!(found[0].claim.contains("31 %"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Likely)]);
    }

    #[test]
    fn few_keys_and_a_cycle_that_keeps_up_are_in_order() {
        assert_eq!(verdicts(check(&counted("31.20", 80))), []);
        assert_eq!(verdicts(check(&counted("0.40", 80_000))), []);
        assert_eq!(verdicts(check(&timeout("02:58:07"))), []);
    }
}
