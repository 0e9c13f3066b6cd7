//! The server closes connections that rest.

use crate::evidence::{Heard, counted};
use crate::facts::{Facts, Failure, Line, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::judge::WAKE_S;
use crate::rested::Rested;
use crate::rule::{Code, Need, Rule};
use crate::stamp::Stamp;
use crate::text::Text;

/// A server that closes what rested longer than this meets every pool.
const SHORT_S: u64 = 600;

/// At `loglevel verbose`; it names nobody.
const CLOSED: Text = Text::server("Closing idle client");

/// What a call meets on a connection that was closed.
const KINDS: [Failure; 3] = [Failure::Closed, Failure::WriteFailed, Failure::Reset];

pub(super) const RULE: Rule = Rule {
    code: Code(201),
    title: "the server closes connections that rest (`timeout`)",
    explanation: "`timeout` of redis.conf closes a connection without a command for so many seconds. The next command on it \
meets an end of stream, or a broken pipe if the client writes twice. No counter tells of it, and its line of the log comes with \
`loglevel verbose` alone and names no client: who wants to be sure has clients that tell how long a connection had rested \
(Seawall's journal does), or reads that line for a while. Subscribers, blocked clients and replicas are exempt.",
    messages: &[
        "Connection closed by server",
        "Broken pipe",
        "Connection reset by peer",
        "Unexpected end of stream",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    sources: &["redis: timeout.c", "redis-py#147", "redis-py#1140"],
    texts: &[CLOSED],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let looks = facts.looks.iter();
    let mut found: Vec<_> = looks.filter_map(|look| of_look(facts, look)).collect();
    let proved = found.iter().any(|one| one.verdict == Verdict::Cause);
    if let Some(by_log) = of_log(facts).filter(|_| !proved) {
        found.retain(|one| one.verdict == Verdict::RuledOut);
        found.push(by_log);
    }
    found
}

/// By the server's own lines, where it writes them: calls that met a closed connection soon after one was closed for its rest.
fn of_log(facts: &Facts) -> Option<Finding> {
    let timeout = facts.looks.iter().find_map(|look| look.setting("timeout"));
    let closed = Heard::of(facts, &[CLOSED])?;
    let times: Vec<_> = closed.lines.iter().filter_map(|fact| fact.at).collect();
    let met: Vec<_> = facts
        .client_log
        .iter()
        .filter(|fact| KINDS.contains(&fact.what.failure))
        .filter(|fact| fact.at.is_some_and(|at| was_closed(facts, &times, at)))
        .filter(|fact| fact.what.idle.is_none_or(|idle| rested(idle, timeout)))
        .take(times.len())
        .collect();
    let first = met.first()?;
    let claim = format!(
        "The server closed {} that rested, by its own log, and {} then met a closed connection.",
        counted(times.len(), "connection", "connections"),
        counted(met.len(), "call", "calls")
    );
    let finding = closed.finding(&RULE, Verdict::Cause, Confidence::Likely);
    let mut finding = finding.claims(claim).supported(
        first.place.clone(),
        format!("{}, the first of {}", first.what.failure.words(), met.len()),
    );
    for fact in &met {
        finding = finding.at(fact.at);
    }
    Some(advised(finding, timeout))
}

/// Whether a connection was closed for its rest not long before that, and the server did not end in between.
fn was_closed(facts: &Facts, closed: &[Stamp], at: Stamp) -> bool {
    let ended = |from: Stamp| {
        let ends = |line: &Line| {
            matches!(line, Line::Started | Line::Farewell | Line::Crashed(_)).then_some(())
        };
        facts
            .lines(ends)
            .any(|(fact, ())| fact.at.is_some_and(|end| from < end && end <= at))
    };
    let before = closed.iter().rfind(|closed| **closed <= at);
    before.is_some_and(|from| *from >= at.plus_seconds(-WAKE_S) && !ended(*from))
}

/// Whether it rested that long, in milliseconds. It is looked at now and then: what rested a little less by the client's clock was
/// closed as well.
fn rested(idle: u64, timeout: Option<u64>) -> bool {
    idle >= timeout
        .unwrap_or(0)
        .saturating_mul(1_000)
        .saturating_sub(500)
}

fn of_look(facts: &Facts, look: &Look) -> Option<Finding> {
    let timeout = look.setting("timeout")?;
    let place = look.place("CONFIG GET");
    if timeout == 0 {
        let says = "timeout 0: the server closes no idle connection";
        return Some(Finding::ruled_out(RULE.code, "`timeout`", place, says));
    }
    let least = timeout.saturating_mul(1_000).saturating_sub(500);
    let rested =
        Rested::of(facts, &KINDS, least).filter(|rested| rested.below * 10 <= rested.lines.len());
    let finding = match rested {
        Some(rested) => {
            let mut finding =
                Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Strong)
                    .claims(format!(
                        "{}, and the server closes what rests for {timeout} s.",
                        rested.words("broken connections")
                    ))
                    .supported(place, format!("timeout {timeout}"));
            for fact in &rested.lines {
                finding = finding.at(fact.at);
                if let Some(local) = &fact.what.local {
                    finding = finding.struck(local);
                }
            }
            let first = rested.lines[0];
            finding.supported(
                first.place.clone(),
                format!("broken after {} s of rest, the shortest", rested.floor()),
            )
        }
        None if timeout <= SHORT_S => Finding::new(
            RULE.code,
            RULE.title,
            Verdict::Risk,
            Confidence::Possible,
        )
        .claims(format!(
            "After {timeout} s without a command a pooled connection is dead before its next use."
        ))
        .supported(place, format!("timeout {timeout}")),
        None => return None,
    };
    Some(advised(finding, Some(timeout)))
}

fn advised(finding: Finding, timeout: Option<u64>) -> Finding {
    let (timeout, half) = timeout.map_or(
        ("<timeout>".to_owned(), "<half of it>".to_owned()),
        |seconds| (seconds.to_string(), (seconds / 2).max(1).to_string()),
    );
    finding
            .fix(
                format!("retire idle connections before that in the client: max_idle below {timeout} s (redis-py: health_check_interval={half})"),
                "",
                "",
            )
            .fix(
                "redis-cli CONFIG SET timeout 0, with tcp-keepalive 300",
                "connections that applications leak stay",
                format!("redis-cli CONFIG SET timeout {timeout}"),
            )
            .checked_by("no end of stream on the first command after a pause of twice that")
}

#[cfg(test)]
mod tests {
    use seawall_model::journal::run_id_hash;

    use super::*;
    use crate::facts::Connection;
    use crate::testing::{application, log, pasted, together, verdicts};

    fn with(timeout: u64) -> Facts {
        pasted(&format!(
            "# Server\nuptime_in_seconds:90000\ntimeout\n{timeout}\n"
        ))
    }

    fn broken(idle: u64) -> String {
        format!(
            "2026-11-23T02:58:11Z connection.lost endpoint=10.0.0.2:6379 local=10.0.0.7:51234 redis: Connection closed by server idle_ms={idle}\n"
        )
    }

    #[test]
    fn a_short_one_is_a_risk_and_zero_rules_it_out() {
        assert_eq!(
            verdicts(check(&with(60))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        assert_eq!(
            verdicts(check(&with(0))),
            [(Verdict::RuledOut, Confidence::Strong)]
        );
        assert_eq!(verdicts(check(&with(86_400))), []);
    }

    #[test]
    fn connections_that_broke_after_that_rest_are_the_other_side_of_it() {
        let mut facts = with(300);
        facts.add(application(
            &(broken(300_400) + &broken(350_000) + &broken(299_800)),
        ));
        let found = check(&facts);
        assert!(
            found[0].claim.starts_with(
                "3 of 3 broken connections came after 299 s of rest and more, none sooner"
            ),
            "{}",
            found[0].claim
        );
        assert_eq!(found[0].whom(), "10.0.0.7:51234");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn connections_that_broke_in_use_are_not_its_doing() {
        let mut facts = with(300);
        facts.add(application(&(broken(310_000) + &broken(2) + &broken(12))));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }

    /// As Redis 7.0.15 and Valkey 9.1 write it.
    const LINE: &str = "9:M 23 Nov 2026 02:58:08.042 - Closing idle client\n";
    const MET: &str =
        "2026-11-23T02:58:11Z redis.exceptions.ConnectionError: Connection closed by server.\n";

    #[test]
    fn the_servers_own_lines_tell_where_clients_do_not_tell_their_rest() {
        let all = [with(2), log(&LINE.repeat(4)), application(&MET.repeat(4))];
        let found = check(&together(all));
        assert_eq!(
            found[0].claim,
            "The server closed 4 connections that rested, by its own log, and 4 calls then met a closed connection."
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn its_lines_are_nothing_to_calls_long_after_to_those_in_use_and_to_those_after_a_restart() {
        let risk = [(Verdict::Risk, Confidence::Possible)];
        let ended = "9:M 23 Nov 2026 02:58:09.042 # Redis is now ready to exit, bye bye...\n";
        let later =
            "2026-11-23T04:58:11Z redis.exceptions.ConnectionError: Connection closed by server.\n";
        for (server, client) in [
            (LINE.to_owned(), later.to_owned()),
            (LINE.to_owned(), broken(12)),
            (format!("{LINE}{ended}"), MET.to_owned()),
        ] {
            let all = [with(60), log(&server), application(&client)];
            assert_eq!(verdicts(check(&together(all))), risk, "{server}{client}");
        }
    }

    #[test]
    fn a_connection_to_the_process_that_runs_was_ended_by_no_restart() {
        let young = "# Server\nrun_id:3f2a\nuptime_in_seconds:9\ntimeout\n1\n";
        let mut facts = pasted(young);
        facts.looks[0].at = Stamp::of((2026, 11, 23), (2, 58, 12), 0);
        facts.add(application(&broken(2_100).repeat(3)));
        let risk = [(Verdict::Risk, Confidence::Possible)];
        assert_eq!(verdicts(check(&facts)), risk, "it began 8 s before");
        let to = |run| {
            Some(Connection {
                id: 7,
                run: Some(run_id_hash(run)),
            })
        };
        facts.client_log[0].what.connection = to("3f2a");
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
        facts.client_log[0].what.connection = to("another");
        assert_eq!(verdicts(check(&facts)), risk);
    }

    #[test]
    fn without_the_setting_nothing_is_said() {
        assert_eq!(
            verdicts(check(&pasted("# Server\nuptime_in_seconds:90\n"))),
            []
        );
    }
}
