//! The cluster sends clients to an address that they cannot reach.

use std::collections::BTreeMap;

use crate::facts::{Facts, Failure};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(833),
    title: "the cluster sends clients to an address that they cannot reach",
    explanation: "MOVED and CLUSTER SLOTS name the address that a node knows of itself or of another: a pod's, a container's, a \
private one behind NAT. Clients elsewhere connect to it and hear nothing, while the address that they were configured with works.",
    messages: &["Timeout connecting to server", "connect ETIMEDOUT"],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[Code(102)],
    sources: &["redis: cluster.c getPreferredEndpoint", "redis#2527"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let kinds = [
        Failure::ConnectTimeout,
        Failure::Unreachable,
        Failure::Refused,
    ];
    let mut by_server: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for call in facts
        .client_log
        .iter()
        .filter(|call| kinds.contains(&call.what.failure))
    {
        if let Some(server) = &call.what.server {
            by_server.entry(server).or_default().push(call);
        }
    }
    let mut found = Vec::new();
    for look in facts.looks.iter().filter(|look| look.nodes.len() > 1) {
        let healthy = |addr: &str| {
            look.nodes.iter().any(|node| {
                let known = node.addr.split('@').next().unwrap_or(&node.addr);
                known == addr
                    && node.linked
                    && !node.is("fail")
                    && !node.is("fail?")
                    && !node.is("noaddr")
            })
        };
        let struck: Vec<_> = by_server.iter().filter(|(addr, _)| healthy(addr)).collect();
        if struck.is_empty() {
            continue;
        }
        let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Strong)
            .supported(
                look.place("CLUSTER NODES"),
                "the other nodes reach them, and none is held to have failed",
            );
        let mut calls = 0;
        for (addr, told) in &struck {
            calls += told.len();
            finding = finding.struck((**addr).to_owned());
            for call in *told {
                finding = finding
                    .at(call.at)
                    .supported(call.place.clone(), format!("no connection to {addr}"));
            }
        }
        found.push(
            finding
                .claims(format!("{calls} connects to {} addresses that the cluster announces failed, and the cluster itself holds these nodes to be in order.", struck.len()))
                .fix("redis-cli CONFIG SET cluster-announce-ip <address that clients reach>, on each node; in redis.conf too", "a wrong value cuts the nodes off from one another", "redis-cli CONFIG SET cluster-announce-ip ''")
                .fix("since 7.0 by name: CONFIG SET cluster-announce-hostname <name>, cluster-preferred-endpoint-type hostname", "clients must resolve it", "redis-cli CONFIG SET cluster-preferred-endpoint-type ip")
                .checked_by("redis-cli -h HOST CLUSTER SLOTS from the application's host, and nc -vz to each address in it"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

    const NODES: &str = "07c37dfeb235213a872192d90877d0cd55635b91 10.244.1.5:6379@16379 master - 0 1795402691000 4 connected 0-8191\n\
67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1 10.244.1.6:6379@16379 myself,master - 0 1795402691000 2 connected 8192-16383\n";
    const TOLD: &str =
        "2026-11-23T02:58:11Z Error 110 connecting to 10.244.1.5:6379. Connection timed out.\n";

    #[test]
    fn a_node_that_the_others_reach_and_the_client_does_not_is_strong() {
        let mut facts = pasted(NODES);
        assert_eq!(verdicts(check(&facts)), []);
        facts.add(application(TOLD));
        let found = check(&facts);
        assert_eq!(found[0].whom(), "10.244.1.5:6379");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_node_that_died_and_a_server_outside_of_it_are_other_things() {
        let mut facts = pasted(&NODES.replace(
            "master - 0 1795402691000 4 connected",
            "master,fail - 0 1795402691000 4 disconnected",
        ));
        facts.add(application(TOLD));
        assert_eq!(verdicts(check(&facts)), []);
        let mut facts = pasted(NODES);
        facts.add(application(&TOLD.replace("10.244.1.5", "cache.internal")));
        assert_eq!(verdicts(check(&facts)), []);
    }
}
