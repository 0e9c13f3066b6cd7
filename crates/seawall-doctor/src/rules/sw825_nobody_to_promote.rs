//! A failover found no replica that could take over.

use crate::evidence;
use crate::facts::{Facts, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const NOBODY: Text = Text::server("-failover-abort-no-good-slave ").keeping(Keeps::Rest);
const SLOW: Text = Text::server("-failover-abort-slave-timeout ").keeping(Keeps::Rest);
const REFUSED: Text = Text::client("NOGOODSLAVE ");

pub(super) const RULE: Rule = Rule {
    code: Code(825),
    title: "a failover found no replica that could take over",
    explanation: "Sentinel promotes none that is down, that has answered nothing for five seconds, whose link to the primary was \
down for too long, or whose `replica-priority` is 0. Where all replicas are so, the primary stays dead until one is not.",
    messages: &["NOGOODSLAVE"],
    needs: &[Need::ServerLog],
    brings: &[],
    texts: &[NOBODY, SLOW, REFUSED],
    sources: &["redis: sentinel.c sentinelSelectSlave"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, &[NOBODY, SLOW, REFUSED]) {
        let (verdict, confidence) = if lines.iter().all(|fact| fact.what.text == REFUSED) {
            (Verdict::Contributing, Confidence::Likely)
        } else {
            (Verdict::Cause, Confidence::Proved)
        };
        let mut finding = evidence::finding(&RULE, verdict, confidence, &lines).struck(&*source);
        let mut why = String::new();
        for look in &facts.looks {
            let replica = look.word("role") == Some("slave");
            if replica
                && (look.number("slave_priority") == Some(0)
                    || look.setting("replica-priority") == Some(0))
            {
                finding = finding.supported(
                    look.place("INFO"),
                    "replica-priority 0: it may never take over",
                );
                why = format!("; {} may never take over (replica-priority 0)", look.source);
            }
        }
        let when = evidence::when(finding.window);
        found.push(
            finding
                .claims(format!("A failover was given up {}{when}: no replica could take over{why}.", times(lines.len())))
                .fix("redis-cli -p 26379 SENTINEL REPLICAS <name>: flags s_down or disconnected, master-link-status err, or slave-priority 0 tell why", "", "")
                .fix("redis-cli CONFIG SET replica-priority 100 on a replica that may take over; mend the link of the others", "", "redis-cli CONFIG SET replica-priority 0")
                .fix("stop-gap, if the primary will not come back: redis-cli REPLICAOF NO ONE on the best replica, and point clients at it", "what it had not got is lost", "redis-cli REPLICAOF <old primary> <port>")
                .checked_by("a drill: redis-cli -p 26379 SENTINEL FAILOVER <name> answers OK"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, pasted, verdicts};

    /// Sentinel 7.0.15, the only replica at priority 0.
    const LINE: &str = "2012:X 28 Nov 2026 23:41:11.821 # -failover-abort-no-good-slave master mymaster 127.0.0.1 23821\n";

    #[test]
    fn sentinels_word_is_proof_and_the_replica_tells_why() {
        let mut facts = log(LINE);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Proved)]
        );
        facts.add(pasted("role:slave\nslave_priority:0\n"));
        assert!(check(&facts)[0].claim.contains("replica-priority 0"));
    }

    #[test]
    fn a_failover_that_ends_well_is_silent() {
        let line =
            "2012:X 28 Nov 2026 23:42:09.959 # +failover-end master mymaster 127.0.0.1 23821\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }
}
