//! Nothing listens on the port.

use crate::facts::{Facts, Failure, Reach};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(101),
    title: "nothing listens on the port",
    explanation: "The host is there and its kernel refuses the connection at once, since no process listens: the server has \
ended, has not begun, or listens on another port or address. A firewall that rejects looks the same from a client; \
`ss -ltn 'sport = :6379'` on the server's host tells them apart. A server without room for more clients does not refuse: \
it accepts, and says so.",
    messages: &[
        "Connection refused",
        "ECONNREFUSED",
        "Error 111 connecting",
        "Failed to connect to",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    sources: &["redis: networking.c, server.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let refused: Vec<_> = facts.failures(Failure::Refused).collect();
    let mut found = Vec::new();
    for look in facts
        .looks
        .iter()
        .filter(|look| look.reach == Reach::Refused)
    {
        let finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Proved)
            .at(look.at)
            .struck(&*look.source)
            .claims(format!(
                "{} refuses connections now: no process listens there.",
                look.source
            ))
            .supported(look.place("connect"), "connection refused");
        found.push(advised(finding));
    }
    if found.is_empty() && refused.len() >= 2 {
        let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Likely)
            .claims(format!(
                "{} calls were refused by the server's host.",
                refused.len()
            ))
            .supported(refused[0].place.clone(), "the first of them");
        for fact in &refused {
            finding = finding.at(fact.at);
            if let Some(server) = &fact.what.server {
                finding = finding.struck(server);
            }
        }
        if let Some(look) = facts
            .looks
            .iter()
            .find(|look| look.number("uptime_in_seconds").is_some())
        {
            finding = finding.supported(
                look.place("INFO"),
                format!("it is up again, {}", look.counting_since()),
            );
        }
        found.push(advised(finding));
    }
    found
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix(
            "systemctl status redis-server; start it, and read the end of its log",
            "",
            "",
        )
        .fix(
            "check `port` and `bind` of redis.conf against the URL",
            "",
            "",
        )
        .checked_by("redis-cli -h HOST -p PORT PING answers, and uptime_in_seconds of INFO grows")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Line, Look};
    use crate::testing::{application, log, verdicts};

    #[test]
    fn a_port_that_refuses_now_is_proof() {
        let mut facts = Facts::default();
        facts
            .looks
            .push(Look::new("cache:6379", None, Reach::Refused));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Proved)]
        );
    }

    #[test]
    fn one_refusal_in_a_log_is_no_outage() {
        let once = "2026-11-23 02:58:11,042 ERROR Error 111 connecting to cache:6379. Connection refused.\n";
        assert_eq!(verdicts(check(&application(once))), []);
        assert_eq!(
            verdicts(check(&application(&once.repeat(2)))),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn other_failures_say_nothing_of_it() {
        let facts = log("9:M 23 Nov 2026 02:58:11.042 * Ready to accept connections\n");
        assert!(
            facts
                .lines(|line| matches!(line, Line::Ready).then_some(()))
                .next()
                .is_some()
        );
        assert_eq!(verdicts(check(&facts)), []);
    }
}
