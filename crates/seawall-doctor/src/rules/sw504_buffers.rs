//! Buffers of clients, not data, fill the memory.

use crate::facts::{Facts, Failure, Look, Peer, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::memory;
use crate::rule::{Code, Need, Rule};

/// More hundredths of the memory than this are no buffers but a fault.
const SHARE_PERCENT: u64 = 20;

/// A small server's buffers are a large share of it, and harmless.
const FLOOR: u64 = 100_000_000;

pub(super) const RULE: Rule = Rule {
    code: Code(504),
    title: "clients' buffers, not data, fill the memory",
    explanation: "What clients have sent and is not executed, replies that they did not read yet, and what replicas have not taken count as \
`used_memory`, and against `maxmemory`: data is evicted or writes are refused for the sake of a client that does not read. \
`mem_clients_normal` and `mem_clients_slaves` of INFO, `tot-mem` of CLIENT LIST.",
    messages: &["OOM command not allowed when used memory > 'maxmemory'"],
    needs: &[Need::Server],
    sources: &["redis: object.c getMemoryOverheadData", "redis#3423"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts
        .looks
        .iter()
        .filter_map(|look| of(facts, look))
        .collect()
}

fn of(facts: &Facts, look: &Look) -> Option<Finding> {
    let number = |field: &str| look.number(field).unwrap_or(0);
    let clients = number("mem_clients_normal");
    let replicas = number("mem_clients_slaves").max(
        // The backlog itself is set, and no surprise.
        number("mem_total_replication_buffers").saturating_sub(number("mem_replication_backlog")),
    );
    let file = number("mem_aof_buffer");
    let buffers = clients.saturating_add(replicas).saturating_add(file);
    let used = look.number("used_memory").filter(|used| *used > 0)?;
    if buffers < FLOOR || buffers.saturating_mul(100) < used.saturating_mul(SHARE_PERCENT) {
        return None;
    }
    let says = format!(
        "{} of {} are buffers: {} of clients, {} of replicas, {} of the append-only file",
        bytes(buffers),
        bytes(used),
        bytes(clients),
        bytes(replicas),
        bytes(file)
    );
    let full = memory::percent(look).is_some_and(|percent| percent >= 95);
    let refused = facts.failures(Failure::OutOfMemory).next().is_some()
        || look.errors_rose("OOM").is_some_and(|rose| rose > 0);
    let (verdict, confidence) = if full && refused {
        (Verdict::Contributing, Confidence::Strong)
    } else {
        (Verdict::Risk, Confidence::Likely)
    };
    let mut finding = Finding::new(RULE.code, RULE.title, verdict, confidence)
        .supported(look.place("INFO"), says.as_str());
    let mut hungry: Vec<_> = look.clients.iter().collect();
    hungry.sort_by_key(|peer| std::cmp::Reverse(held_by(peer)));
    for peer in hungry.into_iter().take(3) {
        let held = held_by(peer);
        if held >= FLOOR / 20 {
            let says = format!("{} holds {}", peer.label(), bytes(held));
            finding = finding
                .struck(peer.label())
                .supported(look.place("CLIENT LIST"), says);
        }
    }
    let old = look
        .config
        .get("maxmemory-clients")
        .map_or("0", String::as_str);
    Some(
        finding
            .claims(format!("{says}."))
            .fix("redis-cli CLIENT LIST: the clients with the largest tot-mem; have them read faster, or ask for less at a time", "", "")
            .fix(
                "since 7.0: redis-cli CONFIG SET maxmemory-clients 5%",
                "the clients that hold most are closed",
                format!("redis-cli CONFIG SET maxmemory-clients {old}"),
            )
            .checked_by("mem_clients_normal of INFO stays below 5 % of used_memory"),
    )
}

fn held_by(peer: &Peer) -> u64 {
    peer.output_bytes.saturating_add(peer.query_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, together, verdicts};

    fn info(clients: u64) -> Facts {
        pasted(&format!(
            "# Memory\nused_memory:1000000000\nmaxmemory:1000000000\nmem_clients_normal:{clients}\nmem_clients_slaves:0\nmem_aof_buffer:0\n\
             id=7 addr=10.0.0.7:51234 name=jobs flags=N qbuf=46000000 omem=0 cmd=set\n"
        ))
    }

    #[test]
    fn buffers_are_a_risk_and_contribute_where_writes_are_refused() {
        let found = check(&info(460_000_000));
        assert!(
            found[0].claim.starts_with("460.0 MB of 1.0 GB"),
            "{}",
            found[0].claim
        );
        assert_eq!(found[0].whom(), "id=7 10.0.0.7:51234 (jobs)");
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Likely)]);
        let told = application(
            "2026-11-23T02:58:11Z redis.exceptions.OutOfMemoryError: command not allowed when used memory > 'maxmemory'.\n",
        );
        assert_eq!(
            verdicts(check(&together([info(460_000_000), told]))),
            [(Verdict::Contributing, Confidence::Strong)]
        );
    }

    #[test]
    fn ordinary_buffers_and_a_small_server_are_in_order() {
        assert_eq!(verdicts(check(&info(30_000_000))), []);
        let small = "# Memory\nused_memory:2000000\nmem_clients_normal:1400000\n";
        assert_eq!(verdicts(check(&pasted(small))), []);
        assert_eq!(
            verdicts(check(&pasted("# Memory\nused_memory:2000000000\n"))),
            []
        );
    }

    #[test]
    fn the_backlog_is_no_surprise() {
        let set = "# Memory\nused_memory:1000000000\nmem_total_replication_buffers:300000000\nmem_replication_backlog:300000000\n";
        assert_eq!(verdicts(check(&pasted(set))), []);
    }
}
