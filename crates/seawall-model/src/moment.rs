use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A point in time: nanoseconds of the host's boot clock.
///
/// The boot clock runs on while the machine sleeps and never jumps with the wall clock, and, unlike
/// [`std::time::Instant`], it can be written to a journal and compared between processes of one boot. Pure code is
/// handed a `Moment`; only shells read the clock. Tests start from [`Moment::ORIGIN`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The start of virtual time.
    pub const ORIGIN: Self = Self(0);
    /// A moment that never comes: the deadline of a call without one.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment that lies `nanos` nanoseconds after the boot clock's start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the boot clock's start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long `self` lies after `earlier`; zero if it does not.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// How long until `later`; zero if it has come.
    pub const fn until(self, later: Self) -> Duration {
        later.since(self)
    }

    /// The moment `span` earlier, no earlier than the clock's start.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }

    /// Whether this is [`Moment::NEVER`].
    pub const fn is_never(self) -> bool {
        self.0 == u64::MAX
    }
}

/// Saturates: a sum past the end of time is [`Moment::NEVER`].
impl Add<Duration> for Moment {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

impl AddAssign<Duration> for Moment {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub for Moment {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() {
            return f.write_str("never");
        }
        write!(
            f,
            "{}.{:06}s",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000 / 1_000
        )
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_before_the_start_is_the_start_and_past_the_end_is_never() {
        assert_eq!(
            Moment::ORIGIN.before(Duration::from_secs(1)),
            Moment::ORIGIN
        );
        assert_eq!(Moment::from_nanos(5) + Duration::MAX, Moment::NEVER);
        assert_eq!(Moment::ORIGIN - Moment::from_nanos(9), Duration::ZERO);
    }

    #[test]
    fn a_moment_shows_seconds_and_microseconds() {
        assert_eq!(Moment::from_nanos(1_500_002_000).to_string(), "1.500002s");
        assert_eq!(Moment::NEVER.to_string(), "never");
    }
}
