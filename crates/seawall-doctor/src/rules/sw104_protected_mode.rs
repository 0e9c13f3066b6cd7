//! The server lets in nobody from other hosts.

use crate::facts::{Facts, Reach};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(104),
    title: "protected mode: the server lets in nobody from other hosts",
    explanation: "A server without a password that listens on every address answers `-DENIED` to other hosts and closes. \
`rejected_connections` counts it, as it counts maxclients.",
    messages: &[
        "DENIED Redis is running in protected mode",
        "DENIED Running in protected mode",
    ],
    needs: &[Need::Server],
    brings: &[],
    sources: &["redis: networking.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let denied = facts
        .looks
        .iter()
        .filter(|look| matches!(&look.reach, Reach::TurnedAway(words) if words == "DENIED"));
    denied
        .map(|look| {
            Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Proved)
                .at(look.at)
                .struck(&*look.source)
                .claims("The server answered the doctor DENIED. Proved: its own words.")
                .supported(look.place("connect"), "DENIED")
                .fix("redis-cli ACL SETUSER default on '>PASSWORD' (on the server's host), and the password in the URL", "clients without it are refused", "redis-cli ACL SETUSER default nopass")
                .checked_by("PING from another host is answered with the password")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Look;
    use crate::testing::verdicts;

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
}
