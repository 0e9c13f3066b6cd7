//! When a server was serving, as an independent probe saw it.

use std::time::Duration;

use seawall_model::Moment;

/// What a server did for its clients during an [`Interval`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Serving {
    /// It answered.
    All,
    /// It answered, and said that it refuses writes (MISCONF, READONLY, NOREPLICAS, OOM).
    ReadsOnly,
    /// It did not answer in time, could not be reached, or answered that it is unavailable (LOADING, BUSY, MASTERDOWN,
    /// CLUSTERDOWN, max clients, credentials).
    Nothing,
}

/// A span of time in which one [`Serving`] held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Its first moment.
    pub from: Moment,
    /// Its end.
    pub to: Moment,
    /// What held.
    pub serving: Serving,
}

impl Interval {
    /// How much of it lies within `from..=to`.
    fn within(&self, from: Moment, to: Moment) -> Duration {
        self.to.min(to).since(self.from.max(from))
    }

    fn overlaps(&self, from: Moment, to: Moment) -> bool {
        self.from <= to && self.to >= from
    }
}

/// A server's serving time from the probe's start to its end: intervals in order, without gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    intervals: Vec<Interval>,
}

impl Timeline {
    /// Starts an empty timeline.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds that `serving` held from the end so far (for the first: from `from`) until `to`.
    pub fn extend(&mut self, from: Moment, to: Moment, serving: Serving) {
        match self.intervals.last_mut() {
            Some(last) if last.serving == serving => last.to = last.to.max(to),
            Some(last) => {
                let from = last.to;
                self.intervals.push(Interval {
                    from,
                    to: to.max(from),
                    serving,
                });
            }
            None => self.intervals.push(Interval {
                from,
                to: to.max(from),
                serving,
            }),
        }
    }

    /// Every interval, in order.
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// Whether the server answered reads at any moment of `from..=to`.
    pub fn serving_overlaps(&self, from: Moment, to: Moment) -> bool {
        self.intervals
            .iter()
            .any(|interval| interval.serving != Serving::Nothing && interval.overlaps(from, to))
    }

    /// Whether the server also took writes at any moment of `from..=to`.
    pub fn taking_writes_overlaps(&self, from: Moment, to: Moment) -> bool {
        self.intervals
            .iter()
            .any(|interval| interval.serving == Serving::All && interval.overlaps(from, to))
    }

    /// How long the server answered reads within `from..=to`.
    pub fn serving_time(&self, from: Moment, to: Moment) -> Duration {
        let serving = self
            .intervals
            .iter()
            .filter(|interval| interval.serving != Serving::Nothing);
        serving.map(|interval| interval.within(from, to)).sum()
    }

    /// The first moment at or after `moment` at which it answered; none if it never did again.
    pub fn first_serving_after(&self, moment: Moment) -> Option<Moment> {
        let mut serving = self
            .intervals
            .iter()
            .filter(|interval| interval.serving != Serving::Nothing);
        serving
            .find(|interval| interval.to >= moment)
            .map(|interval| interval.from.max(moment))
    }

    /// The spans of at least `least` in which nothing was served.
    pub fn outages(&self, least: Duration) -> impl Iterator<Item = Interval> {
        let silent = self
            .intervals
            .iter()
            .filter(|interval| interval.serving == Serving::Nothing);
        silent
            .filter(move |interval| interval.to.since(interval.from) >= least)
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::ORIGIN + Duration::from_millis(millis)
    }

    fn sample() -> Timeline {
        let mut line = Timeline::new();
        line.extend(at(0), at(5), Serving::All);
        line.extend(at(5), at(10), Serving::All);
        line.extend(at(10), at(30), Serving::Nothing);
        line.extend(at(30), at(40), Serving::ReadsOnly);
        line
    }

    #[test]
    fn equal_neighbours_become_one_interval() {
        assert_eq!(sample().intervals().len(), 3);
        assert_eq!(
            sample().intervals()[0],
            Interval {
                from: at(0),
                to: at(10),
                serving: Serving::All
            }
        );
    }

    #[test]
    fn a_call_inside_an_outage_overlaps_no_serving_time() {
        let line = sample();
        assert!(!line.serving_overlaps(at(11), at(29)));
        assert!(line.serving_overlaps(at(11), at(30)));
        assert!(line.serving_overlaps(at(9), at(12)));
        assert!(!line.serving_overlaps(at(41), at(50)));
    }

    #[test]
    fn writes_need_a_server_that_takes_them() {
        let line = sample();
        assert!(!line.taking_writes_overlaps(at(11), at(40)));
        assert!(line.taking_writes_overlaps(at(10), at(40)));
    }

    #[test]
    fn serving_time_and_the_return_are_measured_in_the_window_asked_for() {
        let line = sample();
        assert_eq!(line.serving_time(at(8), at(35)), Duration::from_millis(7));
        assert_eq!(line.first_serving_after(at(15)), Some(at(30)));
        assert_eq!(line.first_serving_after(at(33)), Some(at(33)));
        assert_eq!(line.first_serving_after(at(41)), None);
        assert_eq!(line.outages(Duration::from_millis(20)).count(), 1);
        assert_eq!(line.outages(Duration::from_millis(21)).count(), 0);
    }
}
