//! The host stood still for a while, and the server with it.

use crate::facts::{Facts, Failure};
use crate::finding::{Confidence, Finding, Verdict};
use crate::heard::{Heard, counted};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const LOCKUP: Text = Text::kernel("soft lockup - CPU#").keeping(Keeps::Rest);
const STALL: Text = Text::kernel("self-detected stall on");
const STALLS: Text = Text::kernel("detected stalls on CPUs/tasks");
const STARVED: Text = Text::kernel("kthread starved for ");

/// The kernel tells of it when it goes on: what timed out meanwhile is up to so much earlier, in seconds.
const BEFORE_S: f64 = 90.0;
const AFTER_S: f64 = 30.0;

pub(super) const RULE: Rule = Rule {
    code: Code(414),
    title: "the host stood still, and the server with it",
    explanation: "A virtual machine that its host pauses (live migration, a snapshot, too many neighbours) runs nothing for seconds: \
every client times out at once, SLOWLOG and LATENCY show nothing, and afterwards all goes on. The kernel notices when it goes on \
(`soft lockup - CPU#0 stuck for 23s`); Sentinel notices as `+tilt`.",
    messages: &[
        "Timeout reading from socket",
        "Timeout reading from",
        "i/o timeout",
        "Read timed out",
        "Command timed out",
    ],
    needs: &[Need::Kernel, Need::ClientLog],
    brings: &[],
    texts: &[LOCKUP, STALL, STALLS, STARVED],
    sources: &["linux: kernel/watchdog.c, kernel/rcu/tree_stall.h"],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(heard) = Heard::of(facts, RULE.texts) else {
        return Vec::new();
    };
    let near = |at| {
        heard
            .lines
            .iter()
            .filter_map(|fact| fact.at)
            .any(|told: crate::stamp::Stamp| {
                let later = told.seconds_to(at);
                (-BEFORE_S..=AFTER_S).contains(&later)
            })
    };
    let timeouts: Vec<_> = facts
        .failures(Failure::ReadTimeout)
        .filter(|fact| fact.at.is_some_and(near))
        .collect();
    let (verdict, confidence) = match timeouts.first() {
        Some(_) => (Verdict::Cause, Confidence::Strong),
        None => (Verdict::Risk, Confidence::Possible),
    };
    let mut finding = heard.finding(&RULE, verdict, confidence);
    for fact in &timeouts {
        finding = finding.at(fact.at);
    }
    if let Some(first) = timeouts.first() {
        finding = finding.supported(
            first.place.clone(),
            format!(
                "{} within 90 s before it",
                counted(timeouts.len(), "call timed out", "calls timed out")
            ),
        );
    }
    vec![
        finding
            .claims(format!(
                "The kernel told {} of processors that stood still{}.",
                counted(heard.lines.len(), "time", "times"),
                if timeouts.is_empty() { ", and no client's log tells of a timeout then" } else { "; calls timed out at that time" },
            ))
            .fix("ask the provider for maintenance and migrations at that time; a host that is not overcommitted, or dedicated; no snapshots of the running primary", "cost", "")
            .checked_by("redis-cli --intrinsic-latency 100 on the host stays below 10 ms, and the line does not come again"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, kernel, verdicts};

    const STILL: &str = "2026-11-23T02:58:34+0000 host kernel: watchdog: BUG: soft lockup - CPU#1 stuck for 23s! [redis-server:4711]\n";
    const TOLD: &str =
        "2026-11-23T02:58:16Z redis.exceptions.TimeoutError: Timeout reading from cache:6379\n";

    #[test]
    fn timeouts_that_the_kernel_explains_afterwards_are_strong() {
        let mut facts = kernel(STILL);
        facts.add(application(TOLD));
        let found = check(&facts);
        assert!(
            found[0]
                .supports
                .iter()
                .any(|one| one.says.starts_with("1 call timed out"))
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_pause_that_nobody_met_is_a_risk_and_an_hour_later_is_not_its_doing() {
        assert_eq!(
            verdicts(check(&kernel(STILL))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let mut facts = kernel(STILL);
        facts.add(application(&TOLD.replace("T02", "T03")));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }

    #[test]
    fn timeouts_alone_are_none() {
        assert_eq!(verdicts(check(&application(TOLD))), []);
    }
}
