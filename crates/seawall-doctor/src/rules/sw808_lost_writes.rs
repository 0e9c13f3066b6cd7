//! A failover lost what the old primary had acknowledged.

use crate::evidence;
use crate::facts::{Facts, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Said, Text};

const BEYOND: Text = Text::server("Requested offset for second ID was ").keeping(Keeps::Rest);

pub(super) const RULE: Rule = Rule {
    code: Code(808),
    title: "a failover lost writes that had been acknowledged",
    explanation: "Replication is asynchronous: what the old primary had answered OK and not yet sent is unknown to the replica \
that took over. When the old primary comes back as a replica it asks to go on from its own, later, offset; the new primary \
cannot, and the old one's last writes are thrown away. The line tells how many bytes.",
    messages: &[],
    needs: &[Need::ServerLog],
    brings: &[],
    texts: &[BEYOND],
    sources: &["redis: replication.c masterTryPartialResynchronization"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, &[BEYOND]) {
        // The same replica may ask more than once; it lost what it lost once.
        let Some(lost) = lines.iter().filter_map(|fact| lost(&fact.what)).max() else {
            continue;
        };
        found.push(
            evidence::finding(&RULE, Verdict::Cause, Confidence::Proved, &lines)
                .struck(format!("what was written before the failover ({source})"))
                .claims(format!(
                    "The old primary had {} of writes that the new one never got: they are gone. Proved: the new primary's log names both offsets.",
                    bytes(lost)
                ))
                .fix("redis-cli CONFIG SET min-replicas-to-write 1, min-replicas-max-lag 10 on the primary", "it refuses writes while no replica follows", "redis-cli CONFIG SET min-replicas-to-write 0")
                .fix("WAIT 1 100 after writes that must not be lost", "each waits for a replica", "")
                .fix("before the old primary joins again: keep its dump.rdb and appendonlydir, what was lost is in them", "", "")
                .checked_by("a failover drill: the line does not come again"),
        );
    }
    found
}

/// Bytes between the two offsets: `203, but I can reply up to 121`.
fn lost(said: &Said) -> Option<u64> {
    let upto: u64 = said
        .rest
        .rsplit(' ')
        .next()?
        .trim_end_matches('.')
        .parse()
        .ok()?;
    said.number()?.checked_sub(upto).filter(|lost| *lost > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    /// Redis 7.0.15: two writes on the old primary that its replica had not got.
    const LINE: &str = "1792:M 28 Nov 2026 23:41:31.860 * Partial resynchronization not accepted: Requested offset for second ID was 203, but I can reply up to 121\n";

    #[test]
    fn the_new_primary_tells_how_much_is_gone() {
        let found = check(&log(LINE));
        assert!(
            found[0].claim.contains("82 B of writes"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn another_history_and_a_torn_line_tell_of_no_loss() {
        let other = "1792:M 28 Nov 2026 23:41:31.860 * Partial resynchronization not accepted: Replication ID mismatch (Replica asked for 'a', my replication IDs are 'b' and 'c')\n";
        assert_eq!(verdicts(check(&log(other))), []);
        let torn = LINE.replace("121", "");
        assert_eq!(verdicts(check(&log(&torn))), []);
    }
}
