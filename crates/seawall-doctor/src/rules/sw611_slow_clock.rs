//! Asking the time is slow on this host.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const WARNED: &[Text] = &[
    Text::server("Slow system clocksource detected"),
    Text::server("Your system is configured to use the 'xen' clocksource"),
];

pub(super) const RULE: Rule = Rule {
    code: Code(611),
    title: "the host's clock source is slow",
    explanation: "The server asks the time several times for each command. With the clock sources xen, hpet or acpi_pm each of that is a call \
into the kernel: a third of a core may go for it, and `used_cpu_sys` of INFO is high. `redis-server --check-system` measures it.",
    messages: &[],
    needs: &[Need::ServerLog],
    texts: WARNED,
    sources: &["redis: syscheck.c checkClocksource"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(fact) = WARNED.iter().find_map(|text| facts.said(text).last()) else {
        return Vec::new();
    };
    vec![
        Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible)
            .supported(fact.place.clone(), "the server warned of it")
            .claims("The server warned that asking the host's clock is slow: each command does so.")
            .fix(
                "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource (as root, on the server's host; boot parameter clocksource=tsc)",
                "on a few old virtual machines tsc is not steady: time jumps",
                "echo xen > /sys/devices/system/clocksource/clocksource0/current_clocksource",
            )
            .checked_by("redis-server --check-system on that host: [slow-clocksource]...OK"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    #[test]
    fn either_warning_is_a_risk() {
        for words in [
            "Your system is configured to use the 'xen' clocksource which might lead to degraded performance.",
            "Slow system clocksource detected. This can result in degraded performance.",
        ] {
            let facts = log(&format!("9:M 23 Nov 2026 02:00:01.042 # WARNING {words}\n"));
            assert_eq!(
                verdicts(check(&facts)),
                [(Verdict::Risk, Confidence::Possible)]
            );
        }
    }

    #[test]
    fn without_it_nothing_is_said() {
        let well = "9:M 23 Nov 2026 02:00:01.042 * Ready to accept connections\n";
        assert_eq!(verdicts(check(&log(well))), []);
    }
}
