//! Too few Sentinels agree, or can be reached, for a failover.

use crate::evidence;
use crate::facts::{Facts, flagged, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const NOT_ELECTED: Text = Text::server("-failover-abort-not-elected ").keeping(Keeps::Rest);
const REFUSED: Text = Text::client("NOQUORUM ");

pub(super) const RULE: Rule = Rule {
    code: Code(824),
    title: "there were not enough Sentinels for a failover",
    explanation: "A failover needs `quorum` Sentinels that hold the primary to be down, and a majority of all that are known to \
elect the one that does it. Two Sentinels of which one died with the primary, or old ones that nobody removed from the list, \
leave none: the primary stays dead.",
    messages: &["NOQUORUM"],
    needs: &[Need::ServerLog, Need::Server],
    brings: &[],
    texts: &[NOT_ELECTED, REFUSED],
    sources: &["redis: sentinel.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, &[NOT_ELECTED]) {
        let finding =
            evidence::finding(&RULE, Verdict::Cause, Confidence::Proved, &lines).struck(&*source);
        found.push(advised(finding.claims(format!(
            "{source} began a failover {} and was not elected by a majority of the Sentinels. Proved: it says so.",
            times(lines.len())
        ))));
    }
    let told = evidence::lines(facts, &[REFUSED]);
    if !told.is_empty() {
        let finding = evidence::finding(&RULE, Verdict::Risk, Confidence::Possible, &told);
        found.push(advised(finding.claims(
            "A Sentinel answered NOQUORUM: a failover would find too few of them.",
        )));
    }
    for look in &facts.looks {
        for watched in &look.watched {
            let Some(Err(words)) = &watched.quorum else {
                continue;
            };
            let gone = watched
                .sentinels
                .iter()
                .filter(|one| flagged(one, "s_down") || flagged(one, "disconnected"))
                .count();
            let down_too = watched.is("o_down") || watched.is("s_down");
            let (verdict, confidence) = if down_too {
                (Verdict::Cause, Confidence::Strong)
            } else {
                (Verdict::Risk, Confidence::Possible)
            };
            let finding = Finding::new(RULE.code, RULE.title, verdict, confidence)
                .at(look.at)
                .struck(watched.name.clone())
                .supported(look.place("SENTINEL CKQUORUM"), words.clone())
                .claims(format!(
                    "{}: of {} Sentinels beside this one {gone} cannot be reached; {}.",
                    watched.name,
                    watched.sentinels.len(),
                    if down_too {
                        "the primary is down, and nobody may replace it"
                    } else {
                        "were the primary to die, nobody might replace it"
                    }
                ));
            found.push(advised(finding));
        }
    }
    found
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("three Sentinels or five, on hosts that do not die together; start those that are away", "", "")
        .fix("old ones that are gone for good: redis-cli -p 26379 SENTINEL RESET <name>, on one Sentinel after the other, 30 s apart", "each forgets replicas and Sentinels until it finds them again", "")
        .checked_by("redis-cli -p 26379 SENTINEL CKQUORUM <name> answers OK on each of them")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::facts::{Look, Reach, Watched};
    use crate::testing::{log, verdicts};

    #[test]
    fn a_failover_without_votes_is_proof() {
        let line = "2012:X 28 Nov 2026 23:41:11.821 # -failover-abort-not-elected master mymaster 127.0.0.1 23821\n";
        assert_eq!(
            verdicts(check(&log(line))),
            [(Verdict::Cause, Confidence::Proved)]
        );
    }

    fn looked_at(flags: &str, quorum: Result<String, String>) -> Facts {
        let primary = BTreeMap::from([("flags".to_owned(), flags.to_owned())]);
        let mut watched = Watched::new("mymaster".to_owned(), primary);
        watched.quorum = Some(quorum);
        let mut look = Look::new("sentinel:26379", None, Reach::Answered);
        look.watched.push(watched);
        let mut facts = Facts::default();
        facts.looks.push(look);
        facts
    }

    #[test]
    fn a_primary_that_is_down_without_a_quorum_stays_down() {
        let no = || {
            Err("NOQUORUM 1 usable Sentinels. Not enough available Sentinels to reach the majority and authorize a failover".to_owned())
        };
        assert_eq!(
            verdicts(check(&looked_at("master,s_down,o_down", no()))),
            [(Verdict::Cause, Confidence::Strong)]
        );
        assert_eq!(
            verdicts(check(&looked_at("master", no()))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        assert_eq!(
            verdicts(check(&looked_at(
                "master",
                Ok("OK 3 usable Sentinels".to_owned())
            ))),
            []
        );
    }
}
