//! A node of the cluster has another address than before.

use crate::evidence;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const OWN: Text = Text::server("IP address for this node updated to ").keeping(Keeps::Word);
const OTHER: Text = Text::server("Address updated for node ");

pub(super) const RULE: Rule = Rule {
    code: Code(834),
    title: "a node of the cluster has a new address",
    explanation: "A pod that is started anew has another address. The node tells the others as soon as it reaches one; clients \
keep the old one until they refresh their topology, and a cluster whose pods all moved at once finds nobody any more: each has \
only old addresses in its nodes.conf.",
    messages: &["Timeout connecting to server", "CLUSTERDOWN"],
    needs: &[Need::ServerLog, Need::Server],
    brings: &[Code(102), Code(831), Code(833)],
    texts: &[OWN, OTHER],
    sources: &[
        "redis: cluster.c nodeUpdateAddressIfNeeded",
        "redis#4289",
        "redis#15136",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, &[OWN, OTHER]) {
        // At its first start a node learns its address so, too: one line alone is that.
        let others = lines.iter().filter(|fact| fact.what.text == OTHER).count();
        let own: Vec<_> = lines
            .iter()
            .filter(|fact| fact.what.text == OWN)
            .map(|fact| fact.what.rest.as_str())
            .collect();
        if others == 0 && own.len() < 2 {
            continue;
        }
        let finding = evidence::finding(&RULE, Verdict::Contributing, Confidence::Likely, &lines)
            .struck(&*source);
        let when = evidence::when(finding.window);
        let own = own
            .last()
            .map_or_else(String::new, |addr| format!("; its own is {addr} now"));
        found.push(advised(finding.claims(format!(
            "{source} was told {others} new addresses of other nodes{when}{own}."
        ))));
    }
    for look in &facts.looks {
        let lost: Vec<_> = look
            .nodes
            .iter()
            .filter(|node| {
                !node.is("myself") && (node.is("noaddr") || node.is("handshake") || !node.linked)
            })
            .collect();
        // Most of the others at once: one alone has died.
        if lost.len() < 2 || lost.len() * 2 < look.nodes.len() {
            continue;
        }
        let mut finding = Finding::new(RULE.code, "a node finds most others of its cluster no more", Verdict::Cause, Confidence::Likely)
            .at(look.at)
            .struck(&*look.source)
            .claims(format!("{} has no link to {} of the {} nodes that it knows: their addresses changed, or the bus port (its port and 10,000) is closed to it.", look.source, lost.len(), look.nodes.len()));
        for node in lost {
            finding = finding.supported(
                look.place("CLUSTER NODES"),
                format!("{} is not linked", node.addr),
            );
        }
        found.push(advised(finding));
    }
    found
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("redis-cli CLUSTER MEET <address now> <port>, on one node for each that is lost; the rest finds itself", "", "")
        .fix("start it with --cluster-announce-ip $(POD_IP), or a StatefulSet with names and cluster-announce-hostname (7.0)", "a wrong value cuts it off", "")
        .checked_by("redis-cli CLUSTER NODES: every address is a pod's of now, and connected")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, pasted, verdicts};

    const MOVED: &str = "9:M 23 Nov 2026 02:58:11.042 * Address updated for node 07c37dfeb235213a872192d90877d0cd55635b91, now 10.244.1.9:6379\n";

    #[test]
    fn a_new_address_of_another_is_told() {
        assert_eq!(
            verdicts(check(&log(MOVED))),
            [(Verdict::Contributing, Confidence::Likely)]
        );
    }

    #[test]
    fn a_node_that_learns_its_own_address_has_not_moved() {
        let own = "9:M 23 Nov 2026 02:58:11.042 # IP address for this node updated to 10.244.1.9\n";
        assert_eq!(verdicts(check(&log(own))), []);
        assert_eq!(check(&log(&own.repeat(2))).len(), 1);
    }

    #[test]
    fn one_that_finds_nobody_is_the_cause_and_one_dead_node_is_not() {
        let node = |id: u32, link: &str| {
            format!(
                "{id:040x} 10.244.1.{id}:6379@16379 master - 0 1795402691000 4 {link} {0}-{0}\n",
                id * 10
            )
        };
        let own = "67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1 10.244.1.6:6379@16379 myself,master - 0 1795402691000 2 connected 8192-16383\n";
        let lost = format!(
            "{own}{}{}",
            node(1, "disconnected"),
            node(2, "disconnected")
        );
        assert_eq!(
            verdicts(check(&pasted(&lost))),
            [(Verdict::Cause, Confidence::Likely)]
        );
        let one = format!("{own}{}{}", node(1, "disconnected"), node(2, "connected"));
        assert_eq!(verdicts(check(&pasted(&one))), []);
    }
}
