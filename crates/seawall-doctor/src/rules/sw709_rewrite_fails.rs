//! The append-only file is not made smaller, or all the time.

use crate::facts::{Facts, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const LIMIT: Text =
    Text::server("Background AOF rewrite has repeatedly failed and triggered the limit");
const ENDED: Text = Text::server("Background AOF rewrite terminated with error");
const BEGAN: Text = Text::server("Starting automatic rewriting of AOF on ").keeping(Keeps::Word);

/// So many rewrites within so many seconds of one another are one after the other.
const RUN: usize = 5;
const APART_S: f64 = 300.0;

pub(super) const RULE: Rule = Rule {
    code: Code(709),
    title: "rewriting the append-only file fails, or never ends",
    explanation: "The append-only file grows until a child rewrites it. If that fails the file fills the disk, and the next start reads all of \
it; if it comes every few minutes, each one forks, and fills the disk's queue. `auto-aof-rewrite-min-size` and \
`auto-aof-rewrite-percentage` say when.",
    messages: &[],
    needs: &[Need::ServerLog, Need::Server],
    texts: &[LIMIT, ENDED, BEGAN],
    sources: &["redis: aof.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(fails(facts));
    found.extend(never_ends(facts));
    found
}

fn fails(facts: &Facts) -> Option<Finding> {
    let failed: Vec<_> = facts.said(&ENDED).chain(facts.said(&LIMIT)).collect();
    let now = facts.looks.iter().find(|look| {
        let broken = look.word("aof_last_bgrewrite_status") == Some("err");
        broken
            || look
                .number("aof_rewrites_consecutive_failures")
                .unwrap_or(0)
                > 0
    });
    if failed.is_empty() && now.is_none() {
        return None;
    }
    // It harms nobody yet: the file grows.
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Likely);
    for fact in &failed {
        let says = "a rewrite of the append-only file failed";
        finding = finding.at(fact.at).supported(fact.place.clone(), says);
    }
    let mut failures = failed.len();
    if let Some(look) = now {
        let row = look.number("aof_rewrites_consecutive_failures");
        let row = row.and_then(|row| usize::try_from(row).ok()).unwrap_or(1);
        failures = failures.max(row);
        finding = finding.supported(
            look.place("INFO"),
            format!("aof_last_bgrewrite_status:err, {row} failures in a row"),
        );
    }
    Some(
        finding
            .claims(format!(
                "Rewriting the append-only file failed {}: it grows, fills the disk, and makes the next start long.",
                times(failures)
            ))
            .fix("make room in `dir` (redis-cli CONFIG GET dir) for a second copy, and memory for the fork; then redis-cli BGREWRITEAOF", "it forks", "")
            .checked_by("aof_last_bgrewrite_status:ok in INFO"),
    )
}

fn never_ends(facts: &Facts) -> Option<Finding> {
    let began: Vec<_> = facts.said(&BEGAN).collect();
    let run = began.windows(RUN).find(|run| {
        run.windows(2).all(|pair| {
            let same = pair[0].place.source == pair[1].place.source;
            let apart = pair[0].at.zip(pair[1].at);
            same && apart.is_some_and(|(one, next)| one.seconds_to(next) < APART_S)
        })
    })?;
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Likely);
    for fact in run {
        finding = finding.at(fact.at).supported(
            fact.place.clone(),
            "a rewrite of the append-only file began",
        );
    }
    Some(
        finding
            .claims(format!(
                "{RUN} rewrites of the append-only file began within {APART_S:.0} s of one another: each one forks, and writes all data."
            ))
            .fix(
                "redis-cli CONFIG SET auto-aof-rewrite-min-size 1gb; redis-cli CONFIG SET auto-aof-rewrite-percentage 100",
                "a larger file, and a longer next start",
                "redis-cli CONFIG SET auto-aof-rewrite-min-size <old>; redis-cli CONFIG SET auto-aof-rewrite-percentage <old>",
            )
            .checked_by("the log has less than one `Starting automatic rewriting` in 10 min"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, pasted, verdicts};

    fn began(minutes: &[u32]) -> Facts {
        let lines = minutes.iter().map(|minute| {
            format!(
                "9:M 23 Nov 2026 02:{minute:02}:01.042 * Starting automatic rewriting of AOF on 100% growth\n"
            )
        });
        log(&lines.collect::<String>())
    }

    #[test]
    fn one_that_failed_is_a_risk() {
        let line = "9:M 23 Nov 2026 02:58:01.042 # Background AOF rewrite terminated with error\n";
        assert_eq!(
            verdicts(check(&log(line))),
            [(Verdict::Risk, Confidence::Likely)]
        );
        let info =
            "# Persistence\naof_last_bgrewrite_status:err\naof_rewrites_consecutive_failures:3\n";
        let found = check(&pasted(info));
        assert!(found[0].claim.contains("3 times"), "{}", found[0].claim);
    }

    #[test]
    fn one_after_the_other_is_a_risk_and_now_and_then_is_none() {
        let found = check(&began(&[1, 3, 5, 8, 10]));
        assert!(
            found[0].claim.starts_with("5 rewrites"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Likely)]);
        assert_eq!(verdicts(check(&began(&[1, 3, 5, 20, 40]))), []);
        assert_eq!(
            verdicts(check(&pasted(
                "# Persistence\naof_last_bgrewrite_status:ok\n"
            ))),
            []
        );
    }
}
