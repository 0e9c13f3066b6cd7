//! The disk is too slow for the append-only file.

use crate::facts::{Facts, Failure, Line};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// So many seconds after the line a timeout is its doing.
const AROUND_S: f64 = 15.0;

pub(super) const RULE: Rule = Rule {
    code: Code(702),
    title: "the disk held up the append-only file",
    explanation: "With `appendfsync everysec` a write waits while the last fsync is not through for 2 s: every client waits with \
it. Mostly the disk is shared with a save, a backup or a noisy neighbour.",
    messages: &[
        "Timeout reading from socket",
        "Timeout reading from",
        "Command timed out",
    ],
    needs: &[Need::ServerLog],
    brings: &[],
    sources: &["redis: aof.c flushAppendOnlyFile"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let slow: Vec<_> = facts
        .lines(|line| matches!(line, Line::FsyncSlow).then_some(()))
        .collect();
    let Some((first, ())) = slow.first() else {
        return Vec::new();
    };
    let beside = facts.failures(Failure::ReadTimeout).find(|failure| {
        slow.iter().any(|(fact, ())| match (fact.at, failure.at) {
            (Some(line), Some(told)) => line.seconds_to(told).abs() <= AROUND_S,
            _ => false,
        })
    });
    let (verdict, confidence) = match beside {
        Some(_) => (Verdict::Cause, Confidence::Strong),
        None => (Verdict::Risk, Confidence::Possible),
    };
    let mut finding = Finding::new(RULE.code, RULE.title, verdict, confidence)
        .claims(format!(
            "{} times the server waited for an fsync of more than 2 s, and everybody with it.",
            slow.len()
        ))
        .supported(
            first.place.clone(),
            "asynchronous AOF fsync is taking too long",
        );
    for (fact, ()) in &slow {
        finding = finding.at(fact.at);
    }
    if let Some(failure) = beside {
        finding = finding.supported(
            failure.place.clone(),
            format!("a call timed out within {AROUND_S:.0} s of one"),
        );
    }
    vec![
        finding
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
    use crate::testing::{application, log, verdicts};

    const SLOW: &str = "9:M 23 Nov 2026 02:58:11.042 * Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync to complete, this may slow down Redis.\n";

    #[test]
    fn a_timeout_beside_it_makes_it_the_cause() {
        let mut facts = log(SLOW);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        facts.add(application(
            "2026-11-23T02:58:14Z TimeoutError: Timeout reading from cache:6379\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn a_timeout_minutes_away_is_not_its_doing() {
        let mut facts = log(SLOW);
        facts.add(application(
            "2026-11-23T03:08:14Z TimeoutError: Timeout reading from cache:6379\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }
}
