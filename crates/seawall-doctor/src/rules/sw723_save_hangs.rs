//! A save does not end.

use crate::facts::{Facts, Look, span};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// No save takes so long, in seconds.
const LONG_S: u64 = 3_600;

/// So many times as long as the last one is no ordinary day.
const TIMES: u64 = 10;

/// What is shorter is a busy disk, in seconds.
const SHORT_S: u64 = 600;

pub(super) const RULE: Rule = Rule {
    code: Code(723),
    title: "a save does not end",
    explanation: "The child that saves has run for far longer than any before it: the disk hardly takes anything, or the file system (a network \
one, mostly) hangs. Meanwhile no other save begins, what is written is copied page by page, and everything since the last good save would be \
lost with the process.",
    messages: &[],
    needs: &[Need::Server],
    sources: &["redis: rdb.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts.looks.iter().filter_map(of).collect()
}

fn of(look: &Look) -> Option<Finding> {
    let kinds = [
        ("rdb_current_bgsave_time_sec", "rdb_last_bgsave_time_sec"),
        ("aof_current_rewrite_time_sec", "aof_last_rewrite_time_sec"),
    ];
    let (now, last, field) = kinds.into_iter().find_map(|(current, last)| {
        let now = look.number(current)?;
        let last = look.number(last).unwrap_or(0);
        let unusual = last > 0 && now >= SHORT_S && now >= last.saturating_mul(TIMES);
        (now >= LONG_S || unusual).then_some((now, last, current))
    })?;
    let changes = look.number("rdb_changes_since_last_save").unwrap_or(0);
    let says = format!("{field}:{now}, the last one took {last} s");
    Some(
        Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Likely)
            .at(look.at)
            .supported(look.place("INFO"), says)
            .claims(format!(
                "A save has run for {}, the last one took {}: {changes} changes are on no disk yet.",
                span(now),
                span(last)
            ))
            .fix("ps -o pid,stat,wchan:20,cmd --ppid <process_id of INFO> on the server's host: stat D is a disk that hangs; iostat -x 1, df of `dir`", "", "")
            .fix(
                "once the disk is well: kill -USR1 <the child>, then redis-cli BGSAVE",
                "that save is given up; the server takes it for no failure",
                "",
            )
            .checked_by("rdb_bgsave_in_progress:0 and rdb_last_bgsave_status:ok in INFO"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, verdicts};

    fn saving(now: i64, last: i64) -> Facts {
        pasted(&format!(
            "# Persistence\nrdb_changes_since_last_save:81000\nrdb_last_bgsave_time_sec:{last}\nrdb_current_bgsave_time_sec:{now}\n"
        ))
    }

    #[test]
    fn one_that_runs_for_hours_or_for_ten_times_the_last_is_told() {
        let found = check(&saving(7_300, 40));
        assert!(
            found[0].claim.contains("has run for 2 h"),
            "{}",
            found[0].claim
        );
        assert!(
            found[0].claim.contains("81000 changes"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Likely)]);
        assert_eq!(check(&saving(900, 40)).len(), 1);
    }

    #[test]
    fn none_that_runs_and_one_that_takes_its_time_are_in_order() {
        assert_eq!(verdicts(check(&saving(-1, 40))), []);
        assert_eq!(verdicts(check(&saving(90, 1))), []);
        assert_eq!(verdicts(check(&saving(1_200, 900))), []);
    }
}
