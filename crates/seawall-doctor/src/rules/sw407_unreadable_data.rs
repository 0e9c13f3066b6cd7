//! The server does not start, since it cannot read its data.

use crate::evidence::Heard;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::startup::{DATA, NEWER};
use crate::text::Text;

const AOF: &[Text] = &[DATA[1], DATA[2], DATA[3], DATA[8]];

pub(super) const RULE: Rule = Rule {
    code: Code(407),
    title: "Redis does not start: it cannot read its data",
    explanation: "A full disk, a power cut or a copy that was made while it was written leaves an RDB or AOF file that ends early \
or holds what it should not. The server ends rather than serve half of it. Copy the whole directory before anything is mended: \
`redis-check-aof --fix` cuts off everything behind the first fault.",
    messages: &["Connection refused", "ECONNREFUSED", "Error 111 connecting"],
    needs: &[Need::ServerLog],
    brings: &[Code(101), Code(410)],
    texts: &DATA,
    sources: &[
        "redis: rdb.c, aof.c, server.c loadDataFromDisk",
        "produced on redis-server 7.0.15",
    ],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let newer = Heard::of(facts, &[NEWER])
        .map(|heard| heard.processes())
        .unwrap_or_default();
    let heard = Heard::of(facts, &DATA)
        .and_then(|heard| heard.only(|said| said.pid.is_none_or(|pid| !newer.contains(&pid))));
    let Some(heard) = heard else {
        return Vec::new();
    };
    let aof = heard.lines.iter().any(|fact| AOF.contains(&fact.what.text));
    let (file, look, mend) = if aof {
        (
            "its append-only file",
            "redis-check-aof appendonlydir/<name>.manifest",
            "on the copy, if nothing better is left: redis-check-aof --fix appendonlydir/<name>.manifest",
        )
    } else {
        (
            "its RDB file",
            "redis-check-rdb dump.rdb",
            "restore dump.rdb from the last backup, or let it follow a replica that has the data (REPLICAOF), and then promote it",
        )
    };
    vec![
        heard
            .finding(&RULE, Verdict::Cause, Confidence::Proved)
            .struck(file)
            .claims(format!("The server could not read {file} and ended rather than serve a part of it. Proved: its own log says so."))
            .fix("first of all: cp -a <dir of CONFIG GET dir> /somewhere/else; df -h there", "", "")
            .fix(format!("then see what is wrong, without changing it: {look}"), "", "")
            .fix(mend, "everything behind the fault, or since that backup, is lost", "the copy")
            .checked_by("the log says Ready to accept connections, and DBSIZE is what it was before"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    const RDB: &str = "9308:M 28 Nov 2026 23:43:02.781 # Wrong signature trying to load DB from file\n\
9308:M 28 Nov 2026 23:43:02.781 # Fatal error loading the DB: Invalid argument. Exiting.\n";
    const AOF: &str = "9341:M 28 Nov 2026 23:43:02.848 # Bad file format reading the append only file appendonly.aof.1.base.rdb: make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>\n";

    #[test]
    fn each_kind_of_file_has_its_own_tool_and_a_copy_comes_first() {
        let found = check(&log(RDB));
        assert!(found[0].claim.contains("RDB file"), "{}", found[0].claim);
        assert!(found[0].fixes[0].action.contains("cp -a"));
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
        let found = check(&log(AOF));
        assert!(
            found[0].fixes[1].action.contains("redis-check-aof"),
            "{:?}",
            found[0].fixes
        );
    }

    #[test]
    fn a_file_of_a_newer_version_is_another_rules() {
        let newer = RDB.replace(
            "Wrong signature trying to load DB from file",
            "Can't handle RDB format version 99",
        );
        assert_eq!(verdicts(check(&log(&newer))), []);
    }

    #[test]
    fn a_load_that_went_well_is_none() {
        let line = "9:M 23 Nov 2026 02:58:12.042 * DB loaded from disk: 3.250 seconds\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }
}
