//! What happens, told to whoever listens: `tracing`, the journal, the application's own listeners.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use seawall_model::{Cause, Close};
use seawall_policy::health::{Change, Restarted};

/// One thing that happened on a link.
///
/// Never holds a key, a value or a credential.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A connection was established.
    Opened {
        /// Its number in this process.
        connection: u64,
        /// The id by which the server knows it.
        client_id: Option<u64>,
        /// From the attempt's start.
        took: Duration,
    },
    /// An attempt to connect failed.
    DialFailed {
        /// Why.
        cause: Cause,
        /// What was seen.
        detail: &'a str,
    },
    /// The name service gave no address: the last good one is used instead.
    NameStale {
        /// That address.
        address: SocketAddr,
        /// Why: `name-service` or `name-unknown`.
        cause: Cause,
        /// What the name service said.
        detail: &'a str,
    },
    /// We closed a connection that was at rest.
    Closed {
        /// Its number in this process.
        connection: u64,
        /// Why: `idle`, `age`, `server-timeout`, `stale`, `surplus`, `forgotten`, `closing`.
        why: &'static str,
    },
    /// A connection ended under us, or was given up.
    Lost {
        /// Its number in this process.
        connection: u64,
        /// Why.
        cause: Cause,
        /// How.
        close: Close,
        /// How long it had been idle.
        idle: Duration,
        /// How long it had been established.
        age: Duration,
        /// Replies that were owed.
        owed: usize,
    },
    /// Something failed that a probe has to explain.
    Suspected {
        /// What was seen.
        cause: Cause,
    },
    /// The probes failed too.
    OutageStarted {
        /// The cause as far as it is known.
        cause: Cause,
    },
    /// A probe found what lies behind a symptom.
    OutageNamed {
        /// The cause.
        cause: Cause,
    },
    /// The endpoint answers again. Follows a [`Suspected`](Self::Suspected) without an outage too.
    Recovered {
        /// The cause.
        cause: Cause,
        /// How long it lasted.
        lasted: Duration,
        /// Whether the server came back as another process, where that is known.
        restarted: Option<bool>,
    },
    /// The server refuses writes and answers reads.
    WritesRefused {
        /// Why.
        cause: Cause,
    },
    /// The server takes writes again.
    WritesAccepted {
        /// How long it refused them.
        lasted: Duration,
    },
}

impl Event<'_> {
    pub(crate) fn of_change(change: &Change) -> Vec<Self> {
        match *change {
            Change::Suspect { cause } => vec![Self::Suspected { cause }],
            Change::Down { cause, .. } => vec![Self::OutageStarted { cause }],
            Change::CauseNamed { cause } => vec![Self::OutageNamed { cause }],
            Change::GateClosed { cause } => vec![Self::WritesRefused { cause }],
            Change::GateOpened { lasted } => vec![Self::WritesAccepted { lasted }],
            Change::Up {
                lasted,
                cause,
                restarted,
                writes_refused,
            } => {
                let restarted = match restarted {
                    Restarted::Yes => Some(true),
                    Restarted::No => Some(false),
                    Restarted::Unknown => None,
                };
                let refused = writes_refused.map(|cause| Self::WritesRefused { cause });
                std::iter::once(Self::Recovered {
                    cause,
                    lasted,
                    restarted,
                })
                .chain(refused)
                .collect()
            }
        }
    }
}

/// Those who listen.
#[derive(Clone, Default)]
pub(crate) struct Listeners(Arc<Vec<Box<dyn Listener>>>);

/// Hears of events. Called outside of every lock, on the thread on which it happened: it must not block.
pub(crate) trait Listener: Send + Sync {
    fn hear(&self, endpoint: &str, event: &Event<'_>);
}

impl Listeners {
    pub(crate) fn new(listeners: Vec<Box<dyn Listener>>) -> Self {
        Self(Arc::new(listeners))
    }

    pub(crate) fn tell(&self, endpoint: &str, event: &Event<'_>) {
        for listener in self.0.iter() {
            listener.hear(endpoint, event);
        }
    }
}

/// The application's own listener.
pub(crate) struct Callback<F>(pub(crate) F);

impl<F: Fn(&Event<'_>) + Send + Sync> Listener for Callback<F> {
    fn hear(&self, _endpoint: &str, event: &Event<'_>) {
        (self.0)(event);
    }
}

/// Tells `tracing`: outages as warnings, single connections as debug lines.
pub(crate) struct Tracing;

impl Listener for Tracing {
    fn hear(&self, endpoint: &str, event: &Event<'_>) {
        match *event {
            Event::Opened {
                connection,
                client_id,
                took,
            } => {
                tracing::debug!(
                    endpoint,
                    connection,
                    client_id,
                    took_ms = millis(took),
                    "connection.open"
                );
            }
            Event::DialFailed { cause, detail } => {
                tracing::debug!(endpoint, cause = cause.name(), detail, "connection.failed");
            }
            Event::NameStale {
                address,
                cause,
                detail,
            } => {
                tracing::info!(endpoint, %address, cause = cause.name(), detail, "name.stale");
            }
            Event::Closed { connection, why } => {
                tracing::debug!(endpoint, connection, why, "connection.close");
            }
            Event::Lost {
                connection,
                cause,
                close,
                idle,
                age,
                owed,
            } => tracing::info!(
                endpoint,
                connection,
                cause = cause.name(),
                close = close.name(),
                idle_ms = millis(idle),
                age_ms = millis(age),
                owed,
                "connection.lost"
            ),
            Event::Suspected { cause } => {
                tracing::info!(endpoint, cause = cause.name(), "outage.suspected");
            }
            Event::OutageStarted { cause } => {
                tracing::warn!(endpoint, cause = cause.name(), "outage.start");
            }
            Event::OutageNamed { cause } => {
                tracing::warn!(endpoint, cause = cause.name(), "outage.cause");
            }
            Event::Recovered {
                cause,
                lasted,
                restarted,
            } => tracing::warn!(
                endpoint,
                cause = cause.name(),
                lasted_ms = millis(lasted),
                restarted,
                "outage.end"
            ),
            Event::WritesRefused { cause } => {
                tracing::warn!(endpoint, cause = cause.name(), "writes.refused");
            }
            Event::WritesAccepted { lasted } => {
                tracing::warn!(endpoint, lasted_ms = millis(lasted), "writes.accepted");
            }
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
