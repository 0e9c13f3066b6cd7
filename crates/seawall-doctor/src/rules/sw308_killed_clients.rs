//! Somebody closed the clients: CLIENT KILL, a tool, an ACL that was changed.

use crate::facts::{ClientLine, Fact, Facts, Failure, Line, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// So many at once are no accident.
const AT_ONCE: usize = 3;
const ONCE_S: f64 = 1.0;

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
    // The server was up long before, and no log tells of an end of its or of a limit that closed them.
    let began = look
        .at?
        .plus_seconds(-i64::try_from(look.number("uptime_in_seconds")?).ok()?);
    let up = began.seconds_to(first) > 60.0;
    let other = facts
        .lines(|line| {
            matches!(
                line,
                Line::Farewell
                    | Line::Started
                    | Line::Crashed(_)
                    | Line::OutputLimit(_)
                    | Line::Evicted(_)
            )
            .then_some(())
        })
        .any(|(fact, ())| fact.at.is_some_and(|at| at.seconds_to(first).abs() < 60.0));
    if !up || other {
        return None;
    }
    let called: Vec<_> = COMMANDS
        .iter()
        .filter_map(|command| Some((*command, look.calls(command).filter(|calls| *calls > 0)?)))
        .collect();
    let (command, calls) = *called.first()?;
    let name = command.replace('|', " ").to_ascii_uppercase();
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Likely)
        .claims(format!("{} connections were closed within a second while the server stayed up, and {name} was called {calls} times ({}).", closed.len(), look.counting_since()))
        .supported(closed[0].place.clone(), format!("the first of {}", closed.len()))
        .supported(look.place("INFO"), format!("cmdstat_{command}: calls={calls}"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Stamp;
    use crate::testing::{application, log, pasted, verdicts};

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
                && found[0].claim.contains("CLIENT KILL was called 1 times"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
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
