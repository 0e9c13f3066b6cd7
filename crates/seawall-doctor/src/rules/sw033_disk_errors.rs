//! The host's disk failed to read or write.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const IO: Text = Text::kernel("I/O error, dev ").keeping(Keeps::Word);
const BUFFER: Text = Text::kernel("Buffer I/O error on dev");
const NVME: Text = Text::kernel("controller is down; will reset");
const ATA: Text = Text::kernel("failed command: WRITE");
const TIMEOUT: Text = Text::kernel("timeout, aborting");
const ALL: &[Text] = &[IO, BUFFER, NVME, ATA, TIMEOUT];

/// How a call fails by it.
const FELT: &[Failure] = &[Failure::SaveFailed, Failure::ReadTimeout, Failure::Loading];

/// A timeout is told when it ends: so long after.
const AROUND_S: i64 = 300;

pub(super) const RULE: Rule = Rule {
    code: Code(33),
    title: "the host's disk failed to read or write",
    explanation: "The disk, its controller, or the network storage behind it gave errors or no answer. Saves fail, and writes to the \
append-only file wait; with `appendfsync everysec` the server stands still with them after two seconds.",
    messages: &["MISCONF", "Timeout reading from"],
    needs: &[Need::Kernel],
    brings: &[Code(701), Code(702)],
    texts: ALL,
    sources: &["linux: block/blk-core.c", "linux: drivers/nvme/host/pci.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some((lines, finding)) = evidence::felt(facts, &RULE, ALL, FELT, AROUND_S) else {
        return Vec::new();
    };
    let when = evidence::when(finding.window);
    vec![
        finding
            .claims(format!("The kernel told {}{when} that a disk gave errors or no answer.", times(lines.len())))
            .fix("is it the disk of `CONFIG GET dir`? smartctl -a DEV; replace it, or the volume", "", "")
            .fix("a replica with its data elsewhere, and a failover to it", "a failover drops writes that are not yet there", "")
            .checked_by("no such line comes again; rdb_last_bgsave_status:ok and aof_last_write_status:ok in INFO"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, kernel, verdicts};

    const LINE: &str = "2026-11-23T02:58:11+0000 host kernel: blk_update_request: I/O error, dev sdb, sector 41943040 op 0x1:(WRITE) flags 0x800\n";

    #[test]
    fn calls_that_failed_beside_it_make_it_the_cause() {
        let mut facts = kernel(LINE);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        facts.add(application(
            "2026-11-23T02:58:14Z redis.exceptions.TimeoutError: Timeout reading from cache:6379\n",
        ));
        let found = check(&facts);
        assert!(found[0].claim.contains("gave errors"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn failures_of_another_hour_and_other_lines_are_not_its_doing() {
        let mut facts = kernel(LINE);
        facts.add(application(&"2026-11-23T02:58:14Z redis.exceptions.TimeoutError: Timeout reading from cache:6379\n".replace("T02:", "T09:")));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        assert_eq!(
            verdicts(check(&kernel(
                "2026-11-23T02:58:11+0000 host kernel: sd 0:0:0:0: [sda] Attached SCSI disk\n"
            ))),
            []
        );
    }
}
