//! There is no way to the server's host.

use crate::evidence::{Heard, counted};
use crate::facts::{Facts, Reach};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const NO_HOST: &[Text] = &[
    Text::client("No route to host").shared(),
    Text::client("no route to host").shared(),
    Text::client("EHOSTUNREACH").shared(),
];
const NO_NET: &[Text] = &[
    Text::client("Network is unreachable").shared(),
    Text::client("network is unreachable").shared(),
    Text::client("ENETUNREACH").shared(),
];

pub(super) const RULE: Rule = Rule {
    code: Code(115),
    title: "there is no way to the server's host",
    explanation: "`No route to host` (EHOSTUNREACH): the host did not answer for its address on its own network (it is down, or \
the address moved), or a router or firewall said so (`--reject-with icmp-host-prohibited`, the default of some). `Network is \
unreachable` (ENETUNREACH): this host has no route to that network at all, often no IPv6. Dropped packets look otherwise: the \
connect runs into its timeout.",
    messages: &[
        "No route to host",
        "EHOSTUNREACH",
        "Error 113 connecting",
        "Network is unreachable",
        "ENETUNREACH",
        "Error 101 connecting",
    ],
    needs: &[Need::ClientLog, Need::Server],
    texts: &[
        NO_HOST[0], NO_HOST[1], NO_HOST[2], NO_NET[0], NO_NET[1], NO_NET[2],
    ],
    sources: &["linux: net/ipv4/route.c, net/ipv4/icmp.c", "errno(3)"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(heard) = Heard::of(facts, RULE.texts) else {
        return Vec::new();
    };
    let look = facts
        .looks
        .iter()
        .find(|look| matches!(look.reach, Reach::Unreachable(_)));
    let confidence = if look.is_some() {
        Confidence::Strong
    } else {
        Confidence::Likely
    };
    let no_net = heard
        .lines
        .iter()
        .all(|fact| NO_NET.contains(&fact.what.text));
    let (why, fix) = if no_net {
        (
            "this host has no route to that network",
            "ip route get ADDRESS on the client's host; an IPv6 address in DNS, and no IPv6 here? getent ahosts NAME",
        )
    } else {
        (
            "nobody answers for the host's address, or a firewall rejects",
            "is the host up, and does it still have the address? ip neigh show ADDRESS (FAILED: it is down) and ip route get ADDRESS on the client's host; iptables -S | grep REJECT on the server's",
        )
    };
    let mut finding = heard
        .finding(&RULE, Verdict::Cause, confidence)
        .claims(format!(
            "{} turned back on the way to the server's host: {why}.",
            counted(heard.lines.len(), "call was", "calls were")
        ));
    for fact in &heard.lines {
        let told = facts
            .client_log
            .iter()
            .find(|call| call.place == fact.place);
        if let Some(server) = told.and_then(|call| call.what.server.as_ref()) {
            finding = finding.struck(server);
        }
    }
    if let Some(look) = look {
        finding = finding
            .at(look.at)
            .struck(&*look.source)
            .supported(look.place("connect"), "nor could the doctor");
    }
    vec![
        finding
            .fix(fix, "", "")
            .checked_by("nc -vz HOST PORT from the client's host connects"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Look;
    use crate::testing::{application, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.ConnectionError: Error 113 connecting to 10.0.0.2:6379. No route to host.\n";

    #[test]
    fn the_clients_words_name_the_host_that_is_away() {
        let found = check(&application(TOLD));
        assert_eq!(found[0].whom(), "10.0.0.2:6379");
        assert!(
            found[0].claim.contains("nobody answers"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn a_missing_network_is_told_apart_and_the_doctors_own_try_makes_it_strong() {
        let mut facts = application(
            "2026-11-23T02:58:11Z dial tcp [fd00::2]:6379: connect: network is unreachable\n",
        );
        assert!(check(&facts)[0].claim.contains("no route to that network"));
        facts.looks.push(Look::new(
            "[fd00::2]:6379",
            None,
            Reach::Unreachable("x".to_owned()),
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn a_timeout_and_a_refusal_are_other_things() {
        let other = "2026-11-23T02:58:11Z Timeout connecting to server\n2026-11-23T02:58:11Z Connection refused\n";
        assert_eq!(verdicts(check(&application(other))), []);
    }
}
