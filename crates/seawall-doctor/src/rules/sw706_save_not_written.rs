//! The file of a save could not be written.

use std::collections::BTreeSet;

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::forks::is_over;
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const FAILED: &[Text] = &[
    Text::server("Failed opening the temp RDB file ").keeping(Keeps::Rest),
    // Before 7.0.
    Text::server("Failed opening the RDB file ").keeping(Keeps::Rest),
    Text::server("Write error saving DB on disk").keeping(Keeps::Rest),
    // Valkey.
    Text::server("Write error while saving DB to the disk(").keeping(Keeps::Rest),
    Text::server("Error moving temp DB file ").keeping(Keeps::Rest),
];

pub(super) const RULE: Rule = Rule {
    code: Code(706),
    title: "a save could not be written to disk",
    explanation: "The child that saves could not create, write or rename its file in `dir`: no space, no permission, a file system that \
turned read-only. With `stop-writes-on-bgsave-error yes` (the default) writes are answered MISCONF until a save succeeds. If `dir` or \
`dbfilename` are not what you set (`/var/spool/cron`, `/root/.ssh`), somebody broke in: that is how servers without a password are \
taken over.",
    messages: &[
        "MISCONF Redis is configured to save RDB snapshots",
        "unable to persist to disk",
    ],
    needs: &[Need::ServerLog],
    brings: &[Code(701)],
    texts: FAILED,
    sources: &["redis: rdb.c rdbSave"],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let failed: Vec<_> = FAILED.iter().flat_map(|text| facts.said(text)).collect();
    if failed.is_empty() {
        return Vec::new();
    }
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Proved);
    let mut reasons = BTreeSet::new();
    for fact in &failed {
        let why = reason(&fact.what.rest);
        finding = finding
            .at(fact.at)
            .supported(fact.place.clone(), format!("the save's file: {why}"));
        reasons.insert(why);
    }
    let reasons: Vec<_> = reasons.into_iter().collect();
    let place = facts.looks.iter().find_map(|look| look.config.get("dir"));
    let place = place.map_or("`dir`".to_owned(), |dir| format!("`{dir}`"));
    for reason in &reasons {
        finding = finding.fix(remedy(reason), "", "");
    }
    if is_over(facts, failed.iter().filter_map(|fact| fact.at).max()) {
        finding.verdict = Verdict::Risk;
        finding.confidence = Confidence::Likely;
    }
    vec![
        finding
            .claims(format!(
                "A save could not be written to {place}: {}. Proved: the log has the error.",
                reasons.join(", ")
            ))
            .fix(
                "stop-gap: redis-cli CONFIG SET stop-writes-on-bgsave-error no",
                "what is written is lost if the server ends before a save succeeds",
                "redis-cli CONFIG SET stop-writes-on-bgsave-error yes",
            )
            .checked_by("redis-cli BGSAVE, then rdb_last_bgsave_status:ok in INFO"),
    ]
}

/// The errno's text, which stands last.
fn reason(rest: &str) -> &str {
    rest.rsplit(": ").next().unwrap_or("an error")
}

fn remedy(reason: &str) -> &'static str {
    match reason {
        "No space left on device" => {
            "df -h and df -i of `dir` (redis-cli CONFIG GET dir): make room; then redis-cli BGSAVE"
        }
        "Permission denied" => {
            "namei -l of `dir` (redis-cli CONFIG GET dir): if it is the directory that you set, give it to the server's user; then redis-cli BGSAVE"
        }
        "Read-only file system" => {
            "journalctl -k on the server's host tells why the file system turned read-only (or systemd's ReadWritePaths lacks `dir`): mend that, then redis-cli BGSAVE"
        }
        _ => "look at `dir` (redis-cli CONFIG GET dir) on the server's host; then redis-cli BGSAVE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    /// Of redis-server 7.0.15, whose `dir` was removed meanwhile.
    const FAILED: &str = "4712:C 23 Nov 2026 02:58:01.042 # Failed opening the temp RDB file temp-4712.rdb (in server root dir unknown) for \
saving: No such file or directory\n";

    #[test]
    fn the_errors_text_is_told_and_proves_it() {
        let found = check(&log(FAILED));
        assert!(
            found[0].claim.contains("No such file"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
        let full = "4712:C 23 Nov 2026 02:58:01.042 # Write error saving DB on disk(flushing to disk): No space left on device\n";
        let found = check(&log(full));
        assert!(found[0].fixes[0].action.contains("df -h"));
    }

    #[test]
    fn one_that_nobody_met_and_that_is_over_is_a_risk() {
        let well = "9:M 23 Nov 2026 03:58:01.042 * Background saving terminated with success\n";
        assert_eq!(
            verdicts(check(&log(&format!("{FAILED}{well}")))),
            [(Verdict::Risk, Confidence::Likely)]
        );
        let before = well.replace("03:58", "01:58");
        assert_eq!(
            verdicts(check(&log(&format!("{before}{FAILED}")))),
            [(Verdict::Cause, Confidence::Proved)]
        );
    }

    #[test]
    fn a_save_that_went_well_is_none() {
        let well = "4712:C 23 Nov 2026 02:58:01.042 * DB saved on disk\n";
        assert_eq!(verdicts(check(&log(well))), []);
    }
}
