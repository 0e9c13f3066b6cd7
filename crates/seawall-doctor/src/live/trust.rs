//! What the URL's `tls_*` settings ask for.

use std::sync::Arc;

use rustls::client::ClientConfig;
use rustls::pki_types::ServerName;
use seawall_model::settings::Settings;
use seawall_model::{Security, Target};
use seawall_tls::TlsSetup;

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
        let unset = |what: String, hint| Unset {
            server: target.endpoint().to_string(),
            what,
            hint,
        };
        let settings = Settings::from_target(target)
            .map_err(|error| unset(error.to_string(), "look at the options of the URL"))?;
        match TlsSetup::read(&settings, target.endpoint()) {
            Ok(setup) => Ok(Some(setup.into())),
            Err(error) => Err(unset(error.to_string(), error.hint())),
        }
    }

    /// TLS to find out whether a port speaks it, whoever is there.
    pub(super) fn to_anybody(host: &str) -> Option<Self> {
        let name = ServerName::try_from(host.to_owned()).ok();
        TlsSetup::to_anybody(name).ok().map(Self::from)
    }
}

impl From<TlsSetup> for Plan {
    fn from(setup: TlsSetup) -> Self {
        Self {
            config: Arc::new(setup.config),
            name: setup.name,
        }
    }
}
