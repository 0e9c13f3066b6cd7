//! A thread waits for a connection.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};
use seawall_model::Moment;

use super::ground::{self, Ground, Interest, Interrupted};
use crate::clock;
use crate::error::Error;
use crate::link::call::Call;
use crate::link::ledger::{Answer, Lent};
use crate::link::live::Live;
use crate::link::shared::{Parker, Told};
use crate::tender;

/// Where a decision is left for a waiting thread.
struct Slot {
    outcome: Mutex<Option<Told>>,
    bell: Bell,
}

/// What a waiting thread is woken by.
enum Bell {
    Condition(Condvar),
    /// For a thread that waits on a ground of its own: what it waits for must be a descriptor.
    Event(OwnedFd),
}

impl Parker for Slot {
    fn deliver(&self, told: Told) -> Result<(), Lent<Box<Live>>> {
        *self.lock() = Some(told);
        match &self.bell {
            Bell::Condition(told) => told.notify_one(),
            // A counter that is full is ringing already.
            Bell::Event(event) => drop(rustix::io::write(event, &1_u64.to_ne_bytes())),
        }
        Ok(())
    }
}

impl Slot {
    fn new(ground: Option<&dyn Ground>) -> Self {
        let event = ground.map(|_| eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK));
        Self {
            outcome: Mutex::default(),
            bell: match event {
                Some(Ok(event)) => Bell::Event(event),
                // Without a descriptor to spare it waits all the same, deaf to what its ground would hear.
                Some(Err(_)) | None => Bell::Condition(Condvar::new()),
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Told>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a decision until `until`.
    fn wait(
        &self,
        ground: Option<&dyn Ground>,
        until: Moment,
    ) -> Result<Option<Told>, Interrupted> {
        let mut outcome = self.lock();
        loop {
            if outcome.is_some() {
                return Ok(outcome.take());
            }
            let rest = until.since(clock::now());
            if rest.is_zero() {
                return Ok(None);
            }
            outcome = match (&self.bell, ground) {
                (Bell::Event(event), Some(ground)) => {
                    drop(outcome);
                    ground::ready(Some(ground), event.as_fd(), Interest::Read, until)?;
                    self.lock()
                }
                (Bell::Condition(told), _) => {
                    told.wait_timeout(outcome, rest)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                // Only who has a ground is woken by a descriptor.
                (Bell::Event(_), None) => return Ok(None),
            };
        }
    }

    /// The decision that is on its way, and comes: whoever sends it holds no lock and waits for nothing.
    fn wait_for_sure(&self, ground: Option<&dyn Ground>) -> Option<Told> {
        loop {
            if let Some(told) = self.lock().take() {
                return Some(told);
            }
            ground.map_or_else(std::thread::yield_now, Ground::make_way);
        }
    }
}

/// What a call came to have.
pub(super) enum Acquired {
    /// A connection that is fit to be used, and when.
    Own(Lent<Box<Live>>, Moment),
    /// The one that many share, for a call that could.
    Shared,
}

/// Gets a connection, or the error that ends the call.
pub(super) fn acquire(call: &mut Call<'_>, ground: Option<&dyn Ground>) -> Result<Acquired, Error> {
    loop {
        let now = call.asks_at();
        let ask = call.ask();
        let mut slot = None;
        let (answer, orders, mut now) = {
            let (mut ledger, now) = call.link.ledger_at(now);
            let (answer, orders) = ledger.ask(now, ask, || {
                let parker = Arc::new(Slot::new(ground));
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
            (Answer::Wait { ticket, .. }, Some(slot)) if tender::is_here() => {
                let told = await_told(call, ground, ticket, &slot, now)?;
                if told.is_none() {
                    return Err(call.cannot_wait_here());
                }
                told
            }
            (Answer::Wait { ticket, until }, Some(slot)) => {
                let told = await_told(call, ground, ticket, &slot, until)?;
                now = clock::now();
                told
            }
            (Answer::Shared, _) => return Ok(Acquired::Shared),
            (Answer::Wait { .. }, None) => None,
        };
        match outcome {
            Some(Told::Granted(lent)) if call.deadline.too_late_to_send(now) => {
                // It came too late: a request sent now would be given up at once, and might run all the same.
                let error = call.nothing_came();
                call.link.give_back(lent.connection, lent.usage);
                return Err(error);
            }
            Some(Told::Granted(mut lent)) => match lent.connection.check(now) {
                Ok(()) => return Ok(Acquired::Own(lent, now)),
                Err(loss) => call.link.found_dead(lent, &loss),
            },
            Some(Told::Refused(refusal)) => return Err(call.refused(refusal)),
            None if call.deadline.too_late_to_send(now) => return Err(call.nothing_came()),
            Some(Told::Woken) | None => {}
        }
    }
}

/// As [`acquire`], for one that is nobody else's.
pub(super) fn acquire_own(
    call: &mut Call<'_>,
    ground: Option<&dyn Ground>,
) -> Result<Lent<Box<Live>>, Error> {
    loop {
        if let Acquired::Own(lent, _) = acquire(call, ground)? {
            return Ok(lent);
        }
    }
}

/// Waits in the queue for a decision, until `until`; then it leaves.
fn await_told(
    call: &Call<'_>,
    ground: Option<&dyn Ground>,
    ticket: u64,
    slot: &Slot,
    until: Moment,
) -> Result<Option<Told>, Error> {
    let waited = slot.wait(ground, until);
    if let Ok(Some(told)) = waited {
        return Ok(Some(told));
    }
    if call.link.is_inherited() {
        return Err(call.interrupted());
    }
    let left = call.link.ledger().leave(ticket);
    // Too late to leave: the decision is on its way.
    let told = if left {
        None
    } else {
        slot.wait_for_sure(ground)
    };
    match (waited, told) {
        (Ok(_), told) => Ok(told),
        (Err(Interrupted), told) => {
            if let Some(Told::Granted(lent)) = told {
                call.link.give_back(lent.connection, lent.usage);
            }
            Err(call.interrupted())
        }
    }
}
