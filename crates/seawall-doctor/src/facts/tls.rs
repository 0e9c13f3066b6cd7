//! Why TLS could not be agreed on.

use std::fmt;

/// Why TLS could not be agreed on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsTrouble {
    /// TLS was spoken to a port that speaks none: it says nothing, or something else.
    PlainPort,
    /// TLS was not spoken to a port that wants it.
    TlsPort,
    /// Nobody whom we trust signed the server's certificate.
    UnknownAuthority,
    /// The server's certificate is valid no more, or not yet: in words, by how much.
    OutOfDate(String),
    /// The server's certificate is for other names: which.
    WrongName(String),
    /// The server's certificate has another fault.
    Certificate(String),
    /// The server wants a certificate of its clients, and we have none to show.
    OursMissing,
    /// The server did not accept our certificate.
    OursRefused(String),
    /// No protocol version, cipher or the like in common, or something else: in words.
    Other(String),
}

impl fmt::Display for TlsTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlainPort => f.write_str("the port speaks no TLS"),
            Self::TlsPort => f.write_str("the port speaks TLS, and was spoken to without"),
            Self::UnknownAuthority => {
                f.write_str("no authority that is trusted here signed the server's certificate")
            }
            Self::OutOfDate(words) => write!(f, "the server's certificate {words}"),
            Self::WrongName(names) => write!(f, "the server's certificate is for {names}"),
            Self::Certificate(words) => {
                write!(f, "the server's certificate is not accepted: {words}")
            }
            Self::OursMissing => f.write_str("the server wants a certificate of its clients"),
            Self::OursRefused(words) => {
                write!(f, "the server did not accept our certificate: {words}")
            }
            Self::Other(words) => write!(f, "TLS could not be agreed on: {words}"),
        }
    }
}
