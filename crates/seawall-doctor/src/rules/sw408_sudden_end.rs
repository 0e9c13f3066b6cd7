//! The server ended without a word.

use crate::facts::{Facts, KernelLine};
use crate::finding::{Confidence, Finding, Verdict};
use crate::lives::Life;
use crate::rule::{Code, Need, Rule};
use crate::stamp::Stamp;
use crate::startup;

/// So many seconds before the next start its clients are taken to have failed already. However long it was away, they failed
/// until then.
const AWAY_S: i64 = 60;

pub(super) const RULE: Rule = Rule {
    code: Code(408),
    title: "Redis ended without a farewell",
    explanation: "The log stops, and the next line is another start: SIGKILL, a power cut, or the kernel's OOM killer, which \
its own log tells. A container's runtime sends SIGKILL when a stop takes too long, or a liveness probe failed.",
    messages: &[
        "Connection closed by server",
        "Connection reset by peer",
        "Connection refused",
    ],
    needs: &[Need::ServerLog],
    brings: &[Code(101), Code(406), Code(410), Code(821)],
    sources: &["redis: server.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let lives = facts.lives();
    let ends = lives.iter().flat_map(Life::sudden_ends);
    ends.filter(|(last, _)| !killed(facts, last.what.pid))
        .filter(|(last, _)| startup::gave_up(facts, last.what.pid).is_none())
        .map(|(last, start)| {
            let pid = last.what.pid.map_or_else(String::new, |pid| format!("process {pid}"));
            Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Strong)
                .at(died_after(last.at, start.at))
                .at(start.at)
                .struck(pid.clone())
                .claims(format!("The log of {pid} stops without a farewell, and another process starts. It was killed, or its host went down."))
                .supported(last.place.clone(), format!("the last line of {pid} that means something"))
                .supported(start.place.clone(), "the next process starts")
                .fix("look for who killed it: journalctl -k (OOM), kubectl describe pod (137, liveness probe), docker events", "", "")
                .checked_by("uptime_in_seconds of INFO grows past the time between two of these")
        })
        .collect()
}

/// It died between its last line, after which a server with little to do may have been silent for hours, and the next
/// start.
fn died_after(last: Option<Stamp>, start: Option<Stamp>) -> Option<Stamp> {
    let start = start?;
    Some(last?.max(start.plus_seconds(-AWAY_S)))
}

/// The kernel's log tells of it: that is another rule's.
fn killed(facts: &Facts, process: Option<u32>) -> bool {
    facts
        .kernel_log
        .iter()
        .any(|fact| matches!(fact.what, KernelLine::OomKilled { pid, .. } if Some(pid) == process))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{kernel, log, verdicts};

    const LIFE: &str = "9:C 23 Nov 2026 02:00:11.042 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n\
9:M 23 Nov 2026 02:00:11.142 * Ready to accept connections\n";

    fn next() -> String {
        LIFE.replace("9:", "11:").replace("02:00", "02:58")
    }

    #[test]
    fn a_second_start_without_a_farewell_tells_of_it() {
        assert_eq!(
            verdicts(check(&log(&format!("{LIFE}{}", next())))),
            [(Verdict::Cause, Confidence::Strong)]
        );
        assert_eq!(verdicts(check(&log(LIFE))), []);
    }

    #[test]
    fn calls_failed_from_its_last_line_on_if_it_wrote_just_before() {
        let window = |facts| {
            check(&facts)[0]
                .window
                .map(|(from, to)| from.seconds_to(to))
        };
        let quiet = log(&format!("{LIFE}{}", next()));
        assert_eq!(window(quiet), Some(60.0));
        let last = "9:M 23 Nov 2026 02:58:01.042 # Background saving error\n";
        let busy = log(&format!("{LIFE}{last}{}", next()));
        assert_eq!(window(busy), Some(10.0));
    }

    #[test]
    fn a_farewell_between_the_two_is_an_orderly_stop() {
        let farewell = "9:M 23 Nov 2026 02:30:11.042 # Redis is now ready to exit, bye bye...\n";
        assert_eq!(
            verdicts(check(&log(&format!("{LIFE}{farewell}{}", next())))),
            []
        );
    }

    #[test]
    fn a_process_that_says_why_it_does_not_start_was_not_killed() {
        let start = LIFE.lines().next().expect("two lines");
        let gave_up =
            "9:M 23 Nov 2026 02:00:11.300 # Failed listening on port 6379 (TCP), aborting.";
        assert_eq!(
            verdicts(check(&log(&format!("{start}\n{gave_up}\n{}", next())))),
            []
        );
    }

    #[test]
    fn the_kernels_kill_is_another_rules() {
        let mut facts = log(&format!("{LIFE}{}", next()));
        facts.add(kernel("2026-11-23T02:50:11+0000 host kernel: Out of memory: Killed process 9 (redis-server) total-vm:9kB\n"));
        assert_eq!(verdicts(check(&facts)), []);
    }
}
