//! From settings to a TLS configuration.

use std::fmt;
use std::sync::Arc;

use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::pki_types::ServerName;
use seawall_model::Endpoint;
use seawall_model::settings::Settings;
use seawall_tls::{TlsSetup, TlsSetupError};

/// Sessions of one link that can be resumed: far more than its endpoint has addresses.
const SESSIONS_KEPT: usize = 64;

/// What TLS needs, read when the client is built, and kept so that a forked child can make its own.
#[derive(Clone)]
pub(crate) struct TlsPlan(TlsSetup);

impl TlsPlan {
    /// Reads the files that the settings name, or the system's own authorities.
    pub(crate) fn read(settings: &Settings, endpoint: &Endpoint) -> Result<Self, TlsSetupError> {
        TlsSetup::read(settings, endpoint).map(Self)
    }

    /// TLS as one process speaks it.
    pub(crate) fn line(&self) -> TlsLine {
        let mut config = self.0.config.clone();
        config.resumption = Resumption::in_memory_sessions(SESSIONS_KEPT);
        TlsLine {
            config: Arc::new(config),
            name: self.0.name.clone(),
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
    let TlsSetup { config, name } = TlsSetup::to_anybody(None).ok()?;
    let mut session = ClientConnection::new(Arc::new(config), name).ok()?;
    let mut words = Vec::with_capacity(512);
    session.write_tls(&mut words).ok()?;
    Some(words)
}

impl fmt::Debug for TlsLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsLine({})", self.name.to_str())
    }
}
