//! A restart began without the data that were there.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::lifetimes::{self, Lifetime, lifetimes};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(718),
    title: "Redis came back without its data",
    explanation: "After the restart the server read no file, or one without keys, though there had been a dump before: another `dir` or \
`dbfilename`, a container without a volume, a file that was removed. With saves switched off that is what was asked for. \
Applications see misses, lost sessions and empty queues, and no error.",
    messages: &[],
    needs: &[Need::ServerLog, Need::Server],
    texts: lifetimes::TEXTS,
    sources: &["redis: server.c loadDataFromDisk"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    lifetimes(facts)
        .iter()
        .filter_map(|lifetime| of(facts, lifetime))
        .collect()
}

fn of(facts: &Facts, lifetime: &Lifetime<'_>) -> Option<Finding> {
    let before = lifetime.before?;
    let ready = lifetime.ready?;
    let empty = match lifetime.read {
        Some((_, keys, expired)) => keys == 0 && expired == 0,
        None => !lifetime.loaded,
    };
    // An append-only file that began anew has a rule of its own.
    if !empty || (lifetime.anew.is_some() && lifetime.had_data.is_some()) {
        return None;
    }
    let unsaved = facts.looks.iter().find(|look| {
        look.config.get("save").is_some_and(String::is_empty)
            && look.is_on("appendonly") == Some(false)
    });
    let mut finding = Finding::new(
        RULE.code,
        RULE.title,
        Verdict::Consequence,
        Confidence::Strong,
    )
    .at(ready.at)
    .supported(lifetime.start.place.clone(), "it began again")
    .supported(
        ready.place.clone(),
        "it took connections, and had read no key",
    );
    let why = match (lifetime.had_data, unsaved) {
        (Some(saved), _) => {
            finding = finding.supported(saved.place.clone(), "there were data before");
            "a dump had been there before, and was not read"
        }
        (None, Some(look)) => {
            let says = "save '' and appendonly no: nothing is written to disk";
            finding.confidence = Confidence::Likely;
            finding = finding.supported(look.place("CONFIG"), says);
            "it keeps nothing on disk"
        }
        // It may have held nothing.
        (None, None) => return None,
    };
    let until = before
        .at
        .map_or_else(String::new, |at| format!(" what it held at {at} is gone:"));
    Some(
        finding
            .silently()
            .claims(format!("Redis came back empty;{until} {why}."))
            .fix(
                "redis-cli CONFIG GET dir dbfilename, and look for the dump where the earlier process kept it; copy it away before anything else",
                "",
                "",
            )
            .fix(
                "from now on: a volume for `dir`, and redis-cli CONFIG SET appendonly yes while it runs (then in redis.conf)",
                "a fork, and a disk that keeps up",
                "redis-cli CONFIG SET appendonly no",
            )
            .checked_by("after a restart in a quiet hour the log has `keys loaded` with the number of keys"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, pasted, together, verdicts};

    const BEGAN: &str = "9:C 23 Nov 2026 02:00:00.000 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n\
9:M 23 Nov 2026 02:00:00.100 * Ready to accept connections\n";
    const SAVED: &str = "9:M 23 Nov 2026 02:58:01.042 * DB saved on disk\n\
9:M 23 Nov 2026 02:58:01.044 # Redis is now ready to exit, bye bye...\n";
    const AGAIN: &str =
        "17:C 23 Nov 2026 02:58:05.000 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n";
    const READY: &str = "17:M 23 Nov 2026 02:58:05.100 * Ready to accept connections\n";

    #[test]
    fn a_dump_that_was_there_and_is_not_read_is_told() {
        let found = check(&log(&[BEGAN, SAVED, AGAIN, READY].concat()));
        assert!(
            found[0].claim.contains("02:58:01.044"),
            "{}",
            found[0].claim
        );
        assert_eq!(
            verdicts(found),
            [(Verdict::Consequence, Confidence::Strong)]
        );
    }

    #[test]
    fn a_server_that_keeps_nothing_on_disk_is_told_as_such() {
        let config = "redis_version:7.0.15\n1) \"save\"\n2) \"\"\n3) \"appendonly\"\n4) \"no\"\n";
        let all = together([log(&[BEGAN, AGAIN, READY].concat()), pasted(config)]);
        assert_eq!(
            verdicts(check(&all)),
            [(Verdict::Consequence, Confidence::Likely)]
        );
        // Without that it may have held nothing.
        assert_eq!(verdicts(check(&log(&[BEGAN, AGAIN, READY].concat()))), []);
    }

    /// Of redis-server 7.0.15: the base file of an append-only file that is still in its first part holds no key.
    #[test]
    fn an_append_only_file_whose_beginning_is_empty_is_in_order() {
        let read = "17:M 23 Nov 2026 02:58:05.047 * Done loading RDB, keys loaded: 0, keys expired: 0.\n\
17:M 23 Nov 2026 02:58:05.047 * DB loaded from base file appendonly.aof.1.base.rdb: 0.000 seconds\n\
17:M 23 Nov 2026 02:58:05.047 * DB loaded from incr file appendonly.aof.1.incr.aof: 0.000 seconds\n\
17:M 23 Nov 2026 02:58:05.047 * DB loaded from append only file: 0.000 seconds\n";
        let all = [BEGAN, SAVED, AGAIN, read, READY].concat();
        assert_eq!(verdicts(check(&log(&all))), []);
    }

    #[test]
    fn a_start_that_reads_its_data_and_a_first_start_are_in_order() {
        let read = "17:M 23 Nov 2026 02:58:05.050 * Done loading RDB, keys loaded: 1002, keys expired: 0.\n\
17:M 23 Nov 2026 02:58:05.060 * DB loaded from disk: 0.010 seconds\n";
        assert_eq!(
            verdicts(check(&log(&[BEGAN, SAVED, AGAIN, read, READY].concat()))),
            []
        );
        assert_eq!(verdicts(check(&log(BEGAN))), []);
    }
}
