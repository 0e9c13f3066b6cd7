//! A replica that was away for a moment is sent everything anew.

use crate::evidence;
use crate::facts::{Facts, bytes, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const LACK: Text = Text::server("for lack of backlog (Replica request was");
const LACK_THEN: Text = Text::server("for lack of backlog (Slave request was");

pub(super) const RULE: Rule = Rule {
    code: Code(803),
    title: "the replication backlog was too small for an interruption",
    explanation: "A replica whose connection broke asks for what it missed. The primary keeps the last `repl-backlog-size` \
bytes (1 MB by default, seconds of a busy server): where more was missed it forks and sends everything, which costs memory, \
processor and the replica's answers meanwhile. One such line after a long absence is no fault; several are.",
    messages: &[],
    needs: &[Need::ServerLog, Need::Server],
    brings: &[Code(802)],
    texts: &[LACK, LACK_THEN],
    sources: &["redis: replication.c masterTryPartialResynchronization"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, &[LACK, LACK_THEN]) {
        let often = evidence::most_within(&lines, 3_600);
        let (verdict, confidence) = if often >= 2 {
            (Verdict::Cause, Confidence::Proved)
        } else {
            (Verdict::Contributing, Confidence::Likely)
        };
        let finding = evidence::finding(&RULE, verdict, confidence, &lines)
            .struck(format!("primary of {source}"));
        let size = facts.looks.iter().find_map(|look| {
            let size = look.number("repl_backlog_size").filter(|size| *size > 0)?;
            Some((look, size))
        });
        let mut covers = String::new();
        if let Some((look, size)) = size {
            covers = format!("; the backlog holds {}", bytes(size));
            let offset = look.number("master_repl_offset").unwrap_or(0);
            let uptime = look.number("uptime_in_seconds").unwrap_or(0);
            if let Some(seconds) = (size * uptime).checked_div(offset) {
                covers = format!("{covers}, {seconds} s of what was written on average");
            }
        }
        found.push(
            finding
                .claims(format!(
                    "{} a replica asked for more than the backlog still held, and was sent everything{covers}. Proved: the primary's log says so.",
                    times(lines.len())
                ))
                .fix("redis-cli CONFIG SET repl-backlog-size 256mb (as many bytes as are written in the longest interruption, 60 to 300 s); in redis.conf too", "that much memory on the primary", "redis-cli CONFIG SET repl-backlog-size <old>")
                .checked_by("sync_partial_ok of INFO grows at the next interruption, and sync_full does not"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, pasted, verdicts};

    /// Redis 7.0.15; Valkey names the replication id before the offset.
    const LINE: &str = "1776:M 28 Nov 2026 23:41:05.297 * Unable to partial resync with replica 127.0.0.1:23812 for lack of backlog (Replica request was: 29).\n";

    #[test]
    fn twice_in_an_hour_is_the_backlogs_doing_and_once_may_be_a_long_absence() {
        assert_eq!(
            verdicts(check(&log(LINE))),
            [(Verdict::Contributing, Confidence::Likely)]
        );
        let twice = format!("{LINE}{}", LINE.replace("23:41", "23:55"));
        assert_eq!(
            verdicts(check(&log(&twice))),
            [(Verdict::Cause, Confidence::Proved)]
        );
    }

    #[test]
    fn info_tells_how_long_it_reaches() {
        let mut facts = log(LINE);
        facts.add(pasted("role:master\nuptime_in_seconds:1000\nmaster_repl_offset:1000000000\nrepl_backlog_size:1048576\n"));
        let claim = &check(&facts)[0].claim;
        assert!(claim.contains("holds 1.0 MB, 1 s of"), "{claim}");
    }

    #[test]
    fn a_replica_that_begins_asks_for_everything_and_lacks_nothing() {
        let line =
            "9:M 28 Nov 2026 23:41:05.297 * Full resync requested by replica 127.0.0.1:23812\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }
}
