//! From settings to a TLS configuration.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{RootCertStore, crypto::ring};
use seawall_model::Endpoint;
use seawall_model::settings::{NameCheck, Settings, TlsVerify};

use super::files::{self, TlsSetupError};
use super::trust::{self, Demand};

/// Sessions of one link that can be resumed: far more than its endpoint has addresses.
const SESSIONS_KEPT: usize = 64;

/// What TLS needs, read when the client is built, and kept so that a forked child can make its own.
#[derive(Clone)]
pub(crate) struct TlsPlan {
    /// Remembers no sessions: what does has a lock, which a forked child must not inherit.
    template: ClientConfig,
    name: ServerName<'static>,
}

impl TlsPlan {
    /// Reads the files that the settings name, or the system's own authorities.
    pub(crate) fn read(settings: &Settings, endpoint: &Endpoint) -> Result<Self, TlsSetupError> {
        let name = server_name(settings, endpoint)?;
        let provider = Arc::new(ring::default_provider());
        let demand = match (settings.tls_verify(), settings.tls_check_name()) {
            (TlsVerify::Nothing, _) => Demand::Nothing,
            (TlsVerify::Required, NameCheck::Off) => Demand::Chain,
            (TlsVerify::Required, NameCheck::On) => Demand::ChainAndName,
        };
        // A file that is named is read, even if nobody is verified: a wrong path is a mistake all the same.
        let roots = match settings.tls_ca_file() {
            Some(path) => files::authorities(&path)?,
            None if demand == Demand::Nothing => RootCertStore::empty(),
            None => files::system_authorities()?,
        };
        let verifier =
            trust::verifier(demand, roots, &provider).map_err(|error| refused(&error))?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(&error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut template = match (settings.tls_cert_file(), settings.tls_key_file()) {
            (Some(certificate), Some(key)) => {
                let identity = files::identity(&certificate, &key, &provider)?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
            }
            _ => builder.with_no_client_auth(),
        };
        template.resumption = Resumption::disabled();
        Ok(Self { template, name })
    }

    /// TLS as one process speaks it.
    pub(crate) fn line(&self) -> TlsLine {
        let mut config = self.template.clone();
        config.resumption = Resumption::in_memory_sessions(SESSIONS_KEPT);
        TlsLine {
            config: Arc::new(config),
            name: self.name.clone(),
        }
    }
}

/// TLS to one endpoint.
#[derive(Clone)]
pub(crate) struct TlsLine {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsLine {
    pub(super) fn session(&self) -> Result<ClientConnection, rustls::Error> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone())
    }
}

/// The first words of TLS, to nobody in particular: a port that speaks TLS answers them.
pub(crate) fn greeting() -> Option<Vec<u8>> {
    let provider = Arc::new(ring::default_provider());
    let verifier = trust::verifier(Demand::Nothing, RootCertStore::empty(), &provider).ok()?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let nobody = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into());
    let mut session = ClientConnection::new(Arc::new(config), nobody).ok()?;
    let mut words = Vec::with_capacity(512);
    session.write_tls(&mut words).ok()?;
    Some(words)
}

impl fmt::Debug for TlsLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsLine({})", self.name.to_str())
    }
}

/// The name that is sent to the server and looked for in its certificate.
fn server_name(
    settings: &Settings,
    endpoint: &Endpoint,
) -> Result<ServerName<'static>, TlsSetupError> {
    let set = settings.tls_server_name();
    let name = set.as_deref().or(endpoint.host()).unwrap_or_default();
    ServerName::try_from(name.to_owned()).map_err(|_| TlsSetupError::BadName {
        name: name.to_owned(),
    })
}

fn refused(error: &dyn fmt::Display) -> TlsSetupError {
    TlsSetupError::Refused {
        what: error.to_string(),
    }
}
