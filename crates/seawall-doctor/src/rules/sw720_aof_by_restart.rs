//! The append-only file was switched on by a restart, and the data were not read.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::lifetimes::{self, lifetimes};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(720),
    title: "appendonly was switched on by a restart: the dump was not read",
    explanation: "With `appendonly yes` the server reads the append-only file and nothing else. If there is none yet, it begins empty, however \
good the dump beside it is, and the next save overwrites that dump. Switch it on while the server runs: CONFIG SET appendonly yes.",
    messages: &[],
    needs: &[Need::ServerLog],
    texts: lifetimes::TEXTS,
    sources: &[
        "redis: server.c loadDataFromDisk",
        "redis docs: persistence",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for lifetime in lifetimes(facts) {
        let (Some(anew), Some(had)) = (lifetime.anew, lifetime.had_data) else {
            continue;
        };
        if lifetime.loaded || lifetime.read.is_some() {
            continue;
        }
        // The same process tells that it began the file, and that it read nothing.
        found.push(
            Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Proved)
                .at(anew.at)
                .supported(had.place.clone(), "there were data before")
                .supported(
                    anew.place.clone(),
                    "at its start it created an append-only file, and read nothing",
                )
                .silently()
                .claims(
                    "The server began with appendonly yes and no append-only file: it came up empty, and left the dump unread. Proved: the log tells both.",
                )
                .fix(
                    "at once, before a save overwrites it: redis-cli CONFIG SET save ''; cp <dir>/dump.rdb <elsewhere>",
                    "until it is set again nothing is saved but the append-only file",
                    "redis-cli CONFIG SET save '<old>'",
                )
                .fix(
                    "then, if nothing that was written since matters: stop it, put the dump back, start it with --appendonly no, redis-cli CONFIG SET appendonly yes, and then in redis.conf",
                    "what was written since the restart is lost",
                    "",
                )
                .checked_by("aof_enabled:1 and aof_rewrite_in_progress:0 in INFO, and the number of keys is what it was"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    /// Of redis-server 7.0.15.
    const EARLIER: &str = "9:C 23 Nov 2026 02:00:00.000 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n\
9:M 23 Nov 2026 02:00:00.100 * Ready to accept connections\n\
9:M 23 Nov 2026 02:58:01.042 * DB saved on disk\n\
9:M 23 Nov 2026 02:58:01.044 # Redis is now ready to exit, bye bye...\n";
    const AGAIN: &str = "17:C 23 Nov 2026 02:58:05.000 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n\
17:M 23 Nov 2026 02:58:05.024 * Creating AOF base file appendonly.aof.1.base.rdb on server start\n\
17:M 23 Nov 2026 02:58:05.026 * Creating AOF incr file appendonly.aof.1.incr.aof on server start\n\
17:M 23 Nov 2026 02:58:05.100 * Ready to accept connections\n";

    #[test]
    fn a_new_file_after_a_dump_is_proof() {
        let found = check(&log(&[EARLIER, AGAIN].concat()));
        assert!(
            found[0].claim.contains("came up empty"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn a_first_start_with_it_and_a_restart_without_it_are_in_order() {
        assert_eq!(verdicts(check(&log(AGAIN))), []);
        let plain = "17:C 23 Nov 2026 02:58:05.000 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n\
17:M 23 Nov 2026 02:58:05.060 * DB loaded from disk: 0.010 seconds\n\
17:M 23 Nov 2026 02:58:05.100 * Ready to accept connections\n";
        assert_eq!(verdicts(check(&log(&[EARLIER, plain].concat()))), []);
    }
}
