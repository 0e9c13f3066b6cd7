//! The host's network adapter hung and was reset.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const WATCHDOG: Text = Text::kernel("NETDEV WATCHDOG: ");
const HANG: Text = Text::kernel("Detected Tx Unit Hang");
const HANG_THEN: Text = Text::kernel("Detected Hardware Unit Hang");
const ENA: Text = Text::kernel("Trigger reset is on");
const RESET: Text = Text::kernel("Reset adapter");
const ALL: &[Text] = &[WATCHDOG, HANG, HANG_THEN, ENA, RESET];

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
    code: Code(953),
    title: "the host's network adapter hung and was reset",
    explanation: "The adapter sent nothing for seconds, and the driver began it anew. What was on its way is lost and sent again: calls \
take 0.2 s to many seconds, or time out. It is the driver, its firmware, or the hypervisor.",
    messages: &["Timeout reading from"],
    needs: &[Need::Kernel],
    brings: &[],
    texts: ALL,
    sources: &[
        "linux: net/sched/sch_generic.c dev_watchdog",
        "linux: ena_netdev.c",
    ],
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
            .claims(format!("The kernel told {}{when} that the network adapter had stopped sending and was reset.", times(lines.len())))
            .fix("newer kernel, driver or firmware (ethtool -i DEV); on a cloud: another instance type, or stop and start the instance", "a restart moves the host", "")
            .fix("stop-gap: ethtool -K DEV tso off gso off", "a little more processor", "ethtool -K DEV tso on gso on")
            .checked_by("the line does not come again under the same traffic"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, kernel, verdicts};

    const LINE: &str = "2026-11-23T02:58:11+0000 host kernel: NETDEV WATCHDOG: eth0 (e1000e): transmit queue 0 timed out\n";

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
        assert!(found[0].claim.contains("was reset"), "{}", found[0].claim);
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
