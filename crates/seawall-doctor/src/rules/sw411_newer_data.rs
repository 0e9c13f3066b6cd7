//! The server does not start, since its data are a newer version's.

use crate::evidence::Heard;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::startup::NEWER;

pub(super) const RULE: Rule = Rule {
    code: Code(411),
    title: "Redis does not start: its data are a newer version's",
    explanation: "An RDB file says by which version of the format it was written; an older server refuses it. It comes up when a \
newer server wrote it: a downgrade, a rolling update that was taken back, a replica that is older than its primary, or Valkey's \
and Redis's formats, which part ways after 7.2 (format 11). The file is whole: nothing is lost.",
    messages: &["Connection refused", "Can't handle RDB format version"],
    needs: &[Need::ServerLog],
    brings: &[Code(101), Code(410)],
    texts: &[NEWER],
    sources: &["redis: rdb.c", "produced on redis-server 7.0.15"],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(heard) = Heard::of(facts, &[NEWER]) else {
        return Vec::new();
    };
    let version = &heard.last().what.rest;
    vec![
        heard
            .finding(&RULE, Verdict::Cause, Confidence::Proved)
            .struck(format!("format {version}"))
            .claims(format!("Its RDB file is of format {version}, which this server does not know; it is whole. Proved: its own words."))
            .fix("start the version that wrote the file again (strings dump.rdb | head -2 names it: redis-ver)", "", "")
            .fix("to go back for good: let that one run, and move the data by a tool that speaks commands (RIOT, redis-shake); RDB and AOF do not go back", "", "")
            .checked_by("the log says Ready to accept connections, and DBSIZE is what it was before"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    #[test]
    fn its_own_words_are_proof_and_name_the_format() {
        let found = check(&log(
            "9319:M 28 Nov 2026 23:43:02.805 # Can't handle RDB format version 99\n",
        ));
        assert!(found[0].claim.contains("format 99"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn a_broken_file_is_another_rules() {
        assert_eq!(
            verdicts(check(&log(
                "9:M 28 Nov 2026 23:43:02.781 # Wrong signature trying to load DB from file\n"
            ))),
            []
        );
    }
}
