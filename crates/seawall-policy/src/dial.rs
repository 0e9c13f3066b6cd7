//! How many connections may be opened at once, and how soon after a failure.

use crate::backoff::Rng;
use seawall_model::Moment;
use std::time::Duration;

/// The limits of dialling one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialSettings {
    /// Dials under way at once, at least 1. Default 4: a pool of 8 is filled in two rounds, and a hundred processes
    /// that all start at once stay below the 511 that Redis queues (`tcp-backlog`), where 8 would overflow it.
    pub concurrent_max: u32,
    /// The longest pause after the first failed dial. Default 25 ms: the cadence of the first probes.
    pub pause_first: Duration,
    /// The longest pause of all, reached by doubling. Default 1 s: the cadence of the last probes.
    pub pause_longest: Duration,
}

impl Default for DialSettings {
    fn default() -> Self {
        Self {
            concurrent_max: 4,
            pause_first: Duration::from_millis(25),
            pause_longest: Duration::from_secs(1),
        }
    }
}

/// Whether a connection may be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dial {
    /// Open one, and report it as started.
    Go,
    /// A dial failed lately: ask again then.
    Wait(Moment),
    /// As many dials as allowed are under way: ask again when one of them ends.
    Full,
}

/// How a dial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialled {
    /// Its handshake is complete.
    Connected,
    /// It came to nothing, or was given up.
    Failed,
}

/// Bounds and paces the dials to one endpoint. Probes do not pass through it.
///
/// After a failure one dial at a time tries again, after pauses that double up to a second. The first success opens
/// the gate again by one dial more for each one that succeeds: 1, 2, 4, not all at once, since every other client
/// comes back in the same instant. What [`Dial::Go`] allowed must be reported as [`started`](Self::started) and later
/// as [`finished`](Self::finished).
#[derive(Clone, Debug)]
pub struct DialGate {
    settings: DialSettings,
    rng: Rng,
    under_way: u32,
    allowed: u32,
    failures: u32,
    not_before: Moment,
}

impl DialGate {
    /// An open gate; `seed` spreads the pauses.
    pub fn new(settings: DialSettings, seed: u64) -> Self {
        let allowed = settings.concurrent_max.max(1);
        let rng = Rng::new(seed);
        Self {
            settings,
            rng,
            under_way: 0,
            allowed,
            failures: 0,
            not_before: Moment::ORIGIN,
        }
    }

    /// Whether a connection may be opened now.
    pub fn want(&self, now: Moment) -> Dial {
        if self.under_way >= self.allowed {
            Dial::Full
        } else if now < self.not_before {
            Dial::Wait(self.not_before)
        } else {
            Dial::Go
        }
    }

    /// A dial began.
    pub fn started(&mut self, _now: Moment) {
        self.under_way += 1;
    }

    /// A dial ended.
    pub fn finished(&mut self, now: Moment, how: Dialled) {
        self.under_way = self.under_way.saturating_sub(1);
        match how {
            Dialled::Connected => {
                self.failures = 0;
                self.not_before = now;
                self.allowed = (self.allowed + 1).min(self.settings.concurrent_max.max(1));
            }
            Dialled::Failed => self.failed(now),
        }
    }

    /// The endpoint was found to be up: the pause is over, and dialling starts again with one at a time.
    pub fn endpoint_up(&mut self, now: Moment) {
        self.failures = 0;
        self.not_before = now;
        self.allowed = 1;
    }

    /// How many dials are under way.
    pub const fn under_way(&self) -> u32 {
        self.under_way
    }

    fn failed(&mut self, now: Moment) {
        self.allowed = 1;
        // Dials that were under way together fail together: one piece of news, one step.
        if self.failures > 0 && now < self.not_before {
            return;
        }
        let doublings = self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        let limit = self.settings.pause_first.saturating_mul(1 << doublings);
        let limit = limit.min(self.settings.pause_longest);
        // Half of it fixed: full jitter would sometimes not wait at all.
        self.not_before = now + limit / 2 + self.rng.up_to(limit / 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::ORIGIN;

    fn gate() -> DialGate {
        DialGate::new(DialSettings::default(), 5)
    }

    fn start_all(gate: &mut DialGate, now: Moment) -> u32 {
        let mut begun = 0;
        while gate.want(now) == Dial::Go {
            gate.started(now);
            begun += 1;
        }
        begun
    }

    #[test]
    fn dials_under_way_are_bounded() {
        let mut gate = gate();
        assert_eq!(start_all(&mut gate, START), 4);
        assert_eq!(gate.want(START), Dial::Full);
        gate.finished(START, Dialled::Connected);
        assert_eq!(gate.want(START), Dial::Go);
    }

    #[test]
    fn pauses_double_up_to_a_second_and_one_dial_at_a_time_tries_again() {
        let mut gate = gate();
        let mut now = START;
        for longest in [25, 50, 100, 200, 400, 800, 1_000, 1_000] {
            assert_eq!(gate.want(now), Dial::Go);
            gate.started(now);
            assert_eq!(
                gate.want(now),
                if longest == 25 { Dial::Go } else { Dial::Full }
            );
            gate.finished(now, Dialled::Failed);
            let Dial::Wait(until) = gate.want(now) else {
                panic!("no pause after a failure")
            };
            let longest = Duration::from_millis(longest);
            assert!(until.since(now) >= longest / 2 && until.since(now) <= longest);
            now = until;
        }
    }

    #[test]
    fn dials_that_fail_together_are_one_failure() {
        let mut gate = gate();
        assert_eq!(start_all(&mut gate, START), 4);
        (0..4).for_each(|_| gate.finished(START, Dialled::Failed));
        let Dial::Wait(until) = gate.want(START) else {
            panic!("no pause after a failure")
        };
        assert!(until <= START + DialSettings::default().pause_first);
    }

    #[test]
    fn after_an_outage_dials_come_back_by_doubling() {
        let mut gate = gate();
        gate.started(START);
        gate.finished(START, Dialled::Failed);
        gate.endpoint_up(START);
        let mut rounds = Vec::new();
        for _ in 0..4 {
            let begun = start_all(&mut gate, START);
            rounds.push(begun);
            (0..begun).for_each(|_| gate.finished(START, Dialled::Connected));
        }
        assert_eq!(rounds, [1, 2, 4, 4]);
    }
}
