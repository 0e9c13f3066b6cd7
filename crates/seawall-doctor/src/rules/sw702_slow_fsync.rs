//! The disk is too slow for the append-only file.

use crate::facts::{Facts, Line, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::stall::{self, Stall};

/// The line comes when a write has waited for so long.
const WAITED_MS: u64 = 2_000;

/// The latency monitor's names of a write that waits for the disk.
const EVENTS: &[&str] = &[
    "aof-write-pending-fsync",
    "aof-write-active-child",
    "aof-write-alone",
];

pub(super) const RULE: Rule = Rule {
    code: Code(702),
    title: "the disk held up the append-only file",
    explanation: "With `appendfsync everysec` a write waits while the last fsync is not through for 2 s: every client waits with \
it. Mostly the disk is shared with a save, a backup or a noisy neighbour. `aof_delayed_fsync` of INFO counts it, and a Sentinel may \
take the server for down over it.",
    messages: &[
        "Timeout reading from socket",
        "Timeout reading from",
        "Command timed out",
    ],
    needs: &[Need::ServerLog, Need::Server, Need::ClientLog],
    brings: stall::BRINGS,
    sources: &[
        "redis: aof.c flushAppendOnlyFile",
        "redis#368",
        "redis#10287",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let lines = facts.lines(|line| matches!(line, Line::FsyncSlow).then_some(()));
    let mut stalls: Vec<_> = lines
        .filter_map(|(fact, ())| {
            Some(Stall {
                at: fact.at?,
                millis: WAITED_MS,
                place: fact.place.clone(),
                says: "asynchronous AOF fsync is taking too long".to_owned(),
            })
        })
        .collect();
    let logged = stalls.len();
    stalls.extend(stall::monitored(facts, EVENTS));
    let mut finding = stall::finding(facts, &RULE, &stalls);
    let mut claim = if logged > 0 {
        format!(
            "The server waited {} for an fsync of more than 2 s, and everybody with it.",
            times(logged)
        )
    } else {
        format!(
            "A write of the append-only file waited {} for the disk, and everybody with it.",
            stall::longest(&stalls)
        )
    };
    for look in &facts.looks {
        let Some(rose) = look.rose_by("aof_delayed_fsync") else {
            continue;
        };
        let says = format!("aof_delayed_fsync {rose}");
        let known = finding.take().unwrap_or_else(|| {
            claim = format!("{says}: each time everybody waited for the disk.");
            Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Likely)
        });
        finding = Some(known.supported(look.place("INFO"), says));
    }
    let Some(finding) = finding else {
        return Vec::new();
    };
    vec![
        finding
            .claims(claim)
            .fix(
                "a disk of its own, or a faster one; iostat -x 1 tells who else writes",
                "",
                "",
            )
            .fix(
                "redis-cli CONFIG SET no-appendfsync-on-rewrite yes, if it comes with a rewrite",
                "up to 30 s of writes are lost if the host goes down during one",
                "redis-cli CONFIG SET no-appendfsync-on-rewrite no",
            )
            .checked_by("aof_delayed_fsync of INFO stays as it is"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{latency, log, pasted, timeout, together, twice, verdicts};

    const SLOW: &str = "9:M 23 Nov 2026 02:58:11.042 * Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync to complete, this may slow down Redis.\n";

    #[test]
    fn a_timeout_beside_it_makes_it_the_cause() {
        assert_eq!(
            verdicts(check(&log(SLOW))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let found = check(&together([log(SLOW), timeout("02:58:14")]));
        assert!(found[0].claim.contains("waited once"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
        let seen = together([
            latency("aof-write-pending-fsync", 1_800),
            timeout("02:58:07"),
        ]);
        assert_eq!(
            verdicts(check(&seen)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn a_timeout_minutes_away_is_not_its_doing() {
        assert_eq!(
            verdicts(check(&together([log(SLOW), timeout("03:08:14")]))),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }

    #[test]
    fn a_counter_that_rises_is_a_risk_and_one_since_start_is_nothing() {
        let risen = twice("aof_delayed_fsync:4", 600, "aof_delayed_fsync:9");
        let found = check(&risen);
        assert!(
            found[0].claim.contains("rose by 5 in 10 min"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Likely)]);
        assert_eq!(
            verdicts(check(&pasted("# Persistence\naof_delayed_fsync:9\n"))),
            []
        );
    }
}
