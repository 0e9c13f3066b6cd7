//! The host's table of neighbours was full.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const FULL: Text = Text::kernel("neighbor table overflow");
const FULL_BRITISH: Text = Text::kernel("neighbour table overflow");
const FULL_THEN: Text = Text::kernel("Neighbour table overflow");
const ALL: &[Text] = &[FULL, FULL_BRITISH, FULL_THEN];

/// How a call fails by it.
const FELT: &[Failure] = &[
    Failure::ConnectTimeout,
    Failure::ReadTimeout,
    Failure::Refused,
];

/// A timeout is told when it ends: so long after.
const AROUND_S: i64 = 30;

pub(super) const RULE: Rule = Rule {
    code: Code(954),
    title: "the host's table of neighbours was full",
    explanation: "In a large flat network (a cluster with many pods and nodes) the kernel may not remember the hardware addresses of all \
hosts that it talks to, 1,024 by default. Packets to some of them are then dropped, now these, now those: connects and \
calls time out without a pattern.",
    messages: &["Timeout connecting to server", "Timeout reading from"],
    needs: &[Need::Kernel],
    brings: &[],
    texts: ALL,
    sources: &["linux: net/core/neighbour.c"],
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
            .claims(format!("The kernel told {}{when} that its table of neighbours was full: packets to some hosts were dropped.", times(lines.len())))
            .fix("sysctl -w net.ipv4.neigh.default.gc_thresh3=8192 net.ipv4.neigh.default.gc_thresh2=4096 net.ipv4.neigh.default.gc_thresh1=1024", "a little memory of the kernel's", "the same with the old values (1024, 512 and 128 by default)")
            .checked_by("ip -4 neigh | wc -l stays below gc_thresh2, and the line does not come again"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, kernel, verdicts};

    const LINE: &str =
        "2026-11-23T02:58:11+0000 host kernel: neighbour: arp_cache: neighbor table overflow!\n";

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
            found[0].claim.contains("table of neighbours was full"),
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
                "2026-11-23T02:58:11+0000 host kernel: IPv6: ADDRCONF(NETDEV_CHANGE): eth0: link becomes ready\n"
            ))),
            []
        );
    }
}
