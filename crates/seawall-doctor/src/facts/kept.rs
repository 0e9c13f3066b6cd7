//! What is kept of a file that has no end.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use super::{Fact, Facts};

/// So many facts of one meaning are kept of one file, the newest: more prove nothing more, and a file has no end.
const KEPT_MAX: usize = 10_000;

/// The facts of a file, as they come, by what they mean: a flood of one meaning drives out no other.
#[derive(Clone, Debug)]
pub(crate) struct Kept<K, T> {
    by_meaning: HashMap<K, VecDeque<Fact<T>>>,
    passed_over: u64,
}

impl<K, T> Default for Kept<K, T> {
    fn default() -> Self {
        Self {
            by_meaning: HashMap::new(),
            passed_over: 0,
        }
    }
}

impl<K: Eq + Hash, T> Kept<K, T> {
    pub(crate) fn push(&mut self, meaning: K, fact: Fact<T>) {
        let facts = self.by_meaning.entry(meaning).or_default();
        if facts.len() >= KEPT_MAX {
            facts.pop_front();
            self.passed_over += 1;
        }
        facts.push_back(fact);
    }

    /// All of them, in no order ([`diagnose`](crate::diagnose) brings one); what was passed over is said.
    pub(crate) fn end(&mut self, source: &str, facts: &mut Facts) -> Vec<Fact<T>> {
        if self.passed_over > 0 {
            facts.assumed.insert(format!(
                "{source}: of each meaning the last {KEPT_MAX} lines are looked at; {} were passed over",
                self.passed_over
            ));
        }
        let kept = std::mem::take(&mut self.by_meaning);
        kept.into_values().flatten().collect()
    }
}
