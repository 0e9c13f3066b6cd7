//! Which keys were written lately, so that no retry puts an older value over a newer one of this client.

use std::sync::atomic::{AtomicU64, Ordering};

use seawall_wire::facts;

/// Keys share this many places by their hash. Two keys in one place only make a retry be given up that could have gone.
const PLACES: usize = 1024;

/// More keys than this in one call are taken for every key.
const KEYS_MAX: usize = 4;

/// What a call writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Nothing.
    Nothing,
    /// The keys in these places; the last one repeats.
    Keys([u16; KEYS_MAX]),
    /// More than can be told: scripts, FLUSHALL, many keys.
    Anything,
}

impl Writes {
    /// What a write command with these words writes.
    pub(crate) fn of(words: &[&[u8]], script: bool) -> Self {
        if script {
            return Self::Anything;
        }
        let mut places = [0; KEYS_MAX];
        let mut count = 0;
        for key in facts::keys(words) {
            if count == KEYS_MAX {
                return Self::Anything;
            }
            places[count..].fill(place(key));
            count += 1;
        }
        if count == 0 {
            Self::Anything
        } else {
            Self::Keys(places)
        }
    }

    /// What both write.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, writes) | (writes, Self::Nothing) => writes,
            (a, b) if a == b => a,
            _ => Self::Anything,
        }
    }
}

fn place(key: &[u8]) -> u16 {
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    ((hash ^ (hash >> 32)) % PLACES as u64) as u16
}

/// The writes that left this client, by the number of the latest in each place.
pub(crate) struct RecentWrites {
    number: AtomicU64,
    places: Box<[AtomicU64]>,
    anything: AtomicU64,
}

impl RecentWrites {
    pub(crate) fn new() -> Self {
        Self {
            number: AtomicU64::new(0),
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            anything: AtomicU64::new(0),
        }
    }

    /// A write leaves; its number says what came later.
    pub(crate) fn leave(&self, writes: Writes) -> u64 {
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        match writes {
            Writes::Nothing => {}
            Writes::Keys(places) => {
                for place in places {
                    self.places[usize::from(place)].fetch_max(number, Ordering::Relaxed);
                }
            }
            Writes::Anything => {
                self.anything.fetch_max(number, Ordering::Relaxed);
            }
        }
        number
    }

    /// Whether another write to one of the same keys left after the one of this number.
    pub(crate) fn later(&self, writes: Writes, number: u64) -> bool {
        let anything = self.anything.load(Ordering::Relaxed) > number;
        match writes {
            Writes::Nothing => false,
            Writes::Keys(places) => {
                anything
                    || places.iter().any(|&place| {
                        self.places[usize::from(place)].load(Ordering::Relaxed) > number
                    })
            }
            Writes::Anything => self.number.load(Ordering::Relaxed) > number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: &[u8]) -> Writes {
        Writes::of(&[b"SET", key, b"x"], false)
    }

    #[test]
    fn a_later_write_to_the_same_key_is_seen_and_one_to_another_is_not() {
        let recent = RecentWrites::new();
        let first = recent.leave(set(b"a"));
        recent.leave(set(b"b"));
        assert!(!recent.later(set(b"a"), first));
        recent.leave(set(b"a"));
        assert!(recent.later(set(b"a"), first));
    }

    #[test]
    fn a_flush_or_a_script_is_later_than_every_key() {
        let recent = RecentWrites::new();
        let first = recent.leave(set(b"a"));
        recent.leave(Writes::of(&[b"FLUSHALL"], false));
        assert!(recent.later(set(b"a"), first));
        let second = recent.leave(set(b"a"));
        recent.leave(Writes::of(&[b"EVAL", b"x", b"1", b"k"], true));
        assert!(recent.later(set(b"a"), second));
    }

    #[test]
    fn an_mset_has_all_of_its_keys() {
        let recent = RecentWrites::new();
        let mset = Writes::of(&[b"MSET", b"a", b"1", b"b", b"2"], false);
        let first = recent.leave(mset);
        recent.leave(set(b"b"));
        assert!(recent.later(mset, first));
    }
}
