//! The client speaks TLS, and the port does not.

use crate::evidence::{Heard, counted};
use crate::facts::{Facts, Failure, Reach, TlsTrouble};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const HANDSHAKE: &[Text] = &[
    Text::client("handshake operation timed out").shared(),
    Text::client("WRONG_VERSION_NUMBER").shared(),
    Text::client("first record does not look like a TLS handshake").shared(),
    Text::client("TLS handshake timeout").shared(),
    Text::client("SSLHandshakeException").shared(),
];
/// Verbose. A request of TLS has no end of line, so that Redis waits for more of it.
const UNREAD: Text = Text::server("Client closed connection ").keeping(Keeps::Peer);

/// The first message of TLS, as OpenSSL pads it.
const HELLO_BYTES: u64 = 517;

pub(super) const RULE: Rule = Rule {
    code: Code(109),
    title: "the client speaks TLS, and the port does not",
    explanation: "Redis takes the first bytes of TLS for the beginning of a command and waits for the rest: the client sees no \
error but a timeout of the handshake. redis-py tells it as `Timeout connecting to server`, so that it looks like a firewall; but \
the connection was made. The server's log tells only at `loglevel verbose`: a client that closes with 517 bytes unread and no \
command.",
    messages: &[
        "The handshake operation timed out",
        "WRONG_VERSION_NUMBER",
        "first record does not look like a TLS handshake",
        "TLS handshake timeout",
        "Timeout connecting to server",
    ],
    needs: &[Need::ClientLog, Need::ServerLog],
    brings: &[Code(102)],
    texts: &[
        HANDSHAKE[0],
        HANDSHAKE[1],
        HANDSHAKE[2],
        HANDSHAKE[3],
        HANDSHAKE[4],
        UNREAD,
    ],
    sources: &[
        "redis: networking.c processInlineBuffer",
        "produced on redis-server 7.0.15 with redis-py 8.0",
    ],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told = Heard::of(facts, HANDSHAKE);
    let unread = Heard::of(facts, &[UNREAD]).and_then(|heard| {
        heard.only(|said| {
            said.peer.as_ref().is_some_and(|peer| {
                let none = ["", "NULL"].contains(&peer.command.as_str());
                none && peer.query_bytes == HELLO_BYTES
            })
        })
    });
    let plain = facts
        .looks
        .iter()
        .find(|look| look.config.get("tls-port").is_some_and(|port| port == "0"));
    let met = facts
        .looks
        .iter()
        .find(|look| look.reach == Reach::Tls(TlsTrouble::PlainPort));
    if let Some(look) = met {
        let finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Proved)
            .at(look.at)
            .struck(&*look.source)
            .claims(format!(
                "The doctor spoke TLS to {}, and it does not. Proved: the doctor met it itself.",
                look.source
            ))
            .supported(look.place("connect"), "the port speaks no TLS");
        return vec![advised(finding)];
    }
    let timeouts = facts.failures(Failure::ConnectTimeout).count();
    let finding = match (&told, &unread) {
        (Some(told), Some(unread)) => told
            .finding(&RULE, Verdict::Cause, Confidence::Strong)
            .supported(unread.first().place.clone(), "the server's log: a client went with 517 bytes unread, the length of TLS's first message"),
        (None, Some(unread)) => {
            let strong = timeouts > 0;
            let confidence = if strong { Confidence::Strong } else { Confidence::Likely };
            unread.finding(&RULE, Verdict::Cause, confidence)
        }
        (Some(told), None) if plain.is_some() => told.finding(&RULE, Verdict::Cause, Confidence::Strong),
        // A handshake that takes long, or a proxy in front, may be behind it as well.
        (Some(told), None) => told.finding(&RULE, Verdict::Cause, Confidence::Likely),
        (None, None) => return Vec::new(),
    };
    let calls = told.as_ref().map_or(timeouts, |told| told.lines.len());
    let mut finding = finding.claims(match (calls, &unread) {
        (0, Some(unread)) => format!("{} 517 bytes that are no command, and went: the first message of TLS, on a port without it.", counted(unread.lines.len(), "client sent", "clients sent")),
        _ => format!("{} no TLS handshake: the port seems to speak plain Redis.", counted(calls, "call got", "calls got")),
    });
    if let Some(look) = plain {
        finding = finding.supported(
            look.place("CONFIG GET"),
            "tls-port 0: the server has no port of TLS",
        );
    }
    vec![advised(finding)]
}

fn advised(finding: Finding) -> Finding {
    finding
            .fix("redis:// instead of rediss:// in the URL (ssl=False), or the port that speaks TLS (redis-cli CONFIG GET tls-port)", "without TLS passwords and data are readable on the way", "the old URL")
            .checked_by("redis-cli --tls -h HOST -p PORT PING answers on a port of TLS, redis-cli without --tls on a plain one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, pasted, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.TimeoutError: _ssl.c:989: The handshake operation timed out\n";
    const UNREAD: &str = "14059:M 23 Nov 2026 02:58:13.720 - Client closed connection id=3 addr=127.0.0.1:52178 laddr=127.0.0.1:26432 fd=8 name= age=2 idle=2 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=517 qbuf-free=19957 argv-mem=0 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=22272 events=r cmd=NULL user=default redir=-1 resp=2\n";

    #[test]
    fn both_sides_together_are_strong_and_each_alone_is_likely() {
        let mut facts = application(TOLD);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.add(log(UNREAD));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
        let found = check(&log(UNREAD));
        assert_eq!(found[0].whom(), "id=3 127.0.0.1:52178");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn a_server_without_a_port_of_tls_makes_it_strong() {
        let mut facts = application(TOLD);
        facts.looks = pasted("# Server\nuptime_in_seconds:90\n").looks;
        facts.looks[0]
            .config
            .insert("tls-port".to_owned(), "0".to_owned());
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn a_client_that_goes_in_order_and_a_plain_timeout_are_other_things() {
        let gone = UNREAD
            .replace("qbuf=517", "qbuf=0")
            .replace("cmd=NULL", "cmd=get");
        assert_eq!(verdicts(check(&log(&gone))), []);
        let timeout = "2026-11-23T02:58:11Z Timeout connecting to server\n".repeat(3);
        assert_eq!(verdicts(check(&application(&timeout))), []);
    }
}
