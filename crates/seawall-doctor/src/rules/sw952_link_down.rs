//! The host's network interface lost its link.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const DOWN: Text = Text::kernel(": Link is Down");
const DOWN_THEN: Text = Text::kernel("NIC Link is Down");
const BOND: Text = Text::kernel("link status definitely down for interface");
const ALL: &[Text] = &[DOWN, DOWN_THEN, BOND];

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
    code: Code(952),
    title: "the host's network interface lost its link",
    explanation: "The cable, the switch or the virtual adapter went away for a while. Nothing is sent or received meanwhile: calls time \
out, and connections break if it lasts longer than clients wait. Redis itself went on.",
    messages: &["Timeout reading from", "Timeout connecting to server"],
    needs: &[Need::Kernel],
    brings: &[],
    texts: ALL,
    sources: &["linux: drivers/net/phy/phy.c", "linux: bond_main.c"],
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
            .claims(format!("The kernel told {}{when} that a network interface had lost its link.", times(lines.len())))
            .fix("ip -s link show DEV and ethtool DEV: errors, speed, the other end; then cable, switch port or virtual adapter", "", "")
            .fix("two links in a bond with miimon=100, where one may fail", "", "")
            .checked_by("the line does not come again; ip -s link shows no growing errors"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, kernel, verdicts};

    const LINE: &str =
        "2026-11-23T02:58:11+0000 host kernel: e1000e 0000:00:1f.6 eth0: NIC Link is Down\n";

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
            found[0].claim.contains("had lost its link"),
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
                "2026-11-23T02:58:11+0000 host kernel: e1000e 0000:00:1f.6 eth0: NIC Link is Up 1000 Mbps Full Duplex\n"
            ))),
            []
        );
    }
}
