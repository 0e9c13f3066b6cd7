//! The server closes connections that rest.

use crate::facts::{Facts, Failure, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rested::Rested;
use crate::rule::{Code, Need, Rule};

/// A server that closes what rested longer than this meets every pool.
const SHORT_S: u64 = 600;

pub(super) const RULE: Rule = Rule {
    code: Code(201),
    title: "the server closes connections that rest (`timeout`)",
    explanation: "`timeout` of redis.conf closes a connection without a command for so many seconds. The next command on it \
meets an end of stream, or a broken pipe if the client writes twice. No counter tells of it, and its line of the log is verbose \
and names no client. Subscribers, blocked clients and replicas are exempt.",
    messages: &[
        "Connection closed by server",
        "Broken pipe",
        "Connection reset by peer",
        "Unexpected end of stream",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    sources: &["redis: timeout.c", "redis-py#147", "redis-py#1140"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts
        .looks
        .iter()
        .filter_map(|look| of_look(facts, look))
        .collect()
}

fn of_look(facts: &Facts, look: &Look) -> Option<Finding> {
    let timeout = look.setting("timeout")?;
    let place = look.place("CONFIG GET");
    if timeout == 0 {
        let says = "timeout 0: the server closes no idle connection";
        return Some(Finding::ruled_out(RULE.code, "`timeout`", place, says));
    }
    // It is looked at now and then: what rested a little less by the client's clock was closed as well.
    let least = timeout.saturating_mul(1_000).saturating_sub(500);
    let kinds = [Failure::Closed, Failure::WriteFailed, Failure::Reset];
    let rested =
        Rested::of(facts, &kinds, least).filter(|rested| rested.below * 10 <= rested.lines.len());
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
    Some(
        finding
            .fix(
                format!("retire idle connections before that in the client: max_idle below {timeout} s (redis-py: health_check_interval={})", timeout / 2),
                "",
                "",
            )
            .fix(
                "or: redis-cli CONFIG SET timeout 0, with tcp-keepalive 300",
                "connections that applications leak stay",
                format!("redis-cli CONFIG SET timeout {timeout}"),
            )
            .checked_by("no end of stream on the first command after a pause of twice that"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

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

    #[test]
    fn without_the_setting_nothing_is_said() {
        assert_eq!(
            verdicts(check(&pasted("# Server\nuptime_in_seconds:90\n"))),
            []
        );
    }
}
