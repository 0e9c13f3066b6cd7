//! The server refuses writes: it has as much data as it may.

use crate::evidence::counted;
use crate::facts::{Facts, Failure, Look, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::memory;
use crate::rule::{Code, Need, Rule};

/// From so many hundredths of maxmemory on it is a risk, where nothing is evicted.
const RISK_PERCENT: u64 = 90;

pub(super) const RULE: Rule = Rule {
    code: Code(501),
    title: "Redis refused writes: maxmemory is reached",
    explanation: "With `maxmemory-policy noeviction`, or a `volatile-*` policy and no key that expires, the server answers \
writes with OOM once its memory is used. Reads go on. It is not the kernel's OOM killer. A queue's server (Celery, RQ, \
Sidekiq, BullMQ) must not evict: it needs room. A script that writes is refused as a whole.",
    messages: &[
        "OOM command not allowed when used memory > 'maxmemory'",
        "command not allowed when used memory",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    sources: &["redis: evict.c, server.c", "immich#861"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told: Vec<_> = facts.failures(Failure::OutOfMemory).collect();
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Likely)
        .at_each(told.iter().map(|fact| fact.at));
    if let Some(first) = told.first() {
        finding = finding.supported(
            first.place.clone(),
            format!(
                "{} answered OOM",
                counted(told.len(), "write was", "writes were")
            ),
        );
    }
    let mut out = Vec::new();
    let mut sources = usize::from(!told.is_empty());
    let mut refused = !told.is_empty();
    let mut how_full = None;
    for look in &facts.looks {
        if let Some(rose) = look.errors_rose("OOM").filter(|rose| *rose > 0) {
            refused = true;
            sources += 1;
            let between = look.between().unwrap_or_default();
            let says = format!(
                "{} answered OOM in {between}",
                counted(
                    usize::try_from(rose).unwrap_or(usize::MAX),
                    "command was",
                    "commands were"
                )
            );
            finding = finding.at(look.at).supported(look.place("INFO"), says);
        }
        let says = fullness(look);
        match (memory::limit(look), memory::percent(look)) {
            (Some(0), _) => out.push(Finding::ruled_out(
                RULE.code,
                "maxmemory",
                look.place("INFO"),
                "maxmemory 0: no limit is set",
            )),
            (_, Some(percent)) if refused => {
                sources += usize::from(percent >= RISK_PERCENT);
                finding = finding.supported(look.place("INFO"), says.as_str());
                how_full = Some(says);
            }
            (_, Some(percent))
                if percent >= RISK_PERCENT && memory::policy(look) == Some("noeviction") =>
            {
                out.push(almost(look, &says));
            }
            _ => {}
        }
    }
    if refused {
        // The server's own count and its clients' word are two; so are the word and a memory that is full.
        if sources > 1 {
            finding.confidence = Confidence::Strong;
        }
        let how_full = how_full.map_or_else(String::new, |words| format!(" ({words})"));
        out.push(advised(
            finding.claims(format!(
                "The server answered writes with OOM: its memory is used{how_full}, and it finds nothing to evict."
            )),
            facts.looks.first(),
        ));
    }
    out
}

fn fullness(look: &Look) -> String {
    format!(
        "{} of {} used, {}",
        bytes(memory::counted(look).unwrap_or(0)),
        bytes(memory::limit(look).unwrap_or(0)),
        memory::policy(look).unwrap_or("?")
    )
}

fn almost(look: &Look, says: &str) -> Finding {
    let risk = Finding::new(
        RULE.code,
        "maxmemory is almost reached, and nothing is evicted",
        Verdict::Risk,
        Confidence::Possible,
    );
    let risk = risk.claims(format!("{says}: writes will be refused."));
    advised(risk.supported(look.place("INFO"), says), Some(look))
}

fn advised(finding: Finding, look: Option<&Look>) -> Finding {
    let limit = look.and_then(memory::limit);
    let (more, old) = match limit {
        Some(limit) => (
            (limit / 2).saturating_add(limit).to_string(),
            limit.to_string(),
        ),
        None => ("<more>".to_owned(), "<old>".to_owned()),
    };
    finding
        .fix("delete what is not needed; give keys a time to live; look for what grew: redis-cli --memkeys", "", "")
        .fix(
            format!("stop-gap: redis-cli CONFIG SET maxmemory {more}"),
            "the host must have it, with room for a save's copy-on-write",
            format!("redis-cli CONFIG SET maxmemory {old}"),
        )
        .checked_by("used_memory of INFO stays below 80 % of maxmemory, and errorstat_OOM as it is")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, together, twice, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.OutOfMemoryError: command not allowed when used memory > 'maxmemory'.\n";

    fn info(used: u64, policy: &str) -> Facts {
        pasted(&format!(
            "# Memory\nused_memory:{used}\nmaxmemory:1000\nmaxmemory_policy:{policy}\n"
        ))
    }

    #[test]
    fn the_servers_words_and_its_memory_together_are_strong() {
        let found = check(&together([info(990, "noeviction"), application(TOLD)]));
        assert!(
            found[0].claim.contains("990 B of 1.0 kB"),
            "{}",
            found[0].claim
        );
        assert!(found[0].fixes[1].action.contains("maxmemory 1500"));
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
        assert_eq!(
            verdicts(check(&application(TOLD))),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn a_server_that_counts_its_refusals_needs_no_clients_word() {
        let memory =
            "used_memory:990\nmaxmemory:1000\nmaxmemory_policy:noeviction\ntotal_error_replies";
        let counted = twice(
            &format!("{memory}:3\nerrorstat_OOM:count=3"),
            60,
            &format!("{memory}:9\nerrorstat_OOM:count=9"),
        );
        let found = check(&counted);
        assert!(found[0].supports[0].says.starts_with("6 commands"));
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
        let quiet = twice(
            &format!("{memory}:3\nerrorstat_OOM:count=3"),
            60,
            &format!("{memory}:3\nerrorstat_OOM:count=3"),
        );
        assert_eq!(
            verdicts(check(&quiet)),
            [(Verdict::Risk, Confidence::Possible)]
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

    #[test]
    fn what_is_not_counted_for_eviction_is_not_counted_here() {
        let info = pasted(
            "# Memory\nused_memory:990\nmem_not_counted_for_evict:300\nmaxmemory:1000\nmaxmemory_policy:noeviction\n",
        );
        assert_eq!(verdicts(check(&info)), []);
    }
}
