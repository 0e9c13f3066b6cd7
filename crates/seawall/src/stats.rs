//! How things stand, in numbers.

use seawall_policy::health::State;

use crate::link::shared::Link;

/// What has been counted since the client was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) dialled: u64,
    pub(crate) dials_failed: u64,
}

/// How a client stands, at one moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// `up`, `suspect` or `down`.
    pub state: &'static str,
    /// Connections at rest.
    pub idle: usize,
    /// Connections in use.
    pub in_use: usize,
    /// Connections being made.
    pub dialling: usize,
    /// Calls that wait for a connection.
    pub waiting: usize,
    /// Connections that were made, since the client was.
    pub dialled: u64,
    /// Attempts to connect that failed, probes included.
    pub dials_failed: u64,
    /// The server process that was last spoken to.
    pub run_id: Option<Box<str>>,
}

impl Stats {
    pub(crate) fn of(link: &Link) -> Self {
        let ledger = link.ledger();
        let (idle, in_use, dialling) = ledger.population();
        Self {
            state: match ledger.health.state() {
                State::Up => "up",
                State::Suspect { .. } => "suspect",
                State::Down { .. } => "down",
            },
            idle,
            in_use,
            dialling,
            waiting: ledger.waiting(),
            dialled: ledger.counters.dialled,
            dials_failed: ledger.counters.dials_failed,
            run_id: ledger.run_id().map(Into::into),
        }
    }
}
