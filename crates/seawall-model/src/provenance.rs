use std::fmt;

/// How far a request got on its way to the server.
///
/// It only ever moves forward. What it proves depends on what became of the connection: see
/// [`sent_if_aborted`](Self::sent_if_aborted) and [`sent_if_left`](Self::sent_if_left).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provenance {
    /// No byte of it was offered to a write.
    Queued,
    /// Its first byte was offered to a write that has not reported yet, or reported an error.
    Offered,
    /// The kernel (under TLS: whole records) accepted this many of its bytes, and not the last one.
    Partly(u64),
    /// Every byte was accepted: the server may have it.
    Written,
    /// A byte of its reply came: the server ran it, or refused it.
    Replying,
}

/// Whether a request may have run, once its connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sent {
    /// It surely did not run: sending it again cannot double it.
    No,
    /// It may have run.
    Perhaps,
}

impl Provenance {
    /// Whether it may have run, given that its connection was aborted (linger 0, so that the kernel threw away what
    /// was still unsent). A frame of which a byte is missing can never run.
    pub const fn sent_if_aborted(self) -> Sent {
        match self {
            Self::Queued | Self::Offered | Self::Partly(_) => Sent::No,
            Self::Written | Self::Replying => Sent::Perhaps,
        }
    }

    /// Whether it may have run, while its connection still stands (or was left to the kernel to finish): everything
    /// offered may yet be delivered.
    pub const fn sent_if_left(self) -> Sent {
        match self {
            Self::Queued => Sent::No,
            _ => Sent::Perhaps,
        }
    }

    /// The word for it in logs, metrics and errors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Offered => "offered",
            Self::Partly(_) => "partly",
            Self::Written => "written",
            Self::Replying => "replying",
        }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partly(bytes) => write!(f, "partly ({bytes} bytes)"),
            other => f.write_str(other.name()),
        }
    }
}

/// How a connection ended, as the socket told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Close {
    /// The peer closed in order (FIN).
    Fin,
    /// The peer, or something between, reset it (RST).
    Reset,
    /// The kernel gave up resending what we wrote (ETIMEDOUT).
    KernelTimeout,
    /// We closed it while the peer kept silent.
    Abandoned,
    /// We closed it in order.
    Ours,
    /// It never was established.
    NeverOpen,
    /// Some other socket error, by its errno.
    Other(i32),
}

impl Close {
    /// The word for it in logs, metrics and errors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::Reset => "reset",
            Self::KernelTimeout => "kernel-timeout",
            Self::Abandoned => "abandoned",
            Self::Ours => "ours",
            Self::NeverOpen => "never-open",
            Self::Other(_) => "other",
        }
    }

    /// Reads the name back; `other` comes back with errno 0.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Fin,
            Self::Reset,
            Self::KernelTimeout,
            Self::Abandoned,
            Self::Ours,
            Self::NeverOpen,
            Self::Other(0),
        ]
        .into_iter()
        .find(|close| close.name() == name)
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fin => f.write_str("the peer closed in order (FIN)"),
            Self::Reset => f.write_str("the connection was reset (RST)"),
            Self::KernelTimeout => f.write_str("the kernel gave up resending"),
            Self::Abandoned => f.write_str("we gave it up, the peer kept silent"),
            Self::Ours => f.write_str("we closed it"),
            Self::NeverOpen => f.write_str("it was never established"),
            Self::Other(errno) => write!(f, "socket error {errno}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_written_request_did_not_run_once_its_connection_is_aborted() {
        assert_eq!(Provenance::Partly(7).sent_if_aborted(), Sent::No);
        assert_eq!(Provenance::Partly(7).sent_if_left(), Sent::Perhaps);
        assert_eq!(Provenance::Written.sent_if_aborted(), Sent::Perhaps);
        assert_eq!(Provenance::Queued.sent_if_left(), Sent::No);
    }

    #[test]
    fn provenance_moves_forward_only_in_this_order() {
        assert!(Provenance::Queued < Provenance::Offered);
        assert!(Provenance::Offered < Provenance::Partly(0));
        assert!(Provenance::Partly(u64::MAX) < Provenance::Written);
        assert!(Provenance::Written < Provenance::Replying);
    }
}
