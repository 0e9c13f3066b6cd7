//! The server starts again and again.

use crate::container::News;
use crate::facts::{Fact, Facts, Line, ServerLine};
use crate::finding::{Confidence, Finding, Verdict};
use crate::lives::Life;
use crate::rule::{Code, Need, Rule};
use crate::startup;

/// So many starts within so many seconds are no accident.
const STARTS: usize = 3;
const WITHIN_S: f64 = 600.0;

pub(super) const RULE: Rule = Rule {
    code: Code(410),
    title: "Redis starts again and again",
    explanation: "Three starts within ten minutes: what ends the server each time comes again, and whatever supervises it starts it \
anew (systemd, Kubernetes: CrashLoopBackOff). Clients see refused connections and LOADING in turns. The line before each start \
has the reason.",
    messages: &[
        "Connection refused",
        "LOADING Redis is loading the dataset in memory",
        "Connection closed by server",
    ],
    needs: &[Need::ServerLog, Need::Containers],
    brings: &[Code(101), Code(406)],
    sources: &["redis: server.c", "kubernetes: CrashLoopBackOff"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<_> = facts
        .lives()
        .iter()
        .filter_map(|life| of_life(facts, life))
        .collect();
    let looping = facts
        .containers
        .iter()
        .filter(|fact| fact.what.container.serves && matches!(fact.what.news, News::BackOff));
    for fact in looping {
        let container = &fact.what.container;
        let says = format!(
            "{} waits longer before each start (CrashLoopBackOff), {} so far",
            container.runner, container.restarts
        );
        let place = fact.place.clone();
        if let Some(known) = found.pop() {
            found.push(
                known
                    .at(fact.at)
                    .struck(container.label())
                    .supported(place, says),
            );
        } else {
            let new = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Likely)
                .at(fact.at)
                .struck(container.label())
                .claims(format!(
                    "{} ends soon after each start; why, its log of the last life tells.",
                    container.label()
                ))
                .supported(place, says);
            found.push(advised(new));
        }
    }
    found
}

fn of_life(facts: &Facts, life: &Life<'_>) -> Option<Finding> {
    let mut starts: Vec<&Fact<ServerLine>> = life
        .lines
        .iter()
        .filter(|fact| fact.what.line == Line::Started && fact.at.is_some())
        .copied()
        .collect();
    // A start says so twice in some versions: one process is one start, unless it is a container's, which is always 1.
    starts.dedup_by(|next, last| {
        let near = last
            .at
            .zip(next.at)
            .is_some_and(|(last, next)| last.seconds_to(next) < 1.0);
        near && last.what.pid == next.what.pid
    });
    let near = |some: &[&Fact<ServerLine>]| {
        some[0]
            .at
            .zip(some[STARTS - 1].at)
            .is_some_and(|(from, to)| from.seconds_to(to) <= WITHIN_S)
    };
    let from = starts.windows(STARTS).position(near)?;
    let starts = &starts[from..];
    let mut finding =
        Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Strong).struck(life.log);
    for start in starts {
        finding = finding
            .at(start.at)
            .supported(start.place.clone(), "it starts");
    }
    let reason = starts
        .iter()
        .find_map(|start| startup::gave_up(facts, start.what.pid));
    let why = match reason {
        Some(said) => {
            let words = said.what.text.words.trim_end_matches([' ', ':', ',']);
            finding = finding.supported(said.place.clone(), words);
            format!("it ends itself: {words}")
        }
        None => "why it ends, the lines before each start tell, or the kernel's log".to_owned(),
    };
    let (first, last) = finding.window?;
    let claim = format!(
        "It started {} times in {:.0} s; {why}.",
        starts.len(),
        first.seconds_to(last)
    );
    Some(advised(finding.claims(claim)))
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("the last words of each life: grep -B5 'Redis is starting' redis.log; kubectl logs POD --previous; journalctl -u redis-server", "", "")
        .checked_by("uptime_in_seconds of INFO is above an hour")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{document, log, verdicts};

    fn start(pid: u32, minute: u32) -> String {
        format!(
            "{pid}:C 23 Nov 2026 02:{minute:02}:11.042 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n{pid}:M 23 Nov 2026 02:{minute:02}:11.142 * Ready to accept connections\n"
        )
    }

    #[test]
    fn three_starts_in_ten_minutes_are_a_loop_and_in_an_hour_are_none() {
        let found = check(&log(&(start(9, 1) + &start(10, 4) + &start(11, 8))));
        assert!(
            found[0].claim.contains("3 times in 420 s"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
        assert_eq!(
            verdicts(check(&log(&(start(9, 1)
                + &start(10, 24)
                + &start(11, 58))))),
            []
        );
        assert_eq!(verdicts(check(&log(&start(9, 1)))), []);
    }

    #[test]
    fn a_container_whose_process_is_always_1_starts_as_often() {
        assert_eq!(
            check(&log(&(start(1, 1) + &start(1, 4) + &start(1, 8)))).len(),
            1
        );
    }

    #[test]
    fn what_it_says_of_itself_is_the_reason() {
        let gave_up =
            "10:M 23 Nov 2026 02:04:11.300 # Failed listening on port 6379 (TCP), aborting.\n";
        let found = check(&log(&(start(9, 1)
            + &start(10, 4)
            + gave_up
            + &start(11, 8))));
        assert!(
            found[0].claim.contains("Failed listening"),
            "{}",
            found[0].claim
        );
    }

    #[test]
    fn a_pod_that_backs_off_tells_it_without_a_log() {
        let facts = document(
            r#"{"kind": "Event", "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "redis-0", "fieldPath": "spec.containers{redis}"},
"reason": "BackOff", "message": "Back-off restarting failed container redis in pod redis-0", "lastTimestamp": "2026-11-23T02:58:10Z"}"#,
        );
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }
}
