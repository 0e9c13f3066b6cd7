//! Calls of the last while, counted in tenths of it.

use seawall_model::Moment;
use std::time::Duration;

/// The parts of a window: what left it is forgotten a tenth at a time.
pub const PARTS: u64 = 10;

/// What became of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls that ended, well or not.
    pub calls: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Those of them that were slow.
    pub slow: u64,
}

/// Counts calls over the present tenth of a window and the nine before it.
///
/// Moments may come a little out of order: an older one is counted as of the newest seen.
#[derive(Clone, Debug)]
pub(super) struct Window {
    part_nanos: u64,
    parts: [Tally; PARTS as usize],
    total: Tally,
    /// The number of the newest part since the start of time, its slot, and when it ends.
    newest: u64,
    slot: usize,
    ends: Moment,
}

impl Window {
    pub(super) fn new(span: Duration) -> Self {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let part_nanos = (nanos / PARTS).max(1);
        Self {
            part_nanos,
            parts: [Tally::default(); PARTS as usize],
            total: Tally::default(),
            newest: 0,
            slot: 0,
            ends: Moment::from_nanos(part_nanos),
        }
    }

    /// Adds calls, and answers the tally of the window that ends now.
    pub(super) fn add(&mut self, now: Moment, more: Tally) -> Tally {
        // All calls but one in a tenth of the window.
        if now >= self.ends {
            self.turn(now);
        }
        self.parts[self.slot].add(more);
        self.total.add(more);
        self.total
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.parts = [Tally::default(); PARTS as usize];
        self.total = Tally::default();
    }

    #[cold]
    fn turn(&mut self, now: Moment) {
        let number = now.as_nanos() / self.part_nanos;
        let steps = number.saturating_sub(self.newest);
        for step in 1..=steps.min(PARTS) {
            let slot = &mut self.parts[((self.newest + step) % PARTS) as usize];
            self.total.take(*slot);
            *slot = Tally::default();
        }
        self.newest += steps;
        self.slot = (self.newest % PARTS) as usize;
        self.ends = Moment::from_nanos((number + 1).saturating_mul(self.part_nanos));
    }
}

impl Tally {
    fn add(&mut self, more: Self) {
        self.calls += more.calls;
        self.failed += more.failed;
        self.slow += more.slow;
    }

    fn take(&mut self, less: Self) {
        self.calls -= less.calls;
        self.failed -= less.failed;
        self.slow -= less.slow;
    }
}
