//! What a client sent is no request.

use crate::evidence::{self, Heard, counted};
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const CLIENT: [Text; 6] = [
    Text::client("Protocol error: invalid bulk length"),
    Text::client("Protocol error: invalid multibulk length"),
    Text::client("Protocol error: expected '$'"),
    Text::client("Protocol error: too big"),
    Text::client("Protocol error: unbalanced quotes"),
    Text::client("Protocol error: invalid CRLF"),
];
const SERVER: Text = Text::server("Protocol error (").keeping(Keeps::Peer);
const BY_LOGIN: Text = Text::server("Protocol error (unauth ").keeping(Keeps::Peer);

pub(super) const RULE: Rule = Rule {
    code: Code(309),
    title: "Redis closed a client whose bytes were no request",
    explanation: "Two threads, tasks or forked processes that write to one socket mix their requests; a call that was cancelled in \
the middle leaves half of one; a value above `proto-max-bulk-len` (512 MB) says an `invalid bulk length`. The server answers \
`-ERR Protocol error` and closes. The same client may have got others' replies before: look for that first.",
    messages: &[
        "Protocol error: invalid bulk length",
        "Protocol error: expected '$'",
        "Protocol error: invalid multibulk length",
        "Protocol error",
    ],
    needs: &[Need::ServerLog, Need::ClientLog],
    texts: &[
        CLIENT[0], CLIENT[1], CLIENT[2], CLIENT[3], CLIENT[4], CLIENT[5], SERVER, BY_LOGIN,
    ],
    sources: &[
        "redis: networking.c setProtocolError",
        "redis-py#496",
        "produced on redis-server 7.0.15",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let by_login: Vec<_> = facts.said(&BY_LOGIN).map(|fact| &fact.place).collect();
    let server = Heard::of(facts, &[SERVER]).and_then(|heard| {
        let lines: Vec<_> = heard
            .lines
            .into_iter()
            .filter(|fact| !by_login.contains(&&fact.place))
            .collect();
        (!lines.is_empty()).then_some(Heard { lines })
    });
    let client = Heard::of(facts, &CLIENT);
    let Some((heard, confidence)) = evidence::surest(server, client) else {
        return Vec::new();
    };
    let finding = heard.finding(&RULE, Verdict::Cause, confidence);
    let claim = match confidence {
        Confidence::Proved => format!(
            "{} closed for what they sent: {}. Proved: the log names them.",
            counted(heard.lines.len(), "connection was", "connections were"),
            finding.whom()
        ),
        _ => format!(
            "{} no request, in the server's own words.",
            counted(heard.lines.len(), "message was", "messages were")
        ),
    };
    vec![
        finding
            .claims(claim)
            .fix("one connection for one thread, task or process at a time: a client made after the fork (gunicorn post_fork, Celery worker_process_init), and none shared by hand", "", "")
            .fix("a large value: redis-cli CONFIG GET proto-max-bulk-len; smaller values", "", "")
            .checked_by("errorstat_ERR of INFO errorstats hardly rises, and the line does not come again"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, verdicts};

    const LINE: &str = "14059:M 28 Nov 2026 23:44:21.265 - Protocol error (invalid bulk length) from client: id=27 addr=127.0.0.1:46072 laddr=127.0.0.1:26432 fd=8 name= age=0 idle=0 flags=N qbuf=17 omem=0 cmd=NULL. Query buffer during protocol error: '*1 secret'\n";

    #[test]
    fn the_servers_line_names_the_client_and_none_of_its_bytes() {
        let found = check(&log(LINE));
        assert_eq!(found[0].whom(), "id=27 127.0.0.1:46072");
        assert!(!format!("{found:?}").contains("secret"));
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn its_words_at_the_client_are_likely() {
        let told = application(
            "2026-11-23T02:58:11Z redis.exceptions.ResponseError: Protocol error: invalid bulk length\n",
        );
        assert_eq!(
            verdicts(check(&told)),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn one_that_had_not_logged_in_is_another_rules() {
        assert_eq!(
            verdicts(check(&log(&LINE.replace("invalid bulk", "unauth bulk")))),
            []
        );
    }
}
