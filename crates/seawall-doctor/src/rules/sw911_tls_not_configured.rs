//! The server does not start, since it cannot use its certificates.

use crate::evidence::Heard;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::startup::TLS;
use crate::text::{Keeps, Text};

const CERTIFICATE: Text = Text::server("Failed to load certificate: ").keeping(Keeps::Rest);
const KEY: Text = Text::server("Failed to load private key: ").keeping(Keeps::Rest);
const AUTHORITY: Text = Text::server("Failed to configure CA certificate");

pub(super) const RULE: Rule = Rule {
    code: Code(911),
    title: "Redis cannot use its certificates",
    explanation: "The file of `tls-cert-file`, `tls-key-file` or `tls-ca-cert-file` is not there, is not readable for the server's user \
(a key that was renewed as root), or key and certificate are not a pair. At its start the server ends over it; a CONFIG SET is \
refused, and the old ones stay until they are out of date.",
    messages: &["Connection refused", "Unable to update TLS configuration"],
    needs: &[Need::ServerLog],
    brings: &[Code(101), Code(410)],
    texts: &[TLS, CERTIFICATE, KEY, AUTHORITY],
    sources: &[
        "redis: tls.c tlsConfigure",
        "produced on redis-server 7.0.15",
    ],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(heard) = Heard::of(facts, RULE.texts) else {
        return Vec::new();
    };
    // Without the end at its start it was a CONFIG SET that was refused: nothing broke yet.
    let ended = facts.said(&TLS).next().is_some();
    let (verdict, confidence, claim) = if ended {
        (
            Verdict::Cause,
            Confidence::Proved,
            "The server could not use its certificates, and ended. Proved: its own log says so.",
        )
    } else {
        (
            Verdict::Risk,
            Confidence::Possible,
            "New certificates were refused: the old ones are in use until they are out of date, and a restart would end the server.",
        )
    };
    vec![
        heard
            .finding(&RULE, verdict, confidence)
            .claims(claim)
            .fix("namei -l PATH of each of them, for the server's user; openssl x509 -noout -modulus -in CERT | md5sum and openssl rsa -noout -modulus -in KEY | md5sum are the same for a pair", "", "")
            .fix("chgrp redis KEY; chmod 640 KEY; then systemctl start redis-server, or redis-cli CONFIG SET tls-cert-file PATH tls-key-file PATH", "", "the old files")
            .checked_by("redis-cli --tls PING answers, and openssl s_client shows the new notAfter"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    const REFUSED: &str = "9662:M 28 Nov 2026 23:43:05.455 # Failed to load certificate: /nope.crt: error:80000002:system library::No such file or directory\n";
    const ENDED: &str =
        "9662:M 28 Nov 2026 23:43:05.455 # Failed to configure TLS. Check logs for more info.\n";

    #[test]
    fn an_end_over_it_is_proof_and_a_refused_change_a_risk() {
        assert_eq!(
            verdicts(check(&log(&format!("{REFUSED}{ENDED}")))),
            [(Verdict::Cause, Confidence::Proved)]
        );
        assert_eq!(
            verdicts(check(&log(REFUSED))),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }

    #[test]
    fn a_client_that_failed_is_another_rules() {
        let line = "14025:M 23 Nov 2026 02:58:11.046 # Error accepting a client connection: error:0A000418:SSL routines::tlsv1 alert unknown ca\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }
}
