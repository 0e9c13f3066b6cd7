//! The server closes clients to save memory.

use crate::evidence::counted;
use crate::facts::{Facts, Line};
use crate::finding::{Confidence, Finding, Verdict};
use crate::joined;
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(307),
    title: "Redis evicted clients (maxmemory-clients)",
    explanation: "Since 7.0 the server closes the clients that take most memory once all of them together take more than \
`maxmemory-clients`. They see a reset. `evicted_clients` of INFO counts it; the log names each.",
    messages: &["Connection reset by peer"],
    needs: &[Need::ServerLog, Need::Server],
    brings: &[],
    sources: &["redis: server.c evictClients"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let evicted: Vec<_> = facts
        .lines(|line| match line {
            Line::Evicted(peer) => Some(peer),
            _ => None,
        })
        .collect();
    if evicted.is_empty() {
        let unmoved = facts
            .looks
            .iter()
            .filter(|look| look.number("evicted_clients") == Some(0));
        return unmoved
            .map(|look| {
                let says = format!("evicted_clients 0 {}", look.counting_since());
                Finding::ruled_out(RULE.code, "client eviction", look.place("INFO"), says)
            })
            .collect();
    }
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Proved);
    for (fact, peer) in &evicted {
        finding = finding
            .at(fact.at)
            .struck(peer.label())
            .supported(fact.place.clone(), format!("evicted {}", peer.label()));
    }
    let peers = evicted
        .iter()
        .map(|(fact, peer)| (peer.addr.clone(), fact.at));
    let finding = joined::joined(finding, facts, peers);
    let finding = joined::with_journals(finding, facts, &evicted);
    let old = facts
        .looks
        .iter()
        .find_map(|look| look.config.get("maxmemory-clients"));
    let old = old.map_or("<old>", String::as_str);
    vec![
        finding
            .claims(format!("{} closed: together, clients took more memory than maxmemory-clients allows. Proved: the log names whom.", counted(evicted.len(), "client was", "clients were")))
            .fix("find who takes it: redis-cli CLIENT LIST, tot-mem; read replies faster, or ask for less", "", "")
            .fix(
                "stop-gap: redis-cli CONFIG SET maxmemory-clients 10%",
                "clients take that much of the memory that data could have",
                format!("redis-cli CONFIG SET maxmemory-clients {old}"),
            )
            .checked_by("evicted_clients of INFO stays as it is"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, pasted, verdicts};

    #[test]
    fn each_client_that_the_log_names_is_told() {
        let line = "9:M 23 Nov 2026 02:58:11.042 * Evicting client: id=7 addr=10.0.0.7:51234 name=jobs flags=N cmd=get\n";
        let found = check(&log(line));
        assert_eq!(found[0].whom(), "id=7 10.0.0.7:51234 (jobs)");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn a_counter_that_never_moved_rules_it_out() {
        let info = "# Stats\nuptime_in_seconds:90\nevicted_clients:0\n";
        assert_eq!(
            verdicts(check(&pasted(info))),
            [(Verdict::RuledOut, Confidence::Strong)]
        );
        assert_eq!(
            verdicts(check(&pasted("# Stats\nuptime_in_seconds:90\n"))),
            []
        );
    }
}
