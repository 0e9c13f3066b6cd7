//! A thread waits for a connection.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use seawall_model::Moment;

use crate::clock;
use crate::error::Error;
use crate::link::call::Call;
use crate::link::ledger::{Answer, Lent};
use crate::link::live::Live;
use crate::link::shared::{Parker, Told};

/// Where a decision is left for a waiting thread.
#[derive(Default)]
struct Slot {
    outcome: Mutex<Option<Told>>,
    told: Condvar,
}

impl Parker for Slot {
    fn deliver(&self, told: Told) -> Result<(), Lent<Box<Live>>> {
        *self.lock() = Some(told);
        self.told.notify_one();
        Ok(())
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<Told>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a decision until `until`.
    fn wait(&self, until: Moment) -> Option<Told> {
        let mut outcome = self.lock();
        loop {
            if outcome.is_some() {
                return outcome.take();
            }
            let rest = until.since(clock::now());
            if rest.is_zero() {
                return None;
            }
            outcome = self
                .told
                .wait_timeout(outcome, rest)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// Gets a connection that is fit to be used, and when; or the error that ends the call.
pub(super) fn acquire(call: &mut Call<'_>) -> Result<(Lent<Box<Live>>, Moment), Error> {
    loop {
        let now = call.asks_at();
        let ask = call.ask();
        let mut slot = None;
        let (answer, orders, mut now) = {
            let (mut ledger, now) = call.link.ledger_at(now);
            let (answer, orders) = ledger.ask(now, ask, || {
                let parker: Arc<Slot> = Arc::default();
                slot = Some(Arc::clone(&parker));
                parker
            });
            (answer, orders, now)
        };
        if !orders.is_empty() {
            call.link.carry_out(orders);
            now = clock::now();
        }
        let outcome = match (answer, slot) {
            (Answer::Ready(lent), _) => Some(Told::Granted(lent)),
            (Answer::Refused(refusal), _) => Some(Told::Refused(refusal)),
            (Answer::Wait { ticket, until }, Some(slot)) => {
                let told = slot.wait(until).or_else(|| {
                    // Too late to leave: the decision is on its way, and comes.
                    let left = call.link.ledger().leave(ticket);
                    if left { None } else { slot.wait(Moment::NEVER) }
                });
                now = clock::now();
                told
            }
            // No call of a thread shares a connection.
            (Answer::Wait { .. } | Answer::Shared, _) => None,
        };
        match outcome {
            Some(Told::Granted(lent)) if call.deadline.too_late_to_send(now) => {
                // It came too late: a request sent now would be given up at once, and might run all the same.
                let error = call.nothing_came();
                call.link.give_back(lent.connection, lent.usage);
                return Err(error);
            }
            Some(Told::Granted(mut lent)) => match lent.connection.check(now) {
                Ok(()) => return Ok((lent, now)),
                Err(loss) => call.link.found_dead(lent, &loss),
            },
            Some(Told::Refused(refusal)) => return Err(call.refused(refusal)),
            None if call.deadline.too_late_to_send(now) => return Err(call.nothing_came()),
            Some(Told::Woken) | None => {}
        }
    }
}
