//! The server refuses writes: it has as much data as it may.

use crate::facts::{Facts, Failure, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// From so many hundredths of maxmemory on it is a risk, where nothing is evicted.
const RISK_PERCENT: u64 = 90;

pub(super) const RULE: Rule = Rule {
    code: Code(501),
    title: "Redis refused writes: maxmemory is reached",
    explanation: "With `maxmemory-policy noeviction`, or a `volatile-*` policy and no key that expires, the server answers \
writes with OOM once its memory is used. Reads go on. It is not the kernel's OOM killer. A queue's server (Celery, RQ, \
Sidekiq) must not evict: it needs room.",
    messages: &[
        "OOM command not allowed when used memory > 'maxmemory'",
        "command not allowed when used memory",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    sources: &["redis: evict.c, server.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told: Vec<_> = facts.failures(Failure::OutOfMemory).collect();
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Likely);
    for fact in &told {
        finding = finding.at(fact.at);
    }
    if let Some(first) = told.first() {
        finding = finding.supported(
            first.place.clone(),
            format!("{} writes were answered OOM", told.len()),
        );
    }
    let mut out = Vec::new();
    let mut full = false;
    for look in &facts.looks {
        let limit = look
            .number("maxmemory")
            .or_else(|| look.setting("maxmemory"));
        let (Some(used), Some(limit)) = (look.number("used_memory"), limit) else {
            continue;
        };
        let policy = look
            .info
            .get("maxmemory_policy")
            .or_else(|| look.config.get("maxmemory-policy"));
        let policy = policy.map_or("?", String::as_str);
        let says = format!("{} of {} used, {policy}", bytes(used), bytes(limit));
        if limit == 0 {
            out.push(Finding::ruled_out(
                RULE.code,
                "maxmemory",
                look.place("INFO"),
                "maxmemory 0: no limit is set",
            ));
        } else if !told.is_empty() {
            full |= used * 100 >= limit * RISK_PERCENT;
            finding = finding.supported(look.place("INFO"), says);
        } else if used * 100 >= limit * RISK_PERCENT && !policy.starts_with("allkeys") {
            let risk = Finding::new(
                RULE.code,
                "maxmemory is almost reached, and nothing is evicted",
                Verdict::Risk,
                Confidence::Possible,
            );
            out.push(advised(
                risk.claims(format!("{says}: writes will be refused."))
                    .supported(look.place("INFO"), says),
            ));
        }
    }
    if !told.is_empty() {
        if full {
            finding.confidence = Confidence::Strong;
        }
        out.push(advised(finding.claims(
            "The server answered writes with OOM: its memory is used, and it evicts nothing.",
        )));
    }
    out
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("delete what is not needed; give keys a time to live; look for what grew: redis-cli --memkeys", "", "")
        .fix(
            "stop-gap: redis-cli CONFIG SET maxmemory <more>",
            "the host must have it, with room for a save's copy-on-write",
            "redis-cli CONFIG SET maxmemory <old>",
        )
        .checked_by("used_memory of INFO stays below 80 % of maxmemory, and errorstat_OOM as it is")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.OutOfMemoryError: command not allowed when used memory > 'maxmemory'.\n";

    fn info(used: u64, policy: &str) -> Facts {
        pasted(&format!(
            "# Memory\nused_memory:{used}\nmaxmemory:1000\nmaxmemory_policy:{policy}\n"
        ))
    }

    #[test]
    fn the_servers_words_and_its_memory_together_are_strong() {
        let mut facts = info(990, "noeviction");
        facts.add(application(TOLD));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
        assert_eq!(
            verdicts(check(&application(TOLD))),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn a_full_cache_that_evicts_is_in_order() {
        assert_eq!(verdicts(check(&info(990, "allkeys-lru"))), []);
        assert_eq!(
            verdicts(check(&info(990, "noeviction"))),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }
}
