//! Sentinel holds a server to be down, and up again, again and again.

use std::collections::BTreeMap;

use crate::evidence;
use crate::facts::{Fact, Facts};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Said, Text};

const DOWN: Text = Text::server("+sdown ").keeping(Keeps::Rest);
const UP: Text = Text::server("-sdown ").keeping(Keeps::Rest);

/// So often within an hour it is no accident any more.
const OFTEN: usize = 3;

pub(super) const RULE: Rule = Rule {
    code: Code(822),
    title: "Sentinel holds a server to be down again and again",
    explanation: "A server that stalls for longer than `down-after-milliseconds` (a fork, a slow command, a slow disk) and goes \
on is held to be down and up in turn. Each time a failover may begin. Either the stall is to be mended, or the limit lies below \
what is normal there.",
    messages: &[],
    needs: &[Need::ServerLog],
    brings: &[Code(821)],
    texts: &[DOWN, UP],
    sources: &["redis: sentinel.c", "redis#10287"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, &[DOWN, UP]) {
        let mut by_instance: BTreeMap<&str, Vec<&Fact<Said>>> = BTreeMap::new();
        for fact in &lines {
            by_instance.entry(&fact.what.rest).or_default().push(fact);
        }
        for (instance, lines) in by_instance {
            let of = |text: Text| -> Vec<&Fact<Said>> {
                lines
                    .iter()
                    .copied()
                    .filter(|fact| fact.what.text == text)
                    .collect()
            };
            let downs = of(DOWN);
            let often = evidence::most_within(&downs, 3_600);
            if often < OFTEN || evidence::most_within(&of(UP), 3_600) + 1 < OFTEN {
                continue;
            }
            let longest = stalls(&lines).into_iter().fold(0.0, f64::max);
            found.push(
                evidence::finding(&RULE, Verdict::Cause, Confidence::Likely, &lines)
                    .struck(instance)
                    .claims(format!(
                        "{source}: {instance} was held to be down {often} times within an hour, and came back each time; {longest:.1} s at the longest, after down-after-milliseconds without an answer."
                    ))
                    .fix("find the stall: seawall doctor with that server's log and its host's kernel.log (LATENCY LATEST, SLOWLOG)", "", "")
                    .fix("redis-cli -p 26379 SENTINEL SET <name> down-after-milliseconds <twice the longest stall>, on every Sentinel", "a dead primary is noticed later", "redis-cli -p 26379 SENTINEL SET <name> down-after-milliseconds <old>")
                    .checked_by("no +sdown for a day"),
            );
        }
    }
    found
}

/// How long it was held to be down, each time.
fn stalls(lines: &[&Fact<Said>]) -> Vec<f64> {
    lines
        .windows(2)
        .filter(|pair| pair[0].what.text == DOWN && pair[1].what.text == UP)
        .filter_map(|pair| Some(pair[0].at?.seconds_to(pair[1].at?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    /// Sentinel 7.0.15.
    const ONCE: &str = "2012:X 28 Nov 2026 23:02:23.503 # +sdown master mymaster 127.0.0.1 23822\n\
2012:X 28 Nov 2026 23:02:26.428 # -sdown master mymaster 127.0.0.1 23822\n";

    #[test]
    fn three_times_in_an_hour_is_flapping() {
        let lines: String = (0..4)
            .map(|place| ONCE.replace("23:02", &format!("23:{place}2")))
            .collect();
        let found = check(&log(&lines));
        assert!(
            found[0].claim.contains("4 times within an hour"),
            "{}",
            found[0].claim
        );
        assert!(
            found[0].claim.contains("2.9 s at the longest"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn once_a_day_and_one_that_stays_down_are_other_things() {
        let days: String = (21..28)
            .map(|day| ONCE.replace("28 Nov", &format!("{day} Nov")))
            .collect();
        assert_eq!(verdicts(check(&log(&days))), []);
        let (down, _) = ONCE.split_once('\n').expect("two lines");
        assert_eq!(verdicts(check(&log(&format!("{down}\n").repeat(4)))), []);
    }
}
