//! The pool and the health of one endpoint, decided without a socket, a clock or a thread.
//!
//! A shell calls under the endpoint's lock and carries out the [`Orders`] that come back after it has let go of it.
//! `C` is a connection and `W` whoever waits for one; the ledger never looks into either.
//!
//! Order of calls: [`ask`](Ledger::ask) for a connection; if it says [`Answer::Wait`], the waiter is told by an order,
//! or gives up by [`leave`](Ledger::leave). A connection comes back by [`give_back`](Ledger::give_back) or
//! [`lost`](Ledger::lost), exactly once. The tender takes [`dials`](Ledger::take_dials) and reports each by
//! [`dialled`](Ledger::dialled) or [`dial_failed`](Ledger::dial_failed).

mod autopsy;
mod story;
mod tend;
mod words;

use std::collections::VecDeque;
use std::time::Duration;

use seawall_model::{Cause, Close, Moment};
use seawall_policy::ageing::{Ageing, Life};
use seawall_policy::backoff::Backoff;
use seawall_policy::budget::Budget;
use seawall_policy::dial::{Dial, DialGate};
use seawall_policy::health::{Admission, Answered, Health, State};
use seawall_wire::error::Family;
use seawall_wire::facts::Access;

use super::connection::Loss;
use crate::stats::Counters;

use autopsy::Examination;
pub(crate) use words::{
    Answer, Ask, Bounds, Changed, CloseWhy, Due, Lent, Order, Orders, Refusal, Use,
};

/// How many connections blocking commands and leases may hold beside the pool, since they do not share it; or as many as
/// the pool, if that is larger. Enough for a worker with many queues; a leak shows up long before the server's
/// `maxclients` of 10,000.
const APART_MAX: usize = 256;

/// How many wait for one kind of connection.
#[derive(Clone, Copy, Debug, Default)]
struct Queued {
    writes: usize,
    others: usize,
}

/// The least time between two trials of a closed gate by those who wait there.
const GATE_PAUSE: Duration = Duration::from_millis(5);

/// Where the shared connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shared {
    /// There is none.
    None,
    /// A call was given the one of this age, and is putting it up.
    Given(Moment),
    /// It serves.
    Up,
}

struct Waiter<W> {
    ticket: u64,
    parker: W,
    ask: Ask,
}

/// The pool and the health of one endpoint.
pub(crate) struct Ledger<C, W> {
    pub(crate) health: Health,
    pub(crate) budget: Budget,
    pub(crate) backoff: Backoff,
    pub(crate) counters: Counters,
    gate: DialGate,
    ageing: Ageing,
    bounds: Bounds,
    idle: Vec<Lent<C>>,
    lent: usize,
    lent_apart: usize,
    shared: Shared,
    dialling: usize,
    dials: usize,
    dial_wait: Option<Moment>,
    waiting: VecDeque<Waiter<W>>,
    /// How many wait for what.
    queued: [Queued; 3],
    gate_tried: Moment,
    next_ticket: u64,
    run_id: Option<Box<str>>,
    refuses_setinfo: bool,
    refusal: Option<Refusal>,
    /// When the latest request or probe that was answered well was sent.
    served: Option<Moment>,
    /// The same of a write.
    wrote: Option<Moment>,
    examination: Examination,
    examined: Option<Moment>,
    output_limit: Option<u64>,
    /// The last loss of a connection in use.
    lost_last: Option<(Moment, Close, Cause)>,
    /// When the server last said that it is a replica. Connections made before lead to it, wherever its name leads now.
    demoted: Option<Moment>,
    /// Connections made before are logged in as somebody who is not to be any more.
    renewed: Option<Moment>,
    /// The last look at the connections at rest found all of them well.
    siblings_alone: bool,
    closed: bool,
}

impl<C, W> Ledger<C, W> {
    pub(crate) fn new(
        health: Health,
        budget: Budget,
        backoff: Backoff,
        gate: DialGate,
        ageing: Ageing,
        bounds: Bounds,
    ) -> Self {
        Self {
            health,
            budget,
            backoff,
            counters: Counters::default(),
            gate,
            ageing,
            bounds,
            idle: Vec::with_capacity(8),
            lent: 0,
            lent_apart: 0,
            shared: Shared::None,
            dialling: 0,
            dials: 0,
            dial_wait: None,
            waiting: VecDeque::new(),
            queued: [Queued::default(); 3],
            gate_tried: Moment::ORIGIN,
            next_ticket: 1,
            run_id: None,
            refuses_setinfo: false,
            refusal: None,
            served: None,
            wrote: None,
            examination: Examination::None,
            examined: None,
            output_limit: None,
            lost_last: None,
            demoted: None,
            renewed: None,
            siblings_alone: true,
            closed: false,
        }
    }

    // -- getters --

    /// Connections at rest, lent, and being dialled.
    pub(crate) fn population(&self) -> (usize, usize, usize) {
        (
            self.idle.len(),
            self.lent + self.lent_apart + usize::from(self.shared != Shared::None),
            self.dialling + self.dials,
        )
    }

    /// How many connections may carry ordinary calls.
    pub(crate) fn size(&self) -> usize {
        self.bounds.size
    }

    /// Calls that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether something that was sent after `moment`, a probe or a request, was answered well.
    pub(crate) fn served_after(&self, moment: Moment) -> bool {
        self.served.is_some_and(|sent_at| sent_at > moment)
    }

    /// Whether a write that was sent after `moment` was answered well.
    pub(crate) fn wrote_after(&self, moment: Moment) -> bool {
        self.wrote.is_some_and(|sent_at| sent_at > moment)
    }

    fn note_served(&mut self, reply: Answered) {
        self.served = self.served.max(Some(reply.sent_at));
        if reply.access == Access::Write {
            self.wrote = self.wrote.max(Some(reply.sent_at));
        }
    }

    /// The server process that the last probe spoke to.
    pub(crate) fn run_id(&self) -> Option<&str> {
        self.run_id.as_deref()
    }

    /// Whether the server did not want to know by which library we speak.
    pub(crate) fn refuses_setinfo(&self) -> bool {
        self.refuses_setinfo
    }

    /// Whether the server refuses writes for want of memory.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        let gate = self.health.write_gate();
        gate.is_some_and(|(cause, _)| cause == Cause::OutOfMemory)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// When the tender has to look again.
    pub(crate) fn next_wake(&self) -> Option<Moment> {
        if self.closed {
            return None;
        }
        [self.health.next_probe(), self.dial_wait, self.gate_due()]
            .into_iter()
            .flatten()
            .min()
    }

    // -- a call's side --

    /// A call asks for the shared connection. `false`: it cannot have that at once, and has not asked.
    pub(crate) fn ask_shared(&mut self, now: Moment, mut ask: Ask) -> bool {
        ask.access = self.barred_as(&ask);
        let serves = !self.closed
            && self.shared == Shared::Up
            && matches!(self.admission(now, &ask), Admission::Send);
        if serves {
            if ask.first {
                self.asked(now);
            }
            self.handed_over(now, &ask);
        }
        serves
    }

    fn asked(&mut self, now: Moment) {
        self.budget.call(now);
        self.counters.asked += 1;
    }

    /// What a gate takes it for: a full memory bars what makes it fuller, and not DEL, which is the way out.
    fn barred_as(&self, ask: &Ask) -> Access {
        if !ask.grows && self.is_out_of_memory() {
            Access::Neither
        } else {
            ask.access
        }
    }

    /// A call asks for a connection.
    pub(crate) fn ask(
        &mut self,
        now: Moment,
        mut ask: Ask,
        waiter: impl FnOnce() -> W,
    ) -> (Answer<C>, Orders<C, W>) {
        let mut orders = Orders::none();
        ask.access = self.barred_as(&ask);
        if self.closed {
            return (Answer::Refused(Refusal::of(Cause::ClientClosed)), orders);
        }
        if ask.first {
            self.asked(now);
        }
        let until = match self.admission(now, &ask) {
            Admission::Send => {
                if ask.usage == Use::Shared && self.shared == Shared::Up {
                    self.handed_over(now, &ask);
                    return (Answer::Shared, orders);
                }
                // Writes that wait at a closed gate are in nobody's way.
                if (self.waiting.is_empty() || self.sendable(now, ask.usage) == 0)
                    && let Some(lent) = self.take_idle(now, &ask, &mut orders)
                {
                    return (Answer::Ready(lent), orders);
                }
                if ask.shares && self.shared == Shared::Up {
                    return (Answer::Shared, orders);
                }
                ask.deadline
            }
            Admission::Park { until } => self.parked_until(&ask, until).min(ask.deadline),
            Admission::Refuse { cause, retry_at } => {
                return (
                    Answer::Refused(self.refusal_for(cause, Some(retry_at))),
                    orders,
                );
            }
        };
        if self.waiting.len() >= self.bounds.waiters_max {
            return (Answer::Refused(Refusal::of(Cause::TooManyWaiting)), orders);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.push(Waiter {
            ticket,
            parker: waiter(),
            ask,
        });
        // Nobody else's turn has come by this; only a connection may be missing now.
        self.plan_dials(now, &mut orders);
        (Answer::Wait { ticket, until }, orders)
    }

    /// A waiter gives up, or asks anew. `false`: an order for it is already on its way.
    pub(crate) fn leave(&mut self, ticket: u64) -> bool {
        // Tickets rise along the queue.
        let place = self
            .waiting
            .binary_search_by_key(&ticket, |waiter| waiter.ticket);
        place.is_ok_and(|place| self.remove(place).is_some())
    }

    /// Until when a parked call waits. Of the writes that wait at a closed gate, the ledger itself lets the first one
    /// try when that is due: they need not all come and ask.
    fn parked_until(&self, ask: &Ask, until: Moment) -> Moment {
        match self.health.write_gate() {
            Some((_, since)) if self.health.state() == State::Up => since + ask.ride_out,
            _ => until,
        }
    }

    /// Time has passed: lets a write try a closed gate, if that is due.
    pub(crate) fn tick(&mut self, now: Moment) -> Orders<C, W> {
        let mut orders = Orders::none();
        if self.gate_due().is_some_and(|due| due <= now) {
            self.gate_tried = now;
            self.settle(now, &mut orders);
        }
        orders
    }

    /// When the next write should try a closed gate.
    fn gate_due(&self) -> Option<Moment> {
        if self.waiting.is_empty() {
            return None;
        }
        let due = self.health.next_gate_check()?;
        // If no connection is free for it, it is not asked for without end.
        Some(due.max(self.gate_tried + GATE_PAUSE))
    }

    /// Why a waiter whose deadline came got nothing.
    pub(crate) fn why_nothing(&mut self, now: Moment, access: Access) -> Refusal {
        match self.health.admit(now, access, Duration::ZERO) {
            Admission::Refuse { cause, retry_at } => self.refusal_for(cause, Some(retry_at)),
            Admission::Park { .. } => {
                let cause = match self.health.state() {
                    State::Suspect { cause, .. } | State::Down { cause, .. } => cause,
                    State::Up => self
                        .health
                        .write_gate()
                        .map_or(Cause::DeadlineExceeded, |(cause, _)| cause),
                };
                self.refusal_for(cause, self.health.next_probe())
            }
            Admission::Send if self.carrying() >= self.bounds.size => {
                Refusal::of(Cause::PoolExhausted)
            }
            Admission::Send => match self.health.write_gate() {
                Some((cause, _)) if access == Access::Write => self.refusal_for(cause, None),
                _ => Refusal::of(Cause::DeadlineExceeded),
            },
        }
    }

    /// A lent connection comes back, fit for use.
    pub(crate) fn give_back(&mut self, now: Moment, lent: Lent<C>) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.count_back(now, lent.usage, lent.had_since);
        self.keep(
            now,
            Lent {
                usage: Use::Call,
                ..lent
            },
            &mut orders,
        );
        if !self.waiting.is_empty() {
            self.settle(now, &mut orders);
        }
        orders
    }

    /// A lent connection is gone.
    pub(crate) fn lost(
        &mut self,
        now: Moment,
        established: Moment,
        usage: Use,
        had_since: Option<Moment>,
        loss: &Loss,
    ) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.count_back(now, usage, had_since);
        self.lost_last = Some((now, loss.close, loss.cause));
        let cause = loss.cause;
        let change = self.health.connection_failed(now, established, cause);
        self.changed(now, change, &mut orders);
        self.settle(now, &mut orders);
        orders
    }

    /// A lent connection was closed by its user's will; it proves nothing.
    pub(crate) fn dropped(
        &mut self,
        now: Moment,
        usage: Use,
        had_since: Option<Moment>,
    ) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.count_back(now, usage, had_since);
        self.settle(now, &mut orders);
        orders
    }

    /// A reply is overdue.
    pub(crate) fn overdue(&mut self, now: Moment, sent_at: Moment, cause: Cause) -> Orders<C, W> {
        let mut orders = Orders::none();
        let change = self.health.reply_overdue(now, sent_at, cause);
        self.changed(now, change, &mut orders);
        self.settle(now, &mut orders);
        orders
    }

    /// The server answered a call with an error.
    pub(crate) fn said(
        &mut self,
        now: Moment,
        family: Family,
        cause: Cause,
        reply: Answered,
    ) -> Orders<C, W> {
        let mut orders = Orders::none();
        if cause == Cause::ReadOnly {
            self.demoted = Some(now);
        }
        let change = self.health.server_said(now, family, cause, reply);
        self.changed(now, change, &mut orders);
        self.settle(now, &mut orders);
        orders
    }

    /// A call was answered, and its connection comes back.
    pub(crate) fn answered(&mut self, now: Moment, lent: Lent<C>, reply: Answered) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.count_back(now, lent.usage, lent.had_since);
        self.counters.answered += 1;
        self.note_served(reply);
        let change = self.health.replied(now, reply);
        self.keep(
            now,
            Lent {
                usage: Use::Call,
                ..lent
            },
            &mut orders,
        );
        if change.is_some() {
            self.changed(now, change, &mut orders);
        }
        if !self.waiting.is_empty() {
            self.settle(now, &mut orders);
        }
        orders
    }

    /// The shared connection that was given serves now: who waited for it is woken.
    pub(crate) fn shared_up(&mut self, now: Moment, established: Moment) -> Orders<C, W> {
        let mut orders = Orders::none();
        // It may have ended already, and another may have been given.
        if self.shared == Shared::Given(established) {
            self.shared = Shared::Up;
            self.settle(now, &mut orders);
        }
        orders
    }

    /// Whether a connection that carries calls without an end has done so for long enough.
    pub(crate) fn is_aged(&self, now: Moment, established: Moment) -> bool {
        self.ageing.retire(now, life(established, now)).is_some()
    }

    /// The shared connection takes no more requests, and is on its way out: whoever needs one gets another.
    pub(crate) fn shared_retired(&mut self, now: Moment) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.shared = Shared::None;
        self.lent_apart += 1;
        self.settle(now, &mut orders);
        orders
    }

    /// Calls were answered over the shared connection: `well` of them by no error. `reply` is what the last one proves.
    pub(crate) fn answered_shared(
        &mut self,
        now: Moment,
        well: u64,
        reply: Option<Answered>,
    ) -> Orders<C, W> {
        self.counters.answered += well;
        self.budget.answered(now, well);
        reply.map_or_else(Orders::none, |reply| self.replied(now, reply))
    }

    /// Replies came on the shared connection, to requests of which `reply` was the last to be sent.
    pub(crate) fn replied(&mut self, now: Moment, reply: Answered) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.note_served(reply);
        let change = self.health.replied(now, reply);
        if change.is_some() {
            self.changed(now, change, &mut orders);
            self.settle(now, &mut orders);
        }
        orders
    }

    /// Connections made until now are not used again.
    pub(crate) fn renew(&mut self, now: Moment) {
        self.renewed = Some(now);
    }

    /// No more: what waits is refused, what rests is closed.
    pub(crate) fn close(&mut self) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.closed = true;
        self.queued = [Queued::default(); 3];
        for waiter in self.waiting.drain(..) {
            orders.todo.push(Order::Refuse(
                waiter.parker,
                Refusal::of(Cause::ClientClosed),
            ));
        }
        for lent in self.idle.drain(..) {
            orders
                .todo
                .push(Order::Close(lent.connection, CloseWhy::Closing));
        }
        orders.wake_tender = true;
        orders
    }

    // -- inside --

    fn count_back(&mut self, now: Moment, usage: Use, had_since: Option<Moment>) {
        if let Some(since) = had_since {
            self.counters.use_time.note(now.since(since));
        }
        match usage {
            Use::Call => self.lent = self.lent.saturating_sub(1),
            Use::Apart => self.lent_apart = self.lent_apart.saturating_sub(1),
            Use::Shared => self.shared = Shared::None,
        }
    }

    fn keep(&mut self, now: Moment, lent: Lent<C>, orders: &mut Orders<C, W>) {
        if self.closed {
            orders
                .todo
                .push(Order::Close(lent.connection, CloseWhy::Closing));
        } else if let Some(why) = self.ageing.retire(now, life(lent.established, now)) {
            orders
                .todo
                .push(Order::Close(lent.connection, CloseWhy::Retired(why)));
        } else if self.idle.len() >= self.bounds.size + self.waiting.len() {
            orders
                .todo
                .push(Order::Close(lent.connection, CloseWhy::Surplus));
        } else {
            self.idle.push(lent);
        }
    }

    /// Whether a call may be sent now: over a connection at rest, if there is one, since those may serve while new
    /// ones are turned away (`maxclients`); else over one that has to be made.
    fn admission(&self, now: Moment, ask: &Ask) -> Admission {
        if !self.idle.is_empty() || self.would_share(ask) {
            self.health.admit_established(now, ask.access, ask.ride_out)
        } else {
            self.health.admit(now, ask.access, ask.ride_out)
        }
    }

    fn take_idle(&mut self, now: Moment, ask: &Ask, orders: &mut Orders<C, W>) -> Option<Lent<C>> {
        let full = match ask.usage {
            Use::Call => self.carrying() >= self.bounds.size,
            Use::Apart => self.lent_apart >= self.apart_max(),
            Use::Shared => self.shared != Shared::None,
        };
        if full {
            return None;
        }
        // The one used last is the likeliest to be well; the oldest rest at the bottom, where the sweep finds them.
        while let Some(mut lent) = self.idle.pop() {
            if let Some(why) = self
                .ageing
                .retire(now, life(lent.established, lent.last_used))
            {
                orders
                    .todo
                    .push(Order::Close(lent.connection, CloseWhy::Retired(why)));
                continue;
            }
            let demoted = self.demoted.is_some_and(|at| lent.established <= at);
            let renewed = self.renewed.is_some_and(|at| lent.established <= at);
            if renewed || demoted && ask.access == Access::Write {
                orders
                    .todo
                    .push(Order::Close(lent.connection, CloseWhy::Stale));
                continue;
            }
            lent.usage = ask.usage;
            lent.had_since = Some(now);
            match ask.usage {
                Use::Call => self.lent += 1,
                Use::Apart => self.lent_apart += 1,
                Use::Shared => self.shared = Shared::Given(lent.established),
            }
            self.handed_over(now, ask);
            return Some(lent);
        }
        None
    }

    /// Whether one who waits is to take the shared connection.
    fn would_share(&self, ask: &Ask) -> bool {
        self.shared == Shared::Up && (ask.usage == Use::Shared || ask.shares)
    }

    /// How many connections carry ordinary calls: the one that is shared among them.
    fn carrying(&self) -> usize {
        self.lent + usize::from(self.shared != Shared::None)
    }

    fn apart_max(&self) -> usize {
        APART_MAX.max(self.bounds.size)
    }

    /// A call has its connection, and will be sent over it.
    fn handed_over(&mut self, now: Moment, ask: &Ask) {
        self.counters.wait_time.note(now.since(ask.since));
        self.note_write(now, ask);
    }

    fn note_write(&mut self, now: Moment, ask: &Ask) {
        // A blocking command tries nothing at a closed gate: it may take its time to be answered.
        if ask.access == Access::Write && ask.usage != Use::Apart {
            self.health.write_sent(now);
        }
    }

    fn refusal_for(&self, cause: Cause, retry_at: Option<Moment>) -> Refusal {
        let known = self
            .refusal
            .as_ref()
            .filter(|refusal| refusal.cause == cause)
            .cloned();
        Refusal {
            retry_at,
            ..known.unwrap_or_else(|| Refusal::of(cause))
        }
    }

    /// Serves who can be served, in order, and orders dials for the rest.
    fn settle(&mut self, now: Moment, orders: &mut Orders<C, W>) {
        let mut skipped = 0;
        while skipped < self.waiting.len() {
            let ask = self.waiting[skipped].ask;
            match self.admission(now, &ask) {
                Admission::Park { .. } => skipped += 1,
                Admission::Refuse { cause, retry_at } => {
                    let refusal = self.refusal_for(cause, Some(retry_at));
                    if let Some(waiter) = self.remove(skipped) {
                        orders.todo.push(Order::Refuse(waiter.parker, refusal));
                    }
                }
                Admission::Send if self.would_share(&ask) => {
                    if ask.usage == Use::Shared {
                        self.note_write(now, &ask);
                    }
                    if let Some(waiter) = self.remove(skipped) {
                        orders.todo.push(Order::Wake(waiter.parker));
                    }
                }
                Admission::Send => match self.take_idle(now, &ask, orders) {
                    Some(lent) => match self.remove(skipped) {
                        Some(waiter) => orders.todo.push(Order::Grant(waiter.parker, lent)),
                        None => break,
                    },
                    None if self.idle.is_empty() && self.shared != Shared::Up => break,
                    // Its kind has as many as it may; another kind behind it may still be served.
                    None => skipped += 1,
                },
            }
        }
        self.plan_dials(now, orders);
    }

    /// Orders the dials that waiters need. In an outage none does: a probe's connection will be the first.
    fn plan_dials(&mut self, now: Moment, orders: &mut Orders<C, W>) {
        self.dial_wait = None;
        if self.health.state() != State::Up
            || self.health.rejected().is_some_and(|(_, at)| now < at)
        {
            return;
        }
        let resting = self.idle.len();
        // All who wait for the shared one wait for the same. Threads that call at once have it as one of the pool's.
        let missing = self.shared == Shared::None && resting == 0 && self.lent < self.bounds.size;
        let shared = self.sendable(now, Use::Shared).min(usize::from(missing));
        let calls = self.sendable(now, Use::Call);
        let taken = self.carrying() + resting + shared;
        let calls = calls.min(self.bounds.size.saturating_sub(taken));
        let apart = self.sendable(now, Use::Apart);
        let apart = apart.min(self.apart_max().saturating_sub(self.lent_apart));
        for _ in self.dialling + self.dials..calls + apart + shared {
            match self.gate.want(now) {
                Dial::Go => {
                    self.gate.started(now);
                    self.dials += 1;
                    orders.wake_tender = true;
                }
                Dial::Wait(until) => {
                    self.dial_wait = Some(until);
                    orders.wake_tender = true;
                    break;
                }
                Dial::Full => break,
            }
        }
    }

    /// How many wait for such a connection and could be sent over it: of the writes at a closed gate only the one that
    /// is due to try it. (A replica's refusal closes its connection: without a dial for the trial there would be none.)
    fn sendable(&self, now: Moment, usage: Use) -> usize {
        let Queued { writes, others } = self.queued[usage as usize];
        let trial_due = self.health.next_gate_check().is_some_and(|due| due <= now);
        others
            + match self.health.write_gate() {
                None => writes,
                Some(_) => writes.min(usize::from(trial_due)),
            }
    }

    fn counted(&mut self, ask: &Ask) -> &mut usize {
        let Queued { writes, others } = &mut self.queued[ask.usage as usize];
        if ask.access == Access::Write {
            writes
        } else {
            others
        }
    }

    fn push(&mut self, waiter: Waiter<W>) {
        *self.counted(&waiter.ask) += 1;
        self.waiting.push_back(waiter);
    }

    fn remove(&mut self, place: usize) -> Option<Waiter<W>> {
        let waiter = self.waiting.remove(place)?;
        *self.counted(&waiter.ask) -= 1;
        Some(waiter)
    }
}

fn life(established: Moment, last_used: Moment) -> Life {
    Life {
        established,
        last_used,
        server_timeout: None,
    }
}

#[cfg(test)]
mod tests;
