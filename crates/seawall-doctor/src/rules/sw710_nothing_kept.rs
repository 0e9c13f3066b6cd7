//! A queue lives on a server that keeps nothing on disk.

use crate::facts::{Facts, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::memory;
use crate::rule::{Code, Need, Rule};

/// One that began less than this ago may be a test's, in seconds.
const LASTS_S: u64 = 3_600;

pub(super) const RULE: Rule = Rule {
    code: Code(710),
    title: "a queue's server keeps nothing on disk",
    explanation: "With `save ''`, `appendonly no` and no replica everything is gone when the process ends: a restart, an upgrade, a kill. For a \
cache that is right; here clients wait for work, and the work is what is lost.",
    messages: &[],
    needs: &[Need::Server],
    sources: &["redis docs: persistence"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts.looks.iter().filter_map(of).collect()
}

fn of(look: &Look) -> Option<Finding> {
    let unsaved = look.config.get("save")?.is_empty() && look.is_on("appendonly") == Some(false);
    let alone = look.word("role") == Some("master") && look.number("connected_slaves") == Some(0);
    let consumers = memory::consumers(look).count();
    let lasts = look.number("uptime_in_seconds")? >= LASTS_S;
    if !unsaved || !alone || !lasts || consumers == 0 {
        return None;
    }
    Some(
        Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible)
            .supported(look.place("CONFIG"), "save '' and appendonly no")
            .supported(look.place("INFO"), "connected_slaves:0")
            .supported(look.place("CLIENT LIST"), format!("clients that wait for work: {consumers}"))
            .claims(format!(
                "Clients that wait for work: {consumers}; and what is queued is nowhere but in this process's memory."
            ))
            .fix(
                "redis-cli CONFIG SET appendonly yes while it runs (a restart with it would begin empty), then in redis.conf",
                "a fork now, and a disk that keeps up with what is written",
                "redis-cli CONFIG SET appendonly no",
            )
            .checked_by("aof_enabled:1 and aof_last_bgrewrite_status:ok in INFO"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, verdicts};

    fn server(command: &str, save: &str, replicas: u32) -> Facts {
        pasted(&format!(
            "# Server\nuptime_in_seconds:90000\n# Replication\nrole:master\nconnected_slaves:{replicas}\n\
             1) \"save\"\n2) \"{save}\"\n3) \"appendonly\"\n4) \"no\"\n\
             id=7 addr=10.0.0.7:51234 name=celery flags=b qbuf=0 omem=0 cmd={command}\n"
        ))
    }

    #[test]
    fn workers_on_a_server_that_keeps_nothing_are_a_risk() {
        let found = check(&server("brpop", "", 0));
        assert!(
            found[0].claim.contains("wait for work: 1"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
    }

    #[test]
    fn a_cache_a_server_that_saves_and_one_with_a_replica_are_in_order() {
        assert_eq!(verdicts(check(&server("get", "", 0))), []);
        assert_eq!(verdicts(check(&server("brpop", "3600 1", 0))), []);
        assert_eq!(verdicts(check(&server("brpop", "", 1))), []);
        assert_eq!(
            verdicts(check(&pasted(
                "# Replication\nrole:master\nconnected_slaves:0\n"
            ))),
            []
        );
    }
}
