//! Whom CLIENT LIST is asked about: all clients of a server that has few; of one that has many as many as a hundredth of its
//! time allows, unless its counts tell of something that only the whole list explains.
//!
//! A row takes a server about 1 µs, and 2.5 µs if it has not told of that client before (two system calls for its addresses):
//! 25 ms for the 10,000 clients that are the default of `maxclients`, in which it answers nobody else.

use seawall_wire::Value;

use super::questions::{Interview, text, version};
use crate::facts::{Listed, Look, Peer, Unseen};
use crate::read::client;
use crate::stamp::Stamp;

/// What a row may cost, in tenths of a microsecond: one that was never told before.
const ROW_TENTHS: u128 = 25;

/// So many clients are always listed: 5 ms at most.
const WHOLE: u64 = 2_000;

/// More are never listed at once, whatever is asked for.
const WHOLE_MAX: u64 = 10_000;

/// So many are drawn of a crowd: who holds a tenth of the connections is found to hold 8 to 13 hundredths.
const DRAWN: u64 = 500;

/// Fewer would say nothing of the others.
const DRAWN_MIN: u64 = 100;

/// So many ids are tried at most: of a server on which many connections came and went most belong to nobody now. One that
/// does costs the server 0.1 µs.
const IDS_MAX: u64 = 20_000;

/// So many are tried in one command: it keeps the server for 2.5 ms at most.
const IDS_AT_ONCE: usize = 1_000;

/// Where a client has as much unread or unsent, which one that is matters; the doctor's own answers are smaller.
const UNREAD: u64 = 5_000_000;
const UNSENT: u64 = 1_000_000;

/// From so many hundredths of maxclients on, who holds the connections matters.
const FULL_PERCENT: u64 = 80;

/// Whom to ask about.
enum Asked {
    All,
    Drawn,
}

impl Interview<'_> {
    pub(super) fn clients(&mut self, look: &mut Look, now: Stamp, named: bool) {
        let connected = look.number("connected_clients").unwrap_or(0);
        let asked = if connected > WHOLE_MAX {
            Asked::Drawn
        } else if named || connected <= self.affordable() || needle(look) {
            Asked::All
        } else {
            Asked::Drawn
        };
        if matches!(asked, Asked::All) {
            self.list(look, &["CLIENT", "LIST"]);
            return;
        }
        let whole = self.kinds(look);
        let others = connected.saturating_sub(whole);
        let drawn = self.draw(look, others, now);
        if drawn.is_none() && connected <= WHOLE_MAX && crowded(look) {
            look.clients.clear();
            self.list(look, &["CLIENT", "LIST"]);
            return;
        }
        let drawn = drawn.unwrap_or(0);
        look.listed = Listed::Some { drawn, of: others };
        self.not_all(connected, drawn);
    }

    /// Of how many clients the whole list takes no more than a hundredth of the time that the look takes anyway.
    fn affordable(&self) -> u64 {
        let rows = self.manner.between.as_micros() * 10 / (100 * ROW_TENTHS);
        u64::try_from(rows).unwrap_or(u64::MAX).max(WHOLE)
    }

    fn list(&mut self, look: &mut Look, words: &[&str]) {
        if let Some(list) = self.ask(words) {
            if words.len() == 2 {
                look.answered.insert("CLIENT LIST");
            }
            look.clients.extend(peers(&list));
        }
    }

    /// All subscribers and replicas, where INFO does not say that there is none. How many those are.
    fn kinds(&mut self, look: &mut Look) -> u64 {
        let some = |fields: &[&str]| {
            let mut known = fields.iter().filter_map(|field| look.number(field));
            let first = known.next();
            first.is_none_or(|first| first > 0 || known.any(|count| count > 0))
        };
        let replica = if version(look) >= (5, 0) {
            "replica"
        } else {
            "slave"
        };
        let channels = ["pubsub_channels", "pubsub_patterns", "pubsubshard_channels"];
        let kinds = [
            ("pubsub", some(&channels)),
            (replica, some(&["connected_slaves"])),
        ];
        for (kind, any) in kinds {
            if any {
                self.list(look, &["CLIENT", "LIST", "TYPE", kind]);
            }
        }
        look.clients.truncate(WHOLE_MAX as usize);
        // Replicas are none of the `connected_clients`.
        let whole = look.clients.iter().filter(|peer| !peer.replicates());
        whole.count() as u64
    }

    /// Draws some of the others: ids, spread over all that were ever given. `None` if too few of those are still connected,
    /// or the server knows of no ids (before 6.2). How many were drawn.
    fn draw(&mut self, look: &mut Look, others: u64, now: Stamp) -> Option<u64> {
        if version(look) < (6, 2) || others == 0 {
            return None;
        }
        let newest = self.conversation.ask(&["CLIENT", "ID"]).ok()?.as_int()?;
        let newest = u64::try_from(newest).ok()?.max(1);
        let ids = newest.saturating_mul(DRAWN) / others;
        let ids = ids.clamp(DRAWN.min(newest), IDS_MAX.min(newest));
        if ids.saturating_mul(others) / newest < DRAWN_MIN {
            return None;
        }
        let ids = spread(ids, newest, now.0.unsigned_abs());
        let mut drawn = 0;
        for some in ids.chunks(IDS_AT_ONCE) {
            let mut words = vec!["CLIENT", "LIST", "ID"];
            words.extend(some.iter().map(String::as_str));
            let list = self.ask(&words)?;
            let others = peers(&list).into_iter();
            let others = others.filter(|peer| !peer.subscribes() && !peer.replicates());
            let before = look.clients.len();
            look.clients.extend(others);
            drawn += (look.clients.len() - before) as u64;
        }
        (drawn >= DRAWN_MIN).then_some(drawn)
    }

    fn not_all(&mut self, connected: u64, drawn: u64) {
        let whom = if drawn > 0 {
            format!("{drawn} drawn at random were")
        } else {
            "only subscribers and replicas were".to_owned()
        };
        let how = if connected > WHOLE_MAX {
            "redis-cli CLIENT LIST > clients.txt, then: seawall doctor clients.txt".to_owned()
        } else {
            let seconds = (u128::from(connected) * ROW_TENTHS).div_ceil(100_000);
            format!("seawall doctor --for {seconds} URL: the list is a hundredth of that time")
        };
        self.facts.unseen.push(Unseen {
            what: format!("CLIENT LIST of {}", self.asked.server),
            why: format!(
                "of {connected} clients {whom} asked about, so as not to hold the server up: one that is unlike the others may be \
                 among the rest"
            ),
            how,
        });
    }
}

/// Whether INFO tells of a client that is unlike the others, which one may miss that are drawn.
fn needle(look: &Look) -> bool {
    let count = |field| look.number(field).unwrap_or(0);
    let unread = count("client_recent_max_output_buffer").max(count("client_longest_output_list"));
    let unsent = count("client_recent_max_input_buffer").max(count("client_biggest_input_buf"));
    unread >= UNREAD || unsent >= UNSENT || look.calls("monitor").is_some_and(|calls| calls > 0)
}

/// Whether INFO tells of something that who is connected explains.
fn crowded(look: &Look) -> bool {
    let count = |field| look.number(field).unwrap_or(0);
    let room = look
        .number("maxclients")
        .or_else(|| look.setting("maxclients"));
    let full = room.is_some_and(|room| count("connected_clients") * 100 >= room * FULL_PERCENT);
    full || count("rejected_connections") > 0
        || (count("blocked_clients") > 0 && count("evicted_keys") > 0)
        || (count("keyspace_misses") > 0 && count("keyspace_hits") == 0)
}

/// So many numbers from 1 to `newest`, one at a random place in each of as many equal stretches: connections that were opened
/// together have numbers that lie together, and any stretch of them is represented by its share.
fn spread(count: u64, newest: u64, seed: u64) -> Vec<String> {
    let mut state = seed;
    let start = |place: u64| (u128::from(place) * u128::from(newest) / u128::from(count)) as u64;
    (0..count)
        .map(|place| {
            let (from, to) = (start(place), start(place + 1));
            let id = from + mixed(&mut state) % (to - from).max(1);
            (id + 1).to_string()
        })
        .collect()
}

/// Splitmix64: good enough for not meeting the period in which a pool opens its connections.
fn mixed(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn peers(list: &Value) -> Vec<Peer> {
    text(list).lines().filter_map(client).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Reach;

    fn look(fields: &[(&str, &str)]) -> Look {
        let mut look = Look::new("cache:6379", None, Reach::Answered);
        for (name, value) in fields {
            look.info.insert((*name).to_owned(), (*value).to_owned());
        }
        look
    }

    #[test]
    fn the_ids_that_are_tried_are_spread_over_all_that_were_given() {
        for (count, newest) in [(1_000, 1_000), (1_000, 9_993), (20_000, 2_000_000)] {
            let ids = spread(count, newest, 42);
            let ids: Vec<u64> = ids.iter().filter_map(|id| id.parse().ok()).collect();
            assert_eq!(ids.len() as u64, count);
            assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(ids[0] >= 1 && ids[ids.len() - 1] <= newest);
            let half = ids.iter().filter(|id| **id * 2 <= newest).count() as u64;
            assert!(half.abs_diff(count / 2) <= 1, "{half} of {count}");
        }
        assert_ne!(spread(100, 10_000, 1), spread(100, 10_000, 2));
    }

    #[test]
    fn one_client_that_is_unlike_the_others_has_all_of_them_listed() {
        assert!(!needle(&look(&[(
            "client_recent_max_output_buffer",
            "20504"
        )])));
        assert!(needle(&look(&[(
            "client_recent_max_output_buffer",
            "33600000"
        )])));
        assert!(needle(&look(&[("client_biggest_input_buf", "2000000")])));
        assert!(needle(&look(&[("cmdstat_monitor", "calls=1,usec=5")])));
        assert!(!needle(&look(&[("cmdstat_get", "calls=1,usec=5")])));
    }

    #[test]
    fn a_server_that_is_nearly_full_is_crowded() {
        let full = [("connected_clients", "9990"), ("maxclients", "10000")];
        assert!(crowded(&look(&full)));
        let room = [("connected_clients", "4000"), ("maxclients", "10000")];
        assert!(!crowded(&look(&room)));
        assert!(crowded(&look(&[("rejected_connections", "7")])));
    }
}
