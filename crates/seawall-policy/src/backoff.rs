//! How long to pause before a retry: full jitter, from a seeded generator.

use std::time::Duration;

/// A small seeded generator of chance (`SplitMix64`): the same seed gives the same numbers.
///
/// Good enough to spread clients in time, and never to be used for anything that must not be guessed.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator that starts from `seed`. Give every process and endpoint its own, or they move in step.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, from the whole range.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from `0..limit`, or 0 if `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        let wide = u128::from(self.number()) * u128::from(limit);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A span from zero to `longest`, both included, each as likely as the other.
    pub fn up_to(&mut self, longest: Duration) -> Duration {
        Duration::from_nanos(self.below(nanos(longest).saturating_add(1)))
    }

    /// `span`, made longer or shorter by up to `percent` of itself (at most 100).
    pub fn around(&mut self, span: Duration, percent: u8) -> Duration {
        let reach = span / 100 * u32::from(percent.min(100));
        span.saturating_sub(reach) + self.up_to(reach * 2)
    }
}

/// Spreads the bits of `value`: neighbours in, strangers out.
pub(crate) const fn mix(value: u64) -> u64 {
    let mut bits = value;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The limits between which a pause is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackoffSettings {
    /// The longest pause before the first retry. Default 10 ms: ten round trips within a data centre, so that a blip of
    /// that length is gone, and far below what a web request notices.
    pub first: Duration,
    /// The longest pause of all. Default 250 ms: a quarter of the recommended deadline of 1 s, so that the last attempt
    /// still has time to be answered.
    pub longest: Duration,
}

impl Default for BackoffSettings {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(10),
            longest: Duration::from_millis(250),
        }
    }
}

/// Draws pauses with full jitter: evenly from zero to a limit that doubles with every retry.
///
/// Full jitter rather than a fixed wait with a little noise: clients that failed together come back spread over the
/// whole span, which is the point of waiting at all.
#[derive(Clone, Debug)]
pub struct Backoff {
    settings: BackoffSettings,
    rng: Rng,
}

impl Backoff {
    /// Pauses within `settings`, drawn from `seed`.
    pub const fn new(settings: BackoffSettings, seed: u64) -> Self {
        Self {
            settings,
            rng: Rng::new(seed),
        }
    }

    /// The pause before the retry that follows failed attempt number `attempt` (the first is 1).
    pub fn pause(&mut self, attempt: u32) -> Duration {
        self.rng.up_to(self.limit(attempt))
    }

    /// The longest that [`pause`](Self::pause) may answer for this attempt.
    pub fn limit(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.settings
            .first
            .saturating_mul(1 << doublings)
            .min(self.settings.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_limit_doubles_and_stops_at_the_longest() {
        let backoff = Backoff::new(BackoffSettings::default(), 1);
        let limits = [1, 2, 3, 5, 6, 40, u32::MAX].map(|n| backoff.limit(n).as_millis());
        assert_eq!(limits, [10, 20, 40, 160, 250, 250, 250]);
    }

    #[test]
    fn pauses_fill_the_whole_span() {
        let mut backoff = Backoff::new(BackoffSettings::default(), 7);
        let pauses: Vec<_> = (0..1000).map(|_| backoff.pause(1).as_micros()).collect();
        assert!(pauses.iter().any(|&micros| micros < 500), "none near zero");
        assert!(
            pauses.iter().any(|&micros| micros > 9_500),
            "none near the limit"
        );
        assert!(pauses.iter().all(|&micros| micros <= 10_000));
    }

    #[test]
    fn the_same_seed_draws_the_same_pauses_and_another_seed_others() {
        let draw = |seed| {
            let mut backoff = Backoff::new(BackoffSettings::default(), seed);
            (1..20).map(|n| backoff.pause(n)).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    proptest! {
        #[test]
        fn chance_stays_within_its_limits(seed: u64, limit: u64, millis in 0_u64..100_000, percent: u8) {
            let mut rng = super::Rng::new(seed);
            prop_assert!(rng.below(limit) < limit.max(1));
            let span = Duration::from_millis(millis);
            prop_assert!(rng.up_to(span) <= span);
            let reach = span * u32::from(percent.min(100)) / 100;
            let around = rng.around(span, percent);
            prop_assert!(around + reach >= span && around <= span + reach);
        }
    }
}
