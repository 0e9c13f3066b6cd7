//! Making a client, setting by setting.

use std::sync::Arc;
use std::time::Duration;

use seawall_model::settings::{ServerHints, SettingError, Settings};
use seawall_model::{Cause, Target};

use crate::blocking;
use crate::error::{Error, Kind};
use crate::events::{Callback, Event, Listener, Listeners};
use crate::link::home::Home;
use crate::link::keys::Credentials;
use crate::link::setup::Plan;

/// Settings of a client that is being made.
///
/// ```
/// use std::time::Duration;
/// use seawall::blocking::Client;
///
/// let client = Client::builder("redis://127.0.0.1:6379/0")?.deadline(Duration::from_millis(300))?.build()?;
/// # Ok::<(), seawall::Error>(())
/// ```
pub struct Builder {
    target: Target,
    settings: Settings,
    listeners: Vec<Arc<dyn Listener>>,
    credentials: Option<Arc<dyn Credentials>>,
}

impl Builder {
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let target =
            Target::parse(url).map_err(|error| bad_settings(&error.to_string(), &error.hint()))?;
        let mut settings = Settings::default();
        checked(settings.apply_environment(|name| std::env::var(name).ok()))?;
        checked(settings.apply_target(&target))?;
        Ok(Self {
            target,
            settings,
            listeners: Vec::new(),
            credentials: None,
        })
    }

    /// Sets any setting by its name, as in a URL; see the settings page for names, ranges and defaults.
    pub fn set(mut self, name: &str, value: &str) -> Result<Self, Error> {
        checked(self.settings.apply(name, value))?;
        Ok(self)
    }

    /// How long a call may take in all. Default 1 s.
    pub fn deadline(mut self, deadline: Duration) -> Result<Self, Error> {
        checked(self.settings.set_deadline(deadline))?;
        Ok(self)
    }

    /// How long a call waits out an outage before it is refused. Default 500 ms.
    pub fn ride_out(mut self, ride_out: Duration) -> Result<Self, Error> {
        checked(self.settings.set_ride_out(ride_out))?;
        Ok(self)
    }

    /// How many connections carry ordinary calls. Default 8.
    pub fn pool_size(mut self, size: u32) -> Result<Self, Error> {
        let size = std::num::NonZeroU32::new(size)
            .ok_or_else(|| bad_settings("pool_size: 0 is too few", ""))?;
        checked(self.settings.set_pool_size(size))?;
        Ok(self)
    }

    /// Whether the server may be asked for its configuration. Default: where that is no refused command to anybody.
    pub fn server_hints(mut self, hints: ServerHints) -> Result<Self, Error> {
        checked(self.settings.set_server_hints(hints))?;
        Ok(self)
    }

    /// Who logs in is asked when a connection is made, rather than told once by `user` and `password`: for tokens that
    /// expire. An answer serves for 10 s, unless the server refuses it.
    #[must_use]
    pub fn credentials(mut self, source: Arc<dyn Credentials>) -> Self {
        self.credentials = Some(source);
        self
    }

    /// Hears of what happens on the link, on the thread on which it happens: it must not block.
    ///
    /// That may be the thread of whoever calls, or the one that makes and probes the connections of all clients in the
    /// process, for which they all wait then. What takes its time belongs on a thread of your own; a call over a blocking
    /// client that is made there all the same has 100 ms, and is refused where there is no connection for it at once.
    #[must_use]
    pub fn on_event(self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.on_event_at(move |_, event| listener(event))
    }

    /// The same, told the endpoint too: for one listener of several clients.
    #[must_use]
    pub fn on_event_at(
        mut self,
        listener: impl Fn(&str, &Event<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.listeners.push(Arc::new(Callback(listener)));
        self
    }

    /// Makes the blocking client. Nothing is dialled yet.
    pub fn build(self) -> Result<blocking::Client, Error> {
        Ok(blocking::Client::at(self.home()?))
    }

    /// Makes the client for tokio. Nothing is dialled yet, and no runtime is needed to make it.
    pub fn build_async(self) -> Result<crate::asynchronous::Client, Error> {
        Ok(crate::asynchronous::Client::at(self.home()?))
    }

    fn home(self) -> Result<Arc<Home>, Error> {
        checked(self.settings.check_together())?;
        let listeners = Listeners::new(self.listeners);
        let plan = Plan::new(self.target, self.settings, listeners)?;
        Home::new(match self.credentials {
            None => plan,
            Some(source) => plan.with_credentials(source),
        })
    }
}

fn checked<T>(outcome: Result<T, SettingError>) -> Result<T, Error> {
    outcome.map_err(|error| bad_settings(&error.to_string(), ""))
}

/// The error for a wrong setting.
pub(crate) fn bad_settings(what: &str, hint: &str) -> Error {
    Error::new(Kind::Settings, Cause::BadSettings, "", "settings").with(|report| {
        report.detail = if hint.is_empty() {
            what.into()
        } else {
            format!("{what}; {hint}").into()
        };
    })
}
