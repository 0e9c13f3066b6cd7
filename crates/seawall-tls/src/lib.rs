//! TLS as the `tls_*` settings ask for it, in rustls's own types: the engine and the doctor each have sockets of their own, and
//! this is what both need before they have one. Reads files and the system's authorities; opens no connection.

mod error;
mod files;
mod trust;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{ConfigBuilder, RootCertStore, WantsVerifier};
use seawall_model::Endpoint;
use seawall_model::settings::{NameCheck, Settings, TlsVerify};

pub use error::{Found, TlsSetupError};
use trust::Demand;

/// How TLS is spoken to a server.
#[derive(Clone, Debug)]
pub struct TlsSetup {
    /// Remembers no sessions: what does has a lock, which a forked child must not inherit.
    pub config: ClientConfig,
    /// The name that is sent to the server and looked for in its certificate.
    pub name: ServerName<'static>,
}

impl TlsSetup {
    /// Reads the files that the settings name, or the system's own authorities. Fails where one of them cannot be read or used,
    /// and where the host is no name that a certificate can carry.
    pub fn read(settings: &Settings, endpoint: &Endpoint) -> Result<Self, TlsSetupError> {
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
        let verifier = trust::verifier(demand, roots, &provider).map_err(refused)?;
        let builder = builder(&provider)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match (settings.tls_cert_file(), settings.tls_key_file()) {
            (Some(certificate), Some(key)) => {
                let identity = files::identity(&certificate, &key, &provider)?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
            }
            _ => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        Ok(Self { config, name })
    }

    /// To find out whether a port speaks TLS, whoever is there. Without a name nobody in particular is asked for.
    pub fn to_anybody(name: Option<ServerName<'static>>) -> Result<Self, TlsSetupError> {
        let provider = Arc::new(ring::default_provider());
        let anybody = trust::verifier(Demand::Nothing, RootCertStore::empty(), &provider);
        let config = builder(&provider)?
            .dangerous()
            .with_custom_certificate_verifier(anybody.map_err(refused)?)
            .with_no_client_auth();
        let nobody = || ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into());
        Ok(Self {
            config,
            name: name.unwrap_or_else(nobody),
        })
    }
}

fn builder(
    provider: &Arc<CryptoProvider>,
) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsSetupError> {
    ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(refused)
}

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

fn refused(error: impl std::fmt::Display) -> TlsSetupError {
    TlsSetupError::Refused {
        what: error.to_string(),
    }
}
