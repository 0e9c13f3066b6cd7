//! The server closes connections that rest.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// A server that closes what rested longer than this meets every pool.
const SHORT_S: u64 = 600;

pub(super) const RULE: Rule = Rule {
    code: Code(201),
    title: "the server closes connections that rest (`timeout`)",
    explanation: "`timeout` of redis.conf closes a connection without a command for so many seconds. The next command on it \
meets an end of stream. No counter tells of it, and its line of the log is verbose and names no client. Subscribers, blocked \
clients and replicas are exempt.",
    messages: &["Connection closed by server", "Broken pipe"],
    needs: &[Need::Server],
    brings: &[],
    sources: &["redis: timeout.c", "redis-py#1140"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let of_look = |look: &crate::facts::Look| {
        let timeout = look.setting("timeout")?;
        let place = look.place("CONFIG GET");
        if timeout == 0 {
            return Some(Finding::ruled_out(
                RULE.code,
                "`timeout`",
                place,
                "timeout 0: the server closes no idle connection",
            ));
        }
        (timeout <= SHORT_S).then(|| {
            Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible)
                .claims(format!("After {timeout} s without a command a pooled connection is dead before its next use."))
                .supported(place, format!("timeout {timeout}"))
                .fix(
                    format!("retire idle connections before that in the client: max_idle below {timeout} s"),
                    "",
                    "",
                )
                .fix(
                    "or: redis-cli CONFIG SET timeout 0, with tcp-keepalive 300",
                    "connections that applications leak stay",
                    format!("redis-cli CONFIG SET timeout {timeout}"),
                )
                .checked_by("no end of stream on the first command after a pause of twice that")
        })
    };
    facts.looks.iter().filter_map(of_look).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, verdicts};

    fn with(timeout: u64) -> Facts {
        pasted(&format!(
            "# Server\nuptime_in_seconds:90\ntimeout\n{timeout}\n"
        ))
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
    fn without_the_setting_nothing_is_said() {
        assert_eq!(
            verdicts(check(&pasted("# Server\nuptime_in_seconds:90\n"))),
            []
        );
    }
}
