//! A blocking command waits longer than the client's socket timeout.

use crate::commands;
use crate::evidence::counted;
use crate::facts::{Facts, Failure};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

const BLOCKING: &[&str] = &[
    "BLPOP",
    "BRPOP",
    "BLMOVE",
    "BRPOPLPUSH",
    "BLMPOP",
    "BZPOPMIN",
    "BZPOPMAX",
    "BZMPOP",
    "XREAD",
    "XREADGROUP",
    "WAIT",
    "WAITAOF",
    "SUBSCRIBE",
    "PSUBSCRIBE",
    "SSUBSCRIBE",
];

pub(super) const RULE: Rule = Rule {
    code: Code(208),
    title: "a blocking command waits longer than the client's socket timeout",
    explanation: "BLPOP, XREAD BLOCK or a subscription waits as the server was told to; the client gives up on the socket first and \
takes it for a dead server. What the server then pops goes to a connection that is gone: it may be lost. redis-py 8 has \
`socket_timeout` 5 s by default, so that loops with BLPOP 0 begin to fail with that upgrade.",
    messages: &[
        "Timeout reading from socket",
        "Timeout reading from",
        "Read timed out",
    ],
    needs: &[Need::ClientLog, Need::Server],
    brings: &[],
    sources: &["redis-py: _defaults.py", "redis: blocked.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let known: Vec<_> = facts
        .failures(Failure::ReadTimeout)
        .filter(|fact| fact.what.command.is_some())
        .collect();
    let is_blocking =
        |name: &Option<String>| name.as_deref().is_some_and(|name| BLOCKING.contains(&name));
    let blocking: Vec<_> = known
        .iter()
        .filter(|fact| is_blocking(&fact.what.command))
        .collect();
    // A server that is slow makes all commands time out.
    if blocking.len() < 3 || blocking.len() * 100 < known.len() * 95 {
        return Vec::new();
    }
    let waiting = facts.looks.iter().find(|look| {
        look.number("blocked_clients")
            .is_some_and(|blocked| blocked > 0)
            && commands::would_be_kept(look, 500_000)
            && look.slow.iter().all(|slow| slow.micros < 500_000)
    });
    let confidence = if waiting.is_some() {
        Confidence::Strong
    } else {
        Confidence::Likely
    };
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, confidence);
    for fact in &blocking {
        finding = finding
            .at(fact.at)
            .struck(fact.what.command.as_deref().unwrap_or("?"));
    }
    let which = finding.whom();
    let first = blocking[0];
    finding = finding
        .claims(format!("{} of the {} known are of blocking commands ({which}): they wait as they were told to, and the client gives up first.", counted(blocking.len(), "timeout", "timeouts"), known.len()))
        .supported(first.place.clone(), "the first of them");
    if let Some(look) = waiting {
        let says = format!(
            "blocked_clients {}, and no slow command: the server waits for data, not for itself",
            look.number("blocked_clients").unwrap_or(0)
        );
        finding = finding.supported(look.place("INFO"), says);
    }
    vec![
        finding
            .fix("block for less than the socket timeout: BLPOP with 1 to 4 s in a loop, or socket_timeout above it (None, with socket_keepalive, on a connection for that alone)", "", "")
            .fix("where nothing may be lost: BLMOVE to a list of one's own, or XREADGROUP with acknowledgement", "", "")
            .checked_by("no timeout of a blocking command in ten times its block time"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

    fn told(command: &str, second: u32) -> String {
        format!(
            "2026-11-23T02:58:{second:02}Z ERROR worker\nTraceback (most recent call last):\n  File \"/v/redis/commands/core.py\", line 2633, in {command}\n    return self.execute_command(\nredis.exceptions.TimeoutError: Timeout reading from cache:6379\n"
        )
    }

    #[test]
    fn timeouts_of_blocking_commands_alone_are_likely_and_with_the_servers_side_strong() {
        let mut facts = application(&(told("blpop", 1) + &told("blpop", 11) + &told("xread", 21)));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("(BLPOP, XREAD)"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
        let info = "# Clients\nuptime_in_seconds:900\nblocked_clients:4\n";
        let mut unasked = facts.clone();
        unasked.add(pasted(info));
        assert_eq!(
            verdicts(check(&unasked)),
            [(Verdict::Cause, Confidence::Likely)],
            "a SLOWLOG that nobody saw is no empty one"
        );
        let slow = "1) 1) (integer) 14\n   2) (integer) 1795402686\n   3) (integer) 12000\n   4) 1) \"keys\"\n   5) \"10.0.0.7:51234\"\n   6) \"\"\n";
        facts.add(pasted(&format!("{info}{slow}")));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn timeouts_of_other_commands_speak_of_a_slow_server() {
        let facts = application(
            &(told("blpop", 1) + &told("get", 11) + &told("blpop", 21) + &told("blpop", 31)),
        );
        assert_eq!(verdicts(check(&facts)), []);
    }

    #[test]
    fn timeouts_without_their_command_say_nothing() {
        assert_eq!(
            verdicts(check(&application(
                &"2026-11-23T02:58:11Z Timeout reading from cache:6379\n".repeat(5)
            ))),
            []
        );
    }
}
