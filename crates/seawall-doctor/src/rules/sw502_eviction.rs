//! Keys are evicted faster than they are of use.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::memory::{self, keyspace};
use crate::rule::{Code, Need, Rule};

/// Where so many hundredths of all keys go within an hour, a cache does not cache.
const PERCENT_AN_HOUR: f64 = 10.0;

/// A few keys prove nothing, nor does a short time, in seconds.
const FLOOR: u64 = 100;
const SHORTEST_S: u64 = 60;

pub(super) const RULE: Rule = Rule {
    code: Code(502),
    title: "keys are evicted: what an application wrote is gone",
    explanation: "With an `allkeys-*` policy the server removes keys once `maxmemory` is reached. For a cache that is what it is for, as long \
as most reads find something; sessions, locks and queues lose what they need. `evicted_keys` of INFO counts it.",
    messages: &[],
    needs: &[Need::Server],
    sources: &["redis: evict.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for look in &facts.looks {
        let Some(evicted) = look.rose("evicted_keys") else {
            if look.number("evicted_keys") == Some(0) {
                found.push(never(look.place("INFO"), &look.counting_since()));
            }
            continue;
        };
        let keys = keyspace(&look.info).unwrap_or_default().keys;
        let an_hour = look.rate("evicted_keys").unwrap_or(0.0) * 3_600.0;
        if evicted == 0 && look.number("evicted_keys") == Some(0) {
            found.push(never(look.place("INFO"), &look.counting_since()));
        }
        let thrown = an_hour * 100.0 >= PERCENT_AN_HOUR * keys as f64;
        // A cache that answers is one, however much it evicts.
        let rose = |field: &str| look.rose(field).unwrap_or(0);
        let missed = rose("keyspace_misses") > rose("keyspace_hits");
        let long = look
            .before
            .as_ref()
            .is_some_and(|before| before.span.as_secs() >= SHORTEST_S);
        let hurts = thrown && missed && long;
        // A queue's server has a rule of its own.
        if evicted < FLOOR || !hurts || memory::consumers(look).next().is_some() {
            continue;
        }
        let says = format!(
            "evicted_keys {}; {keys} keys are left, and {} of {} reads found none",
            look.rose_by("evicted_keys").unwrap_or_default(),
            rose("keyspace_misses"),
            rose("keyspace_misses").saturating_add(rose("keyspace_hits"))
        );
        let policy = memory::policy(look).unwrap_or("?");
        found.push(
            Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Likely)
                .supported(look.place("INFO"), says.as_str())
                .claims(format!(
                    "{says}: at that rate more than a tenth of them goes each hour ({policy})."
                ))
                .fix(
                    "redis-cli CONFIG SET maxmemory <more>; a cache and what must be kept on servers of their own",
                    "the host must have it, with room for a save's copy-on-write",
                    "redis-cli CONFIG SET maxmemory <old>",
                )
                .checked_by("evicted_keys of INFO stays as it is, or the share of keyspace_hits rises"),
        );
    }
    found
}

fn never(place: crate::facts::Place, since: &str) -> Finding {
    Finding::ruled_out(
        RULE.code,
        "eviction",
        place,
        format!("evicted_keys 0 {since}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, twice, verdicts};

    fn evicting(by: u64, keys: u64, hits: u64) -> Facts {
        let info = |evicted: u64, hits: u64| {
            format!(
                "total_commands_processed:9\nkeyspace_hits:{hits}\nkeyspace_misses:{evicted}\nevicted_keys:{evicted}\nmaxmemory_policy:allkeys-lru\ndb0:keys={keys},expires=0,avg_ttl=0"
            )
        };
        twice(&info(1_000, 0), 600, &info(1_000 + by, hits))
    }

    #[test]
    fn a_cache_that_turns_over_within_hours_and_mostly_misses_is_told() {
        let found = check(&evicting(9_000, 100_000, 500));
        assert!(
            found[0].claim.contains("rose by 9000 in 10 min"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Likely)]);
    }

    #[test]
    fn a_cache_that_keeps_its_keys_and_a_count_since_start_are_in_order() {
        assert_eq!(verdicts(check(&evicting(900, 100_000, 500))), []);
        assert_eq!(verdicts(check(&evicting(9_000, 100_000, 90_000))), []);
        assert_eq!(verdicts(check(&evicting(0, 100_000, 500))), []);
        assert_eq!(verdicts(check(&pasted("# Stats\nevicted_keys:900\n"))), []);
    }

    #[test]
    fn a_counter_that_never_moved_rules_it_out() {
        assert_eq!(
            verdicts(check(&pasted("# Stats\nevicted_keys:0\n"))),
            [(Verdict::RuledOut, Confidence::Strong)]
        );
    }
}
