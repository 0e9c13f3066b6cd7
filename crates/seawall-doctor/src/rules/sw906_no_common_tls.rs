//! Client and server have no version or cipher of TLS in common.

use crate::facts::{Facts, TlsTrouble};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;
use crate::tls::{self, ACCEPTING, Handshake};

const CLIENT: [Text; 6] = [
    Text::client("ALERT_PROTOCOL_VERSION").shared(),
    Text::client("alert protocol version").shared(),
    Text::client("UNSUPPORTED_PROTOCOL").shared(),
    Text::client("protocol version not supported").shared(),
    Text::client("NO_SHARED_CIPHER").shared(),
    Text::client("ALERT_HANDSHAKE_FAILURE").shared(),
];

pub(super) const RULE: Rule = Rule {
    code: Code(906),
    title: "client and server have no version or cipher of TLS in common",
    explanation: "`tls-protocols` of the server, or a provider that switched old versions off, against a client whose OpenSSL, JVM or \
base image knows only older ones (or the other way round: a new client that refuses TLS 1.0). Nothing else is wrong with the \
certificate or the login.",
    messages: &[
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "unsupported protocol",
        "no shared cipher",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
    ],
    needs: &[Need::ServerLog, Need::ClientLog, Need::Server],
    texts: &[
        ACCEPTING, CLIENT[0], CLIENT[1], CLIENT[2], CLIENT[3], CLIENT[4], CLIENT[5],
    ],
    sources: &[
        "redis: tls.c tls-protocols",
        "produced on redis-server 7.0.15",
    ],
    check,
    ..Rule::PLAIN
};

const HANDSHAKE: Handshake = Handshake {
    server: &[
        "unsupported protocol",
        "no shared cipher",
        "no suitable signature algorithm",
        "version too low",
        "alert protocol version",
        "alert handshake failure",
    ],
    client: &CLIENT,
    met: |trouble| matches!(trouble, TlsTrouble::Other(_)),
};

fn check(facts: &Facts) -> Vec<Finding> {
    let found = tls::found(facts, &RULE, &HANDSHAKE).map(|finding| {
        finding
            .fix("what does the server offer? for v in -tls1_2 -tls1_3; do openssl s_client -connect HOST:PORT $v </dev/null 2>&1 | grep -E 'Protocol|Cipher is|alert'; done", "", "")
            .fix("update the client's OpenSSL or JVM; or: redis-cli CONFIG SET tls-protocols 'TLSv1.2 TLSv1.3'", "TLS 1.2 is in order; 1.0 and 1.1 are not", "redis-cli CONFIG SET tls-protocols '<old>'")
            .checked_by("redis-cli --tls PING answers from the client's image, and the line does not come again")
    });
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, log, verdicts};

    const LINE: &str = "14025:M 23 Nov 2026 02:58:11.113 # Error accepting a client connection: error:0A000102:SSL routines::unsupported protocol (conn: fd=8)\n";

    #[test]
    fn the_servers_reason_is_likely_and_both_sides_are_strong() {
        let mut facts = log(LINE);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.add(application("2026-11-23T02:58:11Z redis: [SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version (_ssl.c:1006)\n"));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn plain_text_on_a_port_of_tls_is_another_rules() {
        assert_eq!(
            verdicts(check(&log(
                &LINE.replace("unsupported protocol", "wrong version number")
            ))),
            []
        );
    }
}
