//! A queue lives on a server that evicts keys.

use crate::facts::{Facts, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::memory;
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(512),
    title: "a queue's server evicts keys: jobs are lost without a word",
    explanation: "Workers wait in BRPOP, BZPOPMIN or XREADGROUP, and the server may evict any key once `maxmemory` is reached: a whole queue is \
one key. No client is told. BullMQ and Sidekiq warn of it when they start. Queues need `noeviction` and room; a `volatile-*` policy does \
as long as no key of the queue expires.",
    messages: &[
        "IMPORTANT! Eviction policy is",
        "Your Redis instance will evict Sidekiq data under heavy load",
    ],
    needs: &[Need::Server],
    sources: &[
        "redis: evict.c",
        "bullmq: redis-connection.ts",
        "sidekiq: cli.rb",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts.looks.iter().filter_map(of).collect()
}

fn of(look: &Look) -> Option<Finding> {
    let policy = memory::policy(look).filter(|policy| policy.starts_with("allkeys"))?;
    let limit = memory::limit(look).filter(|limit| *limit > 0)?;
    let consumers: Vec<_> = memory::consumers(look).collect();
    let first = consumers.first()?;
    let waiting = format!(
        "clients that wait for work: {} ({}); maxmemory-policy {policy}",
        consumers.len(),
        first.command.to_uppercase()
    );
    let evicted = look.rose_by("evicted_keys");
    let (verdict, confidence, claim) = match &evicted {
        Some(rose) => (
            Verdict::Cause,
            Confidence::Likely,
            format!(
                "evicted_keys {rose} on a server with a queue: {waiting}. Whether jobs were among them is not told."
            ),
        ),
        None => (
            Verdict::Risk,
            Confidence::Possible,
            format!("{waiting}. Once maxmemory is reached, whole queues may go."),
        ),
    };
    let mut finding = Finding::new(RULE.code, RULE.title, verdict, confidence)
        .supported(look.place("CLIENT LIST"), waiting)
        .silently()
        .claims(claim);
    if let Some(rose) = evicted {
        finding = finding.supported(look.place("INFO"), format!("evicted_keys {rose}"));
    }
    Some(
        finding
            .fix(
                format!(
                    "redis-cli CONFIG SET maxmemory-policy noeviction (in redis.conf too), with room: redis-cli CONFIG SET maxmemory {}",
                    limit.saturating_add(limit / 2)
                ),
                "once it is full writes are answered OOM, which producers see; the host must have the memory",
                format!(
                    "redis-cli CONFIG SET maxmemory-policy {policy}; redis-cli CONFIG SET maxmemory {limit}"
                ),
            )
            .fix("the cache on a server of its own, which may evict", "", "")
            .checked_by("maxmemory_policy:noeviction in INFO, and evicted_keys as it is"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, together, twice, verdicts};

    const WORKER: &str = "id=7 addr=10.0.0.7:51234 name=celery flags=b qbuf=0 omem=0 cmd=brpop\n";

    fn info(policy: &str, limit: u64) -> String {
        format!("maxmemory:{limit}\nmaxmemory_policy:{policy}\n")
    }

    #[test]
    fn workers_on_a_server_that_may_evict_are_a_risk_and_one_that_does_the_cause() {
        let found = check(&pasted(&format!(
            "# Memory\n{}{WORKER}",
            info("allkeys-lru", 1_000)
        )));
        assert!(
            found[0].claim.contains("wait for work: 1 (BRPOP)"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
        let memory = info("allkeys-lru", 1_000);
        let evicts = twice(
            &format!("{memory}evicted_keys:3"),
            60,
            &format!("{memory}evicted_keys:9"),
        );
        let found = check(&together([evicts, pasted(WORKER)]));
        assert!(
            found[0].claim.contains("rose by 6 in 60 s"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn a_cache_a_queue_that_may_not_evict_and_one_without_a_limit_are_in_order() {
        let cache = WORKER.replace("brpop", "get");
        for (policy, limit, client) in [
            ("allkeys-lru", 1_000, cache.as_str()),
            ("noeviction", 1_000, WORKER),
            ("allkeys-lru", 0, WORKER),
        ] {
            let facts = pasted(&format!("# Memory\n{}{client}", info(policy, limit)));
            assert_eq!(verdicts(check(&facts)), []);
        }
    }
}
