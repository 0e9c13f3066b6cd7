//! The server crashed.

use crate::facts::{Facts, Line};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(404),
    title: "Redis crashed",
    explanation: "A signal such as 11 (a bad address), or an assertion, ended the server, and it wrote a report into its log. \
A module named in the report's stack is the first suspect; `MEMORY ERROR DETECTED` is broken memory.",
    messages: &[
        "Connection closed by server",
        "Connection reset by peer",
        "Connection refused",
    ],
    needs: &[Need::ServerLog],
    brings: &[Code(101), Code(406)],
    sources: &["redis: debug.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts
        .lines(|line| match line {
            Line::Crashed(signal) => Some(format!("by signal {signal}")),
            Line::AllocationFailed => Some("since the allocator had no memory to give".to_owned()),
            _ => None,
        })
        .map(|(fact, how)| {
            Finding::new(RULE.code, format!("{} {how}", RULE.title), Verdict::Cause, Confidence::Proved)
                .at(fact.at)
                .struck(fact.what.pid.map_or_else(|| "the server".to_owned(), |pid| format!("process {pid}")))
                .claims(format!("The server ended {how}. Proved: its log has the report."))
                .supported(fact.place.clone(), how)
                .fix("keep the report; upgrade to the last patch of its version; unload a module that its stack names", "", "")
                .checked_by("no report in the log for 7 days")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    #[test]
    fn the_report_is_proof() {
        let found = check(&log(
            "9:M 23 Nov 2026 02:58:11.042 # Redis 7.0.15 crashed by signal: 11, si_code: 1\n",
        ));
        assert!(
            found[0].title.ends_with("by signal 11"),
            "{}",
            found[0].title
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn another_line_is_none() {
        assert_eq!(
            verdicts(check(&log(
                "9:M 23 Nov 2026 02:58:11.042 * DB saved on disk\n"
            ))),
            []
        );
    }
}
