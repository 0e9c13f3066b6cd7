//! The primary turns its replica away.

use std::collections::BTreeSet;

use crate::evidence;
use crate::facts::{Facts, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const ABORTED: Text = Text::server(" aborted replication with an error: ").keeping(Keeps::Word);
const AUTH_MASTER: Text = Text::server("Unable to AUTH to MASTER: ").keeping(Keeps::Word);
const AUTH_PRIMARY: Text = Text::server("Unable to AUTH to PRIMARY: ").keeping(Keeps::Word);
const ALL: &[Text] = &[ABORTED, AUTH_MASTER, AUTH_PRIMARY];

pub(super) const RULE: Rule = Rule {
    code: Code(810),
    title: "the primary turned its replica away",
    explanation: "A replica logs in with `masterauth` and `masteruser`. Without them, or with old ones, the primary answers \
NOAUTH or WRONGPASS, and the replica tries again every second with data that grow older. Mostly the password was set on one \
node only: after a failover every node is a replica once.",
    messages: &[
        "Unable to AUTH to MASTER",
        "aborted replication with an error",
    ],
    needs: &[Need::ServerLog],
    brings: &[Code(806), Code(807), Code(813)],
    texts: ALL,
    sources: &["redis: replication.c syncWithMaster", "redis#2025"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, ALL) {
        let words: BTreeSet<_> = lines
            .iter()
            .map(|fact| fact.what.rest.trim_start_matches('-'))
            .collect();
        let words: Vec<_> = words.into_iter().collect();
        let words = words.join(", ");
        let finding = evidence::finding(&RULE, Verdict::Cause, Confidence::Proved, &lines)
            .struck(&*source)
            .claims(format!(
                "The primary answered its replica with {words}, {}. Proved: the replica's log quotes it.",
                times(lines.len())
            ));
        let finding = if words.contains("NOAUTH")
            || words.contains("WRONGPASS")
            || words.contains("NOPERM")
        {
            finding.fix("on every node: redis-cli CONFIG SET masterauth <password> (and masteruser <user>), then CONFIG REWRITE; it reconnects by itself", "", "redis-cli CONFIG SET masterauth <old>")
        } else {
            finding.fix(
                "look at the primary: seawall doctor with its URL and its log",
                "",
                "",
            )
        };
        found.push(finding.checked_by("master_link_status:up in the replica's INFO"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    /// Redis 7.0.15, before and after a wrong masterauth was set.
    const LINES: &str = "1792:S 28 Nov 2026 23:40:59.731 # MASTER aborted replication with an error: NOAUTH Authentication required.\n\
1792:S 28 Nov 2026 23:41:00.718 # Unable to AUTH to MASTER: -WRONGPASS invalid username-password pair or user is disabled.\n";

    #[test]
    fn the_primarys_words_are_proof_and_the_fix_is_masterauth() {
        let found = check(&log(LINES));
        assert!(
            found[0].claim.contains("NOAUTH, WRONGPASS, twice"),
            "{}",
            found[0].claim
        );
        assert!(found[0].fixes[0].action.contains("masterauth"));
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn a_primary_that_has_no_room_is_not_mended_by_a_password() {
        let line = "9:S 28 Nov 2026 23:40:59.731 # PRIMARY aborted replication with an error: ERR max number of clients reached\n";
        assert!(!check(&log(line))[0].fixes[0].action.contains("masterauth"));
    }

    #[test]
    fn a_primary_that_is_away_turned_nobody_away() {
        let line = "2889:S 28 Nov 2026 23:41:35.413 # Error condition on socket for SYNC: Connection refused\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }
}
