//! The kernel says that Redis itself waits for it.

use crate::evidence;
use crate::facts::{Facts, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const TASK: Text = Text::kernel("INFO: task ").keeping(Keeps::Rest);

pub(super) const RULE: Rule = Rule {
    code: Code(34),
    title: "Redis hung inside the kernel",
    explanation: "The kernel warns of a process that has waited for two minutes inside of it, mostly for a disk or a network \
file system. Redis's own thread of commands waits so when it writes its append-only file: everybody's calls time out, and a \
signal does not end it.",
    messages: &["Timeout reading from", "Timeout connecting to server"],
    needs: &[Need::Kernel],
    brings: &[Code(601), Code(702), Code(804), Code(821)],
    texts: &[TASK],
    sources: &["linux: kernel/hung_task.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    // `redis-server:4711 blocked for more than 120 seconds.`
    let hung: Vec<_> = evidence::lines(facts, &[TASK])
        .into_iter()
        .filter(|fact| {
            let task = fact.what.rest.split(' ').next().unwrap_or("");
            let name = task.rsplit_once(':').map_or(task, |(name, _)| name);
            ["redis-server", "valkey-server"].contains(&name)
                && fact.what.rest.contains("blocked for more than")
        })
        .collect();
    let Some(first) = hung.first() else {
        return Vec::new();
    };
    let task = first.what.rest.split(' ').next().unwrap_or("");
    let finding = evidence::finding(&RULE, Verdict::Cause, Confidence::Proved, &hung)
        .struck(format!("process {task}"));
    let when = evidence::when(finding.window);
    vec![
        finding
            .claims(format!("{task} waited inside the kernel for minutes, told {}{when}. Proved: the kernel names the process.", times(hung.len())))
            .fix("read the call trace below the line: nfs, ext4, xfs or blk tells which storage; mend or leave that", "", "")
            .fix("the append-only file on a local disk; redis-cli CONFIG SET no-appendfsync-on-rewrite yes", "up to 30 s of writes may be lost if the host dies during a rewrite", "redis-cli CONFIG SET no-appendfsync-on-rewrite no")
            .fix("stop-gap: fail over to a replica on another host", "writes that are not yet replicated are lost", "")
            .checked_by("no such line for a day; iostat -x 1 shows await below 10 ms"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{kernel, verdicts};

    const LINE: &str = "2026-11-23T02:58:11+0000 host kernel: INFO: task redis-server:4711 blocked for more than 120 seconds.\n";

    #[test]
    fn the_kernel_names_the_process() {
        let found = check(&kernel(LINE));
        assert_eq!(found[0].whom(), "process redis-server:4711");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn another_process_and_another_line_about_tasks_are_not_it() {
        assert_eq!(
            verdicts(check(&kernel(&LINE.replace("redis-server", "jbd2/sdb1-8")))),
            []
        );
        assert_eq!(
            verdicts(check(&kernel(
                &LINE.replace("blocked for more than 120 seconds", "is new")
            ))),
            []
        );
    }
}
