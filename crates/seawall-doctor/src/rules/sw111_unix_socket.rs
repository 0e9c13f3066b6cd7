//! A Unix socket is not there, or closed to this user.

use crate::evidence::{Heard, counted};
use crate::facts::{Facts, Reach};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::startup;
use crate::text::Text;

const TOLD: Text = Text::client("connecting to unix socket");
const NODE: Text = Text::client("connect ENOENT ").shared();
const FORBIDDEN: Text = Text::client("connect EACCES ").shared();
const SERVER: Text = startup::LISTENING[1];

pub(super) const RULE: Rule = Rule {
    code: Code(111),
    title: "the Unix socket cannot be connected to",
    explanation: "The file of the socket is not there (the server does not run, has no `unixsocket`, or its directory in /run was \
made anew), or this user may not use it (`unixsocketperm`, the directory's permissions, SELinux). Errno 2 is the one, 13 the \
other, 111 a file that a dead server left.",
    messages: &[
        "connecting to unix socket",
        "connect ENOENT",
        "connect EACCES",
        "Error 2 connecting",
        "Error 13 connecting",
    ],
    needs: &[Need::ClientLog, Need::ServerLog],
    texts: &[TOLD, NODE, FORBIDDEN, SERVER],
    sources: &["redis: unix.c", "redis-py: connection.py"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    if let Some(heard) = Heard::of(facts, &[SERVER]) {
        let why = &heard.last().what.rest;
        let finding = heard
            .finding(&RULE, Verdict::Cause, Confidence::Proved)
            .claims(format!("Redis could not make its Unix socket ({why}), and ended. Proved: its own log says so."));
        return vec![advised(finding)];
    }
    let Some(heard) = Heard::of(facts, &[TOLD, NODE, FORBIDDEN]) else {
        return Vec::new();
    };
    let seen = facts.looks.iter().find(|look| {
        let away = matches!(look.reach, Reach::Unreachable(_) | Reach::Refused);
        away && look.source.starts_with('/')
    });
    let confidence = if seen.is_some() {
        Confidence::Strong
    } else {
        Confidence::Likely
    };
    let mut finding = heard
        .finding(&RULE, Verdict::Cause, confidence)
        .claims(format!(
            "{} the Unix socket.",
            counted(
                heard.lines.len(),
                "call could not connect to",
                "calls could not connect to"
            )
        ));
    if let Some(look) = seen {
        finding = finding
            .struck(&*look.source)
            .supported(look.place("connect"), "nor could the doctor");
    }
    vec![advised(finding)]
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("redis-cli CONFIG GET 'unixsocket*'; namei -l PATH shows every directory's owner and mode", "", "")
        .fix("unixsocketperm 770 in redis.conf (restart), and the application's user in the server's group: usermod -aG redis USER", "who is in the group reads and writes all data", "gpasswd -d USER redis")
        .checked_by("sudo -u USER redis-cli -s PATH PING answers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Look;
    use crate::testing::{application, log, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.ConnectionError: Error 2 connecting to unix socket: /run/redis.sock. No such file or directory.\n";

    #[test]
    fn the_clients_words_are_likely_and_with_the_doctors_own_try_strong() {
        let mut facts = application(TOLD);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        let reach = Reach::Unreachable("No such file or directory".to_owned());
        facts.looks.push(Look::new("/run/redis.sock", None, reach));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn the_servers_own_words_are_proof() {
        let found = check(&log(
            "9673:M 28 Nov 2026 23:43:05.484 # Failed opening Unix socket: bind: No such file or directory\n",
        ));
        assert!(
            found[0].claim.contains("bind: No such file"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn a_refused_port_is_another_thing() {
        let tcp = "2026-11-23T02:58:11Z Error 111 connecting to cache:6379. Connection refused.\n";
        assert_eq!(verdicts(check(&application(tcp))), []);
    }
}
