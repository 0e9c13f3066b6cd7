//! The kernel made a file system read-only.

use crate::evidence;
use crate::facts::{Facts, Failure, Line};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const EXT4: Text = Text::kernel("Remounting filesystem read-only");
const XFS: Text = Text::kernel("Shutting down filesystem");
const BTRFS: Text = Text::kernel("forced readonly");
const ALL: &[Text] = &[EXT4, XFS, BTRFS];

/// A save is tried when enough was written: some minutes later.
const AROUND_S: i64 = 3_600;

pub(super) const RULE: Rule = Rule {
    code: Code(32),
    title: "the kernel made a file system read-only",
    explanation: "After an error of the disk the kernel protects a file system by letting nobody write to it. If Redis's \
directory is on it, saves fail, the append-only file cannot be written, and writes are answered MISCONF. A restart of Redis \
changes nothing, and loses what was not saved.",
    messages: &["MISCONF", "unable to persist on disk"],
    needs: &[Need::Kernel],
    brings: &[Code(701), Code(702)],
    texts: ALL,
    sources: &["linux: fs/ext4/super.c", "linux: fs/xfs/xfs_fsops.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let lines = evidence::lines(facts, ALL);
    if lines.is_empty() {
        return Vec::new();
    }
    let mut finding = evidence::finding(&RULE, Verdict::Risk, Confidence::Possible, &lines);
    let refused = evidence::beside(facts, finding.window, &[Failure::SaveFailed], AROUND_S);
    finding = evidence::with_failures(finding, &refused, Confidence::Strong);
    let from = finding.window.map(|(from, _)| from);
    let failed = facts
        .lines(|line| matches!(line, Line::SaveFailed | Line::AofFailed(_)).then_some(()))
        .find(|(fact, ())| from.zip(fact.at).is_some_and(|(from, at)| from <= at));
    if let Some((fact, ())) = failed {
        finding = finding.supported(fact.place.clone(), "a save failed after it");
        finding.verdict = Verdict::Cause;
        finding.confidence = Confidence::Strong;
    }
    let when = evidence::when(finding.window);
    vec![
        finding
            .claims(format!("A file system of the host lets nobody write since an error of its disk{when}."))
            .fix("is it that of `redis-cli CONFIG GET dir`? findmnt -T DIR. Then another directory at once: redis-cli CONFIG SET dir <one that can be written>, BGSAVE", "", "redis-cli CONFIG SET dir <old>")
            .fix("then the disk: smartctl -a DEV; fsck needs it unmounted, so fail over to a replica first", "a failover drops writes that are not yet replicated", "")
            .checked_by("touch in that directory works; rdb_last_bgsave_status:ok in INFO"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, kernel, log, verdicts};

    const LINE: &str =
        "2026-11-23T02:58:11+0000 host kernel: EXT4-fs (sdb1): Remounting filesystem read-only\n";

    #[test]
    fn a_save_that_fails_after_it_makes_it_the_cause() {
        assert_eq!(
            verdicts(check(&kernel(LINE))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let mut facts = kernel(LINE);
        facts.add(log(
            "9:M 23 Nov 2026 03:01:11.042 # Background saving error\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
        let mut facts = kernel(LINE);
        facts.add(application("2026-11-23T03:05:00Z redis.exceptions.ResponseError: MISCONF Redis is configured to save RDB snapshots\n"));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn a_save_that_failed_before_it_is_another_things_doing() {
        let mut facts = kernel(LINE);
        facts.add(log(
            "9:M 23 Nov 2026 01:01:11.042 # Background saving error\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let mounted = LINE.replace(
            "Remounting filesystem read-only",
            "mounted filesystem with ordered data mode",
        );
        assert_eq!(verdicts(check(&kernel(&mounted))), []);
    }
}
