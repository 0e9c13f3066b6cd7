//! The host's processors stood still.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const SOFT: Text = Text::kernel("BUG: soft lockup - ");
const HARD: Text = Text::kernel("Watchdog detected hard LOCKUP");
const RCU: Text = Text::kernel("self-detected stall on CPU");
const RCU_OTHERS: Text = Text::kernel("detected stalls on CPUs");
const SKEW: Text = Text::kernel("as unstable because the skew is too large");
const ALL: &[Text] = &[SOFT, HARD, RCU, RCU_OTHERS, SKEW];

/// How a call fails by it.
const FELT: &[Failure] = &[
    Failure::ReadTimeout,
    Failure::WriteFailed,
    Failure::Reset,
    Failure::Closed,
    Failure::ConnectTimeout,
];

/// A timeout is told when it ends: so long after.
const AROUND_S: i64 = 60;

pub(super) const RULE: Rule = Rule {
    code: Code(35),
    title: "the host's processors did not run for seconds",
    explanation: "A processor ran nothing but the kernel, or nothing at all, for many seconds: a hypervisor that gives the machine no \
time, a live migration, a driver, or memory that is being swapped. Everything on the host stands still with it; Redis \
neither crashed nor was slow itself.",
    messages: &["Timeout reading from", "Timeout connecting to server"],
    needs: &[Need::Kernel],
    brings: &[],
    texts: ALL,
    sources: &["linux: kernel/watchdog.c", "linux: kernel/rcu/tree_stall.h"],
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
            .claims(format!("The kernel told {}{when} that processors had stood still for seconds.", times(lines.len())))
            .fix("a virtual machine: ask its provider for steal time and migrations at that time; %steal of mpstat", "", "")
            .fix("the host's own: newer kernel, firmware; no more virtual processors than there are real ones", "", "")
            .checked_by("the line does not come again; redis-cli --intrinsic-latency 60 on the host stays below 10 ms"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, kernel, verdicts};

    const LINE: &str = "2026-11-23T02:58:11+0000 host kernel: watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [kworker/3:1:41]\n";

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
        assert!(
            found[0].claim.contains("stood still for seconds"),
            "{}",
            found[0].claim
        );
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
                "2026-11-23T02:58:11+0000 host kernel: smpboot: CPU 3 is now offline\n"
            ))),
            []
        );
    }
}
