//! The server lets in nobody from other hosts.

use crate::evidence::{Heard, counted};
use crate::facts::{Facts, Reach};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const TOLD: [Text; 2] = [
    Text::client("running in protected mode"),
    Text::client("Running in protected mode"),
];

pub(super) const RULE: Rule = Rule {
    code: Code(104),
    title: "protected mode: the server lets in nobody from other hosts",
    explanation: "A server without a password that listens on every address answers `-DENIED` to other hosts and closes. \
`rejected_connections` counts it, as it counts maxclients.",
    messages: &[
        "DENIED Redis is running in protected mode",
        "DENIED Running in protected mode",
    ],
    needs: &[Need::Server, Need::ClientLog],
    texts: &TOLD,
    sources: &["redis: networking.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let denied = facts
        .looks
        .iter()
        .filter(|look| matches!(&look.reach, Reach::TurnedAway(words) if words == "DENIED"));
    let mut found: Vec<_> = denied
        .map(|look| {
            let finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Proved)
                .at(look.at)
                .struck(&*look.source)
                .claims("The server answered the doctor DENIED. Proved: its own words.")
                .supported(look.place("connect"), "DENIED");
            advised(finding)
        })
        .collect();
    if let (Some(heard), true) = (Heard::of(facts, &TOLD), found.is_empty()) {
        let calls = counted(heard.lines.len(), "call was", "calls were");
        let finding = heard
            .finding(&RULE, Verdict::Cause, Confidence::Likely)
            .claims(format!(
                "{calls} answered DENIED: the server lets in nobody from other hosts."
            ));
        found.push(advised(finding));
    }
    found
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("redis-cli ACL SETUSER default on '>PASSWORD' (on the server's host), and the password in the URL", "clients without it are refused", "redis-cli ACL SETUSER default nopass")
        .fix("never `protected-mode no` without a password: whoever reaches the port then has the server, and soon its host", "", "")
        .checked_by("PING from another host is answered with the password")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Look;
    use crate::testing::{application, verdicts};

    #[test]
    fn its_own_words_are_proof_and_others_are_not() {
        let mut facts = Facts::default();
        facts.looks.push(Look::new(
            "cache:6379",
            None,
            Reach::TurnedAway("DENIED".to_owned()),
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Proved)]
        );
        facts.looks[0].reach = Reach::TurnedAway("NOAUTH".to_owned());
        assert_eq!(verdicts(check(&facts)), []);
    }

    #[test]
    fn its_words_in_a_clients_log_are_likely() {
        let told = "2026-11-23T02:58:11Z redis.exceptions.ResponseError: DENIED Redis is running in protected mode because protected mode is enabled\n";
        assert_eq!(
            verdicts(check(&application(told))),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }
}
