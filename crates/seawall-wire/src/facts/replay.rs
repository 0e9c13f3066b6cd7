use std::fmt;

/// Whether a command that may have run can be sent again.
///
/// Ordered from the most to the least replayable, so that the class of several things together is their
/// [`least`](Self::least): of a command and its connection's state, of the commands of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Replay {
    /// Running it twice changes nothing: it may always be sent again. Example: GET, and SORT without STORE.
    Read,
    /// It replaces whole values whatever they were, and its reply does not depend on them: plain SET, MSET, SETEX and
    /// PSETEX. By default it may be sent again as long as no later write to that key left this client; the repeat may
    /// still overwrite a newer value of another client, within the call's deadline.
    Overwrite,
    /// Running it twice leaves the same state as once, but the second reply may differ, and what others did between
    /// the two is undone: a repeated DEL can delete the next holder's lock. Sent again only where the caller asked
    /// for it. Example: DEL, SADD, HSET, plain ZADD, EXPIREAT.
    SameState,
    /// Sent again only if it surely did not run. Example: INCR, LPUSH, SET NX, pops, scripts, EXEC.
    Never,
}

impl Replay {
    /// The less replayable of the two.
    #[must_use]
    pub const fn least(self, other: Self) -> Self {
        if self as u8 >= other as u8 {
            self
        } else {
            other
        }
    }

    /// The word for it in logs, settings and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Overwrite => "overwrite",
            Self::SameState => "same-state",
            Self::Never => "never",
        }
    }
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_two_classes_is_the_less_replayable() {
        assert_eq!(Replay::Read.least(Replay::Never), Replay::Never);
        assert_eq!(
            Replay::SameState.least(Replay::Overwrite),
            Replay::SameState
        );
        assert!(Replay::Read < Replay::Overwrite && Replay::SameState < Replay::Never);
    }
}
