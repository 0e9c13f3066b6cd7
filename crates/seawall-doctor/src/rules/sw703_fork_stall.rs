//! The fork for a save holds everybody up.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::forks::{self, forks};
use crate::rule::{Code, Need, Rule};
use crate::stall::{self, FELT_MS, Stall};

/// From so many milliseconds on it is a risk, though nobody was seen to wait.
const RISK_MS: u64 = 1_000;

/// A fork below this stalls nobody.
const REFUTES_MS: u64 = 20;

pub(super) const RULE: Rule = Rule {
    code: Code(703),
    title: "the fork for a save held up everybody",
    explanation: "For a save, a rewrite of the append-only file and a replica's full sync the server forks, and while the kernel copies \
the page tables of its memory nothing is answered: 10 to 20 ms for each GB, and many times that on some virtual machines and with \
huge pages. `started by pid` comes into the log when the fork is through; SLOWLOG does not count it.",
    messages: &[
        "Timeout reading from socket",
        "Timeout reading from",
        "Command timed out",
        "Read timed out",
    ],
    needs: &[Need::Server, Need::ServerLog, Need::ClientLog],
    brings: stall::BRINGS,
    texts: &[
        forks::TEXTS[0],
        forks::TEXTS[1],
        forks::TEXTS[2],
        forks::TEXTS[3],
        forks::TEXTS[4],
        stall::DOWN,
    ],
    sources: &["redis: server.c redisFork", "redis#9030", "redis#1154"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let stalls = stalls(facts);
    let mut found = Vec::new();
    if stall::struck(facts, &stalls)
        && let Some(finding) = stall::finding(facts, &RULE, &stalls)
    {
        found.push(advised(finding.claims(format!(
            "A fork took {}: until it was through nobody was answered, and calls timed out.",
            stall::longest(&stalls)
        ))));
        return found;
    }
    for look in &facts.looks {
        let Some(micros) = look.number("latest_fork_usec").filter(|micros| *micros > 0) else {
            continue;
        };
        let millis = micros / 1_000;
        let says = format!("the last fork took {millis} ms");
        if millis >= RISK_MS {
            let risk = Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible);
            found.push(advised(
                risk.supported(look.place("INFO"), says.as_str())
                    .claims(format!(
                        "{says}: nobody is answered meanwhile, at each save."
                    )),
            ));
        } else if millis < REFUTES_MS && stalls.is_empty() {
            found.push(Finding::ruled_out(
                RULE.code,
                "a fork that stalls",
                look.place("INFO"),
                says,
            ));
        }
    }
    if found.is_empty()
        && stalls.iter().any(|stall| stall.millis >= RISK_MS)
        && let Some(finding) = stall::finding(facts, &RULE, &stalls)
    {
        found.push(advised(finding.claims(format!(
            "A fork took {}: until it was through nobody was answered.",
            stall::longest(&stalls)
        ))));
    }
    found
}

/// What tells how long a fork took: the latency monitor, two lines of the log, and what INFO says of the last one.
fn stalls(facts: &Facts) -> Vec<Stall> {
    let mut stalls = stall::monitored(facts, &["fork"]);
    let forks = forks(facts);
    // Only the last one's duration is in INFO, and only one server's log may be meant.
    let last = match &facts.looks[..] {
        [look] => look.number("latest_fork_usec").map(|micros| micros / 1_000),
        _ => None,
    };
    for (place, fork) in forks.iter().enumerate() {
        let (Some(at), Some(millis)) = (
            fork.at,
            fork.millis.or(last.filter(|_| place + 1 == forks.len())),
        ) else {
            continue;
        };
        if millis >= FELT_MS {
            stalls.push(Stall {
                at,
                millis,
                place: fork.place.clone(),
                says: format!("a fork of {millis} ms was through at {at}"),
            });
        }
    }
    stalls
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix(
            "save on a replica only; on the primary: redis-cli CONFIG SET save ''",
            "what was written since the replica's last save is lost if both end",
            "redis-cli CONFIG SET save '<old>'",
        )
        .fix(
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled (as root, on the server's host), then restart the server",
            "a restart",
            "echo always > /sys/kernel/mm/transparent_hugepage/enabled",
        )
        .fix("smaller servers: 10 GB or less each forks in a fifth of a second", "", "")
        .checked_by("latest_fork_usec of INFO stays below 100000 over two saves")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::diagnose;
    use crate::testing::{application, latency, log, pasted, timeout, together, verdicts};

    fn saved(about: &str, through: &str) -> Facts {
        log(&format!(
            "9:M 23 Nov 2026 {about} * 10000 changes in 60 seconds. Saving...\n\
             9:M 23 Nov 2026 {through} * Background saving started by pid 4712\n"
        ))
    }

    #[test]
    fn the_two_lines_of_a_slow_fork_and_a_timeout_make_it_the_cause() {
        let slow = || saved("02:58:02.000", "02:58:06.500");
        let found = check(&together([slow(), timeout("02:58:07")]));
        assert!(found[0].claim.contains("4500 ms"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
        assert_eq!(
            verdicts(check(&slow())),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }

    #[test]
    fn what_it_brings_about_is_told_as_such() {
        let slow = saved("02:58:02.000", "02:58:36.500");
        let sentinel = log(
            "7:X 23 Nov 2026 02:58:32.100 # +sdown master shop 10.0.0.1 6379\n\
             7:X 23 Nov 2026 02:58:33.200 # +switch-master shop 10.0.0.1 6379 10.0.0.2 6379\n",
        );
        let dry = application(
            "2026-11-23T02:58:31Z redis.exceptions.MaxConnectionsError: Too many connections\n",
        );
        let found = diagnose(together([
            slow,
            renamed(sentinel),
            dry,
            timeout("02:58:30"),
        ]));
        let first = found.first().expect("a cause");
        assert_eq!((first.code.0, first.confidence), (703, Confidence::Strong));
        let mut behind: Vec<_> = found
            .findings
            .iter()
            .filter(|finding| finding.behind == Some(RULE.code))
            .map(|finding| finding.code.0)
            .collect();
        behind.sort_unstable();
        assert_eq!(behind, [1, 821]);
    }

    /// Another log than that of the server.
    fn renamed(mut facts: Facts) -> Facts {
        for fact in &mut facts.said {
            fact.place.source = "sentinel.log".into();
        }
        for fact in &mut facts.server_log {
            fact.place.source = "sentinel.log".into();
        }
        facts
    }

    #[test]
    fn a_sentinel_that_had_no_answer_is_another_witness() {
        let sentinel = log("7:X 23 Nov 2026 02:58:32.100 # +sdown master shop 10.0.0.1 6379\n");
        let all = together([saved("02:58:02.000", "02:58:36.500"), renamed(sentinel)]);
        assert_eq!(
            verdicts(check(&all)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn the_monitor_or_info_tell_how_long_it_took() {
        let monitor = together([latency("fork", 981), timeout("02:58:07")]);
        assert_eq!(
            verdicts(check(&monitor)),
            [(Verdict::Cause, Confidence::Strong)]
        );
        let asked = "9:M 23 Nov 2026 02:58:06.500 * Background saving started by pid 4712\n";
        let info = together([
            log(asked),
            pasted("# Stats\nlatest_fork_usec:981000\n"),
            timeout("02:58:07"),
        ]);
        assert_eq!(
            verdicts(check(&info)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn a_quick_fork_is_ruled_out_and_a_server_that_never_forked_says_nothing() {
        let quick = saved("02:58:06.490", "02:58:06.500");
        let info = pasted("# Stats\nlatest_fork_usec:900\n");
        assert_eq!(
            verdicts(check(&together([quick, info, timeout("02:58:07")]))),
            [(Verdict::RuledOut, Confidence::Strong)]
        );
        assert_eq!(
            verdicts(check(&pasted("# Stats\nlatest_fork_usec:0\n"))),
            []
        );
        assert_eq!(verdicts(check(&timeout("02:58:07"))), []);
    }

    #[test]
    fn a_timeout_at_another_time_makes_a_slow_fork_no_cause() {
        let all = together([saved("02:58:02.000", "02:58:06.500"), timeout("04:00:00")]);
        assert_eq!(
            verdicts(check(&all)),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }
}
