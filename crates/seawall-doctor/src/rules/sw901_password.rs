//! The server does not accept who logs in.

use crate::facts::{Facts, Failure, Reach};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(901),
    title: "the server refused the user name or password",
    explanation: "WRONGPASS: the password is not that user's, or the user is off. NOAUTH: none was sent. After it once worked, \
the password was changed, or an ACL was. Trying again mends nothing and fills the ACL log.",
    messages: &[
        "WRONGPASS invalid username-password pair",
        "invalid username-password pair or user is disabled",
        "NOAUTH Authentication required",
        "Authentication required",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    sources: &["redis: acl.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for look in &facts.looks {
        let Reach::TurnedAway(word) = &look.reach else {
            continue;
        };
        if word != "WRONGPASS" && word != "NOAUTH" {
            continue;
        }
        let finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Proved)
            .at(look.at)
            .struck(&*look.source)
            .claims(format!(
                "The server answered the doctor {word}, with the user and password of the URL."
            ))
            .supported(look.place("AUTH"), word.as_str());
        found.push(advised(finding));
    }
    let told: Vec<_> = facts.failures(Failure::Auth).collect();
    if let (Some(first), true) = (told.first(), found.is_empty()) {
        let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Likely)
            .claims(format!(
                "{} calls were refused for their login.",
                told.len()
            ))
            .supported(first.place.clone(), "the first of them");
        for fact in &told {
            finding = finding.at(fact.at);
        }
        found.push(advised(finding));
    }
    found
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("compare the secret that the process has with redis-cli ACL GETUSER NAME; redis-cli ACL LOG tells who was refused", "", "")
        .checked_by("redis-cli --user NAME --askpass PING answers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Look;
    use crate::testing::{application, verdicts};

    #[test]
    fn its_own_words_are_proof_and_a_log_alone_is_likely() {
        let mut facts = Facts::default();
        facts.looks.push(Look::new(
            "cache:6379",
            None,
            Reach::TurnedAway("WRONGPASS".to_owned()),
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Proved)]
        );
        let told = application(
            "2026-11-23T02:58:11Z AuthenticationError: invalid username-password pair or user is disabled.\n",
        );
        assert_eq!(
            verdicts(check(&told)),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn another_refusal_is_another_rules() {
        let mut facts = Facts::default();
        facts.looks.push(Look::new(
            "cache:6379",
            None,
            Reach::TurnedAway("DENIED".to_owned()),
        ));
        assert_eq!(verdicts(check(&facts)), []);
    }
}
