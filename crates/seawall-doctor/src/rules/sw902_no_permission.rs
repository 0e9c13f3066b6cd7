//! An ACL does not let the application do what it does.

use std::collections::BTreeSet;

use crate::evidence::{Heard, counted};
use crate::facts::{Denied, Facts};
use crate::finding::{Confidence, Finding, Verdict};
use crate::refusal::quoted;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const TOLD: [Text; 4] = [
    Text::client("NOPERM "),
    Text::client("this user has no permissions"),
    Text::client("No permissions to access a"),
    Text::client("has no permissions to run"),
];

pub(super) const RULE: Rule = Rule {
    code: Code(902),
    title: "an ACL refused a command, a key or a channel",
    explanation: "The login was right, and its user may not do that: a command that a new version of the application or of its client \
uses (`client|setinfo`, `hello`, `cluster|shards`), a key outside its patterns, or a channel (since 7.0 a new user has none). \
Trying again mends nothing. ACL LOG names user, command and address; never the remedy `+@all`: it gives FLUSHALL and CONFIG too.",
    messages: &[
        "NOPERM this user has no permissions",
        "this user has no permissions",
        "has no permissions to access",
    ],
    needs: &[Need::Server, Need::ClientLog],
    texts: &TOLD,
    sources: &["redis: acl.c", "produced on redis-server 7.0.15"],
    check,
    ..Rule::PLAIN
};

/// What the doctor itself asks, and no application.
const OURS: [&str; 9] = [
    "info",
    "config|get",
    "client|list",
    "slowlog|get",
    "latency|latest",
    "memory|stats",
    "acl|log",
    "role",
    "cluster|info",
];

/// Whether that is the doctor's own refusal, of this look or one before: a user of few rights is asked with.
fn is_ours(one: &Denied, told: bool) -> bool {
    let name = one.command.as_deref().unwrap_or("");
    OURS.contains(&name) || !told && name == "client|setname"
}

fn check(facts: &Facts) -> Vec<Finding> {
    let heard = Heard::of(facts, &TOLD);
    let denied: Vec<_> = facts
        .looks
        .iter()
        .flat_map(|look| look.denied.iter().map(move |one| (look, one)))
        .filter(|(_, one)| one.reason != "auth" && !is_ours(one, heard.is_some()))
        .collect();
    let (verdict, confidence) = match (&heard, denied.is_empty()) {
        (None, true) => return Vec::new(),
        (Some(_), false) => (Verdict::Cause, Confidence::Strong),
        (Some(_), true) => (Verdict::Cause, Confidence::Likely),
        // Somebody was refused some time; whether it matters to anyone, nobody says.
        (None, false) => (Verdict::Risk, Confidence::Possible),
    };
    let mut finding = match &heard {
        Some(heard) => heard.finding(&RULE, verdict, confidence),
        None => Finding::new(RULE.code, RULE.title, verdict, confidence),
    };
    let mut grants = BTreeSet::new();
    for (look, one) in &denied {
        let what = match (&*one.reason, &one.command) {
            ("command", Some(command)) => {
                let rule = quoted(&format!("+{command}"));
                grants.insert(format!("redis-cli ACL SETUSER {} {rule}", one.user));
                format!("the command {command}")
            }
            (reason, _) => format!("a {reason}"),
        };
        let says = format!(
            "user {} at {} was refused {what}, {}",
            one.user,
            one.addr,
            counted(
                usize::try_from(one.count).unwrap_or(usize::MAX),
                "time",
                "times"
            )
        );
        finding = finding
            .at(one.at)
            .struck(format!("user {}", one.user))
            .supported(look.place("ACL LOG"), says);
    }
    let told = heard.as_ref().map_or(0, |heard| heard.lines.len());
    let who = if finding.subjects.is_empty() {
        String::new()
    } else {
        format!(" ({})", finding.whom())
    };
    let claim = match told {
        0 => format!("ACL LOG tells of refusals{who}."),
        _ => format!(
            "{} refused by an ACL{who}.",
            counted(told, "call was", "calls were")
        ),
    };
    finding = finding.claims(claim);
    for grant in grants.into_iter().take(3) {
        let undo = grant.replacen(" +", " -", 1).replacen(" '+", " '-", 1);
        finding = finding.fix(
            grant,
            "that user may run it on all keys that it may touch",
            undo,
        );
    }
    vec![
        finding
            .fix("keys and channels: redis-cli ACL GETUSER <user>, then ACL SETUSER <user> '~prefix:*' or '&channel:*'; ACL DRYRUN <user> COMMAND.. (since 7.0) tries it out; ACL SAVE keeps it", "more may be read and written", "ACL SETUSER <user> with the rules that GETUSER told before")
            .checked_by("redis-cli ACL LOG RESET, and ACL LOG stays empty"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Look, Reach};
    use crate::testing::{application, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.NoPermissionError: this user has no permissions to run the 'set' command\n";

    fn denied(reason: &str) -> Look {
        let mut look = Look::new("cache:6379", None, Reach::Answered);
        look.denied.push(Denied {
            at: None,
            count: 4,
            reason: reason.to_owned(),
            context: "toplevel".to_owned(),
            command: (reason == "command").then(|| "set".to_owned()),
            user: "app".to_owned(),
            addr: "10.0.0.7:51234".to_owned(),
            age_ms: 1_000,
        });
        look
    }

    #[test]
    fn both_sides_together_are_strong_and_give_the_line_that_permits_it() {
        let mut facts = application(TOLD);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.looks.push(denied("command"));
        let found = check(&facts);
        assert_eq!(found[0].fixes[0].action, "redis-cli ACL SETUSER app +set");
        assert_eq!(found[0].fixes[0].undo, "redis-cli ACL SETUSER app -set");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn what_the_doctor_itself_was_refused_is_no_finding() {
        let mut look = denied("command");
        for name in ["config|get", "client|setname"] {
            look.denied[0].command = Some(name.to_owned());
            let mut facts = Facts::default();
            facts.looks.push(look.clone());
            assert_eq!(verdicts(check(&facts)), [], "{name}");
        }
    }

    #[test]
    fn a_refusal_that_no_application_tells_of_is_a_risk_and_a_login_is_another_rules() {
        let mut facts = Facts::default();
        facts.looks.push(denied("key"));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        facts.looks[0] = denied("auth");
        assert_eq!(verdicts(check(&facts)), []);
    }
}
