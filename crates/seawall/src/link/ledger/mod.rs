//! The pool and the health of one endpoint, decided without a socket, a clock or a thread.
//!
//! A shell calls under the endpoint's lock and carries out the [`Orders`] that come back after it has let go of it.
//! `C` is a connection and `W` whoever waits for one; the ledger never looks into either.
//!
//! Order of calls: [`ask`](Ledger::ask) for a connection; if it says [`Answer::Wait`], the waiter is told by an order,
//! or gives up by [`leave`](Ledger::leave). A connection comes back by [`give_back`](Ledger::give_back) or
//! [`lost`](Ledger::lost), exactly once. The tender takes [`dials`](Ledger::take_dials) and reports each by
//! [`dialled`](Ledger::dialled) or [`dial_failed`](Ledger::dial_failed).

use std::collections::VecDeque;
use std::time::Duration;

use seawall_model::{Cause, Moment};
use seawall_policy::ageing::{Ageing, Life, Retire};
use seawall_policy::backoff::Backoff;
use seawall_policy::budget::Budget;
use seawall_policy::dial::{Dial, DialGate, Dialled};
use seawall_policy::health::{Admission, Answered, Change, Health, Probe, ProbeResult, Restarted, State};
use seawall_wire::error::Family;
use seawall_wire::facts::Access;

use super::connection::Loss;
use super::handshake::{Curiosity, DialError, Purpose, Server};
use crate::stats::Counters;

/// How many connections beyond the pool's size blocking commands may hold, since they do not share it. Enough for a
/// worker with many queues; a leak shows up long before the server's `maxclients` of 10,000.
const APART_MAX: usize = 256;

/// What the server told about itself is good for this long: a burst of losses asks once.
const EXAMINED_FRESH: Duration = Duration::from_millis(50);

/// What the ledger is set to.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// Connections that carry ordinary calls.
    pub(crate) size: usize,
    /// Calls that may wait at a time.
    pub(crate) waiters_max: usize,
    /// Whether the server may be asked for its configuration.
    pub(crate) hints: bool,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) access: Access,
    pub(crate) deadline: Moment,
    pub(crate) ride_out: Duration,
    /// A blocking command: it holds its connection for long, and is not counted with the others.
    pub(crate) apart: bool,
}

/// A connection and what the ledger must know of it.
#[derive(Debug)]
pub(crate) struct Lent<C> {
    pub(crate) connection: C,
    pub(crate) established: Moment,
    pub(crate) last_used: Moment,
    pub(crate) apart: bool,
}

/// The answer to [`Ledger::ask`].
#[derive(Debug)]
pub(crate) enum Answer<C> {
    /// Here it is.
    Ready(Lent<C>),
    /// Wait for an order, at most until this moment, then leave and ask again.
    Wait { ticket: u64, until: Moment },
    /// It is not to be sent.
    Refused(Refusal),
}

/// Why a call is not to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) cause: Cause,
    pub(crate) detail: Box<str>,
    /// The server's own word, if it refused us at the door.
    pub(crate) server: Option<seawall_wire::error::ServerError>,
    pub(crate) retry_at: Option<Moment>,
}

impl Refusal {
    fn of(cause: Cause) -> Self {
        Self { cause, detail: Box::default(), server: None, retry_at: None }
    }
}

/// One thing to do once the lock is released.
#[derive(Debug)]
pub(crate) enum Order<C, W> {
    Grant(W, Lent<C>),
    Refuse(W, Refusal),
    Close(C, CloseWhy),
}

/// Why the ledger closes a connection in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseWhy {
    Retired(Retire),
    /// The server it leads to is no more.
    Stale,
    Surplus,
    Closing,
}

impl CloseWhy {
    /// The word for it in events.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Retired(why) => why.name(),
            Self::Stale => "stale",
            Self::Surplus => "surplus",
            Self::Closing => "closing",
        }
    }
}

/// What came of an event.
#[derive(Debug)]
pub(crate) struct Orders<C, W> {
    pub(crate) orders: Vec<Order<C, W>>,
    pub(crate) changes: Vec<Change>,
    /// The tender has something to do: a dial, or a probe that is due earlier than it thinks.
    pub(crate) wake_tender: bool,
}

impl<C, W> Orders<C, W> {
    fn none() -> Self {
        Self { orders: Vec::new(), changes: Vec::new(), wake_tender: false }
    }
}

struct Waiter<W> {
    ticket: u64,
    waiter: W,
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
    dialling: usize,
    dials: usize,
    dial_wait: Option<Moment>,
    waiting: VecDeque<Waiter<W>>,
    next_ticket: u64,
    run_id: Option<Box<str>>,
    refusal: Option<Refusal>,
    last_good_probe: Option<Moment>,
    examine: bool,
    examining: bool,
    examined: Option<Moment>,
    output_limit: Option<u64>,
    /// The last two losses of lent connections.
    lost_last: Option<Moment>,
    lost_before: Option<Moment>,
    closed: bool,
}

/// What the tender has to start.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub(crate) dials: usize,
    pub(crate) probe: Option<Probe>,
    pub(crate) examine: bool,
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
            dialling: 0,
            dials: 0,
            dial_wait: None,
            waiting: VecDeque::new(),
            next_ticket: 1,
            run_id: None,
            refusal: None,
            last_good_probe: None,
            examine: false,
            examining: false,
            examined: None,
            output_limit: None,
            lost_last: None,
            lost_before: None,
            closed: false,
        }
    }

    // -- getters --

    /// Connections at rest, lent, and being dialled.
    pub(crate) fn population(&self) -> (usize, usize, usize) {
        (self.idle.len(), self.lent + self.lent_apart, self.dialling + self.dials)
    }

    /// Calls that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When a probe was last answered well.
    pub(crate) fn last_good_probe(&self) -> Option<Moment> {
        self.last_good_probe
    }

    /// The server process that the last probe spoke to.
    pub(crate) fn run_id(&self) -> Option<&str> {
        self.run_id.as_deref()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// When the tender has to look again.
    pub(crate) fn next_wake(&self) -> Option<Moment> {
        if self.closed {
            return None;
        }
        match (self.health.next_probe(), self.dial_wait) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    // -- a call's side --

    /// A call asks for a connection.
    pub(crate) fn ask(&mut self, now: Moment, ask: Ask, waiter: impl FnOnce() -> W) -> (Answer<C>, Orders<C, W>) {
        let mut orders = Orders::none();
        if self.closed {
            return (Answer::Refused(Refusal::of(Cause::ClientClosed)), orders);
        }
        let until = match self.admission(now, &ask) {
            Admission::Send => {
                if self.waiting.is_empty()
                    && let Some(lent) = self.take_idle(now, &ask, &mut orders)
                {
                    return (Answer::Ready(lent), orders);
                }
                ask.deadline
            }
            Admission::Park { until } => until.min(ask.deadline),
            Admission::Refuse { cause, retry_at } => {
                return (Answer::Refused(self.refusal_for(cause, Some(retry_at))), orders);
            }
        };
        if self.waiting.len() >= self.bounds.waiters_max {
            return (Answer::Refused(Refusal::of(Cause::TooManyWaiting)), orders);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.push_back(Waiter { ticket, waiter: waiter(), ask });
        self.settle(now, &mut orders);
        (Answer::Wait { ticket, until }, orders)
    }

    /// A waiter gives up, or asks anew. `false`: an order for it is already on its way.
    pub(crate) fn leave(&mut self, ticket: u64) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waiter| waiter.ticket != ticket);
        self.waiting.len() < before
    }

    /// Why a waiter whose deadline came got nothing.
    pub(crate) fn why_nothing(&mut self, now: Moment, access: Access) -> Refusal {
        match self.health.admit(now, access, Duration::ZERO) {
            Admission::Refuse { cause, retry_at } => self.refusal_for(cause, Some(retry_at)),
            Admission::Park { .. } => {
                let cause = match self.health.state() {
                    State::Suspect { cause, .. } | State::Down { cause, .. } => cause,
                    State::Up => self.health.write_gate().map_or(Cause::DeadlineExceeded, |(cause, _)| cause),
                };
                self.refusal_for(cause, self.health.next_probe())
            }
            Admission::Send if self.lent >= self.bounds.size => Refusal::of(Cause::PoolExhausted),
            Admission::Send => Refusal::of(Cause::DeadlineExceeded),
        }
    }

    /// A lent connection comes back, fit for use.
    pub(crate) fn give_back(&mut self, now: Moment, lent: Lent<C>) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.count_back(lent.apart);
        self.keep(now, Lent { apart: false, ..lent }, &mut orders);
        if !self.waiting.is_empty() {
            self.settle(now, &mut orders);
        }
        orders
    }

    /// A lent connection is gone. `cause` names what was seen on it.
    pub(crate) fn lost(&mut self, now: Moment, established: Moment, apart: bool, cause: Cause) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.count_back(apart);
        self.lost_before = self.lost_last.replace(now);
        let change = self.health.connection_failed(now, established, cause);
        self.changed(change, &mut orders);
        self.settle(now, &mut orders);
        orders
    }

    /// A lent connection was closed by its user's will; it proves nothing.
    pub(crate) fn dropped(&mut self, now: Moment, apart: bool) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.count_back(apart);
        self.settle(now, &mut orders);
        orders
    }

    /// A reply is overdue.
    pub(crate) fn overdue(&mut self, now: Moment, sent_at: Moment, cause: Cause) -> Orders<C, W> {
        let mut orders = Orders::none();
        let change = self.health.reply_overdue(now, sent_at, cause);
        self.changed(change, &mut orders);
        self.settle(now, &mut orders);
        orders
    }

    /// The server answered a call with an error.
    pub(crate) fn said(&mut self, now: Moment, family: Family, cause: Cause, reply: Answered) -> Orders<C, W> {
        let mut orders = Orders::none();
        let change = self.health.server_said(now, family, cause, reply);
        self.changed(change, &mut orders);
        self.settle(now, &mut orders);
        orders
    }

    /// A call was answered, and its connection comes back.
    pub(crate) fn answered(&mut self, now: Moment, lent: Lent<C>, reply: Answered) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.count_back(lent.apart);
        let change = self.health.replied(now, reply);
        self.keep(now, Lent { apart: false, ..lent }, &mut orders);
        if change.is_some() {
            self.changed(change, &mut orders);
        }
        if !self.waiting.is_empty() {
            self.settle(now, &mut orders);
        }
        orders
    }

    // -- the tender's side --

    /// What the server is asked on a connection made for `purpose`.
    pub(crate) fn curiosity(&self, purpose: Purpose) -> Curiosity {
        let probing = purpose != Purpose::Carry;
        Curiosity {
            ping: probing,
            // Without a first run id, a restart could not be told from a blip.
            info: probing || self.run_id.is_none(),
            output_limit: purpose == Purpose::Examine && self.bounds.hints,
        }
    }

    /// What the tender has to start now.
    pub(crate) fn take_due(&mut self, now: Moment) -> Due {
        if self.closed {
            return Due::default();
        }
        let mut orders: Orders<C, W> = Orders::none();
        self.plan_dials(now, &mut orders);
        let dials = std::mem::take(&mut self.dials);
        self.dialling += dials;
        let due = self.health.next_probe().is_some_and(|at| at <= now);
        let probe = due.then(|| self.health.probe_started(now));
        Due { dials, probe, examine: std::mem::take(&mut self.examine) }
    }

    // -- why did it close? --

    /// A connection was closed in order, in the middle of a request: have the server asked why.
    pub(crate) fn examine(&mut self, now: Moment) -> Orders<C, W> {
        let mut orders = Orders::none();
        let fresh = self.examined.is_some_and(|at| now.since(at) < EXAMINED_FRESH);
        if !fresh && !self.examining && self.health.state() == State::Up {
            self.examining = true;
            self.examine = true;
            orders.wake_tender = true;
        }
        orders
    }

    /// Whether the answer is there: found since `asked`, or just before.
    pub(crate) fn examined_since(&self, asked: Moment) -> bool {
        !self.examining || self.examined.is_some_and(|at| at > asked.before(EXAMINED_FRESH))
    }

    /// Names a loss by what the server told.
    ///
    /// Where ordinary clients have an output limit, a connection that alone was closed under a request was closed for
    /// it: CLIENT KILL and restarts end several at once.
    pub(crate) fn name_anew(&self, asked: Moment, loss: &mut Loss) {
        let told = self.examined.is_some_and(|at| at > asked.before(EXAMINED_FRESH));
        let alone = self.lost_before.is_none_or(|at| asked.since(at) > EXAMINED_FRESH);
        if told && alone && self.output_limit.is_some_and(|limit| limit > 0) {
            loss.cause = Cause::OutputLimit;
        }
    }

    /// A connection was established.
    pub(crate) fn dialled(
        &mut self,
        now: Moment,
        purpose: Purpose,
        began: Moment,
        lent: Lent<C>,
        server: &Server,
    ) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.refusal = None;
        self.counters.dialled += 1;
        match purpose {
            Purpose::Carry => {
                self.dialling = self.dialling.saturating_sub(1);
                self.gate.finished(now, Dialled::Connected);
                self.health.dialled(began, server.run_id.as_deref().map(hash));
            }
            Purpose::Probe(probe) => self.probed_well(now, probe, server, &mut orders),
            Purpose::Examine => {
                self.health.dialled(began, server.run_id.as_deref().map(hash));
                self.examined(now, server);
            }
        }
        if server.run_id.is_some() {
            self.run_id.clone_from(&server.run_id);
        }
        self.keep(now, lent, &mut orders);
        self.settle(now, &mut orders);
        orders
    }

    fn examined(&mut self, now: Moment, server: &Server) {
        self.examining = false;
        self.examined = Some(now);
        self.output_limit = server.output_limit;
        self.bounds.hints &= !server.refuses_config;
    }

    fn probed_well(&mut self, now: Moment, probe: Probe, server: &Server, orders: &mut Orders<C, W>) {
        self.last_good_probe = Some(probe.started());
        let result = ProbeResult::Good { run_id: server.run_id.as_deref().map(hash), write_ok: server.writes };
        let change = self.health.probe_finished(now, probe, result);
        if let Some(Change::Up { restarted, .. }) = change {
            self.gate.endpoint_up(now);
            if restarted == Restarted::Yes {
                // They lead to a process that is no more: their resets would be news of the past.
                for stale in self.idle.drain(..) {
                    orders.orders.push(Order::Close(stale.connection, CloseWhy::Stale));
                }
            }
        }
        self.changed(change, orders);
    }

    /// No connection came about.
    pub(crate) fn dial_failed(
        &mut self,
        now: Moment,
        purpose: Purpose,
        began: Moment,
        error: &DialError,
    ) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.counters.dials_failed += 1;
        self.refusal = Some(Refusal {
            cause: error.cause,
            detail: error.detail.clone(),
            server: error.server.clone(),
            retry_at: None,
        });
        let change = match purpose {
            Purpose::Carry => {
                self.dialling = self.dialling.saturating_sub(1);
                self.gate.finished(now, Dialled::Failed);
                self.health.dial_failed(now, began, error.cause)
            }
            Purpose::Probe(probe) => self.health.probe_finished(now, probe, ProbeResult::Failed(error.cause)),
            Purpose::Examine => {
                self.examining = false;
                self.health.dial_failed(now, began, error.cause)
            }
        };
        self.changed(change, &mut orders);
        self.settle(now, &mut orders);
        orders
    }

    /// Time has passed: retires what is too old, and lets waiters go whose ride-out is over.
    pub(crate) fn sweep(&mut self, now: Moment) -> Orders<C, W> {
        let mut orders = Orders::none();
        let mut index = 0;
        while index < self.idle.len() {
            let lent = &self.idle[index];
            match self.ageing.retire(now, life(lent.established, lent.last_used)) {
                Some(why) => {
                    let lent = self.idle.remove(index);
                    orders.orders.push(Order::Close(lent.connection, CloseWhy::Retired(why)));
                }
                None => index += 1,
            }
        }
        self.settle(now, &mut orders);
        orders
    }

    /// Takes every connection at rest out for a look at its socket; what is fit comes back by
    /// [`looked_at`](Self::looked_at).
    pub(crate) fn idle_mut(&mut self) -> &mut Vec<Lent<C>> {
        &mut self.idle
    }

    /// No more: what waits is refused, what rests is closed.
    pub(crate) fn close(&mut self) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.closed = true;
        for waiter in self.waiting.drain(..) {
            orders.orders.push(Order::Refuse(waiter.waiter, Refusal::of(Cause::ClientClosed)));
        }
        for lent in self.idle.drain(..) {
            orders.orders.push(Order::Close(lent.connection, CloseWhy::Closing));
        }
        orders.wake_tender = true;
        orders
    }

    // -- inside --

    fn count_back(&mut self, apart: bool) {
        if apart {
            self.lent_apart = self.lent_apart.saturating_sub(1);
        } else {
            self.lent = self.lent.saturating_sub(1);
        }
    }

    fn keep(&mut self, now: Moment, lent: Lent<C>, orders: &mut Orders<C, W>) {
        if self.closed {
            orders.orders.push(Order::Close(lent.connection, CloseWhy::Closing));
        } else if let Some(why) = self.ageing.retire(now, life(lent.established, now)) {
            orders.orders.push(Order::Close(lent.connection, CloseWhy::Retired(why)));
        } else if self.idle.len() >= self.bounds.size + self.waiting.len() {
            orders.orders.push(Order::Close(lent.connection, CloseWhy::Surplus));
        } else {
            self.idle.push(lent);
        }
    }

    /// Whether a call may be sent now: over a connection at rest, if there is one, since those may serve while new
    /// ones are turned away (`maxclients`); else over one that has to be made.
    fn admission(&self, now: Moment, ask: &Ask) -> Admission {
        if self.idle.is_empty() {
            self.health.admit(now, ask.access, ask.ride_out)
        } else {
            self.health.admit_established(now, ask.access, ask.ride_out)
        }
    }

    fn take_idle(&mut self, now: Moment, ask: &Ask, orders: &mut Orders<C, W>) -> Option<Lent<C>> {
        let apart = ask.apart;
        let full = if apart { self.lent_apart >= APART_MAX } else { self.lent >= self.bounds.size };
        if full {
            return None;
        }
        // The one used last is the likeliest to be well; the oldest rest at the bottom, where the sweep finds them.
        while let Some(mut lent) = self.idle.pop() {
            if let Some(why) = self.ageing.retire(now, life(lent.established, lent.last_used)) {
                orders.orders.push(Order::Close(lent.connection, CloseWhy::Retired(why)));
                continue;
            }
            lent.apart = apart;
            if apart {
                self.lent_apart += 1;
            } else {
                self.lent += 1;
            }
            if ask.access == Access::Write {
                self.health.write_sent(now);
            }
            return Some(lent);
        }
        None
    }

    fn changed(&mut self, change: Option<Change>, orders: &mut Orders<C, W>) {
        orders.wake_tender |= self.health.next_probe().is_some();
        orders.changes.extend(change);
    }

    fn refusal_for(&self, cause: Cause, retry_at: Option<Moment>) -> Refusal {
        let known = self.refusal.as_ref().filter(|refusal| refusal.cause == cause).cloned();
        Refusal { retry_at, ..known.unwrap_or_else(|| Refusal::of(cause)) }
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
                    if let Some(waiter) = self.waiting.remove(skipped) {
                        orders.orders.push(Order::Refuse(waiter.waiter, refusal));
                    }
                }
                Admission::Send => match self.take_idle(now, &ask, orders) {
                    Some(lent) => match self.waiting.remove(skipped) {
                        Some(waiter) => orders.orders.push(Order::Grant(waiter.waiter, lent)),
                        None => break,
                    },
                    None if self.idle.is_empty() => break,
                    // Its kind has as many as it may; another kind behind it may still be served.
                    None => skipped += 1,
                },
            }
        }
        self.plan_dials(now, orders);
    }

    fn plan_dials(&mut self, now: Moment, orders: &mut Orders<C, W>) {
        self.dial_wait = None;
        let ahead = self.dialling + self.dials;
        let (mut wanted, mut wanted_apart) = (0, 0);
        for waiter in &self.waiting {
            if self.health.admit(now, waiter.ask.access, waiter.ask.ride_out) != Admission::Send {
                continue;
            }
            if waiter.ask.apart { wanted_apart += 1 } else { wanted += 1 }
            if wanted >= self.bounds.size && wanted_apart >= APART_MAX {
                break;
            }
        }
        wanted = wanted.min(self.bounds.size.saturating_sub(self.lent + self.idle.len()));
        wanted_apart = wanted_apart.min(APART_MAX - self.lent_apart.min(APART_MAX));
        for _ in ahead..wanted + wanted_apart {
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
}

fn life(established: Moment, last_used: Moment) -> Life {
    Life { established, last_used, server_timeout: None }
}

/// A run id, as the health of an endpoint compares it.
fn hash(run_id: &str) -> u64 {
    run_id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
