//! Nothing listens on the port.

use crate::evidence::counted;
use crate::facts::{ClientLine, Fact, Facts, Failure, Look, Reach, span};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// So much the clocks of a client and a server may differ.
const CLOCKS_S: i64 = 5;

pub(super) const RULE: Rule = Rule {
    code: Code(101),
    title: "nothing listens on the port",
    explanation: "The host is there and its kernel refuses the connection at once, since no process listens: the server has \
ended, has not begun, or listens on another port or address. A firewall that rejects looks the same from a client; \
`ss -ltn 'sport = :6379'` on the server's host tells them apart; where the server is seen to have run all the while, the refusal came from on the way. A server without room for more clients does not refuse: \
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
                "{} refused by the server's host.",
                counted(refused.len(), "call was", "calls were")
            ))
            .supported(refused[0].place.clone(), "the first of them");
        for fact in &refused {
            finding = finding.at(fact.at);
            if let Some(server) = &fact.what.server {
                finding = finding.struck(server);
            }
        }
        let called: Vec<_> = refused
            .iter()
            .filter_map(|fact| fact.what.server.as_deref())
            .collect();
        let up = |look: &&Look| {
            look.number("uptime_in_seconds").is_some()
                && !look.is_sentinel()
                && is_it(look, &called)
        };
        let running = |look: &&Look| up(look) && ran_meanwhile(look, &refused, facts);
        if let Some(look) = facts.looks.iter().find(running) {
            found.push(on_the_way(finding, look));
            return found;
        }
        if let Some(look) = facts.looks.iter().find(up) {
            finding = finding.supported(
                look.place("INFO"),
                format!(
                    "it answers now, and has run for {}",
                    span(look.number("uptime_in_seconds").unwrap_or(0))
                ),
            );
        }
        found.push(advised(finding));
    }
    found
}

/// Whether that very address was called, and the process there had begun before any call was refused. Times whose zone is a
/// guess tell nothing of that.
fn ran_meanwhile(look: &Look, refused: &[&Fact<ClientLine>], facts: &Facts) -> bool {
    let Some(began) = look.began() else {
        return false;
    };
    refused.iter().all(|fact| {
        fact.what.server.as_deref() == Some(&*look.source)
            && !facts.zoneless.contains(&fact.place.source)
            && fact.at.is_some_and(|at| began.plus_seconds(CLOCKS_S) < at)
    })
}

/// The process was there: who refused was not its kernel, or the process did not listen.
fn on_the_way(mut finding: Finding, look: &Look) -> Finding {
    "connections were refused while the server ran".clone_into(&mut finding.title);
    finding.claim = format!(
        "{} The process at {} ran all the while: a firewall rejected them, or something between led them elsewhere.",
        finding.claim, look.source
    );
    finding
        .supported(look.place("INFO"), format!("it has run for {}", span(look.number("uptime_in_seconds").unwrap_or(0))))
        .fix(
            "from the client's host: nc -vz HOST PORT; on the server's host: iptables-save | grep -i reject, nft list ruleset, ss -ltn",
            "",
            "",
        )
        .fix(
            "look at what stands between: security groups, a Service without endpoints, a forwarded port, a proxy",
            "",
            "",
        )
        .checked_by("nc -vz HOST PORT answers from the client's host")
}

/// Whether the calls may have gone to the server that was looked at: by its port, since hosts have several names.
fn is_it(look: &Look, called: &[&str]) -> bool {
    let port = |addr: &str| {
        addr.rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok())
    };
    let own: Vec<u64> = [look.number("tcp_port"), port(&look.source)]
        .into_iter()
        .flatten()
        .collect();
    let ports: Vec<u64> = called.iter().filter_map(|addr| port(addr)).collect();
    ports.is_empty() || own.is_empty() || ports.iter().any(|port| own.contains(port))
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
    use crate::stamp::Stamp;
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
    fn a_server_that_ran_all_the_while_did_not_refuse() {
        let told = |up: u64, zone: &str| {
            let line = "2026-11-23T02:58:11.042ZONE Error 111 connecting to 10.0.0.7:6379. Connection refused.\n";
            let mut facts = application(&line.replace("ZONE", zone).repeat(3));
            let at = Stamp::of((2026, 11, 23), (3, 0, 0), 0);
            let mut look = Look::new("10.0.0.7:6379", at, Reach::Answered);
            look.info
                .insert("uptime_in_seconds".to_owned(), up.to_string());
            facts.looks.push(look);
            check(&facts).remove(0)
        };
        let ran = told(9_000, "Z");
        assert_eq!(ran.title, "connections were refused while the server ran");
        assert_eq!(ran.confidence, Confidence::Likely);
        assert!(ran.claim.contains("ran all the while"), "{}", ran.claim);
        // It was started anew, or nobody knows in which zone the log's times are.
        for other in [told(60, "Z"), told(9_000, "")] {
            assert_eq!(other.title, RULE.title);
            assert!(other.supports[1].says.starts_with("it answers now"));
        }
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

    #[test]
    fn another_port_and_a_sentinel_are_not_the_server_that_is_up_again() {
        let told = |info: &str| {
            let mut facts = application(
                &"2026-11-23T02:58:11Z Error 111 connecting to cache:6379. Connection refused.\n"
                    .repeat(2),
            );
            facts.add(crate::testing::pasted(&format!(
                "# Server\nrun_id:a\nuptime_in_seconds:9\n{info}"
            )));
            check(&facts)[0].supports.len()
        };
        assert_eq!(told("tcp_port:6379\n"), 2);
        assert_eq!(told("tcp_port:6380\n"), 1);
        assert_eq!(told("tcp_port:26379\nredis_mode:sentinel\n"), 1);
    }
}
