//! How often calls failed, how, when and whose: counted while a log is read, since no more than the newest lines are kept.

use std::collections::BTreeMap;

use crate::facts::ClientLine;
use crate::stamp::Stamp;

/// So many names are told apart; what others there are is counted together.
const NAMES_MAX: usize = 1_000;

/// So many steps of time; more make each of them longer.
const STEPS_MAX: usize = 512;

/// How long a step may be, in seconds.
const LENGTHS: &[i64] = &[
    1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400, 604_800, 31_536_000,
];

/// Failures of one kind that one log tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// The first and the last that had a time.
    pub window: Option<(Stamp, Stamp)>,
    /// How many in each step of time.
    pub steps: Steps,
    /// By who told them: a process, a worker, a container.
    pub by_process: Names,
    /// By server.
    pub by_server: Names,
    /// By command.
    pub by_command: Names,
}

impl Tally {
    /// Counts one.
    pub(crate) fn count(&mut self, at: Option<Stamp>, what: &ClientLine) {
        self.count += 1;
        if let Some(at) = at {
            self.widen(at, at);
            self.steps.add(at, 1);
        }
        self.by_process.add(what.process.as_deref(), 1);
        self.by_server.add(what.server.as_deref(), 1);
        self.by_command.add(what.command.as_deref(), 1);
    }

    /// Counts another's.
    pub(crate) fn add(&mut self, other: &Self) {
        self.count += other.count;
        if let Some((from, to)) = other.window {
            self.widen(from, to);
        }
        self.steps.merge(&other.steps);
        self.by_process.merge(&other.by_process);
        self.by_server.merge(&other.by_server);
        self.by_command.merge(&other.by_command);
    }

    /// Puts it so many milliseconds later.
    pub(crate) fn shift(&mut self, millis: i64) {
        self.window = self
            .window
            .map(|(from, to)| (from.plus_millis(millis), to.plus_millis(millis)));
        let mut steps = Steps::default();
        for (at, count) in self.steps.iter() {
            steps.add(at.plus_millis(millis), count);
        }
        self.steps = steps;
    }

    /// Keeps what lies in that stretch of time, by its steps. What has no time is kept.
    pub(crate) fn only(&mut self, from: Stamp, to: Stamp) {
        let timed: u64 = self.steps.iter().map(|(_, count)| count).sum();
        let mut steps = Steps::default();
        for (at, count) in self.steps.iter() {
            if (from.plus_seconds(-self.steps.length() + 1)..=to).contains(&at) {
                steps.add(at, count);
            }
        }
        let kept: u64 = steps.iter().map(|(_, count)| count).sum();
        self.count = self.count - timed + kept;
        self.window = self
            .window
            .map(|(first, last)| (first.max(from), last.min(to)))
            .filter(|(first, last)| kept > 0 && first <= last);
        self.steps = steps;
    }

    fn widen(&mut self, from: Stamp, to: Stamp) {
        self.window = Some(match self.window {
            None => (from, to),
            Some((first, last)) => (first.min(from), last.max(to)),
        });
    }
}

/// Counts over time, in steps of one length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// Its place in `LENGTHS`.
    length: usize,
    counts: BTreeMap<i64, u64>,
}

impl Steps {
    /// How long a step is, in seconds.
    pub fn length(&self) -> i64 {
        LENGTHS[self.length]
    }

    /// When each step that has any begins, and how many there are.
    pub fn iter(&self) -> impl Iterator<Item = (Stamp, u64)> {
        let millis = self.length() * 1_000;
        self.counts
            .iter()
            .map(move |(step, count)| (Stamp(step.saturating_mul(millis)), *count))
    }

    fn add(&mut self, at: Stamp, count: u64) {
        let step = at.0.div_euclid(self.length() * 1_000);
        *self.counts.entry(step).or_default() += count;
        while self.counts.len() > STEPS_MAX && self.length + 1 < LENGTHS.len() {
            self.lengthen(self.length + 1);
        }
    }

    fn merge(&mut self, other: &Self) {
        if other.length > self.length {
            self.lengthen(other.length);
        }
        for (at, count) in other.iter() {
            self.add(at, count);
        }
    }

    fn lengthen(&mut self, length: usize) {
        let before: Vec<_> = self.iter().collect();
        self.length = length;
        self.counts.clear();
        for (at, count) in before {
            let step = at.0.div_euclid(self.length() * 1_000);
            *self.counts.entry(step).or_default() += count;
        }
    }
}

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    counts: BTreeMap<String, u64>,
    /// Of names that there was no more room for.
    pub others: u64,
    /// Where no name was told.
    pub unnamed: u64,
}

impl Names {
    /// Those with the most first.
    pub fn most(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self
            .counts
            .iter()
            .map(|(name, count)| (name.as_str(), *count))
            .collect();
        all.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        all
    }

    fn add(&mut self, name: Option<&str>, count: u64) {
        let Some(name) = name else {
            self.unnamed += count;
            return;
        };
        if let Some(known) = self.counts.get_mut(name) {
            *known += count;
        } else if self.counts.len() < NAMES_MAX {
            self.counts.insert(name.to_owned(), count);
        } else {
            self.others += count;
        }
    }

    fn merge(&mut self, other: &Self) {
        for (name, count) in &other.counts {
            self.add(Some(name), *count);
        }
        self.others += other.others;
        self.unnamed += other.unnamed;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::facts::Failure;

    #[test]
    fn names_and_steps_have_an_end_and_lose_no_count() {
        let mut tally = Tally::default();
        for number in 0..5_000_i64 {
            let mut what = ClientLine::new(Failure::Reset);
            what.process = Some(format!("worker-{number}"));
            tally.count(Some(Stamp(number * 60_000)), &what);
        }
        assert_eq!(tally.by_process.most().len(), NAMES_MAX);
        assert_eq!(tally.by_process.others, 4_000);
        assert!(tally.steps.counts.len() <= STEPS_MAX);
        assert_eq!(
            tally.steps.iter().map(|(_, count)| count).sum::<u64>(),
            5_000
        );
    }

    proptest! {
        #[test]
        fn the_order_of_what_is_added_changes_nothing(times in proptest::collection::vec(0_i64..10_000_000_000, 0..40), at in 0_usize..40) {
            let of = |times: &[i64]| {
                let mut tally = Tally::default();
                for time in times {
                    tally.count(Some(Stamp(*time)), &ClientLine::new(Failure::Reset));
                }
                tally
            };
            let (one, other) = times.split_at(at.min(times.len()));
            let mut left = of(one);
            left.add(&of(other));
            let mut right = of(other);
            right.add(&of(one));
            prop_assert_eq!(&left, &right);
            prop_assert_eq!(left.count, times.len() as u64);
        }
    }
}
