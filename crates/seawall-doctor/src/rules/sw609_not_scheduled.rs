//! The server's process was ready and did not run.

use std::collections::BTreeSet;

use crate::commands::{self, Kind};
use crate::facts::{Facts, Look};
use crate::finding::Finding;
use crate::hosts;
use crate::rule::{Code, Need, Rule};
use crate::stall::{self, Stall};

pub(super) const RULE: Rule = Rule {
    code: Code(609),
    title: "the server's process was kept from running",
    explanation: "SLOWLOG has commands that take microseconds (GET, HGET, LLEN) with 100 ms and more, or the latency monitor has \
`fast-command`: the process was ready and did not run. Its container's CPU limit throttled it, the hypervisor gave the core to \
another machine (steal), or its memory had to come back from swap.",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::Server, Need::ClientLog, Need::Host],
    brings: stall::BRINGS,
    sources: &["redis: latency.c, latency doctor's fast-command"],
    check,
    ..Rule::PLAIN
};

/// What kept a process from running. One command may have had a large value: two names, or the latency monitor, are asked for.
pub(super) fn stalls(facts: &Facts) -> Vec<Stall> {
    let mut stalls = stall::monitored(facts, &["fast-command"]);
    for look in &facts.looks {
        let slow: Vec<_> = commands::slow(look, Kind::Fast).collect();
        let names: BTreeSet<_> = slow.iter().map(|(slow, _)| &slow.command).collect();
        if names.len() >= 2 {
            stalls.extend(slow.into_iter().map(|(_, stall)| stall));
        }
    }
    stalls
}

/// Whether some of its memory is not in memory: a tenth of it, and enough to matter. What its host tells of its process is
/// what is; INFO knows only what is missing.
pub(super) fn swapped(facts: &Facts, look: &Look) -> Option<u64> {
    let used = look
        .number("used_memory")
        .filter(|used| *used >= SWAP_FLOOR)?;
    let missing = || used.checked_sub(look.number("used_memory_rss")?);
    let out = hosts::swapped_out(facts, look).or_else(missing)?;
    (out >= used / 10).then_some(out)
}

const SWAP_FLOOR: u64 = 100_000_000;

fn check(facts: &Facts) -> Vec<Finding> {
    // Then it is swap that kept it.
    if facts
        .looks
        .iter()
        .any(|look| swapped(facts, look).is_some())
    {
        return Vec::new();
    }
    let stalls = stalls(facts);
    let Some(mut finding) = stall::finding(facts, &RULE, &stalls) else {
        return Vec::new();
    };
    let throttled = hosts::of_servers(facts).filter_map(|host| {
        Some((
            host,
            host.number("cgroup_throttled").filter(|count| *count > 0)?,
        ))
    });
    for (host, count) in throttled {
        let says = format!("its cgroup was throttled {count} times since it began (nr_throttled)");
        finding = finding.supported(host.place(), says);
    }
    vec![
        finding
            .claims(format!(
                "Commands of microseconds took up to {}: the process was ready, and the host did not run it.",
                stall::longest(&stalls)
            ))
            .fix("a container: remove its CPU limit (keep the request), or raise it; cat cpu.stat of its cgroup: nr_throttled must not grow", "", "")
            .fix("a virtual machine: top, %st; above 5 it needs a host that is not overbooked", "", "")
            .checked_by("redis-cli --intrinsic-latency 60 on the server's host stays below 5 ms (it takes a whole core meanwhile)"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{latency, pasted, slowlog, timeout, together, verdicts};

    fn two() -> Facts {
        let mut facts = slowlog("get", 400);
        let other = slowlog("llen", 380).looks.remove(0).slow.remove(0);
        facts.looks[0].slow.push(other);
        facts
    }

    #[test]
    fn fast_commands_that_were_slow_and_a_timeout_make_it_the_cause() {
        let found = check(&together([two(), timeout("02:58:07")]));
        assert!(found[0].claim.contains("400 ms"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
        let monitor = together([latency("fast-command", 300), timeout("02:58:07")]);
        assert_eq!(
            verdicts(check(&monitor)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn one_command_may_have_had_a_large_value_and_swap_has_a_rule_of_its_own() {
        assert_eq!(verdicts(check(&slowlog("get", 400))), []);
        let swap = pasted("# Memory\nused_memory:4000000000\nused_memory_rss:2000000000\n");
        assert_eq!(verdicts(check(&together([two(), swap]))), []);
        assert_eq!(
            verdicts(check(&two())),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }

    #[test]
    fn a_cgroup_that_was_throttled_speaks_for_it() {
        let stalled = || together([latency("fast-command", 300), timeout("02:58:07")]);
        let before = check(&stalled())[0].supports.len();
        let throttled = hosts::testing::host("cgroup_throttled: 812");
        let found = check(&together([stalled(), throttled]));
        assert_eq!(found[0].supports.len(), before + 1);
        let says = &found[0].supports[before].says;
        assert!(says.contains("812 times"), "{says}");
    }
}
