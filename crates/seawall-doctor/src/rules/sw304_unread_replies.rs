//! A client does not read its replies, and they fill the server's memory.

use crate::facts::{Facts, Look, Peer, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// A large reply is sent within a second or two; what waits longer than that, and is this much, is not read.
const MANY_BYTES: u64 = 64 * 1024 * 1024;

pub(super) const RULE: Rule = Rule {
    code: Code(304),
    title: "replies wait in the server's memory for a client that does not read them",
    explanation: "`client-output-buffer-limit normal` is `0 0 0` by default: no limit. A client that stands still, a MONITOR that \
nobody reads, or a reply of hundreds of megabytes then takes the server's memory, which counts towards eviction and the kernel's \
OOM killer. `maxmemory-clients` (since 7.0) bounds it for all clients together.",
    messages: &["OOM command not allowed"],
    needs: &[Need::Server],
    brings: &[],
    sources: &["redis: networking.c, server.c evictClients"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts.looks.iter().filter_map(of_look).collect()
}

fn of_look(look: &Look) -> Option<Finding> {
    let unread =
        |peer: &&Peer| !peer.subscribes() && !peer.replicates() && peer.output_bytes > MANY_BYTES;
    let unread: Vec<_> = look.clients.iter().filter(unread).collect();
    let worst = unread.iter().max_by_key(|peer| peer.output_bytes)?;
    let all: u64 = unread
        .iter()
        .map(|peer| peer.output_bytes)
        .fold(0, u64::saturating_add);
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible)
        .at(look.at)
        .claims(format!(
            "{} of replies wait for {} clients, most for {} (after {}).",
            bytes(all),
            unread.len(),
            worst.label(),
            worst.command.to_ascii_uppercase(),
        ));
    for peer in &unread {
        let says = format!("{}: omem {}", peer.label(), bytes(peer.output_bytes));
        finding = finding
            .struck(peer.label())
            .supported(look.place("CLIENT LIST"), says);
    }
    let kill = worst
        .id
        .map_or_else(|| format!("ADDR {}", worst.addr), |id| format!("ID {id}"));
    let old = look
        .config
        .get("maxmemory-clients")
        .map_or("0", String::as_str);
    Some(
        finding
            .fix("look again in some seconds: CLIENT LIST, omem; what does not fall is not read. Ask for less at a time (SCAN, HSCAN, LRANGE in windows)", "", "")
            .fix(format!("redis-cli CLIENT KILL {kill}"), "that client's call fails", "")
            .fix("redis-cli CONFIG SET maxmemory-clients 10%", "the clients that take most are closed above it", format!("redis-cli CONFIG SET maxmemory-clients {old}"))
            .checked_by("mem_clients_normal of INFO memory falls below a twentieth of used_memory"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, verdicts};

    fn row(flags: &str, omem: u64) -> String {
        format!(
            "id=3 addr=10.0.0.7:51234 name=report age=90 idle=9 flags={flags} omem={omem} cmd=hgetall\n"
        )
    }

    #[test]
    fn the_client_that_does_not_read_is_named() {
        let found = check(&pasted(&(row("N", 200_000_000) + &row("N", 0))));
        assert!(
            found[0].claim.contains("200.0 MB") && found[0].claim.contains("HGETALL"),
            "{}",
            found[0].claim
        );
        assert!(found[0].fixes[1].action.ends_with("CLIENT KILL ID 3"));
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
    }

    #[test]
    fn a_large_reply_on_its_way_a_replica_and_a_subscriber_are_none() {
        for row in [
            row("N", 20_000_000),
            row("S", 200_000_000),
            row("P", 200_000_000),
        ] {
            assert_eq!(verdicts(check(&pasted(&row))), []);
        }
    }
}
