//! The host's table of connections was full.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::hosts;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const FULL: Text = Text::kernel("nf_conntrack: table full");
const ALL: &[Text] = &[FULL];

/// How a call fails by it.
const FELT: &[Failure] = &[Failure::ConnectTimeout, Failure::ReadTimeout];

/// A timeout is told when it ends: so long after.
const AROUND_S: i64 = 30;

pub(super) const RULE: Rule = Rule {
    code: Code(951),
    title: "the host had no room to track more connections",
    explanation: "A firewall that keeps state (iptables, nftables, Kubernetes' services, Docker's ports) remembers every connection. \
Where its table is full, packets of new ones are dropped: connects time out while established connections go on. \
Mostly something connects and disconnects without a pool, on this host or its neighbour.",
    messages: &["Timeout connecting to server", "connect ETIMEDOUT"],
    needs: &[Need::Kernel, Need::Host],
    brings: &[],
    texts: ALL,
    sources: &["linux: nf_conntrack_core.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some((lines, finding)) = evidence::felt(facts, &RULE, ALL, FELT, AROUND_S) else {
        return full_now(facts).into_iter().collect();
    };
    let when = evidence::when(finding.window);
    vec![advised(finding.claims(format!("The kernel dropped packets of new connections, told {}{when}: its table of connections was full.", times(lines.len()))))]
}

/// The table is full now, and nothing was told of it: of this host, or of the server's.
fn full_now(facts: &Facts) -> Option<Finding> {
    let (host, (used, room)) = facts.hosts.iter().find_map(|host| {
        Some((
            host,
            hosts::full(host, "nf_conntrack_count", "nf_conntrack_max")?,
        ))
    })?;
    let says = format!("nf_conntrack_count {used} of nf_conntrack_max {room}");
    let timeouts: Vec<_> = facts.failures(Failure::ConnectTimeout).collect();
    let finding = Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible)
        .at(host.at)
        .supported(host.place(), says.as_str());
    // Full a moment ago, and connects that timed out about then.
    let beside = evidence::beside(facts, finding.window, FELT, AROUND_S);
    let finding = evidence::with_failures(finding, &beside, Confidence::Likely);
    let felt = if timeouts.is_empty() {
        ""
    } else {
        " Connects timed out."
    };
    Some(advised(finding.claims(format!(
        "{says}: what comes next is dropped.{felt}"
    ))))
}

fn advised(finding: Finding) -> Finding {
    finding
            .fix("sysctl -w net.netfilter.nf_conntrack_max=<four times as many>", "about 320 B of the kernel's memory an entry", "sysctl -w net.netfilter.nf_conntrack_max=<old>")
            .fix("find who opens so many: conntrack -L -p tcp | awk by src and dport; clients with a pool open few", "", "")
            .checked_by("nf_conntrack_count stays below 70 % of nf_conntrack_max (sysctl net.netfilter), and the line does not come again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, kernel, verdicts};

    const LINE: &str = "2026-11-23T02:58:11+0000 host kernel: nf_conntrack: nf_conntrack: table full, dropping packet\n";

    #[test]
    fn calls_that_failed_beside_it_make_it_the_cause() {
        let mut facts = kernel(LINE);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        facts.add(application(
            "2026-11-23T02:58:14Z redis.exceptions.TimeoutError: Timeout connecting to server\n",
        ));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("table of connections was full"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn failures_of_another_hour_and_other_lines_are_not_its_doing() {
        let mut facts = kernel(LINE);
        facts.add(application(
            &"2026-11-23T02:58:14Z redis.exceptions.TimeoutError: Timeout connecting to server\n"
                .replace("T02:", "T09:"),
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        assert_eq!(
            verdicts(check(&kernel(
                "2026-11-23T02:58:11+0000 host kernel: nf_conntrack: default automatic helper assignment has been turned off\n"
            ))),
            []
        );
    }

    #[test]
    fn a_table_that_is_full_now_is_a_risk_and_a_cause_where_connects_time_out() {
        let host = |count: u64| {
            let mut facts = crate::hosts::testing::host(&format!(
                "nf_conntrack_count: {count}\nnf_conntrack_max: 262144"
            ));
            facts.hosts[0].at = crate::stamp::Stamp::of((2026, 11, 23), (2, 58, 20), 0);
            facts
        };
        let of = |facts: &Facts| {
            let found = check(facts);
            found
                .into_iter()
                .map(|one| (one.verdict, one.confidence))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&host(262_000)), [(Verdict::Risk, Confidence::Possible)]);
        assert_eq!(of(&host(90_000)), []);
        let mut felt = host(262_000);
        felt.add(crate::testing::application(
            "2026-11-23T02:58:11Z redis.exceptions.TimeoutError: Timeout connecting to server\n",
        ));
        assert_eq!(of(&felt), [(Verdict::Cause, Confidence::Likely)]);
    }
}
