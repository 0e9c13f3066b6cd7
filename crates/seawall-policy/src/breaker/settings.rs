//! The numbers by which a breaker goes.

use std::time::Duration;

/// How a [`Breaker`](super::Breaker) judges, and how long it stays open.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerSettings {
    /// Failures in a row that open it; `None`: a row alone never does. Default 5: enough that one bad reply is none, and
    /// reached within one round of a small pool's callers.
    pub failures_max: Option<u32>,
    /// The span over which shares are counted, in tenths of it. Default 10 s, as for the budget of retries.
    pub window: Duration,
    /// Calls within the window below which a share says nothing. Default 20: of fewer, half are quickly failed by chance.
    pub calls_min: u32,
    /// The share of failed calls, above 0 and up to 1, that opens it; `None`: none does. Default 0.5: a dependency that
    /// fails every other call never fails five in a row.
    pub failed_share: Option<f64>,
    /// What counts as slow, and what share of it opens; `None`: nothing does. Default `None`: only who calls knows.
    pub slow: Option<Slow>,
    /// How long it is open the first time, at least. Default 5 s.
    pub open_first: Duration,
    /// Up to what that grows, by doubling each time it opens anew. Default 60 s: what others wait always. Never below
    /// `open_first`.
    pub open_longest: Duration,
    /// By how many percent at most the time open is made longer by chance, so that processes do not come back in step.
    /// Default 20. Never made shorter: who asked for a minute waits a minute.
    pub jitter_percent: u8,
    /// Trials at once while half open, at least 1. Default 1: the others learn from its outcome soon enough.
    pub trials_max: u32,
    /// Good trials in a row that close it, at least 1. Default 1.
    pub trials_to_close: u32,
    /// A trial that has not ended by then has failed. Default 60 s: without an end to it, a call that hangs for ever
    /// would keep the breaker from ever closing.
    pub trial_longest: Duration,
}

/// When a call is slow, and how many slow ones are too many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slow {
    /// A call that takes this long or longer is slow.
    pub after: Duration,
    /// The share of slow calls, above 0 and up to 1, that opens. Default 0.5.
    pub share: f64,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures_max: Some(5),
            window: Duration::from_secs(10),
            calls_min: 20,
            failed_share: Some(0.5),
            slow: None,
            open_first: Duration::from_secs(5),
            open_longest: Duration::from_secs(60),
            jitter_percent: 20,
            trials_max: 1,
            trials_to_close: 1,
            trial_longest: Duration::from_secs(60),
        }
    }
}

impl BreakerSettings {
    /// The shortest and the longest time for which it is open when it opens for the `opening`th time running (the first
    /// is 1).
    pub fn open_span(&self, opening: u32) -> (Duration, Duration) {
        let doublings = opening.saturating_sub(1).min(31);
        let span = self.open_first.saturating_mul(1 << doublings);
        let span = span.min(self.open_longest.max(self.open_first));
        let more = (span / 100).saturating_mul(u32::from(self.jitter_percent));
        (span, span.saturating_add(more))
    }
}
