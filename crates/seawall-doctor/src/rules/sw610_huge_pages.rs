//! Transparent huge pages make forks and copies long.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::forks::forks;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

/// Of 7.0 and later, and of those before.
const WARNED: Text = Text::server("ou have Transparent Huge Pages (THP) support enabled");

pub(super) const RULE: Rule = Rule {
    code: Code(610),
    title: "transparent huge pages are on",
    explanation: "With huge pages a write during a save copies 2 MB instead of 4 kB: each takes longer, and the save needs much more memory. \
From 6.2 on the server switches them off for itself (`disable-thp yes`): the warning means that it could not.",
    messages: &[],
    needs: &[Need::ServerLog],
    texts: &[WARNED],
    sources: &["redis: syscheck.c checkTHPEnabled"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(fact) = facts.said(&WARNED).last() else {
        return Vec::new();
    };
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible)
        .supported(fact.place.clone(), "the server warned of it at its start");
    let mut claim = "Huge pages are on: while a child saves, each write copies 2 MB.".to_owned();
    if let Some(longest) = forks(facts).into_iter().max_by_key(|fork| fork.millis)
        && let Some(millis) = longest.millis
    {
        claim = format!("{claim} The longest fork of this log took {millis} ms.");
        finding = finding.supported(longest.place, format!("a fork of {millis} ms"));
    }
    vec![
        finding
            .claims(claim)
            .fix(
                "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled (as root, on the server's host, and in its boot parameters: transparent_hugepage=madvise), then restart the server",
                "a restart",
                "echo always > /sys/kernel/mm/transparent_hugepage/enabled",
            )
            .checked_by("grep AnonHugePages /proc/PID/smaps of the server: 0 kB everywhere"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    const NEW: &str = "9:M 23 Nov 2026 02:00:01.042 # WARNING You have Transparent Huge Pages (THP) support enabled in your kernel. This will \
create latency and memory usage issues with Redis.\n";

    #[test]
    fn the_warning_of_new_and_old_servers_is_a_risk() {
        assert_eq!(
            verdicts(check(&log(NEW))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let old = NEW.replace("You have", "you have");
        let fork = "9:M 23 Nov 2026 02:58:02.000 * 10000 changes in 60 seconds. Saving...\n\
9:M 23 Nov 2026 02:58:02.900 * Background saving started by pid 4712\n";
        let found = check(&log(&format!("{old}{fork}")));
        assert!(found[0].claim.contains("900 ms"), "{}", found[0].claim);
    }

    #[test]
    fn without_it_nothing_is_said() {
        let well = "9:M 23 Nov 2026 02:00:01.042 * Ready to accept connections\n";
        assert_eq!(verdicts(check(&log(well))), []);
    }
}
