//! What is said to the ledger, and what it answers.

use std::time::Duration;

use seawall_model::{Cause, Moment};
use seawall_policy::ageing::Retire;
use seawall_policy::health::{Change, Probe};
use seawall_wire::error::ServerError;
use seawall_wire::facts::Access;

use crate::stats::Course;

/// What the ledger is set to.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// Connections that carry ordinary calls.
    pub(crate) size: usize,
    /// Calls that may wait at a time.
    pub(crate) waiters_max: usize,
    /// Whether the server may be asked for its configuration.
    pub(crate) hints: bool,
}

/// What a connection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Use {
    /// One call at a time, from the pool.
    Call,
    /// A blocking command or a lease: it holds its connection for long, and is not counted with the calls.
    Apart,
    /// Calls of many tasks at once. There is one such connection, and who waits for it needs none of his own.
    Shared,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) access: Access,
    /// A server that is out of memory refuses it.
    pub(crate) grows: bool,
    pub(crate) deadline: Moment,
    pub(crate) ride_out: Duration,
    /// What it wants a connection for.
    pub(crate) usage: Use,
    /// Where none is free for it, the shared connection will do.
    pub(crate) shares: bool,
    /// It asks for the first time: it counts as a call.
    pub(crate) first: bool,
    /// Since when it has needed one.
    pub(crate) since: Moment,
}

/// A connection and what the ledger must know of it.
#[derive(Debug)]
pub(crate) struct Lent<C> {
    pub(crate) connection: C,
    pub(crate) established: Moment,
    pub(crate) last_used: Moment,
    /// When it last was seen to be well.
    pub(crate) seen_well: Moment,
    /// Since when somebody has had it; none for one that many share, and at rest.
    pub(crate) had_since: Option<Moment>,
    pub(crate) usage: Use,
}

/// The answer to [`Ledger::ask`](super::Ledger::ask).
#[derive(Debug)]
pub(crate) enum Answer<C> {
    /// Here it is. For [`Use::Shared`]: put it up for the others, and say so by `shared_up`.
    Ready(Lent<C>),
    /// The shared connection is up: use it.
    Shared,
    /// Wait for an order, at most until this moment, then leave and ask again.
    Wait { ticket: u64, until: Moment },
    /// It is not to be sent.
    Refused(Refusal),
}

/// Why a call is not to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) cause: Cause,
    pub(crate) detail: Box<str>,
    /// The server's own word, if it refused us at the door.
    pub(crate) server: Option<ServerError>,
    pub(crate) retry_at: Option<Moment>,
}

impl Refusal {
    pub(crate) fn of(cause: Cause) -> Self {
        Self {
            cause,
            detail: Box::default(),
            server: None,
            retry_at: None,
        }
    }
}

/// One thing to do once the lock is released.
#[derive(Debug)]
pub(crate) enum Order<C, W> {
    Grant(W, Lent<C>),
    /// The shared connection is up.
    Wake(W),
    Refuse(W, Refusal),
    Close(C, CloseWhy),
}

/// Why the ledger closes a connection in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseWhy {
    Retired(Retire),
    /// The server it leads to is no more.
    Stale,
    Surplus,
    /// Something between has forgotten flows that were idle as long.
    Forgotten,
    Closing,
}

impl CloseWhy {
    /// The word for it in events.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Retired(why) => why.name(),
            Self::Stale => "stale",
            Self::Surplus => "surplus",
            Self::Forgotten => "forgotten",
            Self::Closing => "closing",
        }
    }
}

/// A change of health, and how the trouble that it belongs to went until then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Changed {
    pub(crate) change: Change,
    /// `None` where it belongs to none: the write gate's changes in health.
    pub(crate) course: Option<Course>,
}

/// What came of an event.
#[derive(Debug)]
pub(crate) struct Orders<C, W> {
    pub(crate) todo: Vec<Order<C, W>>,
    pub(crate) changes: Vec<Changed>,
    /// The tender has something to do: a dial, or a probe that is due earlier than it thinks.
    pub(crate) wake_tender: bool,
}

impl<C, W> Orders<C, W> {
    pub(super) fn none() -> Self {
        Self {
            todo: Vec::new(),
            changes: Vec::new(),
            wake_tender: false,
        }
    }

    /// Nothing is to be done: as for nearly every call that goes well.
    pub(crate) fn is_empty(&self) -> bool {
        self.todo.is_empty() && self.changes.is_empty() && !self.wake_tender
    }
}

/// What the tender has to start.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub(crate) dials: usize,
    pub(crate) probe: Option<Probe>,
    pub(crate) examine: bool,
}
