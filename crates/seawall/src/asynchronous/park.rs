//! A task waits for a connection.

use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::oneshot;
use seawall_model::Moment;

use super::runtime::{sleep, timeout};
use crate::clock;
use crate::error::Error;
use crate::link::call::Call;
use crate::link::ledger::{Answer, Lent};
use crate::link::live::Live;
use crate::link::shared::{Link, Parker, Told};

/// Where a decision is left for a waiting task.
struct Slot(Mutex<Option<oneshot::Sender<Told>>>);

impl Parker for Slot {
    fn deliver(&self, told: Told) -> Result<(), Lent<Box<Live>>> {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let refused = match sender {
            Some(sender) => match sender.send(told) {
                Ok(()) => return Ok(()),
                Err(told) => told,
            },
            None => told,
        };
        match refused {
            Told::Granted(lent) => Err(lent),
            Told::Woken | Told::Refused(_) => Ok(()),
        }
    }
}

/// What a task came to have.
pub(super) enum Acquired {
    /// A connection, to be used alone or to be put up for all.
    Own(Lent<Box<Live>>),
    /// The shared connection serves.
    Shared,
}

/// A task in the queue: if its future is dropped it leaves, and what was granted meanwhile goes back.
struct Place<'a> {
    link: &'a Link,
    ticket: u64,
    told: oneshot::Receiver<Told>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.told.close();
        if !self.link.ledger().leave(self.ticket)
            && let Ok(Some(Told::Granted(lent))) = self.told.try_recv()
        {
            self.link.give_back(lent.connection, lent.usage);
        }
    }
}

/// Gets a connection that is fit to be used, and when; or the error that ends the call.
pub(super) async fn acquire(call: &mut Call<'_>) -> Result<(Acquired, Moment), Error> {
    loop {
        let now = call.asks_at();
        let ask = call.ask();
        let mut receiver = None;
        let (answer, orders, mut now) = {
            let (mut ledger, now) = call.link.ledger_at(now);
            let (answer, orders) = ledger.ask(now, ask, || {
                let (sender, told) = oneshot::channel();
                receiver = Some(told);
                Arc::new(Slot(Mutex::new(Some(sender))))
            });
            (answer, orders, now)
        };
        if !orders.is_empty() {
            call.link.carry_out(orders);
            now = clock::now();
        }
        let told = match (answer, receiver) {
            (Answer::Ready(lent), _) => Some(Told::Granted(lent)),
            (Answer::Shared, _) if call.deadline.too_late_to_send(now) => None,
            (Answer::Shared, _) => return Ok((Acquired::Shared, now)),
            (Answer::Refused(refusal), _) => Some(Told::Refused(refusal)),
            (Answer::Wait { ticket, until }, Some(told)) => {
                let mut place = Place {
                    link: call.link,
                    ticket,
                    told,
                };
                let told = timeout(until.since(now), &mut place.told).await;
                now = clock::now();
                told.ok().and_then(Result::ok)
            }
            (Answer::Wait { .. }, None) => None,
        };
        match told {
            Some(Told::Granted(lent)) if call.deadline.too_late_to_send(now) => {
                // As in the shell for threads.
                let error = call.nothing_came();
                call.link.give_back(lent.connection, lent.usage);
                return Err(error);
            }
            Some(Told::Granted(mut lent)) => match lent.connection.check(now) {
                Ok(()) => return Ok((Acquired::Own(lent), now)),
                Err(loss) => call.link.found_dead(lent, &loss),
            },
            Some(Told::Refused(refusal)) => return Err(call.refused(refusal)),
            None if call.deadline.too_late_to_send(now) => return Err(call.nothing_came()),
            Some(Told::Woken) | None => {}
        }
    }
}

/// As [`acquire`], where only a connection of one's own will do.
pub(super) async fn acquire_own(call: &mut Call<'_>) -> Result<Lent<Box<Live>>, Error> {
    loop {
        if let (Acquired::Own(lent), _) = acquire(call).await? {
            return Ok(lent);
        }
    }
}

/// Sleeps until a moment of the boot clock.
pub(super) async fn sleep_until(at: Moment) {
    let rest = at.since(clock::now());
    if !rest.is_zero() {
        sleep(rest).await;
    }
}
