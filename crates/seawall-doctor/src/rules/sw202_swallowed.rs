//! Something between forgets flows that rest, and drops their packets.

use crate::facts::{Facts, Failure};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rested::Rested;
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(202),
    title: "something between forgot connections that rested, and drops their packets",
    explanation: "A balancer, firewall or NAT keeps a flow for so long without a packet; then the first command after a rest is lost \
without an answer, and the call runs into its timeout (without one: a quarter of an hour). A fresh connection works at once, and \
the server still lists the old one. A stalled server looks otherwise: calls on connections in use time out too.",
    messages: &[
        "Timeout reading from socket",
        "Timeout reading from",
        "Read timed out",
        "i/o timeout",
        "Command timed out",
    ],
    needs: &[Need::ClientLog, Need::Server],
    brings: &[],
    sources: &["moby#31208", "PowerDNS/weakforced#313", "lettuce#2082"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(rested) = Rested::by_device(facts, &[Failure::ReadTimeout]) else {
        return Vec::new();
    };
    vec![found(
        facts,
        &RULE,
        &rested,
        "timeouts",
        "Nothing came back, and a fresh connection is answered: something between had forgotten the flow, and drops its packets.",
    )]
}

/// What this rule and its sisters find.
pub(super) fn found(
    facts: &Facts,
    rule: &Rule,
    rested: &Rested<'_>,
    what: &str,
    why: &str,
) -> Finding {
    let mut finding = Finding::new(rule.code, rule.title, Verdict::Cause, Confidence::Likely);
    for fact in &rested.lines {
        finding = finding.at(fact.at);
        if let Some(server) = &fact.what.server {
            finding = finding.struck(server);
        }
    }
    let first = rested.lines[0];
    finding = finding.supported(
        first.place.clone(),
        format!("after {} s of rest, the shortest", rested.floor()),
    );
    let seen = rested.ghost(facts).map(|seen| (seen, "CLIENT LIST"));
    let seen = seen.or_else(|| rested.innocent(facts).map(|seen| (seen, "CONFIG GET")));
    if let Some(((look, says), command)) = seen {
        finding.confidence = Confidence::Strong;
        finding = finding.supported(look.place(command), says);
    }
    let whose = rested
        .whose()
        .map_or_else(String::new, |whose| format!(" {whose}: is one between?"));
    let claim = format!("{}. {why}{whose}", rested.words(what));
    let half = (rested.floor() / 2).clamp(20, 120);
    finding
        .claims(claim)
        .fix(format!("let clients close or ping what rests: max_idle (redis-py: health_check_interval) {half}, TCP keepalive after {half} s"), "a few packets", "")
        .fix(format!("from the server's side: redis-cli CONFIG SET tcp-keepalive {half} (new connections; CONFIG REWRITE keeps it)"), "a few packets; proxies that end the connection are not kept open by it", "redis-cli CONFIG SET tcp-keepalive 300")
        .checked_by("a connection that rests for twice that long answers PING at once")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, pasted, verdicts};

    fn timeouts(idle: &[u64]) -> Facts {
        let lines = idle.iter().enumerate().map(|(at, idle)| {
            format!("2026-11-23T0{at}:58:11Z Timeout reading from cache:6379 idle_ms={idle} local=10.0.0.7:5123{at}\n")
        });
        application(&lines.collect::<String>())
    }

    #[test]
    fn timeouts_after_a_rest_alone_are_likely_and_name_the_limit() {
        let found = check(&timeouts(&[241_000, 260_000, 900_000]));
        assert!(
            found[0]
                .claim
                .contains("3 of 3 timeouts came after 241 s of rest and more, none sooner"),
            "{}",
            found[0].claim
        );
        assert!(found[0].claim.contains("Azure"), "{}", found[0].claim);
        assert!(found[0].fixes[1].action.contains("tcp-keepalive 120"));
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn a_server_that_still_lists_the_connection_makes_it_strong() {
        let mut facts = timeouts(&[241_000, 260_000, 900_000]);
        facts.add(pasted(
            "id=3 addr=10.0.0.7:51231 name= age=9000 idle=700 flags=N omem=0 cmd=get\n",
        ));
        let found = check(&facts);
        assert!(
            found[0].supports[1].says.contains("still connected"),
            "{:?}",
            found[0].supports
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn timeouts_of_connections_in_use_and_a_restart_before_are_other_things() {
        assert_eq!(
            verdicts(check(&timeouts(&[241_000, 260_000, 900_000, 12, 3]))),
            []
        );
        assert_eq!(verdicts(check(&timeouts(&[241_000, 260_000]))), []);
        let mut facts = timeouts(&[241_000, 260_000, 900_000]);
        facts.add(log(
            "9:C 23 Nov 2026 00:50:11.042 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n",
        ));
        assert_eq!(verdicts(check(&facts)), []);
    }
}
