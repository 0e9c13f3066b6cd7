//! Clients ask the wrong node, and go on doing so.

use crate::evidence::{self, counted};
use crate::facts::{Facts, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const IOREDIS: Text = Text::client("Too many Cluster redirections");
const JEDIS: Text = Text::client("No more cluster attempts left");
const REDIS_PY: Text = Text::client("ClusterError: TTL exhausted");
const ALL: &[Text] = &[IOREDIS, JEDIS, REDIS_PY];

/// So many redirections in a hundred commands are no client that learns.
const PERCENT: u64 = 1;

/// Below this a second it is nothing.
const RATE_MIN: f64 = 5.0;

pub(super) const RULE: Rule = Rule {
    code: Code(832),
    title: "clients ask the wrong node of the cluster, and go on doing so",
    explanation: "A node answers MOVED for a slot that another one serves. A client of clusters learns from it and asks \
right from then on; a client that knows no clusters (or a proxy, or a refresh of the topology that is switched off) is redirected \
each time, or gives up after some. While slots are moved a little of it is as it should be.",
    messages: &[
        "Too many Cluster redirections",
        "No more cluster attempts left",
        "TTL exhausted",
        "MOVED",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    texts: ALL,
    sources: &[
        "redis: cluster.c clusterRedirectClient",
        "ioredis",
        "jedis",
        "redis-py: cluster.py",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told = evidence::lines(facts, ALL);
    let mut found: Vec<_> = facts
        .looks
        .iter()
        .filter_map(|look| of_look(look, &told))
        .collect();
    if found.is_empty() && !told.is_empty() {
        let finding = evidence::finding(&RULE, Verdict::Cause, Confidence::Likely, &told);
        found.push(advised(finding.claims(format!(
            "{} redirected until the client gave up.",
            counted(told.len(), "call was", "calls were")
        ))));
    }
    found
}

fn of_look(look: &Look, told: &[&crate::facts::Fact<crate::text::Said>]) -> Option<Finding> {
    let moved = look.errors_rose("MOVED")?;
    let commands = look.rose("total_commands_processed")?;
    let seconds = look.before.as_ref()?.span.as_secs_f64();
    let rate = moved as f64 / seconds.max(0.001);
    if rate < RATE_MIN || moved * 100 < commands * PERCENT {
        return None;
    }
    let confidence = if told.is_empty() {
        Confidence::Likely
    } else {
        Confidence::Strong
    };
    let says = format!(
        "{moved} of {commands} commands were answered MOVED in {}",
        look.between().unwrap_or_default()
    );
    let finding = evidence::finding(&RULE, Verdict::Cause, confidence, told)
        .at(look.at)
        .struck(&*look.source)
        .supported(look.place("INFO"), says.clone())
        .claims(format!("{says}: {rate:.0} a second."));
    Some(advised(finding))
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("a client of clusters that refreshes its topology on MOVED: RedisCluster of redis-py, new Redis.Cluster of ioredis, ClusterTopologyRefreshOptions.enableAllAdaptiveRefreshTriggers of Lettuce", "", "")
        .fix("if slots are being moved: wait until it ends (redis-cli --cluster check HOST:PORT)", "", "")
        .checked_by("errorstat_MOVED of INFO stays as it is for a minute")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

    fn twice(then: u64, now: u64) -> Facts {
        let info = |moved: u64, commands: u64, uptime: u64| {
            pasted(&format!(
                "run_id:abc\nuptime_in_seconds:{uptime}\nserver_time_usec:{}\ntotal_commands_processed:{commands}\ntotal_error_replies:{moved}\nerrorstat_MOVED:count={moved}\n",
                1_795_402_691_000_000_u64 + uptime * 1_000_000
            ))
        };
        let mut facts = info(then, 1_000_000, 1_000);
        facts.add(info(now, 1_060_000, 1_060));
        facts.sort();
        facts
    }

    #[test]
    fn a_share_of_all_commands_that_goes_on_is_told_with_its_rate() {
        let found = check(&twice(500, 12_500));
        assert!(
            found[0].claim.contains("12000 of 60000 commands"),
            "{}",
            found[0].claim
        );
        assert!(
            found[0].claim.contains("200 a second"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn some_since_start_prove_nothing_and_a_client_that_learns_is_silent() {
        assert_eq!(verdicts(check(&twice(12_500, 12_510))), []);
        assert_eq!(
            verdicts(check(&pasted(
                "total_error_replies:9000\nerrorstat_MOVED:count=9000\n"
            ))),
            []
        );
    }

    #[test]
    fn a_client_that_gives_up_says_so() {
        let facts = application(
            "2026-11-23T02:58:11Z ClusterAllFailedError: Too many Cluster redirections. Last error: ReplyError: MOVED 5 10.0.0.1:6379\n",
        );
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }
}
