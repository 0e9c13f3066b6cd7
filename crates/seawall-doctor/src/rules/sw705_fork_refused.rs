//! The kernel gives no memory for the fork that a save needs.

use crate::facts::{Facts, Line, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::forks::is_over;
use crate::hosts;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

/// Of 6.2 and later, and of those before.
const WARNED: &[Text] = &[
    Text::server("emory overcommit must be enabled"),
    Text::server("WARNING overcommit_memory is set to 0!"),
];

pub(super) const RULE: Rule = Rule {
    code: Code(705),
    title: "the kernel refused the fork that a save needs",
    explanation: "With `vm.overcommit_memory` 0 or 2 the kernel wants as much free memory for a fork as the server holds, though the child \
shares it all. The save fails before it begins, is tried again every 5 s, and with `stop-writes-on-bgsave-error yes` writes are \
answered MISCONF meanwhile. At its start the server warns of the setting.",
    messages: &["MISCONF Redis is configured to save RDB snapshots"],
    needs: &[Need::ServerLog, Need::Host],
    brings: &[Code(701)],
    texts: WARNED,
    sources: &["redis: rdb.c, syscheck.c", "ualbertalib/bibdata#500"],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let refused: Vec<_> = facts
        .lines(|line| match line {
            Line::ForkFailed(why) if why.contains("allocate memory") => Some(()),
            _ => None,
        })
        .collect();
    let Some((first, ())) = refused.first() else {
        return Vec::new();
    };
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Proved)
        .claims(format!(
            "The server could not fork ({}): the kernel had no memory to promise. Proved: the log has its error.",
            times(refused.len())
        ))
        .supported(first.place.clone(), "can't save: fork: Cannot allocate memory");
    for (fact, ()) in &refused {
        finding = finding.at(fact.at);
    }
    if let Some(fact) = WARNED.iter().find_map(|text| facts.said(text).next()) {
        finding = finding.supported(
            fact.place.clone(),
            "it warned at its start that overcommit is off",
        );
    }
    let strict = hosts::of_servers(facts).filter_map(|host| {
        Some((
            host,
            host.number("overcommit_memory").filter(|mode| *mode != 1)?,
        ))
    });
    for (host, mode) in strict {
        finding = finding.supported(host.place(), format!("vm.overcommit_memory is {mode} now"));
    }
    if is_over(facts, refused.iter().filter_map(|(fact, ())| fact.at).max()) {
        finding.verdict = Verdict::Risk;
        finding.confidence = Confidence::Likely;
    }
    vec![
        finding
            .fix(
                "sysctl vm.overcommit_memory=1 (as root, on the server's host; persistent: echo vm.overcommit_memory=1 > /etc/sysctl.d/30-redis.conf), then redis-cli BGSAVE",
                "where memory really runs out the kernel kills a process instead",
                "sysctl vm.overcommit_memory=0",
            )
            .checked_by("rdb_last_bgsave_status:ok in INFO after redis-cli BGSAVE"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    const REFUSED: &str =
        "9:M 23 Nov 2026 02:58:01.042 # Can't save in background: fork: Cannot allocate memory\n";
    const WARNING: &str = "9:M 23 Nov 2026 02:00:01.042 # WARNING Memory overcommit must be enabled! Without it, a background save or \
replication may fail under low memory condition.\n";

    #[test]
    fn the_kernels_error_in_the_log_is_proof() {
        let found = check(&log(&format!("{WARNING}{REFUSED}{REFUSED}")));
        assert!(found[0].claim.contains("twice"), "{}", found[0].claim);
        assert_eq!(found[0].supports.len(), 2);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn the_warning_alone_and_another_error_are_none_of_it() {
        assert_eq!(verdicts(check(&log(WARNING))), []);
        let other = REFUSED.replace("Cannot allocate memory", "Resource temporarily unavailable");
        assert_eq!(verdicts(check(&log(&other))), []);
    }
}
