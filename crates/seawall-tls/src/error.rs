//! Why TLS cannot be set up, and what to do.

use std::io;
use std::path::PathBuf;

use crate::files::FILE_BYTES_MAX;

/// Why TLS cannot be set up as the settings ask.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// The file cannot be read.
    #[error("{setting}: cannot read {path}: {source}", path = path.display())]
    Unreadable {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is larger than 16 MiB.
    #[error("{setting}: {path} is larger than {FILE_BYTES_MAX} bytes", path = path.display())]
    TooLarge {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// It begins like PEM, and breaks off or has other characters in it.
    #[error("{setting}: {path} is damaged PEM: {what}", path = path.display())]
    Damaged {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// There is nothing of the kind in it.
    #[error("{setting}: there is no {wanted} in {path}", path = path.display())]
    Missing {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
        /// What is there.
        found: Found,
    },
    /// A section is PEM, and what is in it is no certificate.
    #[error("{setting}: certificate {number} in {path} cannot be read: {what}", path = path.display())]
    NotACertificate {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Which of them, from 1.
        number: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The key is of a kind that is not supported.
    #[error("tls_key_file: the key in {path} cannot be used: {what}", path = path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The key belongs to another certificate.
    #[error("tls_key_file: the key in {key} does not belong to the certificate in {certificate}", key = key.display(), certificate = certificate.display())]
    KeyMismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// This system has no authorities.
    #[error("no authority is trusted: this system's certificate store is empty{}", because(.what))]
    NoSystemStore {
        /// What is wrong with it.
        what: String,
    },
    /// The host is no name that a certificate could have.
    #[error("{name:?} is no name that a certificate can carry")]
    BadName {
        /// The name.
        name: String,
    },
    /// rustls refused what it was given.
    #[error("TLS cannot be set up: {what}")]
    Refused {
        /// What is wrong with it.
        what: String,
    },
}

/// What was found in a file instead of what was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// No PEM at all.
    Nothing,
    /// PEM of another kind.
    Other,
    /// A key under a password.
    EncryptedKey,
}

fn because(what: &str) -> String {
    if what.is_empty() {
        String::new()
    } else {
        format!(" ({what})")
    }
}

impl TlsSetupError {
    /// What to do, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "check the path, and that this process's user may read the file"
            }
            Self::TooLarge { .. } => "is it the right file?",
            Self::Damaged { .. } => "copy the file again, with all its BEGIN and END lines",
            Self::Missing {
                found: Found::EncryptedKey,
                ..
            } => {
                "the key is under a password; write it without: openssl pkey -in KEY -out PLAIN_KEY"
            }
            Self::Missing {
                found: Found::Other,
                ..
            } => "there is PEM of another kind in it: were two files mixed up?",
            Self::Missing { .. } => {
                "PEM is needed, with BEGIN and END lines; DER is converted by openssl x509 -inform der"
            }
            Self::NotACertificate { .. } => "look at it with openssl x509 -text -in FILE",
            Self::BadKey { .. } => {
                "RSA of 2048 bits or more, ECDSA (P-256, P-384) and Ed25519 can be used"
            }
            Self::KeyMismatch { .. } => "give the key that the certificate was made with",
            Self::NoSystemStore { .. } => {
                "install the package ca-certificates, or name the authority with tls_ca_file"
            }
            Self::BadName { .. } => "set tls_server_name to the name in the server's certificate",
            Self::Refused { .. } => "look at the TLS settings",
        }
    }
}
