//! One line a second of each name, endpoint and cause; the engine's own log does the same for Rust.

use std::collections::HashMap;
use std::time::Duration;

use seawall::{Cause, Moment};

use super::told::Told;

const EVERY: Duration = Duration::from_secs(1);
/// Beyond so many all is forgotten, and told anew: endpoints come and go.
const KNOWN_MAX: usize = 4_096;

#[derive(Default)]
pub(super) struct Ration(HashMap<(&'static str, Box<str>, Option<Cause>), Portion>);

struct Portion {
    told: Moment,
    suppressed: u64,
}

impl Ration {
    /// How many lines like it were withheld since the last one; `None`: this one is.
    pub(super) fn ask(&mut self, told: &Told) -> Option<u64> {
        let now = seawall::now();
        let key = (told.name, told.endpoint.clone(), told.cause);
        if let Some(portion) = self.0.get_mut(&key) {
            if now.since(portion.told) < EVERY {
                portion.suppressed += 1;
                return None;
            }
            portion.told = now;
            return Some(std::mem::take(&mut portion.suppressed));
        }
        if self.0.len() >= KNOWN_MAX {
            self.0.clear();
        }
        let portion = Portion {
            told: now,
            suppressed: 0,
        };
        self.0.insert(key, portion);
        Some(0)
    }
}
