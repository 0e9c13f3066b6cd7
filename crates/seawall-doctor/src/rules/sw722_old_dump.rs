//! A restart read a dump that is older than the end of the process before it.

use crate::facts::{Facts, span};
use crate::finding::{Confidence, Finding, Verdict};
use crate::lifetimes::{self, lifetimes};
use crate::rule::{Code, Need, Rule};

/// Less is what the usual save points leave between two saves, in seconds.
const LOST_S: u64 = 2 * 3_600;

pub(super) const RULE: Rule = Rule {
    code: Code(722),
    title: "Redis came back with an old dump",
    explanation: "The dump that was read at the start is hours older than the end of the process before it: what was written in between is \
gone. Saves had failed or were switched off, or the file is a backup's. If nothing was written in that time, nothing is lost.",
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
        let (Some((fact, age)), Some(before)) = (lifetime.age, lifetime.before) else {
            continue;
        };
        let (Some(read), Some(end)) = (fact.at, before.at) else {
            continue;
        };
        let made = read.plus_seconds(age.saturating_neg());
        let lost = u64::try_from(end.0.saturating_sub(made.0) / 1_000).unwrap_or(0);
        if lost < LOST_S {
            continue;
        }
        found.push(
            Finding::new(RULE.code, RULE.title, Verdict::Consequence, Confidence::Likely)
                .at(fact.at)
                .supported(
                    fact.place.clone(),
                    format!("the dump that was read was made at {made}"),
                )
                .supported(before.place.clone(), format!("the server lived until {end}"))
                .silently()
                .claims(format!(
                    "Redis came back with a dump of {made}, and had lived until {end}: what was written in those {} is gone.",
                    span(lost)
                ))
                .fix(
                    "redis-cli CONFIG GET dir dbfilename, and look for a newer file there; copy it away before anything else; a replica may have more",
                    "",
                    "",
                )
                .fix(
                    "from now on: redis-cli CONFIG SET appendonly yes while it runs (then in redis.conf), or save points that fit",
                    "a fork, and a disk that keeps up",
                    "redis-cli CONFIG SET appendonly no",
                )
                .checked_by("rdb_last_save_time of INFO is minutes old, and rdb_last_bgsave_status:ok"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    fn restarted(age: u64, aof: bool) -> Facts {
        let aof = if aof {
            "17:M 23 Nov 2026 12:00:05.058 * DB loaded from append only file: 0.010 seconds\n"
        } else {
            ""
        };
        log(&format!(
            "9:C 23 Nov 2026 02:00:00.000 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n\
             9:M 23 Nov 2026 12:00:01.044 # Redis is now ready to exit, bye bye...\n\
             17:C 23 Nov 2026 12:00:05.000 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n{aof}\
             17:M 23 Nov 2026 12:00:05.050 * RDB age {age} seconds\n\
             17:M 23 Nov 2026 12:00:05.060 * DB loaded from disk: 0.010 seconds\n\
             17:M 23 Nov 2026 12:00:05.100 * Ready to accept connections\n"
        ))
    }

    #[test]
    fn a_dump_of_hours_before_the_end_is_told() {
        let found = check(&restarted(36_000, false));
        assert!(
            found[0].claim.contains("in those 9 h"),
            "{}",
            found[0].claim
        );
        assert_eq!(
            verdicts(found),
            [(Verdict::Consequence, Confidence::Likely)]
        );
    }

    #[test]
    fn a_fresh_dump_and_the_beginning_of_an_append_only_file_are_in_order() {
        assert_eq!(verdicts(check(&restarted(600, false))), []);
        assert_eq!(verdicts(check(&restarted(36_000, true))), []);
    }
}
