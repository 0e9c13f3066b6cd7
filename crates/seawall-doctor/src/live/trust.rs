//! What the URL's `tls_*` settings ask for, as rustls takes it.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustls::client::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use seawall_model::settings::{NameCheck, Settings, TlsVerify};
use seawall_model::{Security, Target};

/// The largest file that is read: the authorities of a whole system are a quarter of a megabyte.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// TLS cannot be set up as the URL asks.
#[derive(Debug, thiserror::Error)]
#[error("TLS to {server} cannot be set up: {what}")]
pub struct Unset {
    server: String,
    what: String,
    hint: &'static str,
}

impl Unset {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        self.hint
    }
}

/// What is wrong, and what to do.
type Wrong = (String, &'static str);

/// How TLS is spoken to a server.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl Plan {
    /// Reads what the target's settings name; `None` where no TLS is spoken.
    pub(super) fn of(target: &Target) -> Result<Option<Self>, Unset> {
        if target.security() == Security::Plain {
            return Ok(None);
        }
        let unset = |(what, hint)| Unset {
            server: target.endpoint().to_string(),
            what,
            hint,
        };
        let settings = Settings::from_target(target)
            .map_err(|error| unset((error.to_string(), "look at the options of the URL")))?;
        let host = settings.tls_server_name();
        let host = host.as_deref().or(target.endpoint().host());
        Self::read(&settings, host.unwrap_or_default())
            .map(Some)
            .map_err(unset)
    }

    fn read(settings: &Settings, host: &str) -> Result<Self, Wrong> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            let what = format!("{host:?} is no name that a certificate can carry");
            (what, "add tls_server_name=NAME to the URL")
        })?;
        let provider = Arc::new(ring::default_provider());
        let nothing = settings.tls_verify() == TlsVerify::Nothing;
        let roots = match settings.tls_ca_file() {
            Some(path) => authorities(&path)?,
            None if nothing => RootCertStore::empty(),
            None => system_authorities()?,
        };
        let verifier = verifier(settings, roots, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match (settings.tls_cert_file(), settings.tls_key_file()) {
            (Some(certificate), Some(key)) => builder
                .with_client_auth_cert(certificates(&certificate)?, private_key(&key)?)
                .map_err(|error| {
                    let what = format!("tls_cert_file and tls_key_file: {error}");
                    (what, "give the key that the certificate was made with")
                })?,
            _ => builder.with_no_client_auth(),
        };
        Ok(Self {
            config: Arc::new(config),
            name,
        })
    }

    /// TLS to find out whether a port speaks it, whoever is there.
    pub(super) fn to_anybody(host: &str) -> Option<Self> {
        let mut settings = Settings::default();
        settings.apply("tls_verify", "none").ok()?;
        Self::read(&settings, host)
            .or_else(|_| Self::read(&settings, "localhost"))
            .ok()
    }
}

fn verifier(
    settings: &Settings,
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Wrong> {
    let algorithms = provider.signature_verification_algorithms;
    let roots = Arc::new(roots);
    Ok(match (settings.tls_verify(), settings.tls_check_name()) {
        (TlsVerify::Nothing, _) => Arc::new(Lenient {
            roots: None,
            algorithms,
        }),
        (TlsVerify::Required, NameCheck::Off) => Arc::new(Lenient {
            roots: Some(roots),
            algorithms,
        }),
        (TlsVerify::Required, NameCheck::On) => {
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
                .build()
                .map_err(refused)?
        }
    })
}

fn refused(error: impl std::fmt::Display) -> Wrong {
    (error.to_string(), "look at the tls_ options of the URL")
}

fn authorities(path: &Path) -> Result<RootCertStore, Wrong> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| {
            let what = format!("{}: {error}", path.display());
            (what, "look at it with openssl x509 -text -in FILE")
        })?;
    }
    Ok(roots)
}

fn system_authorities() -> Result<RootCertStore, Wrong> {
    let mut roots = RootCertStore::empty();
    let (added, _) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        return Err((
            "this system's certificate store is empty".to_owned(),
            "install the package ca-certificates, or add tls_ca_file=FILE to the URL",
        ));
    }
    Ok(roots)
}

const PEM: &str = "PEM is needed, with BEGIN and END lines";

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err((
            format!("there is no certificate in {}", path.display()),
            PEM,
        )),
        Err(error) => Err((format!("{}: {error}", path.display()), PEM)),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Wrong> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| {
        let what = format!("there is no private key in {}: {error}", path.display());
        (what, "it must be PEM without a password")
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Wrong> {
    let unreadable = |error: std::io::Error| {
        let what = format!("{} cannot be read: {error}", path.display());
        (what, "check the path, and that you may read the file")
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// Accepts everybody (`tls_verify=none`), or everybody whom an authority signed for, whatever the name
/// (`tls_check_name=off`).
#[derive(Debug)]
struct Lenient {
    roots: Option<Arc<RootCertStore>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                roots,
                intermediates,
                now,
                self.algorithms.all,
            )?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.roots.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.roots.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
