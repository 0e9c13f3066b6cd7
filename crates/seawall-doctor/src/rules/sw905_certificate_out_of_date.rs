//! A certificate is valid no more, or not yet.

use crate::facts::{Facts, TlsTrouble};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;
use crate::tls::{self, ACCEPTING, Handshake};

const CLIENT: [Text; 6] = [
    Text::client("certificate has expired").shared(),
    Text::client("certificate is not yet valid").shared(),
    Text::client("CERT_HAS_EXPIRED").shared(),
    Text::client("ALERT_CERTIFICATE_EXPIRED").shared(),
    Text::client("expired or is not yet valid").shared(),
    Text::client("CertificateExpiredException").shared(),
];

pub(super) const RULE: Rule = Rule {
    code: Code(905),
    title: "a certificate is valid no more, or not yet",
    explanation: "New connections fail from its last minute on, all at once; established ones go on, so that it shows with the next \
restart or reconnect. `certificate has expired` at the client means the server's; `alert certificate expired` the client's own. \
`Not yet valid` mostly means that a clock is wrong.",
    messages: &[
        "certificate has expired",
        "CERT_HAS_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "certificate is not yet valid",
    ],
    needs: &[Need::ClientLog, Need::ServerLog, Need::Server],
    texts: &[
        ACCEPTING, CLIENT[0], CLIENT[1], CLIENT[2], CLIENT[3], CLIENT[4], CLIENT[5],
    ],
    sources: &[
        "openssl: x509_vfy",
        "produced on redis-server 7.0.15 with redis-py 8.0",
    ],
    check,
    ..Rule::PLAIN
};

const HANDSHAKE: Handshake = Handshake {
    server: &["alert certificate expired", "certificate has expired"],
    client: &CLIENT,
    met: |trouble| matches!(trouble, TlsTrouble::OutOfDate(_)),
};

fn check(facts: &Facts) -> Vec<Finding> {
    let found = tls::found(facts, &RULE, &HANDSHAKE).map(|finding| {
        finding
            .fix("whose, and until when? openssl s_client -connect HOST:PORT </dev/null | openssl x509 -noout -dates; of the client's: openssl x509 -noout -dates -in CERT; date -u on both hosts", "", "")
            .fix("renew it, and load it without a restart: redis-cli CONFIG SET tls-cert-file PATH tls-key-file PATH", "a wrong pair is refused, and the old one stays", "CONFIG SET with the old paths")
            .checked_by("notAfter is more than 30 d away, and an alarm is set for 14 d")
    });
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Look, Reach};
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, log, verdicts};

    #[test]
    fn the_clients_words_are_likely_and_what_the_doctor_met_is_proof() {
        let mut facts = application(
            "2026-11-23T02:58:11Z redis: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)\n",
        );
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        let reach = Reach::Tls(TlsTrouble::OutOfDate("expired 2 d ago".to_owned()));
        facts.looks.push(Look::new("cache:6380", None, reach));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Proved)]
        );
    }

    #[test]
    fn a_handshake_that_failed_otherwise_is_another_rules() {
        let line = "14025:M 23 Nov 2026 02:58:11.046 # Error accepting a client connection: error:0A000418:SSL routines::tlsv1 alert unknown ca\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }
}
