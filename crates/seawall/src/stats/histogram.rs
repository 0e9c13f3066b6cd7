use std::time::Duration;

/// The upper bounds of all buckets but the last one, which has none, in microseconds: those of redis-py's own metrics,
/// and 5 s, the usual deadline.
const BOUNDS_US: [u64; Histogram::BUCKETS - 1] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000,
];

/// How often something took how long, in a fixed number of buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; Self::BUCKETS],
    nanos: [u64; Self::BUCKETS],
}

impl Histogram {
    /// How many buckets there are.
    pub const BUCKETS: usize = 16;

    #[inline]
    pub(crate) fn note(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|&bound| bound * 1_000 < nanos);
        self.counts[bucket] += 1;
        self.nanos[bucket] = self.nanos[bucket].saturating_add(nanos);
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: &Self) {
        for bucket in 0..Self::BUCKETS {
            self.counts[bucket] += other.counts[bucket];
            self.nanos[bucket] = self.nanos[bucket].saturating_add(other.nanos[bucket]);
        }
    }

    /// How often, in all.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long, in all.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(
            self.nanos
                .iter()
                .fold(0, |sum, &one| sum.saturating_add(one)),
        )
    }

    /// Each bucket, the shortest times first: its upper bound (the last one has none), how often something took longer
    /// than the bound before it and no longer than its own, and how long these took together.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64, Duration)> + '_ {
        let bounds = BOUNDS_US
            .iter()
            .map(|&bound| Some(Duration::from_micros(bound)));
        let counted = self.counts.iter().zip(&self.nanos);
        bounds
            .chain([None])
            .zip(counted)
            .map(|(bound, (&count, &nanos))| (bound, count, Duration::from_nanos(nanos)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for &one in micros {
            histogram.note(Duration::from_micros(one));
        }
        histogram
    }

    fn filled(histogram: &Histogram) -> Vec<(Option<u64>, u64)> {
        histogram
            .buckets()
            .filter(|&(_, count, _)| count > 0)
            .map(|(bound, count, _)| (bound.map(|bound| bound.as_micros() as u64), count))
            .collect()
    }

    #[test]
    fn a_time_belongs_to_the_first_bound_that_it_does_not_exceed() {
        let histogram = of(&[0, 100, 101, 5_000_000, 5_000_001]);
        let expected = [
            (Some(100), 2),
            (Some(250), 1),
            (Some(5_000_000), 1),
            (None, 1),
        ];
        assert_eq!(filled(&histogram), expected);
        assert_eq!(histogram.count(), 5);
        assert_eq!(histogram.sum(), Duration::from_micros(10_000_202));
    }

    #[test]
    fn what_is_added_is_counted_as_if_it_had_been_noted_here() {
        let mut sum = of(&[70, 4_000]);
        sum.add(&of(&[80, 9_000_000]));
        assert_eq!(sum, of(&[70, 4_000, 80, 9_000_000]));
    }

    #[test]
    fn the_longest_time_there_is_does_not_overflow() {
        let mut histogram = of(&[6_000_000]);
        histogram.note(Duration::MAX);
        histogram.note(Duration::MAX);
        assert_eq!(
            (histogram.count(), histogram.sum()),
            (3, Duration::from_nanos(u64::MAX))
        );
    }
}
