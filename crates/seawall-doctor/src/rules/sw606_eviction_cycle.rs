//! Making room takes the server's time.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::stall;

/// More hundredths of the time than this above the limit, and clients wait for it.
const PERCENT: f64 = 10.0;

pub(super) const RULE: Rule = Rule {
    code: Code(606),
    title: "making room for writes held up everybody",
    explanation: "Once `maxmemory` is reached each write first evicts until there is room: for a large value many keys, for a large key a long \
time. The latency monitor calls it eviction-cycle; `total_eviction_exceeded_time` of INFO (7.0) counts the time above the limit.",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::Server, Need::ClientLog],
    brings: stall::BRINGS,
    sources: &["redis: evict.c performEvictions"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let stalls = stall::monitored(facts, &["eviction-cycle"]);
    if let Some(finding) = stall::finding(facts, &RULE, &stalls) {
        return vec![advised(finding.claims(format!(
            "Evicting took {} in one go, and everybody waited.",
            stall::longest(&stalls)
        )))];
    }
    let mut found = Vec::new();
    for look in &facts.looks {
        // Milliseconds in a second, in hundredths.
        let Some(share) = look
            .rate("total_eviction_exceeded_time")
            .map(|millis| millis / 10.0)
            .filter(|share| *share >= PERCENT)
        else {
            continue;
        };
        let says = format!(
            "for {share:.0} % of {} more than maxmemory was used",
            look.between().unwrap_or_default()
        );
        let risk = Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Likely);
        found.push(advised(
            risk.supported(look.place("INFO"), says.as_str())
                .claims(format!(
                    "{says}: evicting does not keep up with what is written."
                )),
        ));
    }
    found
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix(
            "redis-cli CONFIG SET maxmemory <10 % more>",
            "the host must have it, with room for a save's copy-on-write",
            "redis-cli CONFIG SET maxmemory <old>",
        )
        .fix(
            "redis-cli CONFIG SET lazyfree-lazy-eviction yes",
            "memory is given back a little later than the key is gone",
            "redis-cli CONFIG SET lazyfree-lazy-eviction no",
        )
        .checked_by("LATENCY LATEST has no eviction-cycle of 100 ms, and total_eviction_exceeded_time stays as it is")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{latency, pasted, timeout, together, twice, verdicts};

    #[test]
    fn a_cycle_that_was_felt_is_the_cause() {
        let found = check(&together([
            latency("eviction-cycle", 250),
            timeout("02:58:07"),
        ]));
        assert!(found[0].claim.contains("250 ms"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_server_that_is_above_its_limit_most_of_the_time_is_a_risk() {
        let found = check(&twice(
            "total_eviction_exceeded_time:1000",
            60,
            "total_eviction_exceeded_time:31000",
        ));
        assert!(
            found[0].claim.contains("50 % of 60 s"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Likely)]);
    }

    #[test]
    fn a_little_of_it_and_a_count_since_start_are_in_order() {
        let little = twice(
            "total_eviction_exceeded_time:1000",
            60,
            "total_eviction_exceeded_time:1900",
        );
        assert_eq!(verdicts(check(&little)), []);
        let since = pasted("# Stats\ntotal_eviction_exceeded_time:99000\n");
        assert_eq!(verdicts(check(&since)), []);
    }
}
