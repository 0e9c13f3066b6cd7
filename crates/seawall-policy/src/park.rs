//! Who waits, in which order, how many may, and until when.

use seawall_model::{Cause, Moment};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The limit of a waiting room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkingSettings {
    /// How many may wait at once. Default 4,096: 2,000 calls a second that all wait out a ride-out of 500 ms are a
    /// thousand; four times that is an application that asks for more than the endpoint will ever answer.
    pub waiters_max: usize,
}

impl Default for ParkingSettings {
    fn default() -> Self {
        Self { waiters_max: 4_096 }
    }
}

/// One waiter's place. Smaller tickets came earlier; none is given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

impl Ticket {
    /// The running number, from 0.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// The answer to one who wants to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It waits, and is found again by this ticket.
    Parked(Ticket),
    /// Too many wait already. The call fails with [`Offer::FULL`] as its cause.
    Full {
        /// How many wait.
        waiting: usize,
        /// For how long the first of them has been waiting.
        oldest_age: Duration,
    },
}

impl Offer {
    /// What being full is called.
    pub const FULL: Cause = Cause::TooManyWaiting;
}

/// A bounded waiting room: first come, first served, everyone for a limited time.
///
/// It holds no threads and no tasks: the shell keeps a parker for each ticket and wakes it when told.
#[derive(Clone, Debug, Default)]
pub struct Parking {
    settings: ParkingSettings,
    next: u64,
    waiting: BTreeMap<Ticket, Stay>,
    by_end: BTreeSet<(Moment, Ticket)>,
}

#[derive(Clone, Copy, Debug)]
struct Stay {
    since: Moment,
    until: Moment,
}

impl Parking {
    /// An empty waiting room.
    pub fn new(settings: ParkingSettings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// Someone wants to wait from `now` until `until` at the longest.
    pub fn offer(&mut self, now: Moment, until: Moment) -> Offer {
        if self.waiting.len() >= self.settings.waiters_max {
            return Offer::Full {
                waiting: self.waiting.len(),
                oldest_age: self.oldest_age(now),
            };
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        self.seat(ticket, Stay { since: now, until });
        Offer::Parked(ticket)
    }

    /// One who was granted or expired, asked again, and was told to wait on: it gets its old place back, before
    /// everyone who came later. Always possible, since it was counted before; the room may be over its limit by those
    /// who return.
    pub fn offer_again(&mut self, ticket: Ticket, now: Moment, until: Moment) {
        self.leave(ticket);
        self.seat(ticket, Stay { since: now, until });
    }

    /// Takes out the first in the queue whose time is not over, to be woken.
    pub fn grant(&mut self, now: Moment) -> Option<Ticket> {
        let first = self
            .waiting
            .iter()
            .find(|(_, stay)| now < stay.until)
            .map(|(ticket, _)| *ticket)?;
        self.leave(first).then_some(first)
    }

    /// Takes out everyone whose time is over, the first to end first, to be woken and told so.
    pub fn expire(&mut self, now: Moment) -> Vec<Ticket> {
        let mut over = Vec::new();
        while let Some(&(until, ticket)) = self.by_end.first()
            && until <= now
        {
            self.leave(ticket);
            over.push(ticket);
        }
        over
    }

    /// Takes out one who gave up; `false` if it was granted or expired already (a grant that crossed it must then be
    /// given to the next).
    pub fn leave(&mut self, ticket: Ticket) -> bool {
        let Some(stay) = self.waiting.remove(&ticket) else {
            return false;
        };
        self.by_end.remove(&(stay.until, ticket));
        true
    }

    /// When the next of them ends; the timer for [`expire`](Self::expire).
    pub fn next_expiry(&self) -> Option<Moment> {
        self.by_end.first().map(|(until, _)| *until)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// For how long the first in the queue has been waiting; zero if nobody waits.
    pub fn oldest_age(&self, now: Moment) -> Duration {
        self.waiting
            .first_key_value()
            .map_or(Duration::ZERO, |(_, stay)| now.since(stay.since))
    }

    fn seat(&mut self, ticket: Ticket, stay: Stay) {
        self.waiting.insert(ticket, stay);
        self.by_end.insert((stay.until, ticket));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Moment = Moment::ORIGIN;

    fn at(millis: u64) -> Moment {
        START + Duration::from_millis(millis)
    }

    fn room(waiters_max: usize) -> Parking {
        Parking::new(ParkingSettings { waiters_max })
    }

    fn park(room: &mut Parking, now: Moment, until: Moment) -> Ticket {
        match room.offer(now, until) {
            Offer::Parked(ticket) => ticket,
            Offer::Full { waiting, .. } => panic!("full with {waiting}"),
        }
    }

    #[test]
    fn the_first_to_come_is_the_first_to_go() {
        let mut room = room(9);
        let tickets = [3, 1, 2].map(|end| park(&mut room, START, at(end * 100)));
        assert_eq!(
            tickets.map(|_| room.grant(at(1)).expect("someone waits")),
            tickets
        );
        assert_eq!(room.grant(at(1)), None);
    }

    #[test]
    fn a_full_room_says_how_many_wait_and_for_how_long() {
        let mut room = room(2);
        park(&mut room, START, at(500));
        park(&mut room, at(30), at(500));
        let oldest_age = Duration::from_millis(40);
        assert_eq!(
            room.offer(at(40), at(500)),
            Offer::Full {
                waiting: 2,
                oldest_age
            }
        );
        assert_eq!(Offer::FULL.name(), "too-many-waiting");
    }

    #[test]
    fn those_whose_time_is_over_are_expired_and_never_granted() {
        let mut room = room(9);
        let short = park(&mut room, START, at(10));
        let long = park(&mut room, START, at(20));
        assert_eq!(room.next_expiry(), Some(at(10)));
        assert_eq!(room.grant(at(10)), Some(long));
        assert_eq!(room.expire(at(10)), [short]);
        assert!(!room.leave(short), "it left already");
    }

    #[test]
    fn one_who_returns_has_its_old_place() {
        let mut room = room(9);
        let [first, second] = [0, 0].map(|_| park(&mut room, START, at(50)));
        assert_eq!(room.grant(at(1)), Some(first));
        room.offer_again(first, at(2), at(60));
        assert_eq!(room.grant(at(3)), Some(first));
        assert_eq!(room.grant(at(3)), Some(second));
    }

    proptest! {
        #[test]
        fn nobody_is_lost_and_nobody_overtakes(steps in prop::collection::vec((0_u64..20, 0_u8..4), 0..300)) {
            let mut room = room(16);
            let (mut now, mut parked, mut gone) = (START, 0_usize, 0_usize);
            let mut last_granted = None;
            for (millis, what) in steps {
                now += Duration::from_millis(millis);
                match what {
                    0 | 1 => parked += usize::from(matches!(
                        room.offer(now, now + Duration::from_millis(millis * 5)),
                        Offer::Parked(_)
                    )),
                    2 => gone += room.expire(now).len(),
                    _ => if let Some(ticket) = room.grant(now) {
                        prop_assert!(last_granted < Some(ticket));
                        last_granted = Some(ticket);
                        gone += 1;
                    },
                }
                prop_assert!(room.len() <= 16);
                prop_assert_eq!(parked, gone + room.len());
                prop_assert_eq!(room.waiting.len(), room.by_end.len());
            }
        }
    }
}
