//! The kernel lets nobody begin another process.

use crate::evidence;
use crate::facts::{Facts, Failure, Line, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const PIDS: Text = Text::kernel("fork rejected by pids controller");

pub(super) const RULE: Rule = Rule {
    code: Code(41),
    title: "the kernel refused to begin another process",
    explanation: "A container or unit may hold so many processes and threads (pids.max, TasksMax). Above it a fork fails: Redis \
cannot save, and applications cannot begin threads. A healthcheck that leaves processes behind is a common filler.",
    messages: &["can't start new thread", "MISCONF"],
    needs: &[Need::Kernel],
    brings: &[Code(701)],
    texts: &[PIDS],
    sources: &["linux: kernel/cgroup/pids.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let felt = evidence::felt(facts, &RULE, &[PIDS], &[Failure::SaveFailed], 3_600);
    let Some((lines, mut finding)) = felt else {
        return Vec::new();
    };
    let failed = facts
        .lines(|line| match line {
            Line::ForkFailed(why) => Some(why),
            _ => None,
        })
        .next();
    if let Some((fact, why)) = failed {
        finding = finding
            .at(fact.at)
            .supported(fact.place.clone(), format!("fork: {why}"));
        finding.verdict = Verdict::Cause;
        finding.confidence = Confidence::Strong;
    }
    let when = evidence::when(finding.window);
    vec![
        finding
            .claims(format!("A container or unit had as many processes as it may have, told {}{when}: a fork was refused.", times(lines.len())))
            .fix("systemctl edit redis-server: TasksMax=infinity; docker run --pids-limit; the pod's podPidsLimit of its node", "a fork bomb is stopped later", "")
            .fix("find what fills it: systemd-cgls, or ps -eLf in the container", "", "")
            .checked_by("pids.current of the cgroup stays below half of pids.max; rdb_last_bgsave_status:ok"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{kernel, log, verdicts};

    const LINE: &str = "2026-11-23T02:58:11+0000 host kernel: cgroup: fork rejected by pids controller in /system.slice/redis-server.service\n";

    #[test]
    fn a_save_that_could_not_fork_makes_it_the_cause() {
        let mut facts = kernel(LINE);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        facts.add(log("9:M 23 Nov 2026 02:58:11.042 # Can't save in background: fork: Resource temporarily unavailable\n"));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn other_lines_about_cgroups_are_silent() {
        let line = LINE.replace(
            "fork rejected by pids controller in",
            "new mount options do not match",
        );
        assert_eq!(verdicts(check(&kernel(&line))), []);
    }
}
