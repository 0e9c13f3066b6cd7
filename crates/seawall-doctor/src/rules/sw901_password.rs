//! The server does not accept who logs in.

use crate::evidence::{Heard, counted};
use crate::facts::{Facts, Failure, Reach};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

/// The server was sent none at all.
const NO_LOGIN: [Text; 2] = [
    Text::client("NOAUTH "),
    Text::client("Authentication required").shared(),
];

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
    texts: &NO_LOGIN,
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
            .claims(match word.as_str() {
                "NOAUTH" => "The server answered the doctor NOAUTH: it wants a password, and was given none.",
                _ => "The server answered the doctor WRONGPASS, with the user and password that it was given.",
            })
            .supported(look.place("AUTH"), word.as_str());
        let finding = match word.as_str() {
            "NOAUTH" => finding.fix("give the doctor one: REDISCLI_AUTH in its environment, with SEAWALL_USER for a user of its own; or redis://USER:PASSWORD@HOST:PORT, with / as %2F, # as %23, @ as %40", "in a URL, others on this host see it in the list of processes", ""),
            _ => finding,
        };
        found.push(advised(finding));
    }
    let told: Vec<_> = facts.failures(Failure::Auth).collect();
    let denied: Vec<_> = facts
        .looks
        .iter()
        .flat_map(|look| look.denied.iter().map(move |one| (look, one)))
        .filter(|(_, one)| one.reason == "auth")
        .collect();
    if !found.is_empty() || told.is_empty() && denied.is_empty() {
        return found;
    }
    let (verdict, confidence) = match (told.is_empty(), denied.is_empty()) {
        (false, false) => (Verdict::Cause, Confidence::Strong),
        (false, true) => (Verdict::Cause, Confidence::Likely),
        // Somebody mistyped a password; more of it is a risk.
        (true, _) if denied.iter().map(|(_, one)| one.count).sum::<u64>() < 3 => return found,
        (true, _) => (Verdict::Risk, Confidence::Possible),
    };
    let mut finding = Finding::new(RULE.code, RULE.title, verdict, confidence)
        .at_each(told.iter().map(|fact| fact.at));
    if let Some(first) = told.first() {
        finding = finding.supported(first.place.clone(), "the first of them");
    }
    for (look, one) in &denied {
        let user = match one.user.as_str() {
            "" => "a user without a name".to_owned(),
            name => format!("user {name}"),
        };
        let says = format!(
            "{user} at {} could not log in, {}",
            one.addr,
            counted(
                usize::try_from(one.count).unwrap_or(usize::MAX),
                "time",
                "times"
            )
        );
        finding = finding
            .at(one.at)
            .struck(format!("{user} at {}", host(&one.addr)))
            .supported(look.place("ACL LOG"), says);
    }
    let silent = Heard::of(facts, &NO_LOGIN).map_or(0, |heard| heard.lines.len());
    let why = if silent > 0 && silent >= told.len() {
        "no password was sent"
    } else {
        "the password is not that user's, or the user is off"
    };
    let claim = match told.len() {
        0 => format!(
            "ACL LOG tells of logins that were refused: {}.",
            finding.whom()
        ),
        count => format!(
            "{} refused for the login: {why}.",
            counted(count, "call was", "calls were")
        ),
    };
    found.push(advised(finding.claims(claim)));
    found
}

fn host(addr: &str) -> &str {
    addr.rsplit_once(':').map_or(addr, |(host, _)| host)
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("compare the secret that the process has with redis-cli ACL GETUSER NAME (its hash: printf %s PASSWORD | sha256sum); all clients at once: the password was changed; one alone: it was not started anew since", "", "")
        .fix("a change without an outage: ACL SETUSER NAME '>NEW' beside the old one, all clients to the new one, then ACL SETUSER NAME '<OLD'", "until then both are accepted", "redis-cli ACL SETUSER NAME '<NEW'")
        .checked_by("redis-cli --user NAME --askpass PING answers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Denied, Look};
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
    fn the_acls_log_names_who_and_makes_it_strong() {
        let mut look = Look::new("cache:6379", None, Reach::Answered);
        look.denied.push(Denied {
            at: None,
            count: 4,
            reason: "auth".to_owned(),
            context: "toplevel".to_owned(),
            command: None,
            user: "app".to_owned(),
            addr: "10.0.0.7:51234".to_owned(),
            age_ms: 1_000,
        });
        let mut facts = Facts::default();
        facts.looks.push(look);
        facts.looks[0].denied[0].count = 1;
        assert_eq!(verdicts(check(&facts)), []);
        facts.looks[0].denied[0].count = 4;
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        facts.add(application(
            "2026-11-23T02:58:11Z redis.exceptions.AuthenticationError: Authentication required.\n",
        ));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("no password was sent"),
            "{}",
            found[0].claim
        );
        assert_eq!(found[0].whom(), "user app at 10.0.0.7");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
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
