//! The connection that all tasks share, and the task that drives it.
//!
//! Callers queue requests under a lock and ring; the driver writes what has gathered in one write, and hands replies to
//! their callers in the order in which they were asked for. It ends with its connection, and tells every caller what
//! that proves for its request.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use futures_channel::oneshot;
use seawall_model::{Cause, Close, Moment, Provenance};
use seawall_policy::health::Answered;
use seawall_wire::facts::Access;

use super::aside::{Aside, leaves};
use super::asked::{Asked, Caller, Done, Fate, Mourners, Replied, answered_well, take};
use super::direct::{Standing, go_on};
use super::exchange::{End, examine};
use super::own::Breath;
use super::replies::Replies;
use super::runtime::{self, Bell, Turns, Watched, Woken};
use super::silence::Patience;
use crate::clock;
use crate::command::Nature;
use crate::fork;
use crate::link::connection::{Connection, Loss};
use crate::link::handshake::Server;
use crate::link::ledger::{Ledger, Lent, Use};
use crate::link::live::{Live, Step};
use crate::link::shared::Link;
use crate::net::stream::close_of;
use crate::stats::Histogram;

/// A connection on which nothing came for so long is looked at before it is written to: as at a checkout from the pool,
/// and for the same price, one read that finds nothing.
const RESTED: Duration = Duration::from_millis(1);

/// Room for this many is kept from one read to the next.
const DONE_KEEP: usize = 1024;

/// The shared connection.
pub(super) struct Shared {
    state: Mutex<State>,
    bell: Bell,
    /// Told when less is to be written, to one who waits for that; he tells the next.
    room: Turns,
    pub(super) established: Moment,
    pub(super) server: Server,
    pub(super) link: Weak<Link>,
    generation: u64,
    pub(super) patience: Patience,
    /// It takes no more requests, and ends once nobody waits for an answer on it. Set under the lock.
    retired: AtomicBool,
    /// The one that was set aside when this was put up.
    pub(super) before: OnceLock<Weak<Shared>>,
    /// Rung where a call without a task is to be looked at earlier than all others.
    pub(super) looks: Bell,
    /// Somebody looks at calls without a task.
    pub(super) looked_after: AtomicBool,
    /// Calls that began without a task and have one now, by their ids: a word ends it.
    pub(super) moved: Mutex<HashMap<u64, oneshot::Sender<()>>>,
    pub(super) ourselves: Weak<Shared>,
}

pub(super) struct State {
    /// `None` once it has ended.
    pub(super) lent: Option<Lent<Box<Live>>>,
    /// How it ended, as far as its own end tells.
    ended: Option<Loss>,
    pub(super) asked: VecDeque<Asked>,
    /// The server holds writes back on it, as far as is known.
    pub(super) aside: Option<Aside>,
    next: u64,
    pub(super) last_heard: Moment,
    /// When the last whole reply came.
    pub(super) last_replied: Moment,
    /// When it was last seen to move, though nothing was heard.
    pub(super) last_moved: Moment,
    /// When the peer's host was last seen to acknowledge something, or all.
    pub(super) last_acknowledged: Moment,
    /// The overdue request that looks often what a probe found.
    pub(super) watcher: Option<u64>,
    /// Callers who wait until less is to be written.
    waiting: usize,
    /// The driver has been rung for, and has not looked at what is queued since.
    rung: bool,
    /// When calls without a task are looked at next.
    pub(super) look_at: Moment,
}

impl State {
    /// Where a request stands among those that are owed replies, and its place on the connection.
    pub(super) fn find(&self, id: u64) -> Option<(usize, usize)> {
        // Ids rise along the queue.
        let index = self
            .asked
            .binary_search_by_key(&id, |asked| asked.id)
            .ok()?;
        let before = self.asked[index].from() - self.asked[0].from();
        Some((index, usize::try_from(before).ok()?))
    }

    /// Whether those who wait for it may queue their requests, or find that it has ended.
    fn has_room(&self) -> bool {
        let backlog = self
            .lent
            .as_ref()
            .map(|lent| lent.connection.state.backlog());
        self.aside.is_some() || backlog.is_none_or(|backlog| backlog < BACKLOG_MAX / 2)
    }
}

/// One of those who wait until less is to be written, after [`NotTaken::Full`]. When it is dropped, with its request
/// queued or without, the next one has its turn.
pub(super) struct Waiter(pub(super) Arc<Shared>);

impl Waiter {
    /// Waits for its turn.
    pub(super) async fn turn(&self) {
        self.0.room.turn().await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.lock();
            state.waiting -= 1;
            state.waiting > 0 && state.has_room()
        };
        if next {
            self.0.room.next();
        }
    }
}

/// Bytes that may wait to be written before callers wait too: many times what a socket takes at once, so that it is never
/// left waiting, and few enough for a process with many tasks. One request may be larger.
const BACKLOG_MAX: u64 = 16 << 20;

/// What is to be queued.
pub(super) struct Wanted {
    /// How many replies it is owed.
    pub(super) replies: usize,
    /// It stands on the connection as one request (a transaction), not as one for each reply.
    pub(super) whole: bool,
    pub(super) nature: Nature,
    pub(super) now: Moment,
    /// When somebody is to look what became of it, if its caller does not do so himself.
    pub(super) look_at: Moment,
}

/// Why a request was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// The connection takes no more.
    Over,
    /// Too much waits to be written. The caller was counted, and must become a [`Waiter`].
    Full,
}

/// A caller's side of one request.
pub(super) struct Ticket {
    pub(super) id: u64,
    pub(super) fate: oneshot::Receiver<Fate>,
}

impl Shared {
    /// Puts a connection up for all tasks of this runtime.
    pub(super) fn put_up(
        link: &Arc<Link>,
        mut lent: Lent<Box<Live>>,
        patience: Patience,
    ) -> io::Result<Arc<Self>> {
        let watched = match Watched::new(&lent.connection) {
            Ok(watched) => watched,
            Err(error) => {
                link.give_back(lent.connection, lent.usage);
                return Err(error);
            }
        };
        lent.connection.state.be_careful();
        lent.connection.had_since = None;
        let shared = Arc::new_cyclic(|ourselves| Self {
            bell: Bell::default(),
            room: Turns::default(),
            established: lent.established,
            server: lent.connection.server.clone(),
            link: Arc::downgrade(link),
            generation: fork::generation(),
            patience,
            retired: AtomicBool::new(false),
            before: OnceLock::new(),
            state: Mutex::new(State {
                lent: Some(lent),
                ended: None,
                asked: VecDeque::with_capacity(64),
                aside: None,
                next: 0,
                last_heard: clock::now(),
                last_replied: Moment::ORIGIN,
                last_moved: Moment::ORIGIN,
                last_acknowledged: Moment::ORIGIN,
                watcher: None,
                waiting: 0,
                rung: false,
                look_at: Moment::NEVER,
            }),
            looks: Bell::default(),
            looked_after: AtomicBool::new(false),
            moved: Mutex::default(),
            ourselves: ourselves.clone(),
        });
        // Not inside the task: a runtime that shuts down may drop it before it has run at all.
        let ending = Ending(Arc::clone(&shared));
        runtime::spawn(Arc::clone(&shared).drive(watched, ending));
        Ok(shared)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues what `pack` writes, which is owed `replies` replies.
    pub(super) fn submit(
        &self,
        now: Moment,
        replies: usize,
        whole: bool,
        nature: Nature,
        pack: impl FnOnce(&mut Connection),
    ) -> Result<Ticket, NotTaken> {
        let (caller, fate) = oneshot::channel();
        let wanted = Wanted {
            replies,
            whole,
            nature,
            now,
            look_at: Moment::NEVER,
        };
        match self.queue(&wanted, caller, |_, connection| pack(connection)) {
            Ok(id) => Ok(Ticket { id, fate }),
            Err((why, _)) => Err(why),
        }
    }

    /// Queues a request, and gives it its id and its place; else who made it comes back.
    pub(super) fn queue<C: Into<Caller>>(
        &self,
        wanted: &Wanted,
        caller: C,
        pack: impl FnOnce(&C, &mut Connection),
    ) -> Result<u64, (NotTaken, C)> {
        let (id, rung, sooner) = {
            let mut state = self.lock();
            let overdue_after = self.patience.overdue_after;
            if state.forsaken_since(wanted.now, overdue_after).is_some() {
                drop(state);
                if self.is_forsaken(wanted.now) {
                    self.abandon();
                    return Err((NotTaken::Over, caller));
                }
                state = self.lock();
            }
            if self.is_retired() && !state.takes_aside(wanted.nature, wanted.now) {
                return Err((NotTaken::Over, caller));
            }
            let state = &mut *state;
            let Some(lent) = state.lent.as_mut() else {
                return Err((NotTaken::Over, caller));
            };
            if lent.connection.state.backlog() >= BACKLOG_MAX {
                state.waiting += 1;
                return Err((NotTaken::Full, caller));
            }
            pack(&caller, &mut lent.connection.state);
            let id = state.next;
            state.next += 1;
            let first = state
                .asked
                .back()
                .map_or(0, |last| last.from() + last.parts() as u64);
            let sooner = wanted.look_at < state.look_at;
            if sooner {
                state.look_at = wanted.look_at;
            }
            state.asked.push_back(Asked {
                id,
                first,
                replies: wanted.replies,
                whole: wanted.whole,
                taken: Replies::default(),
                sent_at: wanted.now,
                access: wanted.nature.access,
                leaves: leaves(wanted.nature),
                bulky: wanted.nature.bulky,
                look_at: wanted.look_at,
                caller: caller.into(),
            });
            (id, std::mem::replace(&mut state.rung, true), sooner)
        };
        if !rung {
            self.bell.ring();
        }
        if sooner {
            self.looks.ring();
        }
        Ok(id)
    }

    /// How far the request got, while it is owed its reply.
    pub(super) fn provenance(&self, id: u64) -> Provenance {
        let state = self.lock();
        match (&state.lent, state.find(id)) {
            (Some(lent), Some((_, place))) => lent.connection.state.provenance_at(place),
            _ => Provenance::Written,
        }
    }

    /// Takes the request back if nothing of it was offered to a write; `false`: it is on its way, or was.
    pub(super) fn retract(&self, id: u64) -> bool {
        let mut state = self.lock();
        let state = &mut *state;
        let Some((index, place)) = state.find(id) else {
            return false;
        };
        let Some(lent) = state.lent.as_mut() else {
            return false;
        };
        let parts = state.asked[index].parts();
        let retracted = lent.connection.state.retract(place, parts);
        if retracted {
            state.asked.remove(index);
            for later in state.asked.iter_mut().skip(index) {
                later.first -= parts as u64;
            }
        }
        retracted
    }

    /// Whether something came, or it ended, and its driver has not read that yet.
    pub(super) fn has_news(&self) -> bool {
        let state = self.lock();
        let lent = state.lent.as_ref();
        lent.is_some_and(|lent| lent.connection.has_news())
    }

    /// Whether the request still waits for its reply.
    pub(super) fn owes(&self, id: u64) -> bool {
        self.lock().find(id).is_some()
    }

    /// Reads what has come and hands it out, in its driver's stead, which finds the socket empty.
    pub(super) fn read_now(&self) {
        if let Err(loss) = self.read_by(&mut Done::new(), Live::read_some) {
            self.end_now(&loss);
        }
    }

    /// Has the first of those who wait for room look again; he tells the next.
    pub(super) fn make_room(&self) {
        self.room.next();
    }

    /// Whether it takes no more requests.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// It leads to the wrong server: it takes no more requests, and ends when those under way are answered. They are
    /// not in doubt for what another was told.
    pub(super) fn retire(&self) {
        let retired = {
            let mut state = self.lock();
            match &mut state.lent {
                Some(lent) if !self.retired.swap(true, Ordering::Relaxed) => {
                    // From now on the ledger counts it with those that somebody has for himself, and makes another.
                    lent.usage = Use::Apart;
                    true
                }
                _ => false,
            }
        };
        if retired && let Some(link) = self.link.upgrade() {
            link.decide(Ledger::shared_retired);
        }
        self.bell.ring();
    }

    /// It goes back to the pool, unless something is owed on it.
    pub(super) fn take_down(&self) -> bool {
        let lent = {
            let mut state = self.lock();
            if !state.asked.is_empty() || state.waiting > 0 {
                return false;
            }
            // One that takes no more requests is ended by its driver.
            let stays = self.is_retired();
            state.lent.take_if(|_| !stays)
        };
        if let Some(lent) = lent {
            match self.link.upgrade() {
                Some(link) => link.give_back(lent.connection, lent.usage),
                None => lent.connection.stream.close(),
            }
        }
        // The driver finds it ended, and who looks after calls without a task.
        self.bell.ring();
        self.looks.ring();
        true
    }

    /// It is given up: everything on it is told so, and it is closed. Not left to the driver, whose runtime may be what
    /// does not run.
    pub(super) fn abandon(&self) {
        self.end_now(&self.loss(Close::Abandoned, None));
    }

    /// Nobody has the client any more.
    pub(super) fn leave(&self) {
        if self.generation != fork::generation() {
            // A forked child: the socket is the parent's too, and the lock may be held by a thread that is not here.
            return;
        }
        self.end_now(&self.loss(Close::Ours, Some(Cause::ClientClosed)));
    }

    /// The client was closed: it ends once nothing is owed any more.
    pub(super) fn closing(&self) {
        self.bell.ring();
    }

    fn end_now(&self, loss: &Loss) {
        if let Some(mourners) = self.close(loss) {
            if let Some(link) = self.link.upgrade() {
                mourners.tell_lost(&link, loss);
            }
            mourners.tell(loss);
        }
        // The driver finds it ended.
        self.bell.ring();
    }

    /// How it ended, if nobody was told why yet.
    pub(super) fn end(&self) -> Loss {
        let ended = self.lock().ended;
        ended.unwrap_or_else(|| Loss::unknown(Close::Ours))
    }

    /// What its end would prove now.
    pub(super) fn loss_if_abandoned(&self, now: Moment) -> Option<Loss> {
        let state = self.lock();
        let lent = state.lent.as_ref()?;
        Some(lent.connection.state.loss(Close::Abandoned, now))
    }

    /// Whatever ends this task, a runtime that shuts down included, ends the connection.
    async fn drive(self: Arc<Self>, watched: Watched, ending: Ending) {
        let mut done = Done::new();
        // Those who waited for this connection were woken together: what they ask goes out together.
        let_others_go_first().await;
        let mut breath = Breath::default();
        let loss = loop {
            // The server may have closed it while it rested, and the loop has not come round to say so.
            if self.has_rested()
                && let Err(end) = self.read(&mut done, &watched)
            {
                break end;
            }
            self.write(&watched);
            let (blocked, mute) = self.waits();
            match runtime::first_of(&watched, Some(&self.bell), blocked, mute).await {
                Ok(Woken::Readable) => {
                    if let Err(end) = self.read(&mut done, &watched) {
                        break end;
                    }
                    breath.taken().await;
                }
                Ok(Woken::Rung) => let_others_go_first().await,
                Ok(Woken::Writable) => {}
                Ok(Woken::Late) | Err(_) => break self.loss(Close::Reset, None),
            }
            if self.is_over() {
                let cause = if self.is_retired() {
                    Cause::Cancelled
                } else {
                    Cause::ClientClosed
                };
                break self.loss(Close::Ours, Some(cause));
            }
        };
        drop(watched);
        ending.end(loss).await;
    }

    /// Whether something is to be written on it after it had rested: nothing was under way, for a while.
    fn has_rested(&self) -> bool {
        let state = self.lock();
        let Some(lent) = &state.lent else {
            return false;
        };
        let connection = &lent.connection.state;
        connection.wants_write()
            && connection.provenance_at(0) == Provenance::Queued
            && clock::now().since(state.last_heard) > RESTED
    }

    /// Whether it waits for room to write, and until when it waits for nothing but last words.
    fn waits(&self) -> (bool, Option<Moment>) {
        let state = self.lock();
        let live = state.lent.as_ref().map(|lent| &lent.connection);
        live.map_or((false, None), |live| {
            let blocked = live.state.wants_write() && live.mute.is_none();
            (blocked, live.mute)
        })
    }

    /// Whether it has ended already, or takes no more requests and nobody waits on it any more.
    fn is_over(&self) -> bool {
        let idle = {
            let mut state = self.lock();
            if state.lent.is_none() {
                return true;
            }
            if self.is_retired() {
                let over = state.asked.iter().all(|asked| asked.caller.is_gone());
                if over {
                    // Nobody joins one that is about to be closed.
                    state.aside = None;
                }
                return over;
            }
            state.asked.is_empty()
        };
        idle && self
            .link
            .upgrade()
            .is_none_or(|link| link.ledger().is_closed())
    }

    /// Somebody waits no more.
    pub(super) fn left(&self) {
        if self.is_retired() {
            self.bell.ring();
        }
    }

    fn write(&self, watched: &Watched) {
        let mut state = self.lock();
        state.rung = false;
        let Some(lent) = state.lent.as_mut() else {
            return;
        };
        let live = &mut lent.connection;
        if !live.state.wants_write() || live.mute.is_some() {
            return;
        }
        if runtime::gathers() {
            // Who asks next need not ring.
            state.rung = true;
            drop(state);
            return self.bell.ring();
        }
        match watched.write(live) {
            Ok(Step::Moved | Step::WouldBlock) => {}
            Err(_) => live.fall_mute(clock::now()),
        }
        if state.waiting > 0 && state.has_room() {
            self.room.next();
        }
    }

    /// Reads what has come and hands it out.
    fn read(&self, done: &mut Done, watched: &Watched) -> Result<(), Loss> {
        self.read_by(done, |live, now| watched.read(live, now))
    }

    fn read_by(
        &self,
        done: &mut Done,
        read: impl FnOnce(&mut Live, Moment) -> io::Result<Step>,
    ) -> Result<(), Loss> {
        let now = clock::now();
        let mut proof: Option<Answered> = None;
        let mut used = Histogram::default();
        let outcome = {
            let mut state = self.lock();
            let state = &mut *state;
            let Some(lent) = state.lent.as_mut() else {
                return Ok(());
            };
            let live = &mut lent.connection;
            let ended = match read(live, now) {
                Ok(Step::Moved) => None,
                Ok(Step::WouldBlock) => return Ok(()),
                Err(error) => Some(close_of(&error)),
            };
            state.last_heard = now;
            let replies = live.state.replies();
            let established = self.established;
            let asked = &mut state.asked;
            let taken = take(live, asked, done, &mut proof, established, now, &mut used);
            if live.state.replies() > replies {
                state.last_replied = now;
                state.aside = None;
            }
            match (taken, ended) {
                (Err(cause), _) => Err(Loss {
                    cause,
                    ..live.state.loss(Close::Ours, now)
                }),
                (Ok(()), Some(close)) => Err(live.state.loss(close, now)),
                (Ok(()), None) => Ok(()),
            }
        };
        if let Some(link) = self.link.upgrade() {
            let well = answered_well(done);
            let mut aged = false;
            if proof.is_some() || well > 0 {
                link.decide_at(now, |ledger, now| {
                    aged = ledger.is_aged(now, self.established);
                    ledger.counters.use_time.add(&used);
                    ledger.answered_shared(now, well, proof)
                });
            }
            if aged {
                self.retire();
            }
        }
        if proof.is_some_and(|proof| proof.access == Access::Write) {
            self.overtakes();
        }
        for replied in done.drain(..) {
            self.hand_out(replied);
        }
        done.shrink_to(DONE_KEEP);
        outcome
    }

    fn hand_out(&self, replied: Replied) {
        match replied.caller {
            // A caller that has gone wants no reply.
            Caller::Task(caller) => drop(caller.send(Fate::Answered(replied.replies))),
            Caller::Direct(call) => match replied.replies.into_answer() {
                Ok(value) => call.answered(value),
                Err(replies) => {
                    if let Some(shared) = self.ourselves.upgrade() {
                        let end = End::Answered(replies);
                        go_on(
                            call,
                            replied.id,
                            Standing::ended(&shared, replied.sent_at, end),
                        );
                    }
                }
            },
            Caller::Gone => {}
        }
    }

    pub(super) fn loss(&self, close: Close, cause: Option<Cause>) -> Loss {
        let state = self.lock();
        let now = clock::now();
        let loss = state.lent.as_ref().map_or_else(
            || Loss::unknown(close),
            |lent| lent.connection.state.loss(close, now),
        );
        Loss {
            cause: cause.unwrap_or(loss.cause),
            ..loss
        }
    }

    /// The connection is over: closes it and tells the ledger. Who still waits comes back.
    fn close(&self, loss: &Loss) -> Option<Mourners> {
        // Whoever calls this has it.
        let shared = self.ourselves.upgrade()?;
        let (lent, asked) = {
            let mut state = self.lock();
            state.ended.get_or_insert(*loss);
            state.aside = None;
            (state.lent.take(), std::mem::take(&mut state.asked))
        };
        self.room.next();
        self.looks.ring();
        let lent = lent?;
        let mourners = Mourners {
            shared,
            connection: lent.connection.id,
            trail: lent.connection.state.provenances(),
            asked,
        };
        match self.link.upgrade() {
            Some(link) if lent.usage == Use::Apart && lent.connection.state.is_clean() => {
                link.part(lent.connection, lent.usage);
            }
            // Nothing is owed on it, and the client was closed: it ends in order, without a reset.
            Some(link) if lent.connection.state.is_clean() && link.ledger().is_closed() => {
                link.give_back(lent.connection, lent.usage);
            }
            Some(link) if matches!(loss.close, Close::Abandoned | Close::Ours) => {
                link.bury_alone(lent, loss);
            }
            Some(link) => link.bury_untold(lent, loss),
            None => lent.connection.stream.abort(),
        }
        Some(mourners)
    }
}

/// Lets the tasks that are ready to run go first: they add their requests to the same write.
///
/// tokio's own `yield_now` also has the runtime look at its sockets, which costs each batch a system call. On several
/// threads it gathers larger batches, and still is no quicker.
async fn let_others_go_first() {
    let mut went = false;
    poll_fn(|context| {
        if std::mem::replace(&mut went, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Ends the connection when the driver does, however that comes about.
struct Ending(Arc<Shared>);

impl Ending {
    /// An orderly end: the server is asked for its reason where it may have had one.
    async fn end(self, mut loss: Loss) {
        let link = self.0.link.upgrade();
        let why = link
            .as_ref()
            .is_some_and(|link| link.wants_examination(&loss));
        let Some(mut mourners) = self.0.close(&loss) else {
            return;
        };
        if let Some(link) = link {
            if why {
                mourners.have_tasks();
                examine(&link, &mut loss).await;
            }
            mourners.tell_lost(&link, &loss);
        }
        mourners.tell(&loss);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // After an orderly end nothing is left for this.
        let loss = self.0.loss(Close::Ours, Some(Cause::Cancelled));
        if let Some(mourners) = self.0.close(&loss) {
            mourners.tell(&loss);
        }
    }
}
