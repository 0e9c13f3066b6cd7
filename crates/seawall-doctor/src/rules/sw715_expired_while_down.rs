//! Keys expired while the server was down.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::lifetimes::{self, lifetimes};
use crate::rule::{Code, Need, Rule};

/// Fewer say nothing.
const FLOOR: u64 = 100;

pub(super) const RULE: Rule = Rule {
    code: Code(715),
    title: "keys had expired when Redis came back",
    explanation: "A key's time to live goes on while the server is down, and while a dump lies in a backup. What has expired by then is left \
out when the file is read: sessions and locks are gone, as they would be without the restart.",
    messages: &[],
    needs: &[Need::ServerLog],
    texts: lifetimes::TEXTS,
    sources: &["redis: rdb.c rdbLoadRioWithLoadingCtx"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for lifetime in lifetimes(facts) {
        let Some((fact, keys, expired)) = lifetime.read else {
            continue;
        };
        if expired < FLOOR || expired < keys {
            continue;
        }
        let all = keys.saturating_add(expired);
        found.push(
            Finding::new(RULE.code, RULE.title, Verdict::Consequence, Confidence::Proved)
                .at(fact.at)
                .supported(fact.place.clone(), format!("{keys} keys read, {expired} expired"))
                .silently()
                .claims(format!(
                    "Of the {all} keys of the dump {expired} had expired when it was read. Proved: the log has both numbers."
                ))
                .fix("nothing to do, if it was down for that long; else look whether the host's clock was set forward, or the dump is an old one", "", "")
                .checked_by("date -u on the server's host is right"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    fn read(keys: u64, expired: u64) -> Facts {
        log(&format!(
            "17:C 23 Nov 2026 02:58:05.000 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n\
             17:M 23 Nov 2026 02:58:05.050 * Done loading RDB, keys loaded: {keys}, keys expired: {expired}.\n\
             17:M 23 Nov 2026 02:58:05.100 * Ready to accept connections\n"
        ))
    }

    #[test]
    fn most_of_the_keys_gone_is_told_with_both_numbers() {
        let found = check(&read(40, 9_960));
        assert!(
            found[0].claim.contains("10000 keys of the dump 9960"),
            "{}",
            found[0].claim
        );
        assert_eq!(
            verdicts(found),
            [(Verdict::Consequence, Confidence::Proved)]
        );
    }

    #[test]
    fn a_few_are_in_order() {
        assert_eq!(verdicts(check(&read(9_000, 400))), []);
        assert_eq!(verdicts(check(&read(0, 0))), []);
    }
}
