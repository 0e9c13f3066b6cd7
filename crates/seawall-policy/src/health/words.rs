use seawall_model::{Cause, Moment};
use seawall_wire::facts::Access;
use std::time::Duration;

/// What became of the health of an endpoint, for the journal and for whoever waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Something failed that a fresh connection will have to explain: probe at once.
    Suspect {
        /// What was seen.
        cause: Cause,
    },
    /// The probes failed as well.
    Down {
        /// The cause of the outage as far as it is known.
        cause: Cause,
        /// When the outage began: with the failure that made the endpoint suspect.
        since: Moment,
    },
    /// The endpoint answers again: wake those who wait.
    Up {
        /// How long the outage, or the suspicion, lasted.
        lasted: Duration,
        /// Its cause.
        cause: Cause,
        /// Whether the server came back as another process.
        restarted: Restarted,
        /// The write gate was found closed by the same probe, and is closed from now on.
        writes_refused: Option<Cause>,
    },
    /// What lies behind the symptom was found: the outage has this cause now.
    CauseNamed {
        /// The cause.
        cause: Cause,
    },
    /// The server refuses writes, and goes on answering reads.
    GateClosed {
        /// Why.
        cause: Cause,
    },
    /// The server accepts writes again: wake the writers who wait.
    GateOpened {
        /// How long it refused them.
        lasted: Duration,
    },
}

/// Whether a server that is back is the one that was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restarted {
    /// The same process, by its run id.
    No,
    /// Another process: whatever was bound to the old one (scripts, WATCH, unsaved data) may be gone.
    Yes,
    /// One of the two run ids is not known.
    Unknown,
}

/// How an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls are sent.
    Up,
    /// Something failed, and the first probes have not decided yet.
    Suspect {
        /// When that was.
        since: Moment,
        /// What it was.
        cause: Cause,
    },
    /// The probes failed.
    Down {
        /// When the outage began.
        since: Moment,
        /// When the probes had decided.
        declared: Moment,
        /// Its cause.
        cause: Cause,
        /// When the next probe is due.
        next_probe: Moment,
    },
}

/// Whether a call may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Send it.
    Send,
    /// Wait, and ask again when woken, or at this moment at the latest (the call's deadline may come first).
    Park {
        /// The end of the wait.
        until: Moment,
    },
    /// Do not wait: answer by the route's policy, or fail.
    Refuse {
        /// Why.
        cause: Cause,
        /// When it may be different, as far as can be said: the next probe.
        retry_at: Moment,
    },
}

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// A well-formed reply that does not say *unavailable*. It must be the reply to a command that is refused while
    /// the server loads or is busy, such as PING: HELLO, AUTH and INFO are answered then, and prove nothing.
    Good {
        /// The server's run id, hashed, where it was told.
        run_id: Option<u64>,
        /// Whether writes are accepted, where the probe learned it (PING itself is answered with MISCONF).
        write_ok: Option<Writes>,
    },
    /// It failed, or took longer than [`probe_timeout`](super::HealthSettings::probe_timeout).
    Failed(Cause),
}

/// What is known of writes without sending one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// By its own account (INFO: a primary, last save good, memory below its limit) the server accepts them.
    Accepted,
    /// It refuses them.
    Refused(Cause),
}

/// One probe under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    pub(super) started: Moment,
    pub(super) number: u64,
}

impl Probe {
    /// When it began.
    pub const fn started(self) -> Moment {
        self.started
    }
}

/// A reply that came, whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// When the handshake of its connection was complete.
    pub established_at: Moment,
    /// When the first byte of its request was offered to a write.
    pub sent_at: Moment,
    /// What the command does to the data. For a write that is not refused when memory is full (DEL, UNLINK, EXPIRE,
    /// pops: no `denyoom` flag) say [`Access::Neither`] while the gate is closed for
    /// [`Cause::OutOfMemory`]: it proves nothing about the others.
    pub access: Access,
}
