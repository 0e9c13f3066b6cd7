//! A node was held to have failed, and had only stalled.

use crate::evidence;
use crate::facts::{Fact, Facts, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Said, Text};

const FAILED: Text = Text::server("Marking node ").keeping(Keeps::Word);
const BACK: Text = Text::server("Clear FAIL state for node ").keeping(Keeps::Word);

/// A node that died takes longer to come back; the mark itself is kept for twice `cluster-node-timeout`, 30 s.
const STALL_S: f64 = 60.0;

pub(super) const RULE: Rule = Rule {
    code: Code(837),
    title: "the cluster held a node to have failed that had only stalled",
    explanation: "Most primaries had no answer from the node for `cluster-node-timeout` (15 s), and marked it as failed; soon \
after it answered again. Its slots were refused meanwhile, or a replica took over. A fork, a slow command, a frozen machine or \
too small a timeout does it.",
    messages: &["CLUSTERDOWN"],
    needs: &[Need::ServerLog],
    brings: &[Code(831)],
    texts: &[FAILED, BACK],
    sources: &["redis: cluster.c markNodeAsFailingIfNeeded", "redis#2820"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, &[FAILED, BACK]) {
        let stalls: Vec<_> = lines
            .iter()
            .copied()
            .filter_map(|back| stall(&lines, back))
            .collect();
        let Some((_, _, longest)) = stalls
            .iter()
            .copied()
            .max_by(|one, other| one.2.total_cmp(&other.2))
        else {
            continue;
        };
        let evidence: Vec<_> = stalls
            .iter()
            .flat_map(|(failed, back, _)| [*failed, *back])
            .collect();
        let mut finding = evidence::finding(&RULE, Verdict::Cause, Confidence::Proved, &evidence);
        for (failed, ..) in &stalls {
            finding = finding.struck(format!("node {}", failed.what.rest));
        }
        let timeout = facts
            .looks
            .iter()
            .find_map(|look| look.setting("cluster-node-timeout"));
        let timeout = timeout.map_or_else(
            || "15 s by default".to_owned(),
            |millis| format!("{millis} ms here"),
        );
        found.push(
            finding
                .claims(format!("{source}: a node was marked as failed {} and was back within {longest:.1} s, after cluster-node-timeout ({timeout}) without an answer. Proved: the log names it.", times(stalls.len())))
                .fix("find the stall of that node: seawall doctor with its log and its host's kernel.log", "", "")
                .fix("redis-cli CONFIG SET cluster-node-timeout 15000 on every node, where it is less", "a dead node is noticed later", "redis-cli CONFIG SET cluster-node-timeout <old>")
                .checked_by("no `Marking node` for a day"),
        );
    }
    found
}

/// The mark that this line takes back, and for how long it stood.
fn stall<'a>(
    lines: &[&'a Fact<Said>],
    back: &'a Fact<Said>,
) -> Option<(&'a Fact<Said>, &'a Fact<Said>, f64)> {
    if back.what.text != BACK {
        return None;
    }
    let name = back.what.rest.trim_end_matches(':');
    let failed = lines
        .iter()
        .copied()
        .rfind(|fact| fact.what.text == FAILED && fact.what.rest == name && fact.at <= back.at)?;
    let seconds = failed.at?.seconds_to(back.at?);
    (seconds <= STALL_S).then_some((failed, back, seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    const LOG: &str = "9:M 23 Nov 2026 02:58:11.042 * Marking node 07c37dfeb235213a872192d90877d0cd55635b91 as failing (quorum reached).\n\
9:M 23 Nov 2026 02:58:14.542 * Clear FAIL state for node 07c37dfeb235213a872192d90877d0cd55635b91: master without slots is reachable again.\n";

    #[test]
    fn a_mark_that_is_taken_back_was_a_stall() {
        let found = check(&log(LOG));
        assert!(
            found[0].claim.contains("back within 3.5 s"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn a_node_that_stays_away_or_comes_back_after_an_hour_has_died() {
        let (mark, _) = LOG.split_once('\n').expect("two lines");
        assert_eq!(verdicts(check(&log(&format!("{mark}\n")))), []);
        assert_eq!(
            verdicts(check(&log(&LOG.replace("02:58:14", "04:58:14")))),
            []
        );
    }
}
