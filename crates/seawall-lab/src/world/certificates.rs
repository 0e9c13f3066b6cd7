//! An authority of the laboratory's own, and what it signs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Now, and for as long as anybody runs this.
    Now,
    /// It was valid, and is so no more.
    Past,
}

/// Whom a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// A server.
    Server,
    /// A client.
    Client,
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// An authority that signs certificates, made anew each time: nothing anywhere else trusts it.
///
/// Its files are removed when this is dropped.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl Authority {
    /// Makes the authority and writes its certificate.
    ///
    /// # Errors
    /// The directory cannot be written, or the system has no random bytes to give.
    pub fn new() -> io::Result<Self> {
        // Each has a name of its own: with the same one, what another signed would pass for its own, badly signed.
        static MADE: AtomicU32 = AtomicU32::new(0);
        let mut params = CertificateParams::default();
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("Seawall's laboratory {}/{number}", std::process::id());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?;
        let dir = tempfile::Builder::new()
            .prefix("seawall-lab-tls-")
            .tempdir()?;
        fs::write(dir.path().join("ca.crt"), issuer.pem())?;
        Ok(Self { issuer, dir })
    }

    /// Its own certificate: whoever trusts it trusts what it signs.
    pub fn certificate(&self) -> PathBuf {
        self.dir.path().join("ca.crt")
    }

    /// The directory with its files; others may be put there.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Signs a certificate for these names (host names and IP addresses), and writes it as `file`.crt and `file`.key.
    ///
    /// # Errors
    /// As for [`new`](Self::new), and a name that no certificate can carry.
    pub fn sign(
        &self,
        file: &str,
        names: &[&str],
        bearer: Bearer,
        validity: Validity,
    ) -> io::Result<Certificate> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, file);
        params.extended_key_usages = vec![match bearer {
            Bearer::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Bearer::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        if validity == Validity::Past {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let signed = params
            .signed_by(&key, &self.issuer)
            .map_err(io::Error::other)?;
        let written = Certificate {
            certificate: self.dir.path().join(format!("{file}.crt")),
            key: self.dir.path().join(format!("{file}.key")),
        };
        fs::write(&written.certificate, signed.pem())?;
        fs::write(&written.key, key.serialize_pem())?;
        Ok(written)
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({})", self.dir.path().display())
    }
}
