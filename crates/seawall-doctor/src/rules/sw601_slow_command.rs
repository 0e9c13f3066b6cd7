//! A command holds up all others.

use std::collections::BTreeMap;

use crate::commands::{self, Kind, host};
use crate::facts::{Facts, Look, Slow, times};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::stall::{self, Stall};

pub(super) const RULE: Rule = Rule {
    code: Code(601),
    title: "a slow command held up all others",
    explanation: "The server runs one command at a time. While KEYS, a large SORT, a script or a huge range runs, everybody \
waits, and calls time out that did nothing wrong. SLOWLOG keeps the last ones; it does not count the time that others waited. \
With `slowlog-log-slower-than` above 100 ms or -1 it is blind for this; the latency monitor's event `command` still tells that \
there was one, not which.",
    messages: &[
        "Timeout reading from socket",
        "Timeout reading from",
        "Command timed out",
        "Read timed out",
        "i/o timeout",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: stall::BRINGS,
    sources: &["redis: slowlog.c", "github.com/ovh/cds#7833"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for look in &facts.looks {
        let mut by_command: BTreeMap<&str, Vec<(&Slow, Stall)>> = BTreeMap::new();
        let other = commands::slow(look, Kind::Other);
        // A script that outran its limit is another rule's, which can say how to end it.
        let scripts = commands::slow(look, Kind::Script).filter(|_| !commands::outran(facts));
        for (slow, stall) in other.chain(scripts) {
            let runs = by_command.entry(slow.command.as_str()).or_default();
            runs.push((slow, stall));
        }
        for (command, runs) in by_command {
            found.extend(of_command(facts, command, &runs));
        }
    }
    found.extend(unnamed(facts));
    found
}

fn of_command(facts: &Facts, command: &str, runs: &[(&Slow, Stall)]) -> Option<Finding> {
    let longest = runs.iter().map(|(slow, _)| slow.micros).max()?;
    let stalls: Vec<_> = runs.iter().map(|(_, stall)| stall.clone()).collect();
    let mut finding = stall::finding(facts, &RULE, &stalls)?.claims(format!(
        "{command} ran {} for 0.1 s or more, {:.2} s at the longest; nothing else runs meanwhile.",
        times(runs.len()),
        longest as f64 / 1e6
    ));
    finding.title = format!("{} ({command})", RULE.title);
    for (slow, _) in runs {
        finding = finding.struck(host(&slow.addr));
    }
    Some(advised(finding.fix(instead_of(command), "", "")))
}

/// What the latency monitor saw and SLOWLOG did not keep.
fn unnamed(facts: &Facts) -> Option<Finding> {
    let mut stalls = stall::monitored(facts, &["command"]);
    stalls.retain(|stall| {
        let entry = |slow: &Slow| (slow.micros / 1_000).saturating_add(1_000) >= stall.millis;
        let around = |slow: &Slow| slow.at.0.abs_diff(stall.at.0) <= 2_000;
        let mut kept = facts.looks.iter().flat_map(|look| &look.slow);
        !kept.any(|slow| entry(slow) && around(slow))
    });
    // It was that script, as far as is known.
    if commands::outran(facts) {
        return None;
    }
    let asked = |look: &Look| look.latency.is_empty() || look.answered.contains("SLOWLOG GET");
    let which = if facts.looks.iter().all(asked) {
        "SLOWLOG did not keep which one"
    } else {
        "which one, SLOWLOG would tell, and it was not to be had"
    };
    let finding = stall::finding(facts, &RULE, &stalls)?.claims(format!(
        "A command took {}, and nothing else ran meanwhile; {which}.",
        stall::longest(&stalls)
    ));
    Some(advised(finding.fix(
        "redis-cli CONFIG SET slowlog-log-slower-than 50000; redis-cli CONFIG SET slowlog-max-len 1024: the next one is kept",
        "",
        "redis-cli CONFIG SET slowlog-log-slower-than <old>",
    )))
}

fn advised(finding: Finding) -> Finding {
    finding.checked_by(
        "redis-cli SLOWLOG RESET, then SLOWLOG GET after an hour: it does not come again",
    )
}

fn instead_of(command: &str) -> &'static str {
    match command {
        "KEYS" => "SCAN with MATCH instead of KEYS",
        "SMEMBERS" | "SUNION" | "SINTER" | "SDIFF" => "SSCAN, or smaller sets",
        "HGETALL" | "HVALS" | "HKEYS" => "HSCAN or HMGET of the fields that are wanted",
        "LRANGE" | "ZRANGE" | "ZREVRANGE" | "ZRANGEBYSCORE" => "windows of some hundreds",
        "EVAL" | "EVALSHA" | "FCALL" => "a shorter script, over fewer keys",
        "DEBUG" => "nobody has a reason to run DEBUG on a live server: ACL SETUSER <user> -debug",
        "SORT" => "SORT on a replica, or a sorted set that is kept sorted",
        "ZUNIONSTORE" | "ZINTERSTORE" | "SUNIONSTORE" | "SINTERSTORE" => {
            "smaller sets, or the union on a replica or in the application"
        }
        "FLUSHALL" | "FLUSHDB" => "FLUSHALL ASYNC, FLUSHDB ASYNC",
        _ => "ask for less at a time, or on a replica",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{latency, slowlog, timeout, together, verdicts};

    #[test]
    fn calls_timed_out_while_it_ran_and_slowlog_tells_when_it_ended() {
        let found = |clock| {
            check(&together([slowlog("keys", 20_000), timeout(clock)]))
                .remove(0)
                .verdict
        };
        assert_eq!(found("02:57:50"), Verdict::Cause);
        assert_eq!(found("02:57:40"), Verdict::Risk);
    }

    #[test]
    fn a_timeout_beside_it_makes_it_the_cause() {
        assert_eq!(
            verdicts(check(&slowlog("keys", 4_000))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let found = check(&together([slowlog("keys", 4_000), timeout("02:58:11")]));
        assert!(found[0].fixes[0].action.contains("SCAN"));
        assert!(found[0].claim.contains("4.00 s"), "{}", found[0].claim);
        assert_eq!(found[0].whom(), "10.0.0.7");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_timeout_hours_later_is_not_its_doing_and_a_short_one_is_felt_by_nobody() {
        let facts = together([slowlog("keys", 4_000), timeout("05:58:11")]);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        assert_eq!(verdicts(check(&slowlog("keys", 20))), []);
    }

    #[test]
    fn the_latency_monitor_knows_of_one_that_slowlog_did_not_keep() {
        let seen = || latency("command", 4_000);
        let found = check(&together([seen(), timeout("02:58:07")]));
        assert!(found[0].claim.contains("4000 ms"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
        // The same one is told once: the two replies were pasted into one file.
        let mut both = seen();
        let mut kept = slowlog("keys", 4_000);
        both.looks[0].slow.append(&mut kept.looks[0].slow);
        assert_eq!(check(&both).len(), 1);
    }

    #[test]
    fn what_another_rule_knows_is_left_to_it() {
        for command in ["bgsave", "del", "exec", "get"] {
            assert_eq!(verdicts(check(&slowlog(command, 4_000))), []);
        }
    }
}
