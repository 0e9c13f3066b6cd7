//! One of a cluster's servers does most of the work.

use crate::facts::{Facts, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// With fewer commands in a second no server has much to do.
const FLOOR: u64 = 5_000;

pub(super) const RULE: Rule = Rule {
    code: Code(614),
    title: "one server of the cluster does most of the work",
    explanation: "A key that everybody asks for, or a hash tag that puts many keys into one slot, makes one server of a cluster busy while the \
others rest: adding servers does not help. `redis-cli --hotkeys` (with an LFU policy) and, from 8.0 on, CLUSTER SLOT-STATS name it.",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::Server],
    sources: &["redis docs: cluster-slot-stats"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let primary = |look: &&Look| {
        look.number("cluster_enabled") == Some(1) && look.word("role") == Some("master")
    };
    let busy: Vec<_> = facts
        .looks
        .iter()
        .filter(primary)
        .filter_map(|look| Some((look, look.number("instantaneous_ops_per_sec")?)))
        .collect();
    let all: u64 = busy
        .iter()
        .fold(0, |all, (_, rate)| all.saturating_add(*rate));
    let Some((look, rate)) = busy.iter().max_by_key(|(_, rate)| rate) else {
        return Vec::new();
    };
    let mean = all / busy.len() as u64;
    if busy.len() < 3 || *rate < FLOOR || *rate <= mean.saturating_mul(2) {
        return Vec::new();
    }
    let says = format!(
        "{} runs {rate} commands in a second, the {} primaries {mean} on average",
        look.source,
        busy.len()
    );
    vec![
        Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible)
            .struck(look.source.to_string())
            .supported(look.place("INFO"), says.as_str())
            .claims(format!("{says}."))
            .fix("a copy of what is hot in the clients (CLIENT TRACKING), or spread over several keys", "it may be a moment old", "")
            .fix("reads on its replicas (READONLY)", "they may be a little behind", "")
            .checked_by("instantaneous_ops_per_sec of INFO is below twice the average on each primary"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, together, verdicts};

    fn cluster(rates: [u64; 3]) -> Facts {
        together(rates.iter().enumerate().map(|(place, rate)| {
            pasted(&format!(
                "# Server\nrun_id:{place}\n# Stats\ninstantaneous_ops_per_sec:{rate}\n# Replication\nrole:master\n# Cluster\ncluster_enabled:1\n"
            ))
        }))
    }

    #[test]
    fn one_that_runs_most_of_all_commands_is_a_risk() {
        let found = check(&cluster([90_000, 8_000, 9_000]));
        assert!(found[0].claim.contains("runs 90000"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
    }

    #[test]
    fn an_even_cluster_a_quiet_one_and_a_single_server_are_in_order() {
        assert_eq!(verdicts(check(&cluster([30_000, 28_000, 33_000]))), []);
        assert_eq!(verdicts(check(&cluster([900, 8, 9]))), []);
        let single = "# Stats\ninstantaneous_ops_per_sec:90000\nrole:master\ncluster_enabled:0\n";
        assert_eq!(verdicts(check(&pasted(single))), []);
    }
}
