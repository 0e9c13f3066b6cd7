//! The host's memory gave errors.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const MCE: Text = Text::kernel("[Hardware Error]: ");
const EDAC: Text = Text::kernel(" UE memory ");
const UNCORRECTED: Text = Text::kernel("Uncorrected hardware memory error");
const ALL: &[Text] = &[MCE, EDAC, UNCORRECTED];

/// How a call fails by it.
const FELT: &[Failure] = &[Failure::Closed, Failure::Reset, Failure::ReadTimeout];

/// A timeout is told when it ends: so long after.
const AROUND_S: i64 = 300;

pub(super) const RULE: Rule = Rule {
    code: Code(40),
    title: "the host's memory or processor reported hardware errors",
    explanation: "The hardware told of errors that it could not mend. A process that holds the page is killed, or crashes in places \
where the code has no fault; a crash of Redis's beside such a line is no bug of Redis's.",
    messages: &["Connection closed by server"],
    needs: &[Need::Kernel],
    brings: &[Code(404), Code(408)],
    texts: ALL,
    sources: &[
        "linux: arch/x86/kernel/cpu/mce",
        "linux: mm/memory-failure.c",
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
            .claims(format!("The kernel told {}{when} of errors of the hardware.", times(lines.len())))
            .fix("move Redis to another host (failover to a replica), then test this one: memtest86+, mcelog or rasdaemon; redis-server --test-memory <MB>", "a failover drops writes that are not yet replicated", "")
            .checked_by("ras-mc-ctl --errors, or mcelog, shows none for a week"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, kernel, verdicts};

    const LINE: &str = "2026-11-23T02:58:11+0000 host kernel: mce: [Hardware Error]: Machine check events logged\n";

    #[test]
    fn calls_that_failed_beside_it_make_it_the_cause() {
        let mut facts = kernel(LINE);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        facts.add(application(
            "2026-11-23T02:58:14Z redis.exceptions.ConnectionError: Connection closed by server.\n",
        ));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("errors of the hardware"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn failures_of_another_hour_and_other_lines_are_not_its_doing() {
        let mut facts = kernel(LINE);
        facts.add(application(&"2026-11-23T02:58:14Z redis.exceptions.ConnectionError: Connection closed by server.\n".replace("T02:", "T09:")));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        assert_eq!(
            verdicts(check(&kernel(
                "2026-11-23T02:58:11+0000 host kernel: mce: CPU0: Thermal monitoring enabled (TM1)\n"
            ))),
            []
        );
    }
}
