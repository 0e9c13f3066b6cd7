//! The append-only file could not be written.

use std::collections::BTreeSet;

use crate::evidence::counted;
use crate::facts::{Facts, Line};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const TOLD: Text = Text::client("Errors writing to the AOF file");
const SHORT: Text = Text::server("Short write while writing to the AOF file");
const FATAL: Text =
    Text::server("Can't recover from AOF write error when the AOF fsync policy is 'always'");
/// Redis's words, and Valkey's.
const SOLVED: Text = Text::server("AOF write error looks solved");

pub(super) const RULE: Rule = Rule {
    code: Code(707),
    title: "the append-only file could not be written",
    explanation: "The disk took no more of the append-only file: no space, or an error of the file system. With `appendfsync everysec` the \
server answers writes with MISCONF and tries again each second; with `always` it ends itself, since it cannot keep its promise. The \
log tells it once in 30 s, and `AOF write error looks solved` ends it.",
    messages: &[
        "MISCONF Errors writing to the AOF file",
        "Errors writing to the AOF file",
    ],
    needs: &[Need::ServerLog, Need::Server, Need::ClientLog],
    brings: &[Code(701), Code(101), Code(406)],
    texts: &[TOLD, SHORT, FATAL, SOLVED],
    sources: &["redis: aof.c flushAppendOnlyFile"],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let failed: Vec<_> = facts
        .lines(|line| match line {
            Line::AofFailed(why) => Some(why.as_str()),
            _ => None,
        })
        .map(|(fact, why)| (fact.at, &fact.place, why))
        .chain(
            facts
                .said(&SHORT)
                .map(|fact| (fact.at, &fact.place, "it was written in part")),
        )
        .collect();
    let told: Vec<_> = facts.said(&TOLD).collect();
    let now = facts
        .looks
        .iter()
        .find(|look| look.word("aof_last_write_status") == Some("err"));
    let confidence = match (failed.is_empty(), told.is_empty(), now) {
        (true, true, None) => return Vec::new(),
        (false, ..) | (.., Some(_)) => Confidence::Proved,
        _ => Confidence::Likely,
    };
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, confidence);
    let mut reasons = BTreeSet::new();
    for (at, place, why) in &failed {
        reasons.insert(*why);
        finding = finding
            .at(*at)
            .supported((*place).clone(), format!("the append-only file: {why}"));
    }
    finding = finding.at_each(told.iter().map(|fact| fact.at));
    if let Some(first) = told.first() {
        let says = format!(
            "{} answered MISCONF",
            counted(told.len(), "write was", "writes were")
        );
        finding = finding.supported(first.place.clone(), says);
    }
    if let Some(look) = now {
        finding = finding.supported(
            look.place("INFO"),
            "aof_last_write_status:err: it still fails",
        );
    }
    let mut then = "writes are refused until it can be";
    if let Some(fact) = facts.said(&FATAL).next() {
        then = "and with appendfsync always the server ended itself";
        finding = finding
            .at(fact.at)
            .supported(fact.place.clone(), "it ended itself over that");
    } else if let Some(fact) = facts.said(&SOLVED).last() {
        then = "writes were refused until it could be again";
        finding = finding
            .at(fact.at)
            .supported(fact.place.clone(), "it can be written again");
    }
    let reasons: Vec<_> = reasons.into_iter().collect();
    let why = if reasons.is_empty() {
        "the server's log says why".to_owned()
    } else {
        reasons.join(", ")
    };
    vec![
        finding
            .claims(format!(
                "The append-only file could not be written ({why}): {then}."
            ))
            .fix(
                "df -h and df -i of `dir` (redis-cli CONFIG GET dir): make room, without touching the append-only files; the server tries again by itself",
                "",
                "",
            )
            .fix(
                "once there is room: redis-cli BGREWRITEAOF makes the file smaller",
                "meanwhile it needs room for both, and a fork",
                "",
            )
            .checked_by("aof_last_write_status:ok in INFO, and writes are answered"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, pasted, verdicts};

    const FULL: &str =
        "9:M 23 Nov 2026 02:58:01.042 # Error writing to the AOF file: No space left on device\n";
    const ANSWERED: &str = "2026-11-23T02:58:02Z redis.exceptions.ResponseError: MISCONF Errors writing to the AOF file: No space left on \
device\n";

    #[test]
    fn the_servers_own_word_is_proof_and_its_clients_make_it_likely() {
        let found = check(&log(FULL));
        assert!(
            found[0].claim.contains("No space left"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
        assert_eq!(
            verdicts(check(&application(ANSWERED))),
            [(Verdict::Cause, Confidence::Likely)]
        );
        let info = pasted("# Persistence\naof_enabled:1\naof_last_write_status:err\n");
        assert_eq!(
            verdicts(check(&info)),
            [(Verdict::Cause, Confidence::Proved)]
        );
    }

    #[test]
    fn how_it_ended_is_told() {
        let solved =
            "9:M 23 Nov 2026 02:59:01.042 # AOF write error looks solved, Redis can write again.\n";
        let found = check(&log(&format!("{FULL}{solved}")));
        assert!(
            found[0].claim.contains("could be again"),
            "{}",
            found[0].claim
        );
        let fatal = "9:M 23 Nov 2026 02:58:01.043 # Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...\n";
        let found = check(&log(&format!("{FULL}{fatal}")));
        assert!(
            found[0].claim.contains("ended itself"),
            "{}",
            found[0].claim
        );
    }

    #[test]
    fn another_misconf_and_a_file_in_order_are_none() {
        let rdb = "2026-11-23T02:58:02Z MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.\n";
        assert_eq!(verdicts(check(&application(rdb))), []);
        assert_eq!(
            verdicts(check(&pasted("# Persistence\naof_last_write_status:ok\n"))),
            []
        );
    }
}
