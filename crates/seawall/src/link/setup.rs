//! From settings to a link: the one place that reads every setting.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use seawall_model::settings::{ProtocolChoice, ReplayLimit, ServerHints, Settings};
use seawall_model::{Endpoint, Security, Target};
use seawall_policy::ageing::{Ageing, AgeingSettings};
use seawall_policy::backoff::{Backoff, BackoffSettings};
use seawall_policy::budget::{Budget, BudgetSettings};
use seawall_policy::dial::{DialGate, DialSettings};
use seawall_policy::health::{Health, HealthSettings};
use seawall_policy::retry::ReplayAllowance;
use seawall_wire::Limits;

use super::call::Conduct;
use super::handshake::{Login, Wanted};
use super::keys::{Credentials, Keys};
use super::ledger::{Bounds, Ledger};
use super::shared::{Dialer, Keepalive, Line, Link};
use crate::builder::bad_settings;
use crate::clock;
use crate::error::Error;
use crate::events::{Listener, Listeners};
use crate::journal::Journal;
use crate::log::Log;
use crate::net::tls::TlsPlan;
use crate::tender::{Names, SystemNames, Tender};

/// Whether the server is on this host, as far as its address says so by itself.
fn is_near(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Unix { .. } => true,
        Endpoint::Tcp { host, .. } => {
            &**host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
    }
}

/// What a client is made of, kept so that a forked child can make its own.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) target: Target,
    pub(crate) settings: Settings,
    pub(crate) listeners: Listeners,
    tls: Option<TlsPlan>,
    keys: Option<Keys>,
    names: Arc<dyn Names>,
}

impl Plan {
    /// Reads what the settings name: certificates and keys are read here, and never again.
    pub(crate) fn new(
        target: Target,
        settings: Settings,
        listeners: Listeners,
    ) -> Result<Self, Error> {
        let tls = match target.security() {
            Security::Plain => None,
            Security::Tls => Some(
                TlsPlan::read(&settings, target.endpoint())
                    .map_err(|error| bad_settings(&error.to_string(), error.hint()))?,
            ),
        };
        Ok(Self {
            target,
            settings,
            listeners,
            tls,
            keys: None,
            names: Arc::new(SystemNames),
        })
    }

    /// The same, whose connections log in as `source` says at the time.
    pub(crate) fn with_credentials(self, source: Arc<dyn Credentials>) -> Self {
        Self {
            keys: Some(Keys::new(source)),
            ..self
        }
    }

    /// The same with another name service, for tests of what name services do.
    #[cfg(test)]
    pub(crate) fn with_names(self, names: Arc<dyn Names>) -> Self {
        Self { names, ..self }
    }

    /// How the calls of this client are treated.
    pub(crate) fn conduct(&self) -> Conduct {
        let settings = &self.settings;
        Conduct {
            deadline: settings.deadline(),
            ride_out: settings.ride_out(),
            overdue_after: HealthSettings::default().overdue_after,
            allowance: match settings.replay() {
                ReplayLimit::Reads => ReplayAllowance::Reads,
                ReplayLimit::ReadsAndOverwrites => ReplayAllowance::Overwrites,
                ReplayLimit::SameState => ReplayAllowance::SameState,
            },
            attempts_max: settings.attempts().get(),
            // The shared connection is one of the pool's, and a call that must not share it needs another.
            shares: settings.pool_size().get() >= 2 && is_near(self.target.endpoint()),
        }
    }

    /// Makes the link.
    pub(crate) fn open(&self, tender: Arc<Tender>) -> Arc<Link> {
        // Chance only spreads timers; the clock is seed enough.
        let seed = clock::now().as_nanos();
        let settings = &self.settings;
        let ageing = AgeingSettings {
            age_max: settings.max_age(),
            idle_max: settings.max_idle(),
            ..AgeingSettings::default()
        };
        let budget = BudgetSettings {
            share_percent: settings.retry_budget().get().into(),
            ..BudgetSettings::default()
        };
        let ledger = Ledger::new(
            Health::new(HealthSettings::default(), seed),
            Budget::new(budget),
            Backoff::new(BackoffSettings::default(), seed),
            DialGate::new(DialSettings::default(), seed),
            Ageing::new(ageing, seed),
            Bounds {
                size: settings.pool_size().get() as usize,
                waiters_max: settings.waiters_max() as usize,
                hints: self.may_ask_config(),
            },
        );
        let journal = self.journal();
        let ours: [Arc<dyn Listener>; 2] = [Arc::new(Log::default()), Arc::clone(&journal) as _];
        Link::open(
            self.target.endpoint().clone(),
            self.dialer(),
            ledger,
            self.listeners.after(ours),
            journal,
            tender,
        )
    }

    fn dialer(&self) -> Dialer {
        let settings = &self.settings;
        let keepalive = settings.keepalive().map(|idle| Keepalive {
            idle,
            interval: settings.keepalive_interval(),
            probes: settings.keepalive_count().get(),
        });
        // Never below a write's deadline: a stopped server with a big SET on its way would be cut off.
        let user_timeout = settings
            .tcp_user_timeout()
            .map_or(Duration::ZERO, |limit| limit.max(settings.deadline()));
        Dialer {
            login: Login {
                user: settings.user().map(|user| user.to_string()),
                password: settings.password(),
                db: settings.db(),
                client_name: settings
                    .client_name()
                    .map_or_else(default_name, |name| name.to_string()),
                lib_name: unless_off(settings.lib_name(), "seawall"),
                lib_version: unless_off(settings.lib_version(), env!("CARGO_PKG_VERSION")),
                protocol: match settings.protocol() {
                    ProtocolChoice::Auto => Wanted::Best,
                    ProtocolChoice::Resp2 => Wanted::Resp2,
                    ProtocolChoice::Resp3 => Wanted::Resp3,
                },
            },
            keys: self.keys.clone(),
            limits: Limits {
                frame_bytes_max: settings.reply_bytes_max(),
                ..Limits::default()
            },
            connect_timeout: settings.connect_timeout(),
            probe_timeout: HealthSettings::default().probe_timeout,
            keepalive,
            user_timeout,
            line: match &self.tls {
                None => Line::Plain,
                Some(plan) => Line::Tls(plan.line()),
            },
            names: Arc::clone(&self.names),
        }
    }

    /// The journal of one link: its service is the first part of the client's name.
    fn journal(&self) -> Arc<Journal> {
        let name = self.settings.client_name();
        let service = name
            .as_deref()
            .and_then(|name| name.split(':').next())
            .map_or_else(program, str::to_owned);
        Journal::open(
            &self.settings,
            self.target.endpoint(),
            &service,
            &self.listeners,
        )
    }

    /// By default only where no ACL user of its own was given, and the server is not obviously a managed one: there a
    /// refused CONFIG counts as an ACL denial, and pages somebody.
    fn may_ask_config(&self) -> bool {
        match self.settings.server_hints() {
            ServerHints::On => true,
            ServerHints::Off => false,
            ServerHints::Auto => {
                self.settings.user().is_none() && !is_managed(self.target.endpoint())
            }
        }
    }
}

/// What somebody wants to be said, or the usual; nothing for `off`.
fn unless_off(wanted: Option<Arc<str>>, usual: &str) -> Option<String> {
    let said = wanted.map_or_else(|| usual.to_owned(), |wanted| wanted.to_string());
    (said != "off").then_some(said)
}

/// Whether the name is one that a managed service gives.
fn is_managed(endpoint: &Endpoint) -> bool {
    const SUFFIXES: [&str; 6] = [
        ".amazonaws.com",
        ".windows.net",
        ".azure.net",
        ".redislabs.com",
        ".redis-cloud.com",
        ".googleusercontent.com",
    ];
    match endpoint {
        Endpoint::Tcp { host, .. } => SUFFIXES.iter().any(|suffix| host.ends_with(suffix)),
        Endpoint::Unix { .. } => false,
    }
}

/// What this program is called, as far as it can be known.
fn program() -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&program).file_name();
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// `service:host:pid`, as far as they can be known.
fn default_name() -> String {
    let printable = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_ascii_graphic() && *c != ':')
            .take(40)
            .collect()
    };
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    format!(
        "{}:{}:{}",
        printable(&program()),
        printable(&host),
        std::process::id()
    )
}
