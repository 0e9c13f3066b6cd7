//! One line a second of each name, endpoint and cause, and a few more of an outage's end; the engine's own log does the same for Rust.

use std::collections::HashMap;
use std::time::Duration;

use seawall::{Cause, Moment};

use super::told::Told;

const EVERY: Duration = Duration::from_secs(1);
/// Clients of one server with settings of their own each tell what became of their calls in an outage, all at its end.
const ENDS: u8 = 8;
/// Beyond so many all is forgotten, and told anew: endpoints come and go.
const KNOWN_MAX: usize = 4_096;

#[derive(Default)]
pub(super) struct Ration(HashMap<(&'static str, Box<str>, Option<Cause>), Portion>);

struct Portion {
    told: Moment,
    /// Lines that may follow in the same second.
    left: u8,
    suppressed: u64,
}

impl Ration {
    /// How many lines like it were withheld since the last one; `None`: this one is.
    pub(super) fn ask(&mut self, told: &Told) -> Option<u64> {
        let now = seawall::now();
        let key = (told.name, told.endpoint.clone(), told.cause);
        if let Some(portion) = self.0.get_mut(&key) {
            if now.since(portion.told) < EVERY {
                let Some(left) = portion.left.checked_sub(1) else {
                    portion.suppressed += 1;
                    return None;
                };
                portion.left = left;
                return Some(0);
            }
            portion.told = now;
            portion.left = more(told);
            return Some(std::mem::take(&mut portion.suppressed));
        }
        if self.0.len() >= KNOWN_MAX {
            self.0.clear();
        }
        let portion = Portion {
            told: now,
            left: more(told),
            suppressed: 0,
        };
        self.0.insert(key, portion);
        Some(0)
    }
}

fn more(told: &Told) -> u8 {
    match told.name {
        "outage.end" => ENDS - 1,
        _ => 0,
    }
}
