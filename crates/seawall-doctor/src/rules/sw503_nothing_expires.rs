//! The server may only evict keys that expire, and none does.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::memory::{self, keyspace};
use crate::rule::{Code, Need, Rule};

/// From so many hundredths of maxmemory on it comes near.
const FULL_PERCENT: u64 = 90;

/// With fewer hundredths of keys that expire there is nothing to evict.
const EXPIRING_PERCENT: u64 = 5;

pub(super) const RULE: Rule = Rule {
    code: Code(503),
    title: "the policy evicts keys that expire, and almost none does",
    explanation: "A `volatile-*` policy evicts only keys with a time to live. Where none has one the server is full as with `noeviction`: \
writes are answered OOM.",
    messages: &["OOM command not allowed when used memory > 'maxmemory'"],
    needs: &[Need::Server],
    sources: &["redis: evict.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for look in &facts.looks {
        let Some(policy) = memory::policy(look).filter(|policy| policy.starts_with("volatile"))
        else {
            continue;
        };
        let (Some(percent), Some(keyspace)) = (memory::percent(look), keyspace(&look.info)) else {
            continue;
        };
        let few =
            keyspace.expiring.saturating_mul(100) < keyspace.keys.saturating_mul(EXPIRING_PERCENT);
        if percent < FULL_PERCENT || !few {
            continue;
        }
        let says = format!(
            "{percent} % of maxmemory used, {policy}, and {} of {} keys expire",
            keyspace.expiring, keyspace.keys
        );
        found.push(
            Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible)
                .supported(look.place("INFO"), says.as_str())
                .claims(format!("{says}: soon writes are refused."))
                .fix("give keys a time to live where they are written (SET .. EX)", "", "")
                .fix(
                    "a cache only: redis-cli CONFIG SET maxmemory-policy allkeys-lru",
                    "any key may go: no queue, session or lock may be on this server",
                    format!("redis-cli CONFIG SET maxmemory-policy {policy}"),
                )
                .checked_by("expires of INFO keyspace grows with keys, and used_memory stays below 90 % of maxmemory"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, verdicts};

    fn info(used: u64, policy: &str, expiring: u64) -> Facts {
        pasted(&format!(
            "# Memory\nused_memory:{used}\nmaxmemory:1000\nmaxmemory_policy:{policy}\n# Stats\ntotal_commands_processed:9\n\
             # Keyspace\ndb0:keys=400,expires={expiring},avg_ttl=0\n"
        ))
    }

    #[test]
    fn a_full_server_without_keys_that_expire_is_a_risk() {
        let found = check(&info(930, "volatile-lru", 3));
        assert!(
            found[0].claim.contains("93 % of maxmemory"),
            "{}",
            found[0].claim
        );
        assert!(
            found[0].claim.contains("3 of 400 keys"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
    }

    #[test]
    fn room_keys_that_expire_or_another_policy_are_in_order() {
        assert_eq!(verdicts(check(&info(600, "volatile-lru", 3))), []);
        assert_eq!(verdicts(check(&info(930, "volatile-lru", 300))), []);
        assert_eq!(verdicts(check(&info(930, "allkeys-lru", 3))), []);
        assert_eq!(verdicts(check(&pasted("# Memory\nused_memory:930\n"))), []);
    }
}
