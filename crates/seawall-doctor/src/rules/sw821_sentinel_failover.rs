//! Sentinel made another server the primary.

use std::sync::Arc;

use crate::evidence;
use crate::facts::{Fact, Facts};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Said, Text};

const SWITCH: Text = Text::server("+switch-master ").keeping(Keeps::Rest);
const DOWN: Text = Text::server("+sdown master ").keeping(Keeps::Rest);
const AGREED: Text = Text::server("+odown master ").keeping(Keeps::Rest);
const ASKED: Text = Text::server("Executing user requested FAILOVER of ");
const ALL: &[Text] = &[SWITCH, DOWN, AGREED, ASKED];

/// A failover takes three times this, at most, from its first line on.
const TOGETHER_S: i64 = 180;

pub(super) const RULE: Rule = Rule {
    code: Code(821),
    title: "Sentinel made another server the primary",
    explanation: "Enough Sentinels had no valid answer from the primary for `down-after-milliseconds`, and made a replica the \
primary. Between the last answer and the switch, plus as long as clients take to ask again, calls fail: timeouts first, then \
resets or READONLY from the old one. A failover is a consequence: look why the old primary did not answer at that time.",
    messages: &[
        "READONLY You can't write against a read only replica",
        "Connection closed by server",
        "Timeout reading from",
    ],
    needs: &[Need::ServerLog],
    brings: &[
        Code(801),
        Code(806),
        Code(807),
        Code(808),
        Code(813),
        Code(827),
    ],
    texts: ALL,
    sources: &["redis: sentinel.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    // Each Sentinel tells of the same switch.
    let mut found: Vec<(String, Finding)> = Vec::new();
    for (source, lines) in evidence::by_source(facts, ALL) {
        for switch in lines.iter().filter(|fact| fact.what.text == SWITCH) {
            let Some(what) = switched(&switch.what.rest) else {
                continue;
            };
            let told = found
                .iter()
                .position(|(known, finding)| *known == what && near(finding, switch));
            if let Some(place) = told {
                let (_, finding) = &mut found[place];
                *finding = finding
                    .clone()
                    .supported(switch.place.clone(), "another Sentinel told of it");
                continue;
            }
            found.push((what, of_switch(&source, &lines, switch)));
        }
    }
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// `mymaster 10.0.0.1:6379 10.0.0.2:6379` of the words after `+switch-master`.
fn switched(rest: &str) -> Option<String> {
    let words: Vec<_> = rest.split(' ').collect();
    let [name, old, old_port, new, new_port, ..] = words[..] else {
        return None;
    };
    Some(format!(
        "{name}: {old}:{old_port} gave way to {new}:{new_port}"
    ))
}

fn near(finding: &Finding, fact: &Fact<Said>) -> bool {
    match (finding.window, fact.at) {
        (Some((from, to)), Some(at)) => {
            from.plus_seconds(-TOGETHER_S) <= at && at <= to.plus_seconds(TOGETHER_S)
        }
        _ => true,
    }
}

fn of_switch(source: &Arc<str>, lines: &[&Fact<Said>], switch: &Fact<Said>) -> Finding {
    let what = switched(&switch.what.rest).unwrap_or_default();
    let name = what.split(':').next().unwrap_or("?");
    let before = |text: &Text| {
        lines.iter().copied().rfind(|fact| {
            let soon = fact
                .at
                .zip(switch.at)
                .is_some_and(|(then, at)| then <= at && then.seconds_to(at) <= TOGETHER_S as f64);
            soon && fact.what.text == *text && (*text == ASKED || fact.what.rest.starts_with(name))
        })
    };
    let mut finding = evidence::finding(&RULE, Verdict::Cause, Confidence::Proved, &[switch])
        .struck(what.clone());
    let why = if let Some(asked) = before(&ASKED) {
        finding = evidence::with(finding, &[asked]);
        "; somebody asked for it (SENTINEL FAILOVER)".to_owned()
    } else if let Some(down) = before(&DOWN) {
        finding = evidence::with(finding, &[down]);
        finding = evidence::with(finding, before(&AGREED).as_slice());
        let seconds = down
            .at
            .zip(switch.at)
            .map_or(0.0, |(then, at)| then.seconds_to(at));
        format!(
            "; {seconds:.1} s after the old one was held to be down, which is told down-after-milliseconds (30 s by default) after its last answer"
        )
    } else {
        String::new()
    };
    finding
        .claims(format!("Sentinel switched: {what}{why}. Proved: {source} says so."))
        .fix("find why the old primary did not answer: seawall doctor with its log and its host's kernel.log", "", "")
        .fix("if it only stalls for a while: redis-cli -p 26379 SENTINEL SET <name> down-after-milliseconds <twice the longest stall>", "a dead primary is noticed later", "redis-cli -p 26379 SENTINEL SET <name> down-after-milliseconds <old>")
        .checked_by("no +switch-master for seven days; a drill (SENTINEL FAILOVER <name>) costs clients less than 5 s")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    /// Sentinel 7.0.15, its primary stopped by SIGSTOP.
    const SWITCHED: &str = "2012:X 28 Nov 2026 23:42:08.678 # +sdown master mymaster 127.0.0.1 23821\n\
2012:X 28 Nov 2026 23:42:08.678 # +odown master mymaster 127.0.0.1 23821 #quorum 1/1\n\
2012:X 28 Nov 2026 23:42:08.678 # +try-failover master mymaster 127.0.0.1 23821\n\
2012:X 28 Nov 2026 23:42:09.959 # +switch-master mymaster 127.0.0.1 23821 127.0.0.1 23822\n";

    #[test]
    fn the_switch_is_proof_and_names_both() {
        let found = check(&log(SWITCHED));
        assert_eq!(
            found[0].whom(),
            "mymaster: 127.0.0.1:23821 gave way to 127.0.0.1:23822"
        );
        assert!(found[0].claim.contains("1.3 s after"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn several_sentinels_tell_of_one_failover() {
        let mut facts = log(SWITCHED);
        let mut other = log(SWITCHED);
        for fact in &mut other.said {
            fact.place.source = "other.log".into();
        }
        facts.add(other);
        assert_eq!(check(&facts).len(), 1);
    }

    #[test]
    fn a_primary_that_came_back_in_time_was_not_replaced() {
        let line = "2012:X 28 Nov 2026 23:42:23.503 # +sdown master mymaster 127.0.0.1 23822\n\
2012:X 28 Nov 2026 23:42:26.428 # -sdown master mymaster 127.0.0.1 23822\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }

    #[test]
    fn a_failover_that_was_asked_for_is_told_as_such() {
        let asked = "2012:X 28 Nov 2026 23:42:08.678 # Executing user requested FAILOVER of 'mymaster'\n\
2012:X 28 Nov 2026 23:42:09.959 # +switch-master mymaster 127.0.0.1 23821 127.0.0.1 23822\n";
        assert!(
            check(&log(asked))[0]
                .claim
                .contains("somebody asked for it")
        );
    }
}
