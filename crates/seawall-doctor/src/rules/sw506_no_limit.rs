//! The server may take more memory than there is.

use crate::facts::{Facts, Look, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::memory;
use crate::rule::{Code, Need, Rule};

/// With a limit, more hundredths than this leave no room for a save and for buffers.
const LIMIT_PERCENT: u64 = 80;

/// Without one, a server is told of it once it holds so many hundredths.
const USED_PERCENT: u64 = 60;

pub(super) const RULE: Rule = Rule {
    code: Code(506),
    title: "the server may take more memory than there is",
    explanation: "Without `maxmemory`, or with one above 80 % of what the host or the container has, the kernel ends the server (or another \
process) before the server itself evicts or refuses anything. A save needs room besides: what is written meanwhile is copied.",
    messages: &[],
    needs: &[Need::Server, Need::Containers, Need::Host],
    sources: &["redis: config.c", "redis: server.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let looks = facts.looks.iter();
    looks.filter_map(|look| of(facts, look)).collect()
}

fn of(facts: &Facts, look: &Look) -> Option<Finding> {
    let (ceiling, whose) = memory::ceiling(facts, look)?;
    let limit = memory::limit(look)?;
    let used = look
        .number("used_memory_rss")
        .or(look.number("used_memory"))?;
    let says = if limit == 0 && used.saturating_mul(100) >= ceiling.saturating_mul(USED_PERCENT) {
        format!(
            "maxmemory 0, and {} of the {} of {whose} are taken",
            bytes(used),
            bytes(ceiling)
        )
    } else if limit.saturating_mul(100) > ceiling.saturating_mul(LIMIT_PERCENT) {
        format!(
            "maxmemory {}, and {whose} has {}",
            bytes(limit),
            bytes(ceiling)
        )
    } else {
        return None;
    };
    Some(
        Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible)
            .supported(look.place("INFO"), says.as_str())
            .claims(format!(
                "{says}: the kernel may end the server before it evicts or refuses anything."
            ))
            .fix(
                format!(
                    "redis-cli CONFIG SET maxmemory {} (60 % of it; 75 % without saves), in redis.conf too",
                    ceiling / 100 * 60
                ),
                "if more is used already, data is evicted or writes are refused at once, by maxmemory-policy",
                format!("redis-cli CONFIG SET maxmemory {limit}"),
            )
            .checked_by("maxmemory of INFO is between 0 and 80 % of what there is"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, verdicts};

    const POD: &str = r#"{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "redis-0", "namespace": "shop"},
        "spec": {"containers": [{"name": "redis", "image": "redis:7.0", "resources": {"limits": {"memory": "4Gi"}}}]},
        "status": {"containerStatuses": [{"name": "redis", "restartCount": 1, "image": "redis:7.0", "state": {"running": {}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-23T02:58:11Z"}}}]}}"#;

    fn info(limit: u64, used: u64) -> Facts {
        pasted(&format!(
            "# Memory\nused_memory:{used}\nused_memory_rss:{used}\ntotal_system_memory:10000000000\nmaxmemory:{limit}\n"
        ))
    }

    #[test]
    fn no_limit_and_much_used_or_a_limit_above_all_there_is_are_risks() {
        let found = check(&info(0, 7_000_000_000));
        assert!(
            found[0].claim.contains("7.0 GB of the 10.0 GB of its host"),
            "{}",
            found[0].claim
        );
        assert!(found[0].fixes[0].action.contains("6000000000"));
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
        assert_eq!(
            verdicts(check(&info(9_500_000_000, 1_000))),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }

    #[test]
    fn a_small_server_without_a_limit_and_a_fitting_limit_are_in_order() {
        assert_eq!(verdicts(check(&info(0, 2_000_000_000))), []);
        assert_eq!(verdicts(check(&info(6_000_000_000, 6_000_000_000))), []);
        assert_eq!(verdicts(check(&pasted("# Memory\nmaxmemory:0\n"))), []);
    }

    #[test]
    fn a_containers_limit_counts_before_the_hosts_memory() {
        let mut facts = info(4_000_000_000, 1_000);
        facts.add(crate::testing::document(POD));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("its container has"),
            "{}",
            found[0].claim
        );
    }

    #[test]
    fn so_does_the_limit_of_its_cgroup_where_the_server_runs_on_this_host() {
        let mut facts = info(4_000_000_000, 1_000);
        facts.add(crate::hosts::testing::host("cgroup_memory_max: 4294967296"));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("its cgroup has"),
            "{}",
            found[0].claim
        );
        let mut unlimited = info(0, 2_000_000_000);
        unlimited.add(crate::hosts::testing::host("cgroup_memory_max: max"));
        assert_eq!(verdicts(check(&unlimited)), []);
    }
}
