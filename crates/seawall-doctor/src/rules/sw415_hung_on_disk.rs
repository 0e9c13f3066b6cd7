//! The server hung in the kernel, mostly on its disk.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::heard::Heard;
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const REDIS: Text = Text::kernel("INFO: task redis-server:").keeping(Keeps::Rest);
const VALKEY: Text = Text::kernel("INFO: task valkey-server:").keeping(Keeps::Rest);
const THREAD: Text = Text::kernel("INFO: task bio_aof").keeping(Keeps::Rest);

pub(super) const RULE: Rule = Rule {
    code: Code(415),
    title: "the server hung in the kernel for minutes, mostly on its disk",
    explanation: "The kernel tells of a process that waited in it without a break for 120 s (`hung_task_timeout_secs`): a disk or a \
network volume that does not answer. The server answers nobody meanwhile, and no signal ends it. Shorter hangs leave no such line: \
look for `Asynchronous AOF fsync is taking too long`.",
    messages: &[
        "Timeout reading from socket",
        "Timeout reading from",
        "i/o timeout",
        "Read timed out",
    ],
    needs: &[Need::Kernel],
    brings: &[Code(102), Code(702)],
    texts: &[REDIS, VALKEY, THREAD],
    sources: &["linux: kernel/hung_task.c"],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let hung = Heard::of(facts, RULE.texts)
        .and_then(|heard| heard.only(|said| said.rest.contains("blocked for more than")));
    let Some(heard) = hung else {
        return Vec::new();
    };
    // A background thread of its own that hangs holds up the next write to the file, and not yet every client.
    let main = heard.lines.iter().any(|fact| fact.what.text != THREAD);
    let (verdict, confidence) = if main {
        (Verdict::Cause, Confidence::Proved)
    } else {
        (Verdict::Contributing, Confidence::Likely)
    };
    let mut finding = heard.finding(&RULE, verdict, confidence);
    for fact in &heard.lines {
        if let Some(pid) = fact.what.number() {
            finding = finding.struck(format!("process {pid}"));
        }
    }
    let who = finding.whom();
    vec![
        finding
            .claims(format!("{who} waited in the kernel for more than 120 s. Proved: the kernel names the process; what for, the stack below that line tells."))
            .fix("what is wrong with the disk? dmesg | grep -iE 'i/o error|timed out|nvme|reset'; iostat -x 1 5; of a network volume, its provider's metrics (burst credits)", "", "")
            .fix("where losing seconds of writes is better than standing still: no-appendfsync-on-rewrite yes, or the append-only file on a local disk", "writes of the last seconds are lost by a crash", "redis-cli CONFIG SET no-appendfsync-on-rewrite no")
            .checked_by("the line does not come again, and aof_delayed_fsync of INFO stays"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{kernel, verdicts};

    const HUNG: &str = "2026-11-23T02:58:34+0000 host kernel: INFO: task redis-server:4711 blocked for more than 120 seconds.\n";

    #[test]
    fn the_kernel_names_the_process() {
        let found = check(&kernel(HUNG));
        assert_eq!(found[0].whom(), "process 4711");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn another_process_that_hangs_is_none_and_a_thread_is_not_the_server() {
        assert_eq!(
            verdicts(check(&kernel(&HUNG.replace("redis-server", "jbd2/sda1")))),
            []
        );
        let thread = HUNG.replace("redis-server:", "bio_aof:");
        assert_eq!(
            verdicts(check(&kernel(&thread))),
            [(Verdict::Contributing, Confidence::Likely)]
        );
    }
}
