//! What goes wrong in TLS, in words that say who has to act.

use std::io;

use rustls::{
    AlertDescription as Alert, CertificateError, Error, InvalidMessage, PeerIncompatible,
};
use seawall_model::Cause;
use seawall_wire::{Foreign, sniff_foreign};

/// A failure of TLS itself: its cause and what was seen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) cause: Cause,
    pub(crate) detail: String,
}

impl Trouble {
    fn handshake(detail: impl Into<String>) -> Self {
        Self {
            cause: Cause::TlsHandshake,
            detail: detail.into(),
        }
    }

    fn certificate(detail: impl Into<String>) -> Self {
        Self {
            cause: Cause::TlsCertificate,
            detail: detail.into(),
        }
    }

    /// The trouble behind an error of a [`TlsStream`](super::TlsStream); `None`: it is the socket's own.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().map(Self::of_session)
    }

    /// The trouble that the session reports.
    pub(crate) fn of_session(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => Self::certificate(certificate(error)),
            Error::NoCertificatesPresented => Self::certificate("the server showed no certificate"),
            Error::AlertReceived(alert) => Self::of_alert(*alert),
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::Tls12NotOfferedOrEnabled,
            )
            | Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion) => Self::handshake(
                "the server speaks neither TLS 1.2 nor 1.3 (`tls-protocols` in redis.conf)",
            ),
            Error::PeerIncompatible(what) => Self::handshake(format!(
                "the server and we have nothing in common: {what:?}"
            )),
            other => Self::handshake(other.to_string()),
        }
    }

    /// The server gave us up, and said why.
    fn of_alert(alert: Alert) -> Self {
        let said = |words: &str| format!("the server refused {words} (alert {alert:?})");
        match alert {
            Alert::CertificateRequired | Alert::NoCertificate => Self::certificate(said(
                "us without a client certificate: set `tls_cert_file` and `tls_key_file`",
            )),
            Alert::UnknownCA => Self::certificate(said(
                "our certificate: its authority is not one that the server trusts (`tls-ca-cert-file` in redis.conf)",
            )),
            // What OpenSSL says of a certificate whose authority has the right name and another key.
            Alert::DecryptError => Self::certificate(said(
                "our certificate: its signature is not by the key of the authority that the server trusts; was that one made anew?",
            )),
            Alert::CertificateExpired => {
                Self::certificate(said("our certificate: it is out of date"))
            }
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::AccessDenied => Self::certificate(said("our certificate (`tls_cert_file`)")),
            Alert::HandshakeFailure => Self::handshake(said(
                "the handshake: no cipher in common, or it wants a client certificate (`tls_cert_file`)",
            )),
            Alert::ProtocolVersion => Self::handshake(said(
                "our protocol versions, TLS 1.2 and 1.3 (`tls-protocols` in redis.conf)",
            )),
            Alert::UnrecognisedName => {
                Self::handshake(said("the name that we asked for: set `tls_server_name`"))
            }
            _ => Self::handshake(said("to go on")),
        }
    }

    /// The trouble with a peer whose first bytes are no TLS; `None` if they may be.
    pub(crate) fn of_opening(bytes: &[u8]) -> Option<Self> {
        match sniff_foreign(bytes) {
            Some(Foreign::Tls) => return None,
            Some(foreign) => {
                return Some(Self {
                    cause: Cause::NotRedis,
                    detail: format!("what answers there is {foreign}, without TLS"),
                });
            }
            None => {}
        }
        // Every type of a Redis reply begins with a character above 0x20, every TLS record with one far below.
        let first = *bytes.first()?;
        (first >= 0x20).then(|| {
            Self::handshake(format!(
                "the port speaks no TLS: it answered `{}`",
                first_line(bytes)
            ))
        })
    }

    /// The trouble with a plain URL whose port answers the first words of TLS in TLS.
    pub(crate) fn of_tls_port(bytes: &[u8]) -> Option<Self> {
        (sniff_foreign(bytes) == Some(Foreign::Tls)).then(|| Self {
            cause: Cause::NotRedis,
            detail: "the port speaks TLS: use rediss://".to_owned(),
        })
    }
}

/// The first line of what a peer said, fit to be shown.
fn first_line(bytes: &[u8]) -> String {
    const SHOWN_MAX: usize = 80;
    String::from_utf8_lossy(bytes)
        .chars()
        .take_while(|c| !matches!(c, '\r' | '\n'))
        .filter(|c| !c.is_control())
        .take(SHOWN_MAX)
        .collect()
}

/// What is wrong with the server's certificate.
fn certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::UnknownIssuer => {
            "the server's certificate is signed by no authority that is trusted here (`tls_ca_file`)"
                .to_owned()
        }
        E::NotValidForNameContext {
            expected,
            presented,
        } => {
            let expected = expected.to_str();
            if presented.is_empty() {
                format!(
                    "the server's certificate names no host (subjectAltName), and is asked for {expected}; the common name does not count"
                )
            } else {
                format!(
                    "the server's certificate is for {}, not for {expected} (`tls_server_name` says which name to look for)",
                    names(presented)
                )
            }
        }
        E::NotValidForName => "the server's certificate is for another name".to_owned(),
        E::ExpiredContext { time, not_after } => format!(
            "the server's certificate expired {} ago",
            span(time.as_secs().saturating_sub(not_after.as_secs()))
        ),
        E::Expired => "the server's certificate expired".to_owned(),
        E::NotValidYetContext { time, not_before } => format!(
            "the server's certificate is not valid before {} from now: are both clocks right?",
            span(not_before.as_secs().saturating_sub(time.as_secs()))
        ),
        E::NotValidYet => {
            "the server's certificate is not valid yet: are both clocks right?".to_owned()
        }
        E::Revoked => "the server's certificate was revoked".to_owned(),
        E::BadEncoding => "the server's certificate cannot be read".to_owned(),
        E::BadSignature => {
            "the server's certificate is signed by an authority of the right name and another key: was it made anew (`tls_ca_file`)?"
                .to_owned()
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            "the server's certificate was not made for servers (extendedKeyUsage has no serverAuth)"
                .to_owned()
        }
        E::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "the server shows the certificate of an authority (CA:TRUE) as its own; it needs one that the authority signed"
                .to_owned()
        }
        E::Other(other) => format!("the server's certificate cannot be checked: {other}"),
        other => format!("the server's certificate was not accepted: {other}"),
    }
}

/// The names in a certificate, without the words in which rustls wraps them: `DnsName("a.example")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inside = name
            .split_once('(')
            .and_then(|(_, rest)| rest.strip_suffix(')'));
        inside.unwrap_or(name).trim_matches('"').to_owned()
    };
    presented.iter().map(bare).collect::<Vec<_>>().join(", ")
}

/// A span in the unit that a person would choose.
fn span(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0..=119 => (seconds, "second"),
        120..=7199 => (seconds / 60, "minute"),
        7200..=172_799 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_redis_a_web_server_and_a_tls_server_are_told_apart_by_their_first_bytes() {
        let plain =
            Trouble::of_opening(b"-ERR Protocol error: too big inline request\r\n").unwrap();
        assert_eq!(plain.cause, Cause::TlsHandshake);
        assert!(
            plain
                .detail
                .ends_with("`-ERR Protocol error: too big inline request`")
        );
        let web = Trouble::of_opening(b"HTTP/1.1 400 Bad Request\r\n").unwrap();
        assert_eq!(web.cause, Cause::NotRedis);
        assert_eq!(Trouble::of_opening(&[22, 3, 3, 0, 122]), None);
        assert_eq!(Trouble::of_opening(&[21, 3, 3, 0, 2, 2, 40]), None);
        assert_eq!(Trouble::of_opening(b""), None);
    }

    #[test]
    fn a_refused_client_certificate_is_told_from_a_missing_one() {
        let missing = Trouble::of_session(&Error::AlertReceived(Alert::CertificateRequired));
        let refused = Trouble::of_session(&Error::AlertReceived(Alert::UnknownCA));
        assert_eq!(
            (missing.cause, refused.cause),
            (Cause::TlsCertificate, Cause::TlsCertificate)
        );
        assert!(missing.detail.contains("without a client certificate"));
        assert!(refused.detail.contains("our certificate"));
        let renewed = Trouble::of_session(&Error::AlertReceived(Alert::DecryptError));
        assert_eq!(renewed.cause, Cause::TlsCertificate);
        let version = Trouble::of_session(&Error::AlertReceived(Alert::ProtocolVersion));
        assert_eq!(version.cause, Cause::TlsHandshake);
    }

    #[test]
    fn ages_are_told_in_the_unit_that_a_person_would_choose() {
        assert_eq!(span(1), "1 second");
        assert_eq!(span(150), "2 minutes");
        assert_eq!(span(7300), "2 hours");
        assert_eq!(span(86_400 * 31), "31 days");
    }

    #[test]
    fn what_a_stranger_said_is_shown_without_control_characters() {
        assert_eq!(first_line(b"-ERR \x1b[31mred\r\nmore"), "-ERR [31mred");
        assert_eq!(first_line(&[0xff; 500]).chars().count(), 80);
    }
}
