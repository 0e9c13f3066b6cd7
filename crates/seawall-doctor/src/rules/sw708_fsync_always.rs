//! Every write waits for the disk.

use crate::facts::Facts;
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::stall;

pub(super) const RULE: Rule = Rule {
    code: Code(708),
    title: "every write waited for the disk (appendfsync always)",
    explanation: "With `appendfsync always` the server answers a write only after the disk has it: a disk that takes 100 ms for an fsync \
makes everybody wait that long, readers too. The latency monitor calls it aof-fsync-always.",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::Server, Need::ClientLog],
    brings: stall::BRINGS,
    sources: &["redis: aof.c flushAppendOnlyFile"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let stalls = stall::monitored(facts, &["aof-fsync-always"]);
    let Some(finding) = stall::finding(facts, &RULE, &stalls) else {
        return Vec::new();
    };
    vec![
        finding
            .claims(format!(
                "An fsync took {}, and with appendfsync always everybody waits for it.",
                stall::longest(&stalls)
            ))
            .fix(
                "redis-cli CONFIG SET appendfsync everysec",
                "if the host goes down, one to two seconds of writes are lost",
                "redis-cli CONFIG SET appendfsync always",
            )
            .fix("a disk of its own, and one with a write cache that survives a power cut", "", "")
            .checked_by("redis-cli LATENCY RESET aof-fsync-always, then LATENCY LATEST after an hour: it is not there"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{latency, pasted, timeout, together, verdicts};

    #[test]
    fn a_timeout_beside_it_makes_it_the_cause() {
        let seen = || latency("aof-fsync-always", 640);
        assert_eq!(
            verdicts(check(&seen())),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let found = check(&together([seen(), timeout("02:58:07")]));
        assert!(found[0].claim.contains("640 ms"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn the_setting_on_a_quick_disk_is_in_order() {
        let setting = pasted("redis_version:7.0.15\n1) \"appendfsync\"\n2) \"always\"\n");
        assert_eq!(verdicts(check(&setting)), []);
        let quick = together([latency("aof-fsync-always", 12), timeout("02:58:07")]);
        assert_eq!(verdicts(check(&quick)), []);
    }
}
