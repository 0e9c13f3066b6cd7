//! A password is sent to a server that has none.

use crate::evidence::{Heard, counted};
use crate::facts::{Facts, Look, NO_PASSWORD_SET, Reach};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const TOLD: [Text; 2] = [
    Text::client("without any password configured for the default user"),
    Text::client("Client sent AUTH, but no password is set"),
];

pub(super) const RULE: Rule = Rule {
    code: Code(908),
    title: "a password was sent to a server that has none",
    explanation: "The server's `requirepass` is gone, or was never there: a restart lost what CONFIG SET alone had set, a new server has \
no configuration yet, or the URL leads to another server than the one that is meant. The last is the one to rule out first: \
compare run_id and DBSIZE. And whoever reaches that server now needs no password.",
    messages: &[
        "AUTH <password> called without any password configured for the default user",
        "Client sent AUTH, but no password is set",
    ],
    needs: &[Need::Server, Need::ClientLog],
    texts: &TOLD,
    sources: &["redis: acl.c authCommand"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let turned_away =
        |look: &&Look| matches!(&look.reach, Reach::TurnedAway(words) if words == NO_PASSWORD_SET);
    if let Some(look) = facts.looks.iter().find(turned_away) {
        let finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Proved)
            .at(look.at)
            .struck(&*look.source)
            .claims("The URL has a password, and the server that answered the doctor has none.")
            .supported(look.place("AUTH"), NO_PASSWORD_SET);
        return vec![advised(finding)];
    }
    let Some(heard) = Heard::of(facts, &TOLD) else {
        return Vec::new();
    };
    let finding = heard
        .finding(&RULE, Verdict::Cause, Confidence::Likely)
        .claims(format!(
            "{} refused: the server that answered has no password.",
            counted(heard.lines.len(), "login was", "logins were")
        ));
    vec![advised(finding)]
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("is it the server that is meant? redis-cli -h HOST -p PORT INFO server (run_id, config_file), DBSIZE", "", "")
        .fix("if it is: the password in redis.conf (requirepass, or an ACL file) and at once: redis-cli CONFIG SET requirepass <password>; CONFIG REWRITE", "clients without it are refused", "redis-cli CONFIG SET requirepass ''")
        .checked_by("redis-cli PING without a password is answered NOAUTH, and the application connects")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, verdicts};

    #[test]
    fn the_servers_words_in_a_clients_log_are_likely() {
        let told = "2026-11-23T02:58:11Z redis.exceptions.AuthenticationError: AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\n";
        assert_eq!(
            verdicts(check(&application(told))),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn a_wrong_password_is_another_rules() {
        let told = "2026-11-23T02:58:11Z AuthenticationError: invalid username-password pair or user is disabled.\n";
        assert_eq!(verdicts(check(&application(told))), []);
    }

    #[test]
    fn a_server_that_says_so_to_the_doctor_proves_it() {
        let mut facts = Facts::default();
        let reach = Reach::TurnedAway(NO_PASSWORD_SET.to_owned());
        facts.looks.push(Look::new("cache:6379", None, reach));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Proved)]
        );
        facts.looks[0].reach = Reach::TurnedAway("WRONGPASS".to_owned());
        assert_eq!(verdicts(check(&facts)), []);
    }
}
