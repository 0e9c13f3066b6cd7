//! What a breaker is asked and told, and what it answers.

use super::window::Tally;
use seawall_model::Moment;
use std::fmt;
use std::time::Duration;

/// Whether a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may; the permit comes back when it has ended.
    Pass(Permit),
    /// It may not.
    Refuse {
        /// When the first trial is due; `None` while trials are under way, or until a hand closes it.
        retry_at: Option<Moment>,
    },
}

/// Leave to make one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The state that gave it.
    pub epoch: u64,
    /// When the call began.
    pub began: Moment,
    /// The number of the trial that it is, if it is one.
    pub trial: Option<u32>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Good,
    /// It failed.
    Failed,
    /// Its caller left it: nothing is known. A trial's place is free again.
    Abandoned,
}

/// How a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    /// Calls go through.
    Closed,
    /// Calls are refused.
    Open {
        /// Until when.
        until: Moment,
        /// Why it opened.
        why: Trip,
    },
    /// A few calls go through to see, the others are refused.
    HalfOpen,
    /// Refuses everything, by hand.
    Isolated,
    /// Lets everything through, by hand.
    Disabled,
}

impl State {
    /// The word for it in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half-open",
            Self::Isolated => "isolated",
            Self::Disabled => "disabled",
        }
    }
}

/// Why it opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trip {
    /// So many failures in a row.
    InARow {
        /// How many.
        failures: u32,
    },
    /// Too large a share of the window's calls failed.
    Failed(Tally),
    /// Too large a share of the window's calls was slow.
    Slow(Tally),
    /// A trial failed, or was slow.
    Trial,
    /// A trial did not end.
    TrialOverdue,
    /// A hand did it.
    Hand,
}

impl Trip {
    /// The word for it in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InARow { .. } => "failures-in-a-row",
            Self::Failed(_) => "failure-rate",
            Self::Slow(_) => "slow-rate",
            Self::Trial => "trial-failed",
            Self::TrialOverdue => "trial-overdue",
            Self::Hand => "by-hand",
        }
    }
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InARow { failures: 1 } => f.write_str("a call failed"),
            Self::InARow { failures } => write!(f, "{failures} calls in a row failed"),
            Self::Failed(Tally { calls, failed, .. }) => {
                write!(f, "{failed} of the last {calls} calls failed")
            }
            Self::Slow(Tally { calls, slow, .. }) => {
                write!(f, "{slow} of the last {calls} calls were slow")
            }
            Self::Trial => f.write_str("a trial failed"),
            Self::TrialOverdue => f.write_str("a trial did not end"),
            Self::Hand => f.write_str("it was opened by hand"),
        }
    }
}

/// What became of a breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// It opened.
    Opened {
        /// Why.
        why: Trip,
        /// Until when it refuses.
        until: Moment,
    },
    /// Its first trial was let through.
    HalfOpen,
    /// It closed.
    Closed {
        /// From its first opening to now; zero if it was disabled.
        lasted: Duration,
        /// Calls that it refused meanwhile.
        refused: u64,
    },
    /// A hand isolated it.
    Isolated,
    /// A hand disabled it.
    Disabled,
}

/// Calls so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answered.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Left by their callers.
    pub abandoned: u64,
    /// Of those that were answered or failed: slow.
    pub slow: u64,
    /// Not let through.
    pub refused: u64,
}

impl Counts {
    pub(super) fn note(&mut self, outcome: Outcome, slow: bool) {
        match outcome {
            Outcome::Good => self.succeeded += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Abandoned => {
                self.abandoned += 1;
                return;
            }
        }
        self.slow += u64::from(slow);
    }
}
