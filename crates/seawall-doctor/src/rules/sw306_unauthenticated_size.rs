//! A client sends something large before it has logged in.

use crate::evidence::{self, Heard, counted};
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const CLIENT: [Text; 2] = [
    Text::client("unauthenticated bulk length"),
    Text::client("unauthenticated multibulk length"),
];
const SERVER: Text = Text::server("Protocol error (unauth ").keeping(Keeps::Peer);

pub(super) const RULE: Rule = Rule {
    code: Code(306),
    title: "Redis closed a client that sent something large before it had logged in",
    explanation: "Until a connection has logged in, the server takes no argument above 16 kB, no more than 10 of them, and no more than \
1 MB in all. A client that has lost its password, or sends data in one pipeline before AUTH, is closed; mostly it sees a reset, \
since the rest of its request is unread, and not the words. Small commands of the same client get NOAUTH.",
    messages: &[
        "unauthenticated bulk length",
        "unauthenticated multibulk length",
        "Connection reset by peer",
    ],
    needs: &[Need::ServerLog, Need::ClientLog],
    texts: &[CLIENT[0], CLIENT[1], SERVER],
    sources: &[
        "redis: networking.c processMultibulkBuffer",
        "produced on redis-server 7.0.15",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let server = Heard::of(facts, &[SERVER]);
    let client = Heard::of(facts, &CLIENT);
    let Some((heard, confidence)) = evidence::surest(server, client) else {
        return Vec::new();
    };
    let finding = heard.finding(&RULE, Verdict::Cause, confidence);
    let who = match confidence {
        Confidence::Proved => format!(
            "{} closed: {}. Proved: the log names them.",
            counted(heard.lines.len(), "connection was", "connections were"),
            finding.whom()
        ),
        _ => format!(
            "{} refused with the server's own words.",
            counted(heard.lines.len(), "request was", "requests were")
        ),
    };
    vec![
        finding
            .claims(format!("Something large came before AUTH: {who}"))
            .fix("AUTH (or HELLO 3 AUTH) first, and its reply read, before data; the password in the URL: redis://USER:PASSWORD@HOST", "", "")
            .checked_by("errorstat_NOAUTH of INFO errorstats stays, and the line does not come again"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, verdicts};

    #[test]
    fn the_servers_line_names_the_client_and_its_words_alone_are_likely() {
        let line = "14059:M 28 Nov 2026 23:44:21.279 - Protocol error (unauth bulk length) from client: id=31 addr=127.0.0.1:46116 laddr=127.0.0.1:26432 fd=11 name= age=0 idle=0 flags=N db=0 qbuf=21 omem=0 cmd=NULL. Query buffer during protocol error: '*2 secret'\n";
        let found = check(&log(line));
        assert_eq!(found[0].whom(), "id=31 127.0.0.1:46116");
        assert!(!format!("{found:?}").contains("secret"));
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
        let told = application(
            "2026-11-23T02:58:11Z redis.exceptions.ResponseError: Protocol error: unauthenticated bulk length\n",
        );
        assert_eq!(
            verdicts(check(&told)),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn another_protocol_error_is_another_rules() {
        let line = "14059:M 28 Nov 2026 23:44:21.265 - Protocol error (invalid bulk length) from client: id=27 addr=127.0.0.1:46072 qbuf=17 omem=0 cmd=NULL\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }
}
