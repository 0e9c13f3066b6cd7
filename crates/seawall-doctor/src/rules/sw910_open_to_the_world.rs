//! The server can be reached from public addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use crate::facts::{Facts, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(910),
    title: "clients from public addresses are connected, and protected mode is off",
    explanation: "A server that the internet reaches is found by scanners within hours; its password is guessed at thousands of tries a \
second, and without one it is taken over the same day. Addresses count as public that are none of private, shared (100.64/10), \
link-local or loopback ranges.",
    messages: &[],
    needs: &[Need::Server],
    brings: &[],
    sources: &["redis.io: security", "redis#9060"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts.looks.iter().filter_map(of_look).collect()
}

fn of_look(look: &Look) -> Option<Finding> {
    if look.config.get("protected-mode")? != "no" {
        return None;
    }
    let strangers: BTreeSet<_> = look
        .clients
        .iter()
        .filter_map(|peer| peer.addr.rsplit_once(':'))
        .map(|(host, _)| host.trim_matches(['[', ']']))
        .filter(|host| host.parse().is_ok_and(is_public))
        .collect();
    let first = strangers.first()?;
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible)
        .at(look.at)
        .claims(format!(
            "{} public addresses are connected, {first} among them.",
            strangers.len()
        ))
        .supported(look.place("CONFIG GET"), "protected-mode no");
    for host in strangers.iter().take(20) {
        finding = finding
            .struck(*host)
            .supported(look.place("CLIENT LIST"), format!("a client at {host}"));
    }
    Some(
        finding
            .fix("a firewall or security group that lets in the applications' networks alone", "applications outside of them are cut off", "the rule that is there now")
            .fix("bind to the private address, TLS, and an ACL for each application (redis-cli ACL SETUSER default off at last)", "clients without a login are refused", "redis-cli ACL SETUSER default on")
            .checked_by("nc -vz PUBLIC-ADDRESS 6379 from outside does not connect"),
    )
}

fn is_public(host: IpAddr) -> bool {
    match host {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public_v4(v4),
            // 2000::/3 is what is given out.
            None => v6.segments()[0] & 0xe000 == 0x2000,
        },
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [first, second, ..] = v4.octets();
    let shared = first == 100 && (64..128).contains(&second);
    !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || shared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, verdicts};

    fn with(mode: &str, addr: &str) -> Facts {
        pasted(&format!(
            "protected-mode\n{mode}\nid=3 addr={addr}:51234 name= age=9 idle=0 flags=N omem=0 cmd=get\n"
        ))
    }

    #[test]
    fn a_public_address_without_protected_mode_is_a_risk() {
        let found = check(&with("no", "203.0.113.9"));
        assert_eq!(found[0].whom(), "203.0.113.9");
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
        assert_eq!(check(&with("no", "[2001:db8::1]")).len(), 1);
    }

    #[test]
    fn private_addresses_and_a_protected_server_are_in_order() {
        for addr in [
            "10.0.0.7",
            "172.17.0.2",
            "192.168.1.9",
            "100.64.3.1",
            "127.0.0.1",
            "[::1]",
            "[fd00::1]",
            "[::ffff:10.0.0.7]",
        ] {
            assert_eq!(verdicts(check(&with("no", addr))), [], "{addr}");
        }
        assert_eq!(verdicts(check(&with("yes", "203.0.113.9"))), []);
    }
}
