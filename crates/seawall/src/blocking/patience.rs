//! How long a borrower of a connection waits.

use std::time::Duration;

/// How long a read or write on a [`Lease`](super::Lease) waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As the client's calls do: its deadline, and a blocking command's own timeout besides.
    Default,
    /// This long.
    For(Duration),
    /// Until something comes, or the endpoint goes down, not for new connections alone.
    Forever,
}

/// How much later than a blocking command's own timeout its answer may come; as long as any reply has.
pub(super) const OVERDUE: Duration = Duration::from_millis(250);

/// How often a wait without an end looks whether the endpoint has gone down.
pub(super) const GLANCE: Duration = Duration::from_millis(500);
