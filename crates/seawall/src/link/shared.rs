//! The supervised way to one deployment, shared by its callers and the tender.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use seawall_model::{Cause, Close, Endpoint, Moment};
use seawall_policy::health::Answered;
use seawall_wire::Limits;

use super::addresses::Addresses;
use super::connection::Loss;
use super::handshake::Login;
use super::keys::Keys;
use super::ledger::{CloseWhy, Ledger, Lent, Order, Orders, Refusal, Use};
use super::live::Live;
use super::recent::RecentWrites;
use crate::clock;
use crate::events::{Event, Life, Listeners};
use crate::fork;
use crate::journal::Journal;
use crate::net::tls::TlsLine;
use crate::tender::{Names, Tender};

/// Whoever waits for a connection, in whatever runtime.
pub(crate) trait Parker: Send + Sync {
    /// Hands over what was decided; gives it back if the waiter has gone.
    fn deliver(&self, told: Told) -> Result<(), Lent<Box<Live>>>;
}

/// What a waiter is told.
pub(crate) enum Told {
    /// Here is a connection.
    Granted(Lent<Box<Live>>),
    /// The shared connection serves: ask again.
    Woken,
    /// Go away.
    Refused(Refusal),
}

pub(crate) type Book = Ledger<Box<Live>, Arc<dyn Parker>>;
pub(crate) type BookOrders = Orders<Box<Live>, Arc<dyn Parker>>;

/// How connections to an endpoint are made.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    pub(crate) login: Login,
    /// Who logs in, where that changes; comes before what the login says.
    pub(crate) keys: Option<Keys>,
    pub(crate) limits: Limits,
    pub(crate) connect_timeout: Duration,
    pub(crate) probe_timeout: Duration,
    pub(crate) keepalive: Option<Keepalive>,
    pub(crate) user_timeout: Duration,
    pub(crate) line: Line,
    pub(crate) names: Arc<dyn Names>,
}

/// What is spoken beneath Redis' own protocol.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    Plain,
    Tls(TlsLine),
}

/// TCP keepalive, as the kernel takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keepalive {
    pub(crate) idle: Duration,
    pub(crate) interval: Duration,
    pub(crate) probes: u32,
}

/// The supervised way to one deployment.
pub(crate) struct Link {
    pub(crate) endpoint: Endpoint,
    /// The endpoint as text, for errors and events.
    pub(crate) name: Arc<str>,
    pub(crate) dialer: Dialer,
    pub(crate) listeners: Listeners,
    pub(crate) journal: Arc<Journal>,
    pub(crate) recent: RecentWrites,
    addresses: Mutex<Addresses>,
    ledger: Mutex<Book>,
    tender: Arc<Tender>,
    generation: u64,
}

impl Link {
    /// Makes the link and gives it into the tender's care.
    pub(crate) fn open(
        endpoint: Endpoint,
        dialer: Dialer,
        ledger: Book,
        listeners: Listeners,
        journal: Arc<Journal>,
        tender: Arc<Tender>,
    ) -> Arc<Self> {
        let name: Arc<str> = endpoint.to_string().into();
        let link = Arc::new(Self {
            endpoint,
            name,
            dialer,
            listeners,
            journal,
            recent: RecentWrites::new(),
            addresses: Mutex::default(),
            ledger: Mutex::new(ledger),
            tender,
            generation: fork::generation(),
        });
        link.tender.adopt(&link);
        link
    }

    /// Whether this process was forked since: its locks and sockets are the parent's.
    pub(crate) fn is_inherited(&self) -> bool {
        self.generation != fork::generation()
    }

    /// The ledger, to decide and for nothing else. A panic while it was held does not poison it: each decision leaves
    /// it whole.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Book> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ledger at a moment that was read before: that one if it could be had at once, a new one if it was waited for.
    pub(crate) fn ledger_at(&self, now: Moment) -> (MutexGuard<'_, Book>, Moment) {
        match self.ledger.try_lock() {
            Ok(ledger) => (ledger, now),
            Err(TryLockError::Poisoned(poisoned)) => (poisoned.into_inner(), now),
            Err(TryLockError::WouldBlock) => (self.ledger(), clock::now()),
        }
    }

    /// What is known of the addresses behind its name.
    pub(crate) fn addresses(&self) -> MutexGuard<'_, Addresses> {
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The address with which a connection last came about.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.addresses().last_good().first().copied()
    }

    /// The number of the next connection: unique in this process, whatever client it belongs to.
    pub(crate) fn next_id() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// Decides under the lock and acts after it.
    pub(crate) fn decide(&self, decision: impl FnOnce(&mut Book, Moment) -> BookOrders) {
        self.decide_at(clock::now(), decision);
    }

    /// As [`decide`](Self::decide), where the clock has just been read.
    pub(crate) fn decide_at(
        &self,
        now: Moment,
        decision: impl FnOnce(&mut Book, Moment) -> BookOrders,
    ) {
        let orders = {
            let (mut ledger, now) = self.ledger_at(now);
            decision(&mut ledger, now)
        };
        self.carry_out(orders);
    }

    /// Acts on what was decided. The lock must not be held.
    pub(crate) fn carry_out(&self, orders: BookOrders) {
        if !orders.is_empty() {
            self.do_all(orders);
        }
    }

    fn do_all(&self, orders: BookOrders) {
        let mut pending = Some(orders);
        while let Some(BookOrders {
            todo,
            changes,
            wake_tender,
        }) = pending.take()
        {
            for event in changes.iter().flat_map(Event::of_change) {
                self.listeners.tell(&self.name, &event);
            }
            if wake_tender {
                self.tender.wake();
            }
            for order in todo {
                match order {
                    Order::Grant(parker, lent) => {
                        if let Err(lent) = parker.deliver(Told::Granted(lent)) {
                            let back = self.ledger().give_back(clock::now(), lent);
                            // At most one waiter less each time: it ends.
                            pending = Some(merge(pending, back));
                        }
                    }
                    Order::Refuse(parker, refusal) => {
                        // A waiter that has gone needs no refusal.
                        let _ = parker.deliver(Told::Refused(refusal));
                    }
                    Order::Wake(parker) => {
                        // Nor a waking.
                        let _ = parker.deliver(Told::Woken);
                    }
                    Order::Close(live, why) => self.close(live, why),
                }
            }
        }
    }

    fn close(&self, live: Box<Live>, why: CloseWhy) {
        let life = Life::of(&live.state.loss(Close::Ours, clock::now()));
        self.listeners.tell(
            &self.name,
            &Event::Closed {
                connection: live.id,
                why: why.name(),
                life,
            },
        );
        live.stream.close();
    }

    /// Tells how an outage goes on, if it is time to.
    pub(crate) fn tell_progress(&self) {
        let progress = self.ledger().progress(clock::now());
        let events = progress.map(|(cause, course)| Event::of_progress(cause, &course));
        for event in events.into_iter().flatten() {
            self.listeners.tell(&self.name, &event);
        }
    }

    /// A call was answered: its connection goes back, unless more is owed on it.
    pub(crate) fn answered(&self, live: Box<Live>, usage: Use, reply: Answered) {
        if !live.is_fit() {
            self.ledger().counters.answered += 1;
            return self.give_back(live, usage);
        }
        // Its last byte has just been read.
        let now = live.state.last_used();
        self.decide_at(now, |ledger, now| {
            ledger.answered(now, Self::lend(live, usage), reply)
        });
    }

    /// A connection on which nothing is owed leads to the wrong server: it is closed.
    pub(crate) fn part(&self, live: Box<Live>, usage: Use) {
        let had_since = live.had_since;
        self.close(live, CloseWhy::Stale);
        self.decide(|ledger, now| ledger.dropped(now, usage, had_since));
    }

    /// A call was answered over a connection that leads to the wrong server.
    pub(crate) fn answered_astray(&self, live: Box<Live>, usage: Use, reply: Answered) {
        self.decide(|ledger, now| {
            ledger.counters.answered += 1;
            ledger.replied(now, reply)
        });
        self.part(live, usage);
    }

    /// A connection as the ledger keeps it.
    pub(crate) fn lend(live: Box<Live>, usage: Use) -> Lent<Box<Live>> {
        let last_used = live.state.last_used();
        Lent {
            established: live.state.established(),
            last_used,
            seen_well: last_used,
            had_since: live.had_since,
            connection: live,
            usage,
        }
    }

    /// Connections made until now carry no more calls; those in use end with theirs.
    pub(crate) fn renew(&self) {
        if let Some(keys) = &self.dialer.keys {
            keys.forget();
        }
        self.ledger().renew(clock::now());
    }

    /// Gives a lent connection back, or closes it if something is still owed on it.
    pub(crate) fn give_back(&self, live: Box<Live>, usage: Use) {
        if live.is_fit() {
            self.decide(|ledger, now| ledger.give_back(now, Self::lend(live, usage)));
        } else {
            live.stream.abort();
            self.decide(|ledger, now| ledger.dropped(now, usage, live.had_since));
        }
    }
}

fn merge(pending: Option<BookOrders>, mut more: BookOrders) -> BookOrders {
    if let Some(first) = pending {
        more.todo.splice(0..0, first.todo);
        more.changes.splice(0..0, first.changes);
        more.wake_tender |= first.wake_tender;
    }
    more
}

impl Link {
    /// Looks at each connection at rest: the dead are found before a call needs them.
    pub(crate) fn look_over(&self) {
        let now = clock::now();
        let dead = self.ledger().look_over(now, |live| live.look(now));
        for (lent, loss) in dead {
            self.tell_lost(lent.connection.id, &loss);
        }
    }

    /// A connection was at rest, and found dead when it was to be used.
    pub(crate) fn found_dead(&self, lent: Lent<Box<Live>>, loss: &Loss) {
        let loss = self.ledger().name_with_others(&lent, *loss);
        self.bury(lent, &loss);
    }

    /// A lent connection ended, and that may say something about the endpoint.
    pub(crate) fn bury(&self, lent: Lent<Box<Live>>, loss: &Loss) {
        self.tell_lost(lent.connection.id, loss);
        self.bury_untold(lent, loss);
    }

    /// As [`bury`](Self::bury), where the reason is still being looked for: it is told when it is found.
    pub(crate) fn bury_untold(&self, lent: Lent<Box<Live>>, loss: &Loss) {
        let (established, had_since, usage) = Self::lay_down(lent);
        self.decide(|ledger, now| ledger.lost(now, established, usage, had_since, loss));
        // What ended one may have ended all: they are not left for calls to find.
        self.look_over();
        self.distrust_like(loss);
    }

    /// A lent connection was given up; it speaks for itself alone. A forked child closes its copy, and says nothing to
    /// anybody.
    pub(crate) fn bury_alone(&self, lent: Lent<Box<Live>>, loss: &Loss) {
        if self.is_inherited() {
            return;
        }
        self.tell_lost(lent.connection.id, loss);
        let (_, had_since, usage) = Self::lay_down(lent);
        self.decide(|ledger, now| ledger.dropped(now, usage, had_since));
        self.distrust_like(loss);
    }

    /// What one forgotten flow says of the others.
    fn distrust_like(&self, loss: &Loss) {
        if matches!(loss.cause, Cause::IdleReset | Cause::IdleSwallowed) {
            self.decide(|ledger, now| ledger.distrust(now, loss.idle));
        }
    }

    fn lay_down(lent: Lent<Box<Live>>) -> (Moment, Option<Moment>, Use) {
        let Lent {
            connection,
            established,
            usage,
            ..
        } = lent;
        connection.stream.abort();
        (established, connection.had_since, usage)
    }

    /// Whether the server should be asked for the reason before a call goes again: a server that closes in order in the
    /// middle of a request had a reason, and if it was the size of the reply, the next one would be cut off too.
    ///
    /// A reset may be such a close too, if more requests were on their way; once the server has told that it has no
    /// limit, it is not asked for each of them.
    pub(crate) fn wants_examination(&self, loss: &Loss) -> bool {
        match (loss.close, loss.cause) {
            (Close::Fin, Cause::ClosedByServer | Cause::ClosedMidReply) => true,
            (Close::Reset, Cause::ConnectionReset | Cause::ClosedMidReply) => {
                self.ledger().may_have_output_limit()
            }
            _ => false,
        }
    }

    /// Tells that a connection was lost.
    pub(crate) fn tell_lost(&self, connection: u64, loss: &Loss) {
        self.ledger().counters.lost.count(loss.cause);
        self.listeners.tell(
            &self.name,
            &Event::Lost {
                connection,
                cause: loss.cause,
                close: loss.close,
                life: Life::of(loss),
                command: loss.command,
            },
        );
    }
}
