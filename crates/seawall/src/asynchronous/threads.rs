//! Threads as an event loop: whoever waits for a reply does the loop's work for all meanwhile.
//!
//! One of those who wait, the *watcher*, sits on the sockets. What it reads may answer many. They are woken in a chain,
//! each by the one before it, so that no two are awake who would only wait for each other: an interpreter lets one run
//! at a time. What they ask next is written when the last of them is awake, in one write, or has asked, or in two, of which
//! the server works for the first while the others still ask: see [`Gathering`].

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use rustix::net::sockopt::socket_incoming_cpu;
use rustix::thread::{futex, sched_getcpu};
use seawall_model::Moment;

use super::event_loop::{EventLoop, Task, Watch, enter};
use super::gathering::{Gathering, HALVES};
use super::readiness::Readiness;
use crate::blocking::{Ground, Interrupted};
use crate::clock;
use crate::fork;

/// The longest wait without a look up: what a signal's handler is to do was asked for, it may be, right before the wait.
const SLICE: Duration = Duration::from_millis(250);

/// How often the tasks that are ready are run before the sockets are looked at again.
const ROUNDS_MAX: usize = 16;

/// No machine has so many cores.
const MANY_CORES: usize = 1 << 20;

/// The number of the bell among what is watched.
const BELL: u64 = 0;

/// Threads that wait for one another's replies.
pub(crate) struct Threads {
    state: Mutex<State>,
    epoll: OwnedFd,
    /// Calls the watcher away from the sockets.
    bell: OwnedFd,
    ourselves: Weak<Threads>,
    generation: u64,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Arc<Job>>,
    /// Every task that has not ended.
    jobs: HashMap<u64, Arc<Job>>,
    timers: BTreeMap<(Moment, u64), Waker>,
    watched: HashMap<u64, Arc<Sides>>,
    next: u64,
    watcher: Option<Arc<Seat>>,
    /// Until when the watcher sits on the sockets.
    watches_until: Moment,
    /// Those who wait for the watcher, oldest first.
    parked: VecDeque<Arc<Seat>>,
    /// Those who need not wait any more, and do not know it yet.
    answered: VecDeque<Arc<Seat>>,
    /// One of them was woken, and is about to wake the next.
    chained: bool,
    gathering: Gathering,
    /// The server works on another core than those who wait for it, as far as is known.
    apart: bool,
    /// What was asked for goes out, though others are waited for.
    lets_out: bool,
}

/// Where a thread waits.
struct Seat {
    threads: Weak<Threads>,
    /// What it waits for has come.
    woken: AtomicBool,
    /// What it is woken by, if it is parked.
    rung: AtomicU32,
    /// Set under the lock.
    place: AtomicU32,
}

/// The values of [`Seat::place`].
mod place {
    /// It is awake, and looks for itself what has come.
    pub(super) const AWAY: u32 = 0;
    pub(super) const PARKED: u32 = 1;
    pub(super) const WATCHING: u32 = 2;
}

/// The values of [`Seat::rung`].
mod rung {
    pub(super) const NOT: u32 = 0;
    /// What it waits for has come, and it is to wake the next.
    pub(super) const IN_CHAIN: u32 = 1;
    /// There is no watcher.
    pub(super) const TO_WATCH: u32 = 2;
}

impl Seat {
    fn ring(&self, why: u32) {
        self.rung.store(why, Ordering::Release);
        // A wait that the kernel does not know of ends by itself.
        let _ = futex::wake(&self.rung, futex::Flags::PRIVATE, 1);
    }

    /// Sleeps until it is rung, no longer than so long. What was rung, and whether a signal disturbed it.
    fn sleep(&self, slice: Duration) -> (u32, bool) {
        let slice = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(slice.subsec_nanos()),
        };
        let slept = futex::wait(&self.rung, futex::Flags::PRIVATE, rung::NOT, Some(&slice));
        // Whether it slept or was rung before: what was rung says so.
        let rung = self.rung.swap(rung::NOT, Ordering::AcqRel);
        (rung, slept == Err(Errno::INTR))
    }
}

impl Wake for Seat {
    fn wake(self: Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel)
            && let Some(threads) = self.threads.upgrade()
        {
            threads.answered(self);
        }
    }
}

thread_local! {
    /// The loop whose work this thread does: whom that answers is woken after it.
    static AT_WORK: Cell<usize> = const { Cell::new(0) };
}

/// A loop's work, until this is dropped.
struct AtWork(usize);

impl AtWork {
    fn begin(threads: &Threads) -> Self {
        Self(AT_WORK.replace(threads.place()))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        AT_WORK.set(self.0);
    }
}

impl Threads {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let data = epoll::EventData::new_u64(BELL);
        epoll::add(&epoll, &bell, data, epoll::EventFlags::IN)?;
        Ok(Arc::new_cyclic(|ourselves| Self {
            state: Mutex::new(State {
                next: BELL + 1,
                ..State::default()
            }),
            epoll,
            bell,
            ourselves: ourselves.clone(),
            generation: fork::generation(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this thread does the work of any.
    pub(crate) fn work_here() -> bool {
        AT_WORK.get() != 0
    }

    /// A number that no other loop has.
    fn place(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Whether this thread does this loop's work.
    fn is_at_work(&self) -> bool {
        AT_WORK.get() == self.place()
    }

    /// Waits on this thread for what a future comes to. After an interruption the future is dropped.
    pub(crate) fn block_on<T>(
        self: &Arc<Self>,
        ground: Option<&dyn Ground>,
        future: impl Future<Output = T>,
    ) -> Result<T, Interrupted> {
        let event_loop = Arc::clone(self) as Arc<dyn EventLoop>;
        let seat = Arc::new(Seat {
            threads: self.ourselves.clone(),
            woken: AtomicBool::new(false),
            rung: AtomicU32::new(rung::NOT),
            place: AtomicU32::new(place::AWAY),
        });
        let waker = Waker::from(Arc::clone(&seat));
        let mut context = Context::from_waker(&waker);
        let mut future = Box::pin(future);
        loop {
            seat.woken.store(false, Ordering::Release);
            let polled = self.work(|| enter(&event_loop, || future.as_mut().poll(&mut context)));
            if let Poll::Ready(outcome) = polled {
                self.go(&seat);
                return Ok(outcome);
            }
            if let Err(Interrupted) = self.wait(&event_loop, &seat, ground) {
                if self.generation == fork::generation() {
                    self.work(|| enter(&event_loop, || drop(future)));
                    self.go(&seat);
                } else {
                    // A forked child: what it would let go of is its parent's, and so are the locks.
                    std::mem::forget((future, seat));
                }
                return Err(Interrupted);
            }
        }
    }

    /// Runs what is ready, if nobody waits who would.
    pub(crate) fn run(self: &Arc<Self>) {
        let event_loop = Arc::clone(self) as Arc<dyn EventLoop>;
        self.lock().gathering.end();
        self.run_ready(&event_loop);
        have_watcher(self.lock());
    }

    /// Does some of the loop's work, and wakes whom it answered.
    fn work<T>(&self, work: impl FnOnce() -> T) -> T {
        let outermost = !self.is_at_work();
        let done = {
            let _at_work = AtWork::begin(self);
            work()
        };
        if outermost {
            let mut state = self.lock();
            if !state.answered.is_empty() && !state.chained {
                state.gather();
                let next = self.next_in_chain(&mut state);
                drop(state);
                if let Some(next) = next {
                    next.ring(rung::IN_CHAIN);
                }
            }
        }
        done
    }

    /// Takes the next one of those to be woken: one who is parked. The others find it out for themselves.
    fn next_in_chain(&self, state: &mut State) -> Option<Arc<Seat>> {
        while let Some(seat) = state.answered.pop_front() {
            match seat.place.load(Ordering::Relaxed) {
                place::PARKED => {
                    unpark(state, &seat);
                    state.chained = true;
                    return Some(seat);
                }
                place::WATCHING => self.ring(),
                _ => {}
            }
        }
        state.chained = false;
        None
    }

    /// Calls the watcher away from the sockets.
    fn ring(&self) {
        // A counter that is full is ringing already.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// What this one waits for has come.
    fn answered(&self, seat: Arc<Seat>) {
        let mut state = self.lock();
        state.answered.push_back(seat);
        if state.chained {
            // It may be the one who looks whether others come.
            state.gathering.end();
        }
        if self.is_at_work() || state.chained {
            return;
        }
        state.gather();
        let next = self.next_in_chain(&mut state);
        drop(state);
        if let Some(next) = next {
            next.ring(rung::IN_CHAIN);
        }
    }

    /// This thread was woken in the chain: it wakes the next; the last one does the work that has gathered.
    fn pass_on(&self, event_loop: &Arc<dyn EventLoop>) {
        let (next, waits) = {
            let mut state = self.lock();
            (self.next_in_chain(&mut state), state.gathers())
        };
        match next {
            Some(next) => next.ring(rung::IN_CHAIN),
            None if waits => {}
            None => self.run_ready(event_loop),
        }
    }

    /// This thread waits no more: somebody else watches, if somebody waits, and nothing is left undone.
    fn go(&self, seat: &Arc<Seat>) {
        let state = self.lock();
        let idle = !state.gathers() && !state.ready.is_empty();
        debug_assert_eq!(seat.place.load(Ordering::Relaxed), place::AWAY);
        if idle && let Some(ourselves) = self.ourselves.upgrade() {
            drop(state);
            ourselves.run();
        } else {
            have_watcher(state);
        }
    }

    /// One more has asked, and is about to wait.
    fn come(&self, event_loop: &Arc<dyn EventLoop>) {
        {
            let mut state = self.lock();
            if !state.gathering.holds() || !state.gathering.came(clock::now()) {
                return;
            }
            state.lets_out = true;
        }
        let _letting_out = LettingOut(self);
        self.run_ready(event_loop);
    }

    /// Waits until what this seat waits for has come.
    fn wait(
        &self,
        event_loop: &Arc<dyn EventLoop>,
        seat: &Arc<Seat>,
        ground: Option<&dyn Ground>,
    ) -> Result<(), Interrupted> {
        self.come(event_loop);
        let mut keeps = None;
        loop {
            let mut state = self.lock();
            if seat.woken.load(Ordering::Acquire) {
                return Ok(());
            }
            if !state.gathers() && !state.ready.is_empty() {
                drop(state);
                self.run_ready(event_loop);
                continue;
            }
            let quiet = if state.watcher.is_none() && !state.gathering.holds() {
                self.watch(event_loop, seat, state)
            } else {
                seat.place.store(place::PARKED, Ordering::Relaxed);
                state.parked.push_back(Arc::clone(seat));
                keeps = state.gathering.keeps(keeps.is_some());
                drop(state);
                self.park(event_loop, seat, keeps)
            };
            if quiet && let Some(ground) = ground {
                // What is done there may take its time: a signal's handler.
                self.lock().gathering.end();
                self.go(seat);
                ground.look_up()?;
                if self.generation != fork::generation() {
                    return Err(Interrupted);
                }
            }
        }
    }

    /// Sleeps until somebody has something for this thread; looks before whether others came, if that is up to it. Whether nobody
    /// had.
    fn park(
        &self,
        event_loop: &Arc<dyn EventLoop>,
        seat: &Arc<Seat>,
        mut keeps: Option<Duration>,
    ) -> bool {
        loop {
            let looks = keeps.take();
            let (rung, disturbed) = seat.sleep(looks.unwrap_or(SLICE));
            match rung {
                rung::NOT => {}
                rung::IN_CHAIN => {
                    self.pass_on(event_loop);
                    return false;
                }
                _ => return false,
            }
            let mut state = self.lock();
            // Otherwise it is being rung this moment.
            if seat.place.load(Ordering::Relaxed) == place::PARKED {
                let looked = looks.is_some() && !disturbed;
                // If nobody watches, whoever ended the gathering had nothing to wait for.
                if looked && !state.gathering.give_up() && state.watcher.is_some() {
                    continue;
                }
                unpark(&mut state, seat);
                return !looked;
            }
        }
    }

    /// Sits on the sockets until something comes, does what is to be done then, and wakes whom that answers. Whether
    /// nothing came.
    fn watch(
        &self,
        event_loop: &Arc<dyn EventLoop>,
        seat: &Arc<Seat>,
        mut state: MutexGuard<'_, State>,
    ) -> bool {
        let now = clock::now();
        let first = state.timers.keys().next().map(|&(at, _)| at);
        let until = first.map_or(now + SLICE, |first| first.min(now + SLICE));
        state.watches_until = until;
        state.watcher = Some(Arc::clone(seat));
        seat.place.store(place::WATCHING, Ordering::Relaxed);
        drop(state);

        let mut room = [const { MaybeUninit::uninit() }; 8];
        let rest = Timespec::try_from(until.since(now)).ok();
        let events: &[epoll::Event] = match epoll::wait(&self.epoll, &mut room, rest.as_ref()) {
            Ok((events, _)) => events,
            // Disturbed by a signal.
            Err(_) => &[],
        };

        let mut found: Vec<(Arc<Sides>, epoll::EventFlags)> = Vec::with_capacity(events.len());
        let due = {
            let mut state = self.lock();
            state.watcher = None;
            seat.place.store(place::AWAY, Ordering::Relaxed);
            for &epoll::Event { data, flags } in events {
                match state.watched.get(&data.u64()) {
                    Some(sides) => found.push((Arc::clone(sides), flags)),
                    None => {
                        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
                    }
                }
            }
            if HALVES.contains(&(state.parked.len() + 1)) {
                let elsewhere = |(sides, _): &(Arc<Sides>, _)| sides.comes_from_another_core();
                state.apart = found.iter().any(elsewhere);
            }
            let now = clock::now();
            if now < until {
                BTreeMap::new()
            } else {
                let later = state.timers.split_off(&(now, u64::MAX));
                std::mem::replace(&mut state.timers, later)
            }
        };
        let quiet = events.is_empty();
        self.work(|| {
            for waker in due.into_values() {
                waker.wake();
            }
            for (sides, flags) in found {
                sides.found(flags);
            }
        });
        self.run_ready(event_loop);
        quiet
    }

    /// Runs the tasks that are ready, and those that this makes ready.
    fn run_ready(&self, event_loop: &Arc<dyn EventLoop>) {
        for round in 0..ROUNDS_MAX {
            let ready = {
                let mut state = self.lock();
                if state.ready.is_empty() || (state.gathers() && round > 0) {
                    return;
                }
                std::mem::take(&mut state.ready)
            };
            self.work(|| {
                enter(event_loop, || {
                    for job in ready {
                        if job.run() {
                            let ended = self.lock().jobs.remove(&job.number);
                            drop(ended);
                        }
                    }
                });
            });
        }
    }

    fn enqueue(&self, job: Arc<Job>) {
        let mut state = self.lock();
        state.ready.push_back(job);
        // Whoever is at work runs it soon, and so does the end of the chain.
        if !self.is_at_work() && !state.chained && state.watcher.is_some() {
            self.ring();
        }
    }

    /// Drops every task.
    pub(crate) fn end(self: &Arc<Self>) {
        if self.generation != fork::generation() {
            return;
        }
        let event_loop = Arc::clone(self) as Arc<dyn EventLoop>;
        let (jobs, ready) = {
            let mut state = self.lock();
            (
                std::mem::take(&mut state.jobs),
                std::mem::take(&mut state.ready),
            )
        };
        self.work(|| enter(&event_loop, || drop((jobs, ready))));
    }
}

impl State {
    /// Those who were answered are about to be woken: what they ask next is waited for, unless somebody else waits for a reply.
    fn gather(&mut self) {
        let parked = |seat: &&Arc<Seat>| seat.place.load(Ordering::Relaxed) == place::PARKED;
        let to_wake = self.answered.iter().filter(parked).count();
        if self.watcher.is_none() && self.parked.len() == to_wake {
            self.gathering
                .begin(self.answered.len(), self.apart, clock::now());
        } else {
            self.gathering.end();
        }
    }

    /// What was asked for waits for others.
    fn gathers(&self) -> bool {
        !self.lets_out && (self.chained || self.gathering.holds())
    }
}

/// What was asked for goes out until this is dropped.
struct LettingOut<'a>(&'a Threads);

impl Drop for LettingOut<'_> {
    fn drop(&mut self) {
        self.0.lock().lets_out = false;
    }
}

/// Has one of those who are parked watch, if nobody does; if others are about to ask, one of those will.
fn have_watcher(mut state: MutexGuard<'_, State>) {
    if state.watcher.is_some() || state.gathering.holds() {
        return;
    }
    let waits = |seat: &&Arc<Seat>| !seat.woken.load(Ordering::Acquire);
    let watcher = state.parked.iter().find(waits).map(Arc::clone);
    if let Some(watcher) = watcher {
        unpark(&mut state, &watcher);
        drop(state);
        watcher.ring(rung::TO_WATCH);
    }
}

fn unpark(state: &mut State, seat: &Arc<Seat>) {
    seat.place.store(place::AWAY, Ordering::Relaxed);
    let found = state
        .parked
        .iter()
        .position(|parked| Arc::ptr_eq(parked, seat));
    if let Some(found) = found {
        state.parked.remove(found);
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Threads")
    }
}

impl EventLoop for Threads {
    fn spawn(&self, task: Task) {
        let job = {
            let mut state = self.lock();
            let number = state.next;
            state.next += 1;
            let job = Arc::new(Job {
                number,
                threads: self.ourselves.clone(),
                task: Mutex::new(Some(task)),
                stage: AtomicU32::new(stage::RESTS),
            });
            state.jobs.insert(number, Arc::clone(&job));
            job
        };
        job.wake();
    }

    fn watch(&self, socket: OwnedFd) -> io::Result<Box<dyn Watch>> {
        let sides = Arc::new(Sides {
            socket,
            read: Readiness::default(),
            write: Readiness::default(),
        });
        let number = {
            let mut state = self.lock();
            let number = state.next;
            state.next += 1;
            state.watched.insert(number, Arc::clone(&sides));
            number
        };
        let watched = Watched {
            threads: self.ourselves.clone(),
            number,
            sides,
        };
        let data = epoll::EventData::new_u64(number);
        // Told once for each thing that comes: whoever drives the socket may have been put aside in the middle of that, and
        // the watcher must not be told the same again and again until he goes on.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(&self.epoll, &watched.sides.socket, data, flags)?;
        Ok(Box::new(watched))
    }

    fn wake_at(&self, at: Moment, waker: &Waker) -> u64 {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.timers.insert((at, number), waker.clone());
        if state.watcher.is_some() && at < state.watches_until {
            self.ring();
        }
        number
    }

    fn forget(&self, at: Moment, number: u64) {
        let timer = self.lock().timers.remove(&(at, number));
        drop(timer);
    }

    fn gathers(&self) -> bool {
        let state = self.lock();
        state.gathers() || (!state.lets_out && !state.answered.is_empty())
    }
}

/// Both directions of a socket.
#[derive(Debug)]
struct Sides {
    socket: OwnedFd,
    read: Readiness,
    write: Readiness,
}

impl Sides {
    fn found(&self, flags: epoll::EventFlags) {
        use epoll::EventFlags as Flags;
        if flags.intersects(Flags::IN | Flags::HUP | Flags::ERR | Flags::RDHUP) {
            self.read.found();
        }
        if flags.intersects(Flags::OUT | Flags::HUP | Flags::ERR) {
            self.write.found();
        }
    }

    /// Whether what came last was handled on another core than this thread runs on. What a server on the same host sends is
    /// handled on the core that it runs on; of a Unix socket nothing is known.
    fn comes_from_another_core(&self) -> bool {
        // The kernel has no word for "nothing came yet" but a number that no core has.
        let known = |core: &usize| *core < MANY_CORES;
        let core = socket_incoming_cpu(&self.socket).ok();
        core.and_then(|core| usize::try_from(core).ok())
            .filter(known)
            .is_some_and(|core| core != sched_getcpu())
    }
}

/// A socket that is watched until this is dropped.
struct Watched {
    threads: Weak<Threads>,
    number: u64,
    sides: Arc<Sides>,
}

impl Watch for Watched {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sides.read.poll(context).map(Ok)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sides.write.poll(context).map(Ok)
    }

    fn may_hold_more(&self) {
        self.sides.read.found();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.upgrade()
            && threads.generation == fork::generation()
        {
            // One that is not watched need not be let go of.
            let _ = epoll::delete(&threads.epoll, &self.sides.socket);
            threads.lock().watched.remove(&self.number);
        }
    }
}

/// A task, and how it stands.
struct Job {
    number: u64,
    threads: Weak<Threads>,
    task: Mutex<Option<Task>>,
    stage: AtomicU32,
}

/// The values of [`Job::stage`].
mod stage {
    pub(super) const RESTS: u32 = 0;
    pub(super) const QUEUED: u32 = 1;
    pub(super) const RUNS: u32 = 2;
    /// It runs, and was woken meanwhile.
    pub(super) const RUNS_AND_GOES_ON: u32 = 3;
}

impl Job {
    /// Runs it as far as it goes; whether it has ended.
    fn run(self: &Arc<Self>) -> bool {
        self.stage.store(stage::RUNS, Ordering::Release);
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = task.as_mut() else {
            return true;
        };
        let waker = Waker::from(Arc::clone(self));
        if Pin::new(running)
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
        {
            *task = None;
            return true;
        }
        drop(task);
        let rests = self.stage.compare_exchange(
            stage::RUNS,
            stage::RESTS,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if rests.is_err() {
            self.stage.store(stage::QUEUED, Ordering::Release);
            if let Some(threads) = self.threads.upgrade() {
                threads.enqueue(Arc::clone(self));
            }
        }
        false
    }
}

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        let woken = self
            .stage
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| match now {
                stage::RESTS => Some(stage::QUEUED),
                stage::RUNS => Some(stage::RUNS_AND_GOES_ON),
                _ => None,
            });
        if woken == Ok(stage::RESTS)
            && let Some(threads) = self.threads.upgrade()
        {
            threads.enqueue(self);
        }
    }
}

#[cfg(test)]
mod tests;
