//! The link between primary and replica breaks again and again.

use std::collections::BTreeMap;

use crate::evidence;
use crate::facts::{Fact, Facts, Line, ServerLine};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const RESUMED: Text = Text::server("Successful partial resynchronization with ");
const ACCEPTED: Text = Text::server("Partial resynchronization request from ");

/// So often within an hour it is no accident any more.
const OFTEN: usize = 3;

pub(super) const RULE: Rule = Rule {
    code: Code(813),
    title: "the link between primary and replica breaks again and again",
    explanation: "The replica reconnects and catches up out of the backlog each time: neither server ended, and the output \
limit closed nobody. A ping goes over the link every ten seconds, so that no idle limit between them closes it: look at the \
path (a firewall that forgets flows, a pod network, a host that stalls) and at which side closes first.",
    messages: &[],
    needs: &[Need::ServerLog],
    brings: &[Code(807)],
    texts: &[RESUMED, ACCEPTED],
    sources: &["redis: replication.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut by_source: BTreeMap<_, Vec<&Fact<ServerLine>>> = BTreeMap::new();
    for (fact, ()) in facts.lines(|line| matches!(line, Line::ReplicationLost(_)).then_some(())) {
        by_source
            .entry(fact.place.source.clone())
            .or_default()
            .push(fact);
    }
    let mut found = Vec::new();
    for (source, lost) in by_source {
        let resumed = evidence::by_source(facts, &[RESUMED, ACCEPTED])
            .remove(&source)
            .unwrap_or_default();
        let hour = |from: &&Fact<ServerLine>| {
            let from = from.at?;
            let within = |at: Option<crate::stamp::Stamp>| {
                at.is_some_and(|at| from <= at && at <= from.plus_seconds(3_600))
            };
            let breaks = lost.iter().filter(|fact| within(fact.at)).count();
            let resumes = resumed.iter().filter(|fact| within(fact.at)).count();
            Some((breaks, resumes))
        };
        // Breaks after which everything was sent anew, or the server began again, are other rules'.
        let worst = lost
            .iter()
            .filter_map(hour)
            .max_by_key(|(breaks, resumes)| (*resumes).min(*breaks));
        let Some((breaks, resumes)) =
            worst.filter(|(breaks, resumes)| *breaks >= OFTEN && *resumes >= OFTEN)
        else {
            continue;
        };
        let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Likely)
            .struck(&*source);
        for fact in &lost {
            finding = finding
                .at(fact.at)
                .supported(fact.place.clone(), "the link was lost");
        }
        found.push(
            finding
                .claims(format!("Within an hour the link broke {breaks} times and went on {resumes} times where it had stopped."))
                .fix("look at both ends at these times: the other server's log, both kernels' logs (seawall doctor takes all at once)", "", "")
                .fix("let the backlog cover it meanwhile: redis-cli CONFIG SET repl-backlog-size 256mb", "that much memory", "redis-cli CONFIG SET repl-backlog-size <old>")
                .checked_by("less than one such line a day"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    /// Redis 7.0.15.
    const ONCE: &str = "1792:S 28 Nov 2026 23:01:21.327 # Connection with master lost.\n\
1792:S 28 Nov 2026 23:01:21.328 * Successful partial resynchronization with master.\n";

    fn times(count: u32) -> String {
        (0..count)
            .map(|minute| ONCE.replace("23:01", &format!("23:{:02}", minute * 9)))
            .collect()
    }

    #[test]
    fn three_breaks_in_an_hour_that_are_made_good_are_told() {
        let found = check(&log(&times(4)));
        assert!(
            found[0].claim.contains("broke 4 times"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn two_are_an_accident_and_breaks_with_full_resyncs_are_another_rules() {
        assert_eq!(verdicts(check(&log(&times(2)))), []);
        let full = times(4).replace(
            "Successful partial resynchronization with master.",
            "Full resync from master: ab:0",
        );
        assert_eq!(verdicts(check(&log(&full))), []);
    }
}
