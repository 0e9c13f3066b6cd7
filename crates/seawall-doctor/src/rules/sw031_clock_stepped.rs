//! The host's clock was set.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const CHRONY: Text = Text::kernel("System clock was stepped by ").keeping(Keeps::Amount);
const NTPD: Text = Text::kernel("time reset ").keeping(Keeps::Word);
const SYSTEMD: Text = Text::kernel("Time has been changed");
const RESOLVED: Text = Text::kernel("Clock change detected");
const ALL: &[Text] = &[CHRONY, NTPD, SYSTEMD, RESOLVED];

/// How a call fails by it.
const FELT: &[Failure] = &[Failure::ReadTimeout, Failure::Closed, Failure::Auth];

/// A timeout is told when it ends: so long after.
const AROUND_S: i64 = 60;

pub(super) const RULE: Rule = Rule {
    code: Code(31),
    title: "the host's clock was set while it ran",
    explanation: "The wall clock jumped. Redis expires keys by it, Sentinel stops working for thirty seconds (TILT) when it jumps by \
more than two, tokens and certificates seem too young or too old, and the times of logs do not fit together any more.",
    messages: &[],
    needs: &[Need::Kernel],
    brings: &[Code(823)],
    texts: ALL,
    sources: &[
        "chrony",
        "ntpd",
        "systemd-timesyncd",
        "redis: sentinel.c sentinelCheckTiltCondition",
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
            .claims(format!("The clock was set while the host ran, told {}{when}.", times(lines.len())))
            .fix("let chronyd slew instead of step: no makestep after the first three updates (makestep 1.0 3), and no second time service beside it", "a wrong clock comes right slowly", "")
            .fix("a virtual machine that is paused or moved jumps when it goes on: ask its provider", "", "")
            .checked_by("chronyc tracking shows less than 0.1 s, and no such line comes again"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, kernel, verdicts};

    const LINE: &str = "2026-11-23T02:58:11+0000 host kernel: chronyd[612]: System clock was stepped by -3.214 seconds\n";

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
            found[0].claim.contains("clock was set"),
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
                "2026-11-23T02:58:11+0000 host kernel: chronyd[612]: Selected source 10.0.0.3\n"
            ))),
            []
        );
    }
}
