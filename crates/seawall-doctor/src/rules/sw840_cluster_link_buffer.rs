//! A link of the cluster's bus is closed, since too much waits on it.

use crate::evidence;
use crate::facts::{Facts, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const FREED: Text = Text::server("Freeing cluster link(").keeping(Keeps::Rest);

pub(super) const RULE: Rule = Rule {
    code: Code(840),
    title: "a link between nodes of the cluster was closed over its buffer limit",
    explanation: "Nodes send one another what is published (PUBLISH goes to every node) and the state of the cluster. Above \
`cluster-link-sendbuf-limit` the node closes the link, and what waited there is lost: messages are missing, and nodes seem to \
fail. Sharded messages (SPUBLISH) stay within a shard.",
    messages: &[],
    needs: &[Need::ServerLog, Need::Server],
    brings: &[Code(837)],
    texts: &[FREED],
    sources: &["redis: cluster.c freeClusterLinkOnBufferLimitReached"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, &[FREED]) {
        let over: Vec<_> = lines
            .into_iter()
            .filter(|fact| {
                fact.what.rest.contains("used memory") || fact.what.rest.contains("buffer")
            })
            .collect();
        if over.is_empty() {
            continue;
        }
        let finding =
            evidence::finding(&RULE, Verdict::Cause, Confidence::Proved, &over).struck(&*source);
        found.push(advised(finding.claims(format!("{source} closed links to other nodes over their send buffer limit, {}. Proved: it says so.", times(over.len())))));
    }
    let counter = "total_cluster_links_buffer_limit_exceeded";
    for look in &facts.looks {
        let now = look
            .cluster
            .get(counter)
            .and_then(|count| count.parse::<u64>().ok())
            .unwrap_or(0);
        if found.is_empty() && now > 0 {
            let finding = Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible)
                .struck(&*look.source)
                .supported(
                    look.place("CLUSTER INFO"),
                    format!("{counter} {now} ({})", look.counting_since()),
                )
                .claims(format!(
                    "Links between nodes were closed over their limit {} {}.",
                    times(usize::try_from(now).unwrap_or(usize::MAX)),
                    look.counting_since()
                ));
            found.push(advised(finding));
        }
    }
    found
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("SPUBLISH and SSUBSCRIBE instead of PUBLISH and SUBSCRIBE (since 7.0): a message stays within its shard", "subscribers must use them, too", "")
        .fix("redis-cli CONFIG SET cluster-link-sendbuf-limit <twice as many bytes>", "that much memory for each link", "redis-cli CONFIG SET cluster-link-sendbuf-limit <old>")
        .checked_by("total_cluster_links_buffer_limit_exceeded of CLUSTER INFO stays as it is")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, pasted, verdicts};

    const LINE: &str = "9:M 23 Nov 2026 02:58:11.042 # Freeing cluster link(to node 07c37dfeb235213a872192d90877d0cd55635b91, used memory: 104857732) due to exceeding send buffer memory limit.\n";

    #[test]
    fn the_nodes_own_words_are_proof() {
        assert_eq!(
            verdicts(check(&log(LINE))),
            [(Verdict::Cause, Confidence::Proved)]
        );
    }

    #[test]
    fn a_counter_since_start_is_a_risk_and_zero_is_nothing() {
        let info =
            "cluster_enabled:1\ncluster_state:ok\ntotal_cluster_links_buffer_limit_exceeded:3\n";
        assert_eq!(
            verdicts(check(&pasted(info))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        assert_eq!(verdicts(check(&pasted(&info.replace(":3", ":0")))), []);
    }
}
