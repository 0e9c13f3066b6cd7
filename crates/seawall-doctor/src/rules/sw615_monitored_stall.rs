//! The latency monitor saw a stall of a kind that has no other rule.

use crate::facts::Facts;
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::stall;

/// The latency monitor's events, and what the server did meanwhile.
const EVENTS: &[(&str, &str)] = &[
    (
        "command-unblocking",
        "waking clients that waited in BLPOP and the like",
    ),
    ("module-acquire-GIL", "waiting for a module's thread"),
    (
        "aof-fstat",
        "asking the file system for the append-only file's size",
    ),
    ("while-blocked-cron", "loading, or running a long script"),
    ("cluster-config-open", "writing nodes.conf"),
    ("cluster-config-write", "writing nodes.conf"),
    ("cluster-config-fsync", "writing nodes.conf"),
    ("cluster-config-rename", "writing nodes.conf"),
    ("cluster-config-dir-fsync", "writing nodes.conf"),
];

pub(super) const RULE: Rule = Rule {
    code: Code(615),
    title: "the server was busy with something else than commands",
    explanation: "The latency monitor (`latency-monitor-threshold` above 0) names what kept the server: waking many clients that waited for one \
list, a module's thread, the file system under the append-only file or under nodes.conf.",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::Server, Need::ClientLog],
    brings: stall::BRINGS,
    sources: &["redis: latency.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (event, what) in EVENTS {
        let stalls = stall::monitored(facts, &[event]);
        let Some(mut finding) = stall::finding(facts, &RULE, &stalls) else {
            continue;
        };
        finding.title = format!("{} ({event})", RULE.title);
        let (action, check) = remedy(event);
        found.push(
            finding
                .claims(format!(
                    "The server was busy with {what} for {}, and everybody waited.",
                    stall::longest(&stalls)
                ))
                .fix(action, "", "")
                .checked_by(check),
        );
    }
    found
}

fn remedy(event: &str) -> (&'static str, &'static str) {
    let check = "redis-cli LATENCY RESET, then LATENCY LATEST after an hour: it is not there";
    let action = match event {
        "command-unblocking" => {
            "fewer clients that wait for one key: some dozens of workers, each taking several jobs"
        }
        "module-acquire-GIL" => {
            "redis-cli MODULE LIST: its vendor's settings for background threads, or a newer version"
        }
        "while-blocked-cron" => "wait until it has loaded; a script: redis-cli SCRIPT KILL",
        _ => "`dir` on a local disk of its own; iostat -x 1 tells who else writes",
    };
    (action, check)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{latency, timeout, together, verdicts};

    #[test]
    fn an_event_that_was_felt_is_the_cause_by_its_name() {
        let found = check(&together([
            latency("cluster-config-fsync", 800),
            timeout("02:58:07"),
        ]));
        assert!(
            found[0].claim.contains("writing nodes.conf for 800 ms"),
            "{}",
            found[0].claim
        );
        assert!(
            found[0].title.contains("cluster-config-fsync"),
            "{}",
            found[0].title
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn events_that_have_a_rule_and_short_ones_are_none() {
        assert_eq!(verdicts(check(&latency("fork", 800))), []);
        assert_eq!(verdicts(check(&latency("command-unblocking", 20))), []);
        assert_eq!(
            verdicts(check(&latency("command-unblocking", 200))),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }
}
