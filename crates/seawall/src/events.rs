//! What happens, told to whoever listens: the log, the journal, the application's own listeners.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use seawall_model::journal::{HealthState, OutagePolicy, Restarted, RetryRefusal};
use seawall_model::{Cause, Close};
use seawall_policy::health::{self, Change};
use seawall_policy::retry::Why;

use crate::link::connection::Loss;
use crate::link::ledger::Changed;
use crate::stats::{Course, OutageCalls};

/// One thing that happened on a link.
///
/// Never holds a key, a value or a credential.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A connection was established.
    #[non_exhaustive]
    Opened {
        /// Its number in this process.
        connection: u64,
        /// Our end; `None` for a Unix socket.
        local: Option<SocketAddr>,
        /// The address that answered; `None` for a Unix socket.
        peer: Option<SocketAddr>,
        /// The id by which the server's log and CLIENT LIST know it.
        client_id: Option<u64>,
        /// The server process, if this connection was told of it.
        run_id: Option<&'a str>,
        /// From the attempt's start.
        took: Duration,
    },
    /// An attempt to connect failed.
    #[non_exhaustive]
    DialFailed {
        /// Why.
        cause: Cause,
        /// What was seen.
        detail: &'a str,
        /// From the attempt's start.
        took: Duration,
    },
    /// The name service gave no address: the last good one is used instead.
    #[non_exhaustive]
    NameStale {
        /// That address.
        address: SocketAddr,
        /// Why: `name-service` or `name-unknown`.
        cause: Cause,
        /// What the name service said.
        detail: &'a str,
    },
    /// We closed a connection that was at rest.
    #[non_exhaustive]
    Closed {
        /// Its number in this process.
        connection: u64,
        /// Why: `idle`, `age`, `server-timeout`, `stale`, `surplus`, `forgotten`, `closing`.
        why: &'static str,
        /// What it had been through.
        life: Life,
    },
    /// A connection ended under us, or was given up.
    #[non_exhaustive]
    Lost {
        /// Its number in this process.
        connection: u64,
        /// Why.
        cause: Cause,
        /// How.
        close: Close,
        /// What it had been through.
        life: Life,
        /// The name of the oldest command whose reply was owed, where that is known.
        command: Option<&'a str>,
    },
    /// A call failed and is sent again.
    #[non_exhaustive]
    Retried {
        /// The command's name.
        command: &'a str,
        /// Why it failed.
        cause: Cause,
        /// Which attempt begins now: 2 is the first retry.
        attempt: u32,
        /// How many attempts it may have.
        attempts_max: u32,
        /// From the failure until now.
        waited: Duration,
    },
    /// A call failed after it had been sent, and is not sent again.
    #[non_exhaustive]
    RetryRefused {
        /// The command's name.
        command: &'a str,
        /// Why it failed.
        cause: Cause,
        /// Why it is not sent again.
        why: RetryRefusal,
    },
    /// Something failed that a probe has to explain.
    #[non_exhaustive]
    Suspected {
        /// What was seen.
        cause: Cause,
    },
    /// The probes failed too.
    #[non_exhaustive]
    OutageStarted {
        /// The cause as far as it is known.
        cause: Cause,
        /// How long ago the first failure was.
        lasting: Duration,
        /// That failure, and the dials and probes that failed after it.
        fails: u64,
    },
    /// A probe found what lies behind a symptom.
    #[non_exhaustive]
    OutageNamed {
        /// How the endpoint is: suspect or down.
        state: HealthState,
        /// The cause.
        cause: Cause,
    },
    /// The endpoint is still down; told every 10 s.
    #[non_exhaustive]
    OutageProgress {
        /// The cause as far as it is known.
        cause: Cause,
        /// For how long.
        lasting: Duration,
        /// What became of its calls so far.
        calls: OutageCalls,
    },
    /// Calls were answered without the server, by a policy. Told when an outage ends, and every 10 s while it lasts.
    #[non_exhaustive]
    AnsweredByPolicy {
        /// Which: `fail` is the refusal at once of what would not be answered.
        policy: OutagePolicy,
        /// How many, since it was last told.
        count: u64,
    },
    /// The endpoint answers again.
    #[non_exhaustive]
    Recovered {
        /// What it was before: suspect, where the probes found nothing wrong, or down.
        from: HealthState,
        /// The cause.
        cause: Cause,
        /// How long it lasted, from the first failure.
        lasted: Duration,
        /// Whether the server came back as another process.
        restarted: Restarted,
        /// What became of its calls.
        calls: OutageCalls,
    },
    /// The server refuses writes and answers reads.
    #[non_exhaustive]
    WritesRefused {
        /// Why.
        cause: Cause,
    },
    /// The server takes writes again.
    #[non_exhaustive]
    WritesAccepted {
        /// How long it refused them.
        lasted: Duration,
    },
    /// The journal cannot be written to the state directory, and is kept in memory alone from now on. Told once, on the
    /// thread that writes it.
    #[non_exhaustive]
    JournalInMemory {
        /// The state directory.
        directory: &'a Path,
        /// What was seen.
        detail: &'a str,
        /// What to do.
        hint: &'a str,
    },
}

/// What a connection had been through when it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Life {
    /// How long nothing had come or gone on it; where a reply was owed, before that request.
    pub idle: Duration,
    /// How long it had been established.
    pub age: Duration,
    /// Bytes that came.
    pub bytes_in: u64,
    /// Bytes that the kernel took.
    pub bytes_out: u64,
    /// Replies that were owed.
    pub owed: usize,
    /// Replies that had come, those of the greeting included.
    pub replies: u64,
}

impl Life {
    pub(crate) fn of(loss: &Loss) -> Self {
        Self {
            idle: loss.idle,
            age: loss.age,
            bytes_in: loss.bytes_in,
            bytes_out: loss.bytes_out,
            owed: loss.owed,
            replies: loss.replies,
        }
    }
}

impl Event<'_> {
    /// What a change of health means to those outside.
    pub(crate) fn of_change(changed: &Changed) -> Vec<Self> {
        let course = changed.course.unwrap_or_default();
        match changed.change {
            Change::Suspect { cause } => vec![Self::Suspected { cause }],
            Change::Down { cause, .. } => vec![Self::OutageStarted {
                cause,
                lasting: course.lasting,
                fails: course.fails,
            }],
            Change::CauseNamed { cause } => vec![Self::OutageNamed {
                state: course.state,
                cause,
            }],
            Change::GateClosed { cause } => vec![Self::WritesRefused { cause }],
            Change::GateOpened { lasted } => vec![Self::WritesAccepted { lasted }],
            Change::Up {
                lasted,
                cause,
                restarted,
                writes_refused,
            } => {
                let mut events = Vec::with_capacity(3);
                events.extend(Self::of_refusals(&course));
                events.push(Self::Recovered {
                    from: course.state,
                    cause,
                    lasted,
                    restarted: of_policy(restarted),
                    calls: course.calls,
                });
                events.extend(writes_refused.map(|cause| Self::WritesRefused { cause }));
                events
            }
        }
    }

    /// An outage goes on.
    pub(crate) fn of_progress(cause: Cause, course: &Course) -> Vec<Self> {
        let mut events: Vec<_> = Self::of_refusals(course).into_iter().collect();
        events.push(Self::OutageProgress {
            cause,
            lasting: course.lasting,
            calls: course.calls,
        });
        events
    }

    fn of_refusals(course: &Course) -> Option<Self> {
        (course.refused_anew > 0).then_some(Self::AnsweredByPolicy {
            policy: OutagePolicy::Fail,
            count: course.refused_anew,
        })
    }
}

/// The policy's word in the journal's.
pub(crate) fn of_policy(restarted: health::Restarted) -> Restarted {
    match restarted {
        health::Restarted::Yes => Restarted::Yes,
        health::Restarted::No => Restarted::No,
        health::Restarted::Unknown => Restarted::Unknown,
    }
}

/// The policy's word in the journal's.
pub(crate) fn refusal_of(why: Why) -> RetryRefusal {
    match why {
        Why::MayHaveRun => RetryRefusal::MayHaveRun,
        Why::Attempts => RetryRefusal::Attempts,
        Why::Budget => RetryRefusal::Budget,
        Why::Deadline => RetryRefusal::Deadline,
        Why::NotRetryable => RetryRefusal::NotRetryable,
    }
}

/// Those who listen.
#[derive(Clone, Default)]
pub(crate) struct Listeners(Arc<[Arc<dyn Listener>]>);

/// Hears of events. Called outside of every lock, on the thread on which it happened: it must not block.
pub(crate) trait Listener: Send + Sync {
    fn hear(&self, endpoint: &str, event: &Event<'_>);
}

impl Listeners {
    pub(crate) fn new(listeners: impl IntoIterator<Item = Arc<dyn Listener>>) -> Self {
        Self(listeners.into_iter().collect())
    }

    /// These, after some more.
    pub(crate) fn after(&self, first: impl IntoIterator<Item = Arc<dyn Listener>>) -> Self {
        Self::new(first.into_iter().chain(self.0.iter().cloned()))
    }

    pub(crate) fn tell(&self, endpoint: &str, event: &Event<'_>) {
        for listener in self.0.iter() {
            listener.hear(endpoint, event);
        }
    }
}

/// The application's own listener.
pub(crate) struct Callback<F>(pub(crate) F);

impl<F: Fn(&str, &Event<'_>) + Send + Sync> Listener for Callback<F> {
    fn hear(&self, endpoint: &str, event: &Event<'_>) {
        // Its panic has been told by the panic hook; it must not end the tender, or a call that went well.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.0)(endpoint, event)));
    }
}
