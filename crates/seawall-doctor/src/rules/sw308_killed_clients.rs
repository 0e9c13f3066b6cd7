//! Somebody closed the clients: CLIENT KILL, a tool, an ACL that was changed.

use crate::evidence::counted;
use crate::facts::{ClientLine, Fact, Facts, Failure, Line, Look, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::stamp::Stamp;

/// So many at once are no accident.
const AT_ONCE: usize = 3;
const ONCE_S: f64 = 1.0;

/// So far apart are the clocks of a server and of its client, at most, where both are right.
const CLOCKS_S: f64 = 1.0;

pub(super) const RULE: Rule = Rule {
    code: Code(308),
    title: "somebody closed clients (CLIENT KILL, an ACL change)",
    explanation: "CLIENT KILL, a Sentinel that reconfigures a server, and ACL DELUSER or SETUSER close connections in order, many in \
the same second, while the server stays up. Nothing is logged and no counter tells of it but commandstats (since 7.0 with the \
subcommand). A restart looks the same from the clients, but changes the run id.",
    messages: &[
        "Connection closed by server",
        "Socket closed unexpectedly",
        "Unexpected end of stream",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    sources: &["redis: networking.c clientKillCommand, sentinel.c sentinelSendSlaveOf"],
    check,
    ..Rule::PLAIN
};

const COMMANDS: [&str; 3] = ["client|kill", "acl|deluser", "acl|setuser"];

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(closed) = at_once(facts) else {
        return Vec::new();
    };
    facts
        .looks
        .iter()
        .filter_map(|look| of_look(facts, look, &closed))
        .take(1)
        .collect()
}

/// The first of the moments in which several were closed.
fn at_once(facts: &Facts) -> Option<Vec<&Fact<ClientLine>>> {
    let mut closed: Vec<_> = facts
        .failures(Failure::Closed)
        .filter(|fact| fact.at.is_some())
        .collect();
    closed.sort_by_key(|fact| fact.at);
    let near = |some: &[&Fact<ClientLine>]| {
        some[0]
            .at
            .zip(some[AT_ONCE - 1].at)
            .is_some_and(|(from, to)| from.seconds_to(to) <= ONCE_S)
    };
    let from = closed.windows(AT_ONCE).position(near)?;
    let first = closed[from].at?;
    let within =
        |fact: &&&Fact<ClientLine>| fact.at.is_some_and(|at| first.seconds_to(at) <= ONCE_S);
    Some(closed[from..].iter().take_while(within).copied().collect())
}

fn of_look(facts: &Facts, look: &Look, closed: &[&Fact<ClientLine>]) -> Option<Finding> {
    let first = closed[0].at?;
    let from = look.watched_from();
    let rose = called(|command| look.calls_rose(command))
        .filter(|_| from.is_some_and(|from| from.seconds_to(first) >= -CLOCKS_S));
    // Watched all the while, nobody called it; of one look alone: it was up long before.
    if rose.is_none() && (from.is_some_and(|from| from <= first) || !up_long_before(look, first)) {
        return None;
    }
    if other(facts, first, rose.is_some()) {
        return None;
    }
    let (command, calls) = rose.or_else(|| called(|command| look.calls(command)))?;
    let name = command.replace('|', " ").to_ascii_uppercase();
    let (confidence, when) = if rose.is_some() {
        (Confidence::Strong, format!("in {}", look.between()?))
    } else {
        (Confidence::Likely, look.counting_since())
    };
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, confidence)
        .claims(format!("{} connections were closed within a second while the server stayed up, and {name} was called {} ({when}).", closed.len(), times(usize::try_from(calls).unwrap_or(usize::MAX))))
        .supported(closed[0].place.clone(), format!("the first of {}", closed.len()))
        .supported(look.place("INFO"), format!("cmdstat_{command}: {} {when}", counted(usize::try_from(calls).unwrap_or(usize::MAX), "call", "calls")));
    for fact in closed {
        finding = finding.at(fact.at);
        if let Some(local) = &fact.what.local {
            finding = finding.struck(local);
        }
    }
    Some(
        finding
            .fix("who calls it? redis-cli CLIENT LIST: cmd=client|kill; a Sentinel (its log at that second), a deployment's ACL step, a watchdog", "", "")
            .fix("keep it from applications: redis-cli ACL SETUSER <user> '-client|kill'", "a tool of that user stops working", "redis-cli ACL SETUSER <user> '+client|kill'")
            .checked_by("no second in which several connections end, for 24 h"),
    )
}

fn up_long_before(look: &Look, first: Stamp) -> bool {
    let up = look.number("uptime_in_seconds").unwrap_or(0);
    let began = look
        .at
        .map(|at| at.plus_seconds(-i64::try_from(up).unwrap_or(0)));
    began.is_some_and(|began| began.seconds_to(first) > 60.0)
}

/// Whether a log tells of something else that closed them: a limit, or an end of the server's, where it is not known that it
/// had none.
fn other(facts: &Facts, first: Stamp, watched: bool) -> bool {
    let closes = |line: &Line| match line {
        Line::OutputLimit(_) | Line::Evicted(_) => true,
        Line::Farewell | Line::Started | Line::Crashed(_) => !watched,
        _ => false,
    };
    facts
        .lines(|line| closes(line).then_some(()))
        .any(|(fact, ())| fact.at.is_some_and(|at| at.seconds_to(first).abs() < 60.0))
}

/// What was called that closes clients, and how often.
fn called(count: impl Fn(&str) -> Option<u64>) -> Option<(&'static str, u64)> {
    COMMANDS
        .into_iter()
        .find_map(|command| Some((command, count(command).filter(|calls| *calls > 0)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, pasted, together, twice, verdicts};

    const CLOSED: &str =
        "2026-11-23T02:58:08Z redis.exceptions.ConnectionError: Connection closed by server.\n";

    fn facts(kills: u64, uptime: u64) -> Facts {
        let mut facts = application(&"2026-11-23T02:58:11Z redis.exceptions.ConnectionError: Connection closed by server.\n".repeat(5));
        facts.add(pasted(&format!("# Server\nuptime_in_seconds:{uptime}\n# Commandstats\ncmdstat_ping:calls=9,usec=9\ncmdstat_client|kill:calls={kills},usec=9\n")));
        facts.looks[0].at = Stamp::of((2026, 11, 23), (3, 0, 0), 0);
        facts
    }

    #[test]
    fn many_at_once_from_a_server_that_stayed_up_are_somebodys_doing() {
        let found = check(&facts(1, 90_000));
        assert!(
            found[0].claim.contains("5 connections")
                && found[0].claim.contains("CLIENT KILL was called once"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    /// A server that was looked at twice, `seconds` apart, and told so many calls of CLIENT KILL.
    fn watched(then: u64, now: u64, seconds: u64) -> Facts {
        let stats = |kills| {
            format!(
                "# Commandstats\ncmdstat_ping:calls=9,usec=9\ncmdstat_client|kill:calls={kills},usec=9"
            )
        };
        let mut facts = together([
            twice(&stats(then), seconds, &stats(now)),
            application(&CLOSED.repeat(5)),
        ]);
        facts.looks[0].at = Stamp::of((2026, 11, 23), (2, 58, 11), 0);
        facts
    }

    #[test]
    fn a_counter_that_rose_meanwhile_is_a_second_source_and_one_that_did_not_clears_it() {
        let found = check(&watched(3, 4, 10));
        assert!(
            found[0]
                .claim
                .ends_with("CLIENT KILL was called once (in 10 s)."),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
        assert_eq!(verdicts(check(&watched(3, 3, 10))), []);
        // Whoever began to look after it knows no more than what was counted since the start.
        assert_eq!(
            verdicts(check(&watched(3, 3, 1))),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn who_saw_it_before_and_after_knows_that_it_was_not_started_meanwhile() {
        let mut facts = watched(3, 4, 10);
        facts.add(log("9:M 23 Nov 2026 02:57:59.042 # Server started, Redis version 7.0.15\n9:C 23 Nov 2026 02:57:59.042 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n"));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn a_restart_a_limit_and_a_server_where_nobody_did_are_other_things() {
        assert_eq!(verdicts(check(&facts(1, 100))), []);
        assert_eq!(verdicts(check(&facts(0, 90_000))), []);
        let mut evicted = facts(1, 90_000);
        evicted.add(log("9:M 23 Nov 2026 02:58:11.042 * Evicting client: id=7 addr=10.0.0.7:51234 name=jobs flags=N cmd=get\n"));
        assert_eq!(verdicts(check(&evicted)), []);
    }

    #[test]
    fn ends_far_from_one_another_are_none() {
        let mut facts = facts(1, 90_000);
        facts.client_log.truncate(2);
        assert_eq!(verdicts(check(&facts)), []);
    }
}
