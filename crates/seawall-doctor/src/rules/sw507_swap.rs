//! Some of the server's memory is on disk.

use super::sw609_not_scheduled::{RULE as NOT_SCHEDULED, stalls, swapped};
use crate::facts::{Facts, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::hosts;
use crate::rule::{Code, Need, Rule};
use crate::stall;

pub(super) const RULE: Rule = Rule {
    code: Code(507),
    title: "part of the server's memory is swapped out",
    explanation: "`used_memory_rss` well below `used_memory` (mem_fragmentation_ratio below 0.9) means that the kernel has moved \
memory of the server to disk: each touch of it costs milliseconds, and a whole save reads it all back. SLOWLOG then shows commands \
of microseconds with 10 to 100 ms.",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::Server, Need::ClientLog, Need::Host],
    brings: &[NOT_SCHEDULED.code],
    sources: &["redis: object.c, getMemoryDoctorReport"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for look in &facts.looks {
        let Some(out) = swapped(facts, look) else {
            continue;
        };
        let used = look.number("used_memory").unwrap_or(0);
        let says = match hosts::swapped_out(facts, look) {
            Some(_) => format!("{} of its process are in swap (VmSwap)", bytes(out)),
            None => format!("{} of {} are not in memory", bytes(out), bytes(used)),
        };
        let stalls = stalls(facts);
        let finding = if stall::struck(facts, &stalls) {
            stall::finding(facts, &RULE, &stalls)
        } else {
            None
        };
        let finding = finding.unwrap_or_else(|| {
            Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Likely)
        });
        found.push(
            finding
                .supported(look.place("INFO"), says.as_str())
                .claims(format!("{says}: each touch of that waits for the disk."))
                .fix("grep VmSwap /proc/$(redis-cli INFO server | tr -d '\\r' | sed -n 's/^process_id://p')/status: see how much", "", "")
                .fix(
                    "redis-cli CONFIG SET maxmemory <what the host has to spare>; sysctl vm.swappiness=1; then restart a replica and fail over to it",
                    "a lower maxmemory evicts or refuses at once; a failover costs some seconds",
                    "redis-cli CONFIG SET maxmemory <old>",
                )
                .checked_by("VmSwap of /proc/PID/status is 0, and mem_fragmentation_ratio of INFO above 1"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{latency, pasted, timeout, together, verdicts};

    fn memory(used: u64, resident: u64) -> Facts {
        pasted(&format!(
            "# Memory\nused_memory:{used}\nused_memory_rss:{resident}\n"
        ))
    }

    #[test]
    fn memory_that_is_not_there_is_a_risk_and_with_slow_fast_commands_and_timeouts_the_cause() {
        let swapped = || memory(4_000_000_000, 2_500_000_000);
        let found = check(&swapped());
        assert!(
            found[0].claim.starts_with("1.5 GB of 4.0 GB"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Likely)]);
        let all = together([swapped(), latency("fast-command", 300), timeout("02:58:07")]);
        assert_eq!(
            verdicts(check(&all)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn a_server_that_is_all_there_or_holds_nothing_is_in_order() {
        assert_eq!(verdicts(check(&memory(4_000_000_000, 4_200_000_000))), []);
        assert_eq!(verdicts(check(&memory(900_000, 300_000))), []);
        assert_eq!(
            verdicts(check(&pasted("# Memory\nused_memory:4000000000\n"))),
            []
        );
    }

    #[test]
    fn what_the_host_tells_of_the_process_is_what_is() {
        let with = |resident: u64, swapped: u64| {
            let look = pasted(&format!(
                "# Memory\nrun_id:a\nprocess_id:9\nused_memory:4000000000\nused_memory_rss:{resident}\n"
            ));
            let host = hosts::testing::host(&format!("vmswap_kb: {swapped}"));
            check(&together([look, host]))
        };
        let found = with(4_200_000_000, 900_000);
        assert!(found[0].claim.contains("VmSwap"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Likely)]);
        // Not there, and not in swap: it was given back.
        assert_eq!(verdicts(with(2_500_000_000, 0)), []);
    }
}
