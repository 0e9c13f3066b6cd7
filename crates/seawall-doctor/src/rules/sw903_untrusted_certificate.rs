//! The client does not trust the server's certificate.

use crate::facts::{Facts, TlsTrouble};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;
use crate::tls::{self, ACCEPTING, Handshake};

const CLIENT: [Text; 9] = [
    Text::client("unable to get local issuer").shared(),
    Text::client("self-signed certificate").shared(),
    Text::client("self signed certificate").shared(),
    Text::client("SELF_SIGNED_CERT").shared(),
    Text::client("UNABLE_TO_VERIFY_LEAF_SIGNATURE").shared(),
    Text::client("signed by unknown authority").shared(),
    Text::client("PKIX path building failed").shared(),
    Text::client("ostname mismatch, certificate is not valid").shared(),
    Text::client("ERR_TLS_CERT_ALTNAME_INVALID").shared(),
];

pub(super) const RULE: Rule = Rule {
    code: Code(903),
    title: "the client does not trust the server's certificate",
    explanation: "The authority that signed it is not among those that the client trusts (a private one, and no `ssl_ca_certs`; the \
provider has changed its own), or the certificate is for other names than the one that was connected to (an address, a CNAME). The \
server only sees `alert unknown ca` or `bad certificate`. Never turn the check off: give the client the right authority.",
    messages: &[
        "CERTIFICATE_VERIFY_FAILED",
        "unable to get local issuer certificate",
        "self-signed certificate",
        "Hostname mismatch",
        "signed by unknown authority",
        "PKIX path building failed",
    ],
    needs: &[Need::ClientLog, Need::ServerLog, Need::Server],
    texts: &[
        ACCEPTING, CLIENT[0], CLIENT[1], CLIENT[2], CLIENT[3], CLIENT[4], CLIENT[5], CLIENT[6],
        CLIENT[7], CLIENT[8],
    ],
    sources: &[
        "openssl: x509_vfy",
        "produced on redis-server 7.0.15 with redis-py 8.0",
    ],
    check,
    ..Rule::PLAIN
};

const HANDSHAKE: Handshake = Handshake {
    server: &[
        "alert unknown ca",
        "alert bad certificate",
        "alert certificate unknown",
    ],
    client: &CLIENT,
    met: |trouble| {
        matches!(
            trouble,
            TlsTrouble::UnknownAuthority | TlsTrouble::WrongName(_) | TlsTrouble::Certificate(_)
        )
    },
};

fn check(facts: &Facts) -> Vec<Finding> {
    let found = tls::found(facts, &RULE, &HANDSHAKE).map(|finding| {
        finding
            .fix("what does it show? openssl s_client -connect HOST:PORT -showcerts </dev/null | openssl x509 -noout -issuer -subject -ext subjectAltName", "", "")
            .fix("the authority's certificate in the client's ssl_ca_certs (redis-cli --cacert), and a name of its in the URL", "", "")
            .checked_by("redis-cli --tls --cacert CA -h NAME PING answers, without --insecure")
    });
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Look, Reach};
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, log, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.ConnectionError: Error 1 connecting to localhost:26431. [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain (_ssl.c:1006).\n";
    const ALERT: &str = "14025:M 23 Nov 2026 02:58:11.072 # Error accepting a client connection: error:0A000418:SSL routines::tlsv1 alert unknown ca (conn: fd=9)\n";

    #[test]
    fn each_side_is_likely_and_both_are_strong() {
        let mut facts = application(TOLD);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        assert_eq!(
            verdicts(check(&log(ALERT))),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.add(log(ALERT));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn what_the_doctor_met_itself_is_proof() {
        let mut facts = Facts::default();
        let reach = Reach::Tls(TlsTrouble::WrongName("a.example".to_owned()));
        facts.looks.push(Look::new("10.0.0.2:6380", None, reach));
        let found = check(&facts);
        assert!(found[0].claim.contains("a.example"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn another_fault_of_the_handshake_is_another_rules() {
        assert_eq!(
            verdicts(check(&log(
                &ALERT.replace("tlsv1 alert unknown ca", "unsupported protocol")
            ))),
            []
        );
    }
}
