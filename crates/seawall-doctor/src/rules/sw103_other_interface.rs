//! The server listens, and not where the client connects to.

use std::net::IpAddr;

use crate::evidence::counted;
use crate::facts::{ClientLine, Facts, Failure, Look, Reach};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(103),
    title: "the server listens on other addresses than the one that is connected to",
    explanation: "`bind 127.0.0.1 -::1`, the default of most packages, lets in nobody from other hosts, and nobody from another \
container: there localhost is the container itself. Connections are refused at once, while redis-cli on the server's host works. \
`localhost` that is looked up as ::1 first, as Node.js does since 17, meets the same where the server has no IPv6.",
    messages: &[
        "Connection refused",
        "connect ECONNREFUSED ::1:6379",
        "connect ECONNREFUSED",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    sources: &[
        "redis: redis.conf bind, server.c listenToPort",
        "nodejs/node#40537",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let refused: Vec<_> = facts
        .failures(Failure::Refused)
        .filter(|fact| fact.what.server.is_some())
        .collect();
    let up = |look: &&Look| matches!(look.reach, Reach::Answered | Reach::Pasted);
    let mut found = Vec::new();
    for look in facts.looks.iter().filter(up) {
        let Some(bind) = look.config.get("bind").filter(|bind| !bind.is_empty()) else {
            continue;
        };
        let missed = |call: &ClientLine| {
            call.server
                .as_deref()
                .is_some_and(|server| misses(server, bind))
        };
        let calls: Vec<_> = refused.iter().filter(|fact| missed(&fact.what)).collect();
        let Some(first) = calls.first() else { continue };
        let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Strong)
            .supported(look.place("CONFIG GET"), format!("bind {bind}"))
            .supported(
                first.place.clone(),
                format!("refused at {}", first.what.server.as_deref().unwrap_or("?")),
            );
        for fact in &calls {
            finding = finding
                .at(fact.at)
                .struck(fact.what.server.as_deref().unwrap_or("?"));
        }
        let where_to = finding.whom();
        found.push(
            finding
                .claims(format!("{} refused at {where_to} while the server runs: it listens on {bind} only.", counted(calls.len(), "call was", "calls were")))
                .fix("clients on the same host: redis://127.0.0.1:PORT; others: bind 127.0.0.1 <the address that they use> in redis.conf, with requirepass or an ACL first", "whoever reaches that address reaches the server: a password before, a firewall beside", format!("redis-cli CONFIG SET bind '{bind}'"))
                .checked_by("redis-cli -h ADDRESS PING answers from the client's host; ss -ltn 'sport = :PORT' shows the address"),
        );
    }
    found
}

/// Whether an address is none of those that the server listens on: only where both are plain addresses.
fn misses(server: &str, bind: &str) -> bool {
    let Some((host, _)) = server.rsplit_once(':') else {
        return false;
    };
    let host = host.trim_matches(['[', ']']);
    let host = if host == "localhost" {
        return false;
    } else {
        host.parse::<IpAddr>()
    };
    let Ok(host) = host else { return false };
    bind.split_whitespace().all(|word| {
        let word = word.trim_start_matches('-');
        let any = matches!(word, "*" | "0.0.0.0") && host.is_ipv4()
            || word == "::*" && host.is_ipv6()
            || word == "::";
        !any && word.parse::<IpAddr>().is_ok_and(|listens| listens != host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

    fn with(bind: &str, server: &str) -> Facts {
        let mut facts = pasted(&format!(
            "# Server\nuptime_in_seconds:90\n1) \"bind\"\n2) \"{bind}\"\n"
        ));
        facts.add(application(&format!(
            "2026-11-23T02:58:11Z Error: connect ECONNREFUSED {server}\n"
        )));
        facts
    }

    #[test]
    fn a_server_of_its_own_host_alone_refuses_others() {
        let found = check(&with("127.0.0.1 -::1", "10.0.0.2:6379"));
        assert!(
            found[0].claim.contains("listens on 127.0.0.1 -::1 only"),
            "{}",
            found[0].claim
        );
        assert_eq!(found[0].whom(), "10.0.0.2:6379");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
        assert_eq!(
            verdicts(check(&with("127.0.0.1", "::1:6379"))),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn an_address_that_it_listens_on_or_a_name_is_another_matter() {
        for (bind, server) in [
            ("127.0.0.1 -::1", "127.0.0.1:6379"),
            ("* -::*", "10.0.0.2:6379"),
            ("0.0.0.0", "10.0.0.2:6379"),
            ("127.0.0.1", "cache:6379"),
            ("", "10.0.0.2:6379"),
        ] {
            assert_eq!(verdicts(check(&with(bind, server))), [], "{bind} {server}");
        }
    }

    #[test]
    fn a_bind_that_nobody_met_is_no_risk() {
        assert_eq!(
            verdicts(check(&pasted(
                "# Server\nuptime_in_seconds:90\nbind\n127.0.0.1 -::1\n"
            ))),
            []
        );
    }
}
