//! Primary and replica did not hear of one another for too long.

use crate::evidence;
use crate::facts::{Facts, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const SILENT: Text = Text::server(" timeout: no data nor PING received");
const BULK: Text = Text::server("Timeout receiving bulk data from ");
const REPLICA: Text = Text::server("Disconnecting timedout replica ").keeping(Keeps::Rest);
const SLAVE: Text = Text::server("Disconnecting timedout slave").keeping(Keeps::Rest);
const ALL: &[Text] = &[SILENT, BULK, REPLICA, SLAVE];

pub(super) const RULE: Rule = Rule {
    code: Code(804),
    title: "replication stood still for longer than repl-timeout",
    explanation: "Primary and replica give one another up after `repl-timeout` (60 s) without a word. Either one of them stood \
still (a fork, a slow command, a frozen machine), or a long load or transfer kept it busy, or nothing came through between \
them. Which side wrote the line tells who heard nothing; look there for what the other one did.",
    messages: &[],
    needs: &[Need::ServerLog],
    brings: &[Code(802), Code(803), Code(813)],
    texts: ALL,
    sources: &["redis: replication.c replicationCron", "redis#9503"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, ALL) {
        let on_replica = lines
            .iter()
            .any(|fact| [SILENT, BULK].contains(&fact.what.text));
        let who = if on_replica {
            "the replica heard nothing of its primary"
        } else {
            "the primary heard nothing of its replica"
        };
        let mut finding =
            evidence::finding(&RULE, Verdict::Cause, Confidence::Proved, &lines).struck(&*source);
        for fact in lines.iter().filter(|fact| !fact.what.rest.is_empty()) {
            finding = finding.struck(format!("replica {}", fact.what.rest));
        }
        found.push(
            finding
                .claims(format!(
                    "{who} for repl-timeout, {}, and closed. Proved: its log says so; what kept the other one silent, it does not.",
                    times(lines.len())
                ))
                .fix("look at the other side at that time: seawall doctor with its log and kernel.log (fork, slow command, frozen machine)", "", "")
                .fix("stop-gap, where a load or transfer takes longer: redis-cli CONFIG SET repl-timeout 120, on both", "a link that is really dead is noticed later", "redis-cli CONFIG SET repl-timeout <old>")
                .checked_by("the line does not come again, and master_last_io_seconds_ago of the replica stays below 10"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    /// Redis 7.0.15, its primary stopped by SIGSTOP.
    const REPLICAS: &str =
        "1792:S 28 Nov 2026 23:41:11.777 # MASTER timeout: no data nor PING received...\n";
    const PRIMARYS: &str = "1776:M 28 Nov 2026 23:41:19.739 # Disconnecting timedout replica (streaming sync): 127.0.0.1:23812\n";

    #[test]
    fn each_side_tells_whom_it_did_not_hear() {
        let found = check(&log(REPLICAS));
        assert!(
            found[0].claim.starts_with("the replica heard"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
        let found = check(&log(PRIMARYS));
        assert!(
            found[0].whom().contains("127.0.0.1:23812"),
            "{}",
            found[0].whom()
        );
        assert!(found[0].claim.starts_with("the primary heard"));
    }

    #[test]
    fn valkeys_words_are_heard_and_a_lost_connection_alone_is_not_it() {
        let valkey = REPLICAS.replace("MASTER", "PRIMARY");
        assert_eq!(check(&log(&valkey)).len(), 1);
        let lost = "1792:S 28 Nov 2026 23:41:11.777 # Connection with master lost.\n";
        assert_eq!(verdicts(check(&log(lost))), []);
    }
}
