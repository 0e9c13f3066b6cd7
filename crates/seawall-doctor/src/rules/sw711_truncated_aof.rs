//! The end of the append-only file was cut off.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const CUT: Text = Text::server("!!! Truncating the AOF ").keeping(Keeps::Rest);
const LOADED: Text = Text::server("loaded anyway because aof-load-truncated is enabled");

pub(super) const RULE: Rule = Rule {
    code: Code(711),
    title: "the end of the append-only file was cut off: its last writes are lost",
    explanation: "The server or the host ended in the middle of a write, and the file's last command is incomplete. With \
`aof-load-truncated yes` (the default) the start cuts it off and goes on: what was answered in the last second or so is gone. A file that \
is damaged in its middle is not read at all.",
    messages: &[],
    needs: &[Need::ServerLog],
    texts: &[CUT, LOADED],
    sources: &["redis: aof.c loadSingleAppendOnlyFile"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let cut: Vec<_> = facts.said(&CUT).chain(facts.said(&LOADED)).collect();
    let Some(first) = cut.first() else {
        return Vec::new();
    };
    // The number stands last: `appendonly.aof.1.incr.aof at offset 303 !!!`, `at offset 303 !!!` before 7.0.
    let offset = first.what.rest.rsplit("offset ").next().and_then(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u64>().ok()
    });
    let at = offset.map_or_else(String::new, |offset| format!(" at byte {offset}"));
    // What ended the server in the middle of a write is the cause.
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Consequence, Confidence::Proved)
        .silently()
        .claims(format!(
            "The append-only file was cut off{at}: what was written after that is lost. Proved: the log says so."
        ));
    for fact in &cut {
        finding = finding.at(fact.at).supported(
            fact.place.clone(),
            format!("the append-only file was cut off{at}"),
        );
    }
    vec![
        finding
            .fix("what ended the server without a farewell: see the other findings", "", "")
            .fix("a replica that lived on has more: compare the number of keys (redis-cli INFO keyspace) before it is resynchronised", "", "")
            .checked_by("redis-check-aof <dir>/appendonlydir/*.manifest says that all files are valid"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    /// Of redis-server 7.0.15, whose file was cut with truncate(1).
    const CUT: &str = "9:M 23 Nov 2026 02:58:05.024 # !!! Warning: short read while loading the AOF file appendonly.aof.1.incr.aof!!!\n\
9:M 23 Nov 2026 02:58:05.024 # !!! Truncating the AOF appendonly.aof.1.incr.aof at offset 303 !!!\n\
9:M 23 Nov 2026 02:58:05.025 # AOF appendonly.aof.1.incr.aof loaded anyway because aof-load-truncated is enabled\n";

    #[test]
    fn the_log_proves_it_and_names_the_place() {
        let found = check(&log(CUT));
        assert!(found[0].claim.contains("at byte 303"), "{}", found[0].claim);
        assert_eq!(
            verdicts(found),
            [(Verdict::Consequence, Confidence::Proved)]
        );
        let old = "9:M 23 Nov 2026 02:58:05.024 # !!! Truncating the AOF at offset 303 !!!\n";
        assert!(check(&log(old))[0].claim.contains("at byte 303"));
    }

    #[test]
    fn a_file_that_was_read_whole_is_none() {
        let whole =
            "9:M 23 Nov 2026 02:58:05.024 * DB loaded from append only file: 0.002 seconds\n";
        assert_eq!(verdicts(check(&log(whole))), []);
    }
}
