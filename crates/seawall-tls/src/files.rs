//! Certificates and keys from files, read once.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::error::{Found, TlsSetupError};

/// The largest file that is read: the authorities of a whole system are a quarter of a megabyte.
pub(crate) const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The authorities in a file.
pub(crate) fn authorities(path: &Path) -> Result<RootCertStore, TlsSetupError> {
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
pub(crate) fn system_authorities() -> Result<RootCertStore, TlsSetupError> {
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
pub(crate) fn identity(
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
