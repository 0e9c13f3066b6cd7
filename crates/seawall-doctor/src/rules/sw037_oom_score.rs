//! Redis could not tell the kernel whom to spare.

use crate::evidence;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const WRITE: Text = Text::server("Unable to write oom_score_adj: ").keeping(Keeps::Rest);
const READ: Text = Text::server("Unable to read oom_score_adj: ").keeping(Keeps::Rest);

pub(super) const RULE: Rule = Rule {
    code: Code(37),
    title: "oom-score-adj is set and has no effect",
    explanation: "With `oom-score-adj` Redis asks the kernel to end its saving child and its replicas before the primary, if \
memory runs out. Without the right to lower its own score (CAP_SYS_RESOURCE, mostly missing in a container) it cannot, and the \
largest process, the primary, is ended first.",
    messages: &[],
    needs: &[Need::ServerLog],
    brings: &[],
    texts: &[WRITE, READ],
    sources: &["redis: server.c setOOMScoreAdj"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, &[WRITE, READ]) {
        let why = &lines[lines.len() - 1].what.rest;
        found.push(
            evidence::finding(&RULE, Verdict::Risk, Confidence::Possible, &lines)
                .struck(&*source)
                .claims(format!("Redis could not set its oom_score_adj: {why}."))
                .fix("OOMScoreAdjust=-500 in the unit (systemctl edit redis-server); in a container --cap-add SYS_RESOURCE, or values of oom-score-adj-values that are not below 0", "other processes are ended before it", "")
                .checked_by("cat /proc/PID/oom_score_adj shows the value; the line does not come at the next start"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    const LINE: &str =
        "9:M 28 Nov 2026 23:41:35.413 # Unable to write oom_score_adj: Permission denied\n";

    #[test]
    fn it_is_a_risk_with_the_kernels_words() {
        let found = check(&log(LINE));
        assert!(
            found[0].claim.ends_with("Permission denied."),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
    }

    #[test]
    fn a_log_without_it_is_silent() {
        assert_eq!(
            verdicts(check(&log(
                "9:M 28 Nov 2026 23:41:35.413 * Ready to accept connections\n"
            ))),
            []
        );
    }
}
