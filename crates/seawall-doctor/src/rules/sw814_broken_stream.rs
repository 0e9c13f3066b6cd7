//! Primary and replica do not agree about the stream.

use crate::evidence;
use crate::facts::{Facts, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const CRITICAL: Text = Text::server("== CRITICAL == This ");
const INLINE_MASTER: Text = Text::server("Receiving inline protocol from master");
const INLINE_PRIMARY: Text = Text::server("Receiving inline protocol from primary");
const ALL: &[Text] = &[CRITICAL, INLINE_MASTER, INLINE_PRIMARY];

pub(super) const RULE: Rule = Rule {
    code: Code(814),
    title: "replica and primary no longer hold the same data",
    explanation: "The replica answered a command of its primary's with an error, or got bytes that are no command: the two \
data sets differ, or the stream is damaged. Mostly somebody wrote to a replica (`replica-read-only no`), or the two run \
different versions or modules. A failover to such a replica loses or changes data.",
    messages: &[],
    needs: &[Need::ServerLog],
    brings: &[],
    texts: ALL,
    sources: &[
        "redis: networking.c afterErrorReply",
        "redis: networking.c processInlineBuffer",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, ALL) {
        found.push(
            evidence::finding(&RULE, Verdict::Cause, Confidence::Proved, &lines)
                .struck(&*source)
                .claims(format!("{source} told {} that its stream of replication does not fit its data. Proved: its own log says so.", times(lines.len())))
                .fix("let nobody fail over to it; redis-cli CONFIG SET replica-read-only yes on it", "who writes to it is refused", "redis-cli CONFIG SET replica-read-only no")
                .fix("make it anew: keep its dump.rdb, then restart it with an empty data directory, so that it is sent everything", "a fork on the primary and a transfer", "")
                .fix("the same version and modules on both sides", "", "")
                .checked_by("the line does not come again; DBSIZE of both is the same"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    const LINE: &str = "9:S 28 Nov 2026 23:41:21.327 # == CRITICAL == This replica is sending an error to its master: 'WRONGTYPE Operation against a key holding the wrong kind of value' after processing the command 'incr'\n";

    #[test]
    fn the_servers_own_cry_is_proof() {
        assert_eq!(
            verdicts(check(&log(LINE))),
            [(Verdict::Cause, Confidence::Proved)]
        );
        let inline = "9:S 28 Nov 2026 23:41:21.327 # WARNING: Receiving inline protocol from master, master stream corruption? Closing the master connection and discarding the cached master.\n";
        assert_eq!(check(&log(inline)).len(), 1);
    }

    #[test]
    fn the_sync_of_a_healthy_replica_is_silent() {
        let line =
            "9:S 28 Nov 2026 23:41:21.327 * MASTER <-> REPLICA sync: Finished with success\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }
}
