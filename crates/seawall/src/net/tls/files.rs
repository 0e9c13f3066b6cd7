//! Certificates and keys from files, read once.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// The largest file that is read: the authorities of a whole system are a quarter of a megabyte.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why TLS cannot be set up as the settings ask.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsSetupError {
    /// The file cannot be read.
    #[error("{setting}: cannot read {path}: {source}", path = path.display())]
    Unreadable {
        setting: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// More than [`FILE_BYTES_MAX`].
    #[error("{setting}: {path} is larger than {FILE_BYTES_MAX} bytes", path = path.display())]
    TooLarge {
        setting: &'static str,
        path: PathBuf,
    },
    /// It begins like PEM, and breaks off or has other characters in it.
    #[error("{setting}: {path} is damaged PEM: {what}", path = path.display())]
    Damaged {
        setting: &'static str,
        path: PathBuf,
        what: String,
    },
    /// There is nothing of the kind in it.
    #[error("{setting}: there is no {wanted} in {path}", path = path.display())]
    Missing {
        setting: &'static str,
        path: PathBuf,
        wanted: &'static str,
        found: Found,
    },
    /// A section is PEM, and what is in it is no certificate.
    #[error("{setting}: certificate {number} in {path} cannot be read: {what}", path = path.display())]
    NotACertificate {
        setting: &'static str,
        path: PathBuf,
        number: usize,
        what: String,
    },
    /// The key is of a kind that is not supported.
    #[error("tls_key_file: the key in {path} cannot be used: {what}", path = path.display())]
    BadKey { path: PathBuf, what: String },
    /// The key belongs to another certificate.
    #[error("tls_key_file: the key in {key} does not belong to the certificate in {certificate}", key = key.display(), certificate = certificate.display())]
    KeyMismatch { key: PathBuf, certificate: PathBuf },
    /// This system has no authorities.
    #[error("no authority is trusted: this system's certificate store is empty{}", because(.what))]
    NoSystemStore { what: String },
    /// The host is no name that a certificate could have.
    #[error("{name:?} is no name that a certificate can carry")]
    BadName { name: String },
    /// rustls refused what it was given.
    #[error("TLS cannot be set up: {what}")]
    Refused { what: String },
}

/// What was found in a file instead of what was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
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
    pub(crate) fn hint(&self) -> &'static str {
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

/// The authorities in a file.
pub(super) fn authorities(path: &Path) -> Result<RootCertStore, TlsSetupError> {
    const SETTING: &str = "tls_ca_file";
    let mut roots = RootCertStore::empty();
    for (at, certificate) in certificates(SETTING, path)?.into_iter().enumerate() {
        roots
            .add(certificate)
            .map_err(|error| TlsSetupError::NotACertificate {
                setting: SETTING,
                path: path.into(),
                number: at + 1,
                what: error.to_string(),
            })?;
    }
    Ok(roots)
}

/// The authorities that this system trusts.
pub(super) fn system_authorities() -> Result<RootCertStore, TlsSetupError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems carry a few old ones that nothing can read; they are none that a server of today depends on.
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added > 0 {
        return Ok(roots);
    }
    let what = found
        .errors
        .first()
        .map(ToString::to_string)
        .unwrap_or_default();
    Err(TlsSetupError::NoSystemStore { what })
}

/// Our own certificate with its chain and key.
pub(super) fn identity(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsSetupError> {
    let chain = certificates("tls_cert_file", certificate)?;
    CertifiedKey::from_der(chain, private_key(key)?, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsSetupError::KeyMismatch {
            key: key.into(),
            certificate: certificate.into(),
        },
        rustls::Error::InvalidCertificate(error) => TlsSetupError::NotACertificate {
            setting: "tls_cert_file",
            path: certificate.into(),
            number: 1,
            what: error.to_string(),
        },
        other => TlsSetupError::BadKey {
            path: key.into(),
            what: other.to_string(),
        },
    })
}

fn certificates(
    setting: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    let bytes = read(setting, path)?;
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| damaged(setting, path, &error))?;
    if found.is_empty() {
        return Err(TlsSetupError::Missing {
            setting,
            path: path.into(),
            wanted: "certificate",
            found: what_else(&bytes),
        });
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsSetupError> {
    const SETTING: &str = "tls_key_file";
    let bytes = read(SETTING, path)?;
    match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(TlsSetupError::Missing {
            setting: SETTING,
            path: path.into(),
            wanted: "private key",
            found: what_else(&bytes),
        }),
        Err(error) => Err(damaged(SETTING, path, &error)),
    }
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, TlsSetupError> {
    let unreadable = |source| TlsSetupError::Unreadable {
        setting,
        path: path.into(),
        source,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(unreadable)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(TlsSetupError::TooLarge {
            setting,
            path: path.into(),
        });
    }
    Ok(bytes)
}

fn damaged(setting: &'static str, path: &Path, error: &pem::Error) -> TlsSetupError {
    let what = match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            format!(
                "the END line of {} is missing",
                String::from_utf8_lossy(end_marker)
            )
        }
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is not well formed".to_owned(),
        other => other.to_string(),
    };
    TlsSetupError::Damaged {
        setting,
        path: path.into(),
        what,
    }
}

fn what_else(bytes: &[u8]) -> Found {
    let text = String::from_utf8_lossy(bytes);
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        Found::EncryptedKey
    } else if <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes).any(|section| section.is_ok()) {
        Found::Other
    } else {
        Found::Nothing
    }
}
