//! The server wants a certificate of its clients.

use crate::facts::{Facts, TlsTrouble};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;
use crate::tls::{self, ACCEPTING, Handshake};

const CLIENT: [Text; 3] = [
    Text::client("CERTIFICATE_REQUIRED").shared(),
    Text::client("alert certificate required").shared(),
    Text::client("tls: certificate required").shared(),
];

pub(super) const RULE: Rule = Rule {
    code: Code(904),
    title: "the server wants a certificate of its clients, and got none that it accepts",
    explanation: "`tls-auth-clients yes` is the default: a client without a certificate of the server's own authority is turned away. \
Under TLS 1.3 it learns so only with its first read, so that it looks like a failed command (`EOF occurred in violation of \
protocol`, or a reset), and only the server's log has the reason.",
    messages: &[
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "certificate required",
        "EOF occurred in violation of protocol",
    ],
    needs: &[Need::ServerLog, Need::ClientLog, Need::Server],
    texts: &[ACCEPTING, CLIENT[0], CLIENT[1], CLIENT[2]],
    sources: &[
        "redis: tls.c",
        "produced on redis-server 7.0.15 with redis-py 8.0",
    ],
    check,
    ..Rule::PLAIN
};

const HANDSHAKE: Handshake = Handshake {
    server: &[
        "peer did not return a certificate",
        "certificate verify failed",
    ],
    client: &CLIENT,
    met: |trouble| {
        matches!(
            trouble,
            TlsTrouble::OursMissing | TlsTrouble::OursRefused(_)
        )
    },
};

fn check(facts: &Facts) -> Vec<Finding> {
    let found = tls::found(facts, &RULE, &HANDSHAKE).map(|finding| {
        finding
            .fix("give the client a certificate that the server's tls-ca-cert-file signed: ssl_certfile and ssl_keyfile (redis-cli --cert --key); of one that it has, look at openssl x509 -noout -dates -issuer", "", "")
            .fix("redis-cli CONFIG SET tls-auth-clients optional", "who has the password and no certificate gets in", "redis-cli CONFIG SET tls-auth-clients yes")
            .checked_by("redis-cli --tls --cacert CA --cert CERT --key KEY PING answers, and the line does not come again")
    });
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, log, verdicts};

    const LINE: &str = "14025:M 23 Nov 2026 02:58:11.046 # Error accepting a client connection: error:0A0000C7:SSL routines::peer did not return a certificate (addr=10.0.0.7:51234 laddr=10.0.0.2:6379)\n";

    #[test]
    fn the_servers_reason_names_the_host() {
        let found = check(&log(LINE));
        assert_eq!(found[0].whom(), "10.0.0.7");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn both_sides_are_strong_and_an_end_of_stream_alone_is_nothing() {
        let mut facts = application(
            "2026-11-23T02:58:11Z redis: [SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required (_ssl.c:2580)\n",
        );
        facts.add(log(LINE));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
        let eof = "2026-11-23T02:58:11Z redis.exceptions.ConnectionError: Error 8 while writing to socket. EOF occurred in violation of protocol (_ssl.c:2427).\n";
        assert_eq!(verdicts(check(&application(eof))), []);
    }
}
