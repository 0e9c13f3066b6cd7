//! Sentinel cannot write down what it knows.

use crate::evidence;
use crate::facts::{Facts, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const UNSAVED: Text =
    Text::server("Sentinel was not able to save the new configuration on disk!!!: ")
        .keeping(Keeps::Rest);

pub(super) const RULE: Rule = Rule {
    code: Code(829),
    title: "Sentinel cannot write its configuration",
    explanation: "Sentinel keeps what it learns (the primary's address, its own votes) in its configuration file. Where the \
directory cannot be written (a ConfigMap, another owner, a full disk) it forgets with a restart: it may vote twice, or send \
clients to a primary of long ago.",
    messages: &[],
    needs: &[Need::ServerLog],
    brings: &[Code(824)],
    texts: &[UNSAVED],
    sources: &["redis: sentinel.c sentinelFlushConfig"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, &[UNSAVED]) {
        let why = &lines[lines.len() - 1].what.rest;
        found.push(
            evidence::finding(&RULE, Verdict::Contributing, Confidence::Proved, &lines)
                .struck(&*source)
                .claims(format!("{source} could not save what it knows, {}: {why}. Proved: it says so.", times(lines.len())))
                .fix("chown redis: DIR of sentinel.conf (the directory too: a new file is written beside it and renamed); in Kubernetes copy the ConfigMap into an emptyDir first", "", "")
                .checked_by("`Sentinel new configuration saved on disk` in its log after SENTINEL FLUSHCONFIG"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    #[test]
    fn its_own_words_are_proof_and_name_the_reason() {
        let line = "2012:X 28 Nov 2026 23:42:22.367 # WARNING: Sentinel was not able to save the new configuration on disk!!!: Permission denied\n";
        let found = check(&log(line));
        assert!(
            found[0].claim.contains("Permission denied"),
            "{}",
            found[0].claim
        );
        assert_eq!(
            verdicts(found),
            [(Verdict::Contributing, Confidence::Proved)]
        );
    }

    #[test]
    fn one_that_is_saved_is_silent() {
        let line = "2012:X 28 Nov 2026 23:42:22.394 * Sentinel new configuration saved on disk\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }
}
