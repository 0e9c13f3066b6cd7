//! Removing the old file after a save holds everybody up.

use crate::facts::Facts;
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::stall;

pub(super) const RULE: Rule = Rule {
    code: Code(712),
    title: "removing a file after a save held up everybody",
    explanation: "After a save or a rewrite the server removes or renames a large file. On some file systems (ext3, ext4 under load, ZFS, \
network file systems) that takes seconds, and nothing is answered meanwhile. The latency monitor calls it rdb-unlink-temp-file, \
aof-rename or aof-rewrite-diff-write.",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::Server, Need::ClientLog],
    brings: stall::BRINGS,
    sources: &["redis: rdb.c rdbRemoveTempFile, aof.c", "redis#9503"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let events = [
        "rdb-unlink-temp-file",
        "aof-rename",
        "aof-rewrite-diff-write",
        "rdb-del-sync-files",
    ];
    let stalls = stall::monitored(facts, &events);
    let Some(finding) = stall::finding(facts, &RULE, &stalls) else {
        return Vec::new();
    };
    vec![
        finding
            .claims(format!(
                "Removing or renaming a file took {} after a save, and nothing was answered meanwhile.",
                stall::longest(&stalls)
            ))
            .fix("`dir` on XFS or on a local disk of its own: no network file system", "", "")
            .fix(
                "save on a replica only; on the primary: redis-cli CONFIG SET save ''",
                "what was written since the replica's last save is lost if both end",
                "redis-cli CONFIG SET save '<old>'",
            )
            .checked_by("redis-cli LATENCY RESET, then LATENCY LATEST after two saves: no such event of 100 ms or more"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{latency, timeout, together, verdicts};

    #[test]
    fn a_timeout_beside_it_makes_it_the_cause() {
        let seen = || latency("rdb-unlink-temp-file", 10_200);
        assert_eq!(
            verdicts(check(&seen())),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let found = check(&together([seen(), timeout("02:58:07")]));
        assert!(found[0].claim.contains("took 10 s"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn another_event_or_a_short_one_is_none_of_it() {
        assert_eq!(verdicts(check(&latency("fork", 10_200))), []);
        assert_eq!(verdicts(check(&latency("rdb-unlink-temp-file", 20))), []);
    }
}
