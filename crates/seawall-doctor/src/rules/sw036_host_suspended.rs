//! The host was suspended.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const SUSPEND: Text = Text::kernel("PM: suspend entry");
const HIBERNATE: Text = Text::kernel("PM: hibernation: hibernation entry");
const HIBERNATE_THEN: Text = Text::kernel("PM: hibernation entry");
const FREEZE: Text = Text::kernel("Freezing user space processes");
const ALL: &[Text] = &[SUSPEND, HIBERNATE, HIBERNATE_THEN, FREEZE];

/// How a call fails by it.
const FELT: &[Failure] = &[
    Failure::ReadTimeout,
    Failure::WriteFailed,
    Failure::Reset,
    Failure::Closed,
    Failure::ConnectTimeout,
];

/// A timeout is told when it ends: so long after.
const AROUND_S: i64 = 600;

pub(super) const RULE: Rule = Rule {
    code: Code(36),
    title: "the host was suspended, or its machine was paused",
    explanation: "The machine went to sleep with Redis on it, or with the application. Connections outlive it for a while; then peers \
have given them up, and what is written on them is reset or unanswered.",
    messages: &["Timeout reading from", "Connection reset by peer"],
    needs: &[Need::Kernel],
    brings: &[],
    texts: ALL,
    sources: &["linux: kernel/power/suspend.c"],
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
            .claims(format!("The kernel told {}{when} that the host was suspended.", times(lines.len())))
            .fix("systemctl mask sleep.target suspend.target hibernate.target on a server", "", "systemctl unmask sleep.target suspend.target hibernate.target")
            .fix("clients: health checks after a pause (health_check_interval), and max_idle below the path's limit", "", "")
            .checked_by("journalctl -k shows no such line for a week"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, kernel, verdicts};

    const LINE: &str = "2026-11-23T02:58:11+0000 host kernel: PM: suspend entry (deep)\n";

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
        assert!(found[0].claim.contains("suspended"), "{}", found[0].claim);
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
                "2026-11-23T02:58:11+0000 host kernel: PM: Calling mce_syscore_resume\n"
            ))),
            []
        );
    }
}
