//! Runs the engine's tasks on one loop of asyncio.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use pyo3::exceptions::{PyException, PyNotImplementedError, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyWeakrefReference};
use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Pid, getpid};
use seawall::Moment;
use seawall::asynchronous::{Begun, EventLoop, Pending, Task, Watch, enter};

use super::future::{CallFuture, Waiter};
use super::job::Job;
use super::link::Done;
use super::running::Resuming;
use super::socket::WatchedSocket;
use crate::attempts::Story;
use crate::calls;

/// What may be touched from any thread.
pub(crate) struct Core {
    queue: Mutex<VecDeque<Arc<Job>>>,
    /// Every task that has not ended: a loop that ends drops them, and with them what they hold.
    jobs: Mutex<HashMap<u64, Arc<Job>>>,
    next: AtomicU64,
    timers: Mutex<BTreeMap<(Moment, u64), Waker>>,
    done: Mutex<Vec<Done>>,
    /// Calls that wait for their replies without a task.
    waiting: AtomicUsize,
    /// The thread that the loop runs on, and whether it is inside one of the entries: then nobody need be called.
    thread: AtomicUsize,
    inside: AtomicBool,
    /// The process that made it: a forked child has the same selector, and must not touch what it watches.
    process: Pid,
    bell: OwnedFd,
    /// The loop, weakly: it owns us.
    event_loop: Py<PyWeakrefReference>,
    over: AtomicBool,
    /// Ourselves as Python knows us, weakly.
    executor: Mutex<Option<Py<PyWeakrefReference>>>,
}

/// Of twice as many tasks that go on together, half are heard by the server while the other half still asks. Of fewer, one
/// write more costs more than the server's rest.
const HALF_MIN: usize = 16;

/// The connection's task, the callers that it answers, the connection's task again for what they ask next, and as many
/// to spare.
const ROUNDS_MAX: usize = 6;

/// What was to come then and is so late will not come: an exception out of a signal's handler came in its place, and whoever
/// ran the loop runs it again.
const LOST: Duration = Duration::from_millis(100);

/// A callback of ours that the loop is asked for. Only the one that was asked for last counts: where one was taken for lost and comes all
/// the same, neither asks for another in the other's stead.
#[derive(Default)]
struct Errand {
    number: u64,
    /// For when, and when it can come at the earliest.
    asked: Option<(Moment, Moment)>,
}

impl Errand {
    /// Whether it comes by then.
    fn comes_by(&self, at: Moment) -> bool {
        self.asked
            .is_some_and(|(asked, earliest)| asked <= at && seawall::now().since(earliest) <= LOST)
    }

    /// The loop is being asked for it. Its number.
    fn ask(&mut self, at: Moment, now: Moment) -> u64 {
        self.number += 1;
        self.asked = Some((at, at.max(now)));
        self.number
    }

    fn came(&mut self, number: u64) {
        if self.number == number {
            self.asked = None;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that no other living thread has.
fn this_thread() -> usize {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Core({} tasks)", lock(&self.jobs).len())
    }
}

impl Core {
    pub(super) fn enqueue(&self, job: Arc<Job>) {
        if self.over.load(Ordering::Acquire) {
            return;
        }
        lock(&self.queue).push_back(job);
        if !(self.inside.load(Ordering::Acquire) && self.is_here()) {
            self.ring();
        }
    }

    /// Calls for a tick from another thread, or from outside of the entries.
    fn ring(&self) {
        // A counter that is full is ringing already.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    pub(super) fn is_here(&self) -> bool {
        self.thread.load(Ordering::Acquire) == this_thread()
    }

    /// The loop's selector is its parent's too.
    pub(super) fn is_inherited(&self) -> bool {
        self.process != getpid()
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// A call is over: its future is resolved at the end of this entry.
    pub(super) fn finish(&self, done: Done) {
        self.stop_waiting(done.future());
        lock(&self.done).push(done);
    }

    /// A call waits for its reply, without a task.
    fn waits(&self, future: &CallFuture) {
        if !future.is_counted.swap(true, Ordering::Relaxed) {
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// It does so no more.
    fn stop_waiting(&self, future: &CallFuture) {
        if future.is_counted.swap(false, Ordering::Relaxed) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether any call waits for its reply, other than one that the server may hold back.
    fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    pub(super) fn event_loop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let event_loop = self.event_loop.bind(py).upgrade();
        event_loop.ok_or_else(|| PyRuntimeError::new_err("the event loop is gone"))
    }

    pub(super) fn executor(&self, py: Python<'_>) -> PyResult<Py<Executor>> {
        let executor = lock(&self.executor)
            .as_ref()
            .map(|executor| executor.clone_ref(py));
        let executor = executor.and_then(|executor| executor.bind(py).upgrade());
        match executor {
            Some(executor) => Ok(executor.cast_into::<Executor>()?.unbind()),
            None => Err(PyRuntimeError::new_err("the event loop's executor is gone")),
        }
    }

    fn spawn_job(self: &Arc<Self>, task: Task) -> Arc<Job> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let job = Job::new(number, self, task);
        lock(&self.jobs).insert(number, Arc::clone(&job));
        job
    }

    fn run_job(&self, job: &Arc<Job>) {
        if job.run() {
            lock(&self.jobs).remove(&job.number);
        }
    }

    /// Drops a task, if it has not ended.
    fn give_up(&self, job: &Job) {
        let held = lock(&self.jobs).remove(&job.number);
        if held.is_some() {
            job.give_up();
        }
    }

    /// Runs what is ready, and what that made ready, a few times over. What is left has its turn in the next tick: a
    /// task that only yields must not keep the loop from its sockets.
    fn run_ready(&self) {
        for _ in 0..ROUNDS_MAX {
            let ready = std::mem::take(&mut *lock(&self.queue));
            if ready.is_empty() {
                return;
            }
            for job in ready {
                self.run_job(&job);
            }
        }
    }

    /// Wakes whose time has come.
    fn ring_timers(&self) {
        let now = seawall::now();
        let due = {
            let mut timers = lock(&self.timers);
            let later = timers.split_off(&(now, u64::MAX));
            std::mem::replace(&mut *timers, later)
        };
        for waker in due.into_values() {
            waker.wake();
        }
    }

    fn first_timer(&self) -> Option<Moment> {
        lock(&self.timers).keys().next().map(|&(at, _)| at)
    }

    /// Drops every task.
    fn end(&self) {
        self.over.store(true, Ordering::Release);
        let jobs = std::mem::take(&mut *lock(&self.jobs));
        let queue = std::mem::take(&mut *lock(&self.queue));
        if self.is_inherited() {
            // A forked child: their connections are the parent's too, and must not be ended from here.
            std::mem::forget((jobs, queue));
            return;
        }
        for job in jobs.into_values().chain(queue) {
            job.give_up();
        }
        lock(&self.timers).clear();
        let done = std::mem::take(&mut *lock(&self.done));
        drop(done);
    }
}

/// The loop as the engine sees it.
#[derive(Debug)]
struct Door(Arc<Core>);

impl EventLoop for Door {
    fn spawn(&self, task: Task) {
        if self.0.is_over() {
            return;
        }
        let job = self.0.spawn_job(task);
        job.wake();
    }

    fn watch(&self, socket: OwnedFd) -> io::Result<Box<dyn Watch>> {
        let watched = Python::attach(|py| WatchedSocket::start(py, &self.0, socket));
        match watched {
            Ok(watched) => Ok(Box::new(watched)),
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }

    fn wake_at(&self, at: Moment, waker: &Waker) -> u64 {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.0.timers).insert((at, number), waker.clone());
        number
    }

    fn forget(&self, at: Moment, number: u64) {
        let timer = lock(&self.0.timers).remove(&(at, number));
        drop(timer);
    }
}

/// What makes a call.
pub(crate) enum Work {
    /// Its connection, without a task.
    AtOnce(Pending),
    /// A task, and what is told of it.
    Job(Arc<Job>, Story),
}

/// Where an entry comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whence {
    /// One of the loop's own callbacks: no task is in the middle of anything.
    Loop,
    /// Inside a task, it may be.
    Anywhere,
}

/// The loop's thread is inside of an entry until this is dropped.
struct Inside<'a> {
    core: &'a Core,
    /// Not an entry inside another: a finalizer that runs in the middle of one may make a call.
    outermost: bool,
}

impl<'a> Inside<'a> {
    fn step(core: &'a Core) -> Self {
        let outermost = !core.inside.swap(true, Ordering::AcqRel);
        Self { core, outermost }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if self.outermost {
            self.core.inside.store(false, Ordering::Release);
        }
    }
}

/// Called by the loop when another thread has woken a task. The loop has it alone: a loop that is closed lets go of it,
/// and that ends everything that was under way there.
#[pyclass(frozen, module = "seawall._ext")]
struct Keeper {
    executor: Py<Executor>,
}

#[pymethods]
impl Keeper {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let executor = self.executor.bind(py);
        let mut count = [0; 8];
        let _ = rustix::io::read(&executor.get().core.bell, &mut count);
        Executor::turn(executor, |_| ())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.executor.get().close();
    }
}

/// Runs the engine's tasks on one loop; kept by the loop.
#[pyclass(frozen, weakref, module = "seawall._ext")]
pub(crate) struct Executor {
    core: Arc<Core>,
    door: Arc<dyn EventLoop>,
    /// The tick that has not come.
    tick: Mutex<Errand>,
    /// Calls that were begun since the last entry that was none.
    begun: AtomicUsize,
    /// There was one the last time: who calls alone need not wait for others.
    alone: AtomicBool,
    /// The earliest timer that the loop was asked for.
    alarm: Mutex<Errand>,
}

#[pymethods]
impl Executor {
    /// For the loop that runs on this thread.
    #[new]
    fn new(event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let bell = bell.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        let core = Arc::new(Core {
            queue: Mutex::default(),
            jobs: Mutex::default(),
            next: AtomicU64::new(1),
            timers: Mutex::default(),
            done: Mutex::default(),
            waiting: AtomicUsize::new(0),
            thread: AtomicUsize::new(this_thread()),
            inside: AtomicBool::new(false),
            process: getpid(),
            bell,
            event_loop: PyWeakrefReference::new(event_loop)?.unbind(),
            over: AtomicBool::new(false),
            executor: Mutex::default(),
        });
        Ok(Self {
            door: Arc::new(Door(Arc::clone(&core))),
            core,
            tick: Mutex::default(),
            begun: AtomicUsize::new(0),
            alone: AtomicBool::new(true),
            alarm: Mutex::default(),
        })
    }

    /// Has the loop call us when another thread has woken a task. Once, right after it was made.
    fn attach(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        let py = slf.py();
        let event_loop = this.core.event_loop(py)?;
        let ourselves = PyWeakrefReference::new(slf)?.unbind();
        *lock(&this.core.executor) = Some(ourselves);
        let keeper = Keeper {
            executor: slf.clone().unbind(),
        };
        let watched = (this.core.bell.as_raw_fd(), Bound::new(py, keeper)?);
        let watching = calls::method(&event_loop, "add_reader", watched);
        match watching {
            Err(error) if error.is_instance_of::<PyNotImplementedError>(py) => {
                let kind = event_loop.get_type().fully_qualified_name()?;
                let refusal = PyRuntimeError::new_err(format!(
                    "{kind} cannot watch sockets (its add_reader is not implemented), and seawall.asyncio lives on that: \
                     use asyncio.SelectorEventLoop, the default on Linux, or uvloop"
                ));
                refusal.set_cause(py, Some(error));
                Err(refusal)
            }
            watching => watching.map(drop),
        }
    }

    /// Runs what is ready: a tick that was asked for.
    fn tick(slf: &Bound<'_, Self>, number: u64) -> PyResult<()> {
        lock(&slf.get().tick).came(number);
        Self::turn(slf, |_| ())
    }

    /// A timer that was asked for.
    fn alarm(slf: &Bound<'_, Self>, number: u64) -> PyResult<()> {
        lock(&slf.get().alarm).came(number);
        Self::turn(slf, |_| ())
    }

    /// Drops everything: the loop is closed, or about to be.
    fn close(&self) {
        enter(&self.door, || self.core.end());
    }
}

impl Executor {
    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// An entry by the loop itself: does `work`, runs what is ready, resolves what is done, resumes whom that answers, and
    /// asks for what comes next.
    pub(crate) fn turn(slf: &Bound<'_, Self>, work: impl FnOnce(&Arc<Core>)) -> PyResult<()> {
        Self::enter_from(slf, Whence::Loop, work)
    }

    /// The same from anywhere, in the middle of a task it may be: who is answered is resumed by the loop.
    pub(crate) fn enter<T>(
        slf: &Bound<'_, Self>,
        work: impl FnOnce(&Arc<Core>) -> T,
    ) -> PyResult<T> {
        Self::enter_from(slf, Whence::Anywhere, work)
    }

    fn enter_from<T>(
        slf: &Bound<'_, Self>,
        whence: Whence,
        work: impl FnOnce(&Arc<Core>) -> T,
    ) -> PyResult<T> {
        let this = slf.get();
        let core = &this.core;
        match this.begun.swap(0, Ordering::AcqRel) {
            0 => {}
            begun => this.alone.store(begun == 1, Ordering::Release),
        }
        let inside = Inside::step(core);
        let result = enter(&this.door, || {
            let result = work(core);
            if inside.outermost {
                core.ring_timers();
                core.run_ready();
            }
            result
        });
        this.leave(slf, inside, whence)?;
        Ok(result)
    }

    /// Begins a call, and does as much of it as can be done at once. What that woke runs in the next tick, with what others
    /// begin until then: all of it in one write. A loop whose calls came one by one so far is not asked for that tick, which
    /// would be a turn of the loop for nothing.
    pub(crate) fn begin(
        slf: &Bound<'_, Self>,
        future: &CallFuture,
        call: impl FnOnce() -> Begun,
    ) -> PyResult<Work> {
        let this = slf.get();
        let core = &this.core;
        if core.is_over() {
            return Err(PyRuntimeError::new_err(
                "the event loop that this client was used on is closed",
            ));
        }
        // Only the loop's own thread begins calls; a loop may be run by one thread after another.
        core.thread.store(this_thread(), Ordering::Release);
        let first = this.begun.fetch_add(1, Ordering::AcqRel) == 0;
        let inside = Inside::step(core);
        let work = enter(&this.door, || {
            let work = match call() {
                Begun::AtOnce(pending) => {
                    core.waits(future);
                    Work::AtOnce(pending)
                }
                Begun::Task(task) => {
                    let (story, task) = Story::of(task);
                    let job = core.spawn_job(task);
                    core.run_job(&job);
                    Work::Job(job, story)
                }
            };
            if first && inside.outermost && this.alone.load(Ordering::Acquire) {
                core.run_ready();
            }
            work
        });
        this.leave(slf, inside, Whence::Anywhere)?;
        Ok(work)
    }

    fn leave(&self, slf: &Bound<'_, Self>, inside: Inside<'_>, whence: Whence) -> PyResult<()> {
        let outermost = inside.outermost;
        drop(inside);
        if outermost {
            self.settle(slf, whence)
        } else {
            Ok(())
        }
    }

    /// The caller of this has gone.
    pub(crate) fn give_up(slf: &Bound<'_, Self>, future: &CallFuture, work: &Work) -> PyResult<()> {
        Self::enter(slf, |core| {
            core.stop_waiting(future);
            match work {
                Work::AtOnce(pending) => pending.give_up(),
                Work::Job(job, _) => core.give_up(job),
            }
        })
    }

    /// Resolves the futures of what is done, resumes whom that answers, and asks for what comes next.
    fn settle(&self, slf: &Bound<'_, Self>, whence: Whence) -> PyResult<()> {
        let py = slf.py();
        let mut at_once = whence == Whence::Loop;
        let mut interrupt = None;
        // What is sent in the middle of it may end a call that cannot be sent: once more, then.
        for may_split in [true, false] {
            let done = std::mem::take(&mut *lock(&self.core.done));
            if done.is_empty() {
                break;
            }
            // All of them before anybody goes on.
            let answered = done.into_iter().filter_map(|done| done.resolve(py));
            let answered: Vec<_> = answered.collect();
            at_once = at_once && self.may_resume(py).unwrap_or(false);
            if let Err(error) = self.wake(slf, answered, at_once, may_split) {
                at_once = false;
                interrupt.get_or_insert(error);
            }
        }
        let asked = self.ask(slf);
        interrupt.map_or(asked, Err)
    }

    /// Wakes the callers of these. What interrupts one of them takes nobody else's answer along, and comes back.
    fn wake(
        &self,
        slf: &Bound<'_, Self>,
        answered: Vec<(Py<CallFuture>, Waiter)>,
        mut at_once: bool,
        may_split: bool,
    ) -> PyResult<()> {
        let py = slf.py();
        let half = answered.len() / 2;
        // Nobody else is owed a reply: a server would rest until all of these have asked for more.
        let splits = may_split && half >= HALF_MIN && !self.core.is_awaited();
        let mut interrupt = None;
        let _resuming = at_once.then(Resuming::begin);
        for (place, (future, waiter)) in answered.into_iter().enumerate() {
            let future = future.bind(py);
            if at_once && splits && place == half {
                self.send();
            }
            let woken = if at_once {
                CallFuture::wake_now(future, &waiter)
            } else {
                CallFuture::wake_soon(future, &waiter)
            };
            match woken {
                Err(error) if error.is_instance_of::<PyException>(py) => {
                    error.write_unraisable(py, Some(slf));
                }
                Err(error) => {
                    // It ends the loop: the others go on if that goes on.
                    at_once = false;
                    interrupt.get_or_insert(error);
                }
                Ok(()) => {}
            }
        }
        interrupt.map_or(Ok(()), Err)
    }

    /// Sends what was asked for so far.
    fn send(&self) {
        let _inside = Inside::step(&self.core);
        enter(&self.door, || self.core.run_ready());
    }

    /// Whether tasks may go on inside of our callbacks. Not where the loop watches its callbacks: each is to be blamed for
    /// its own time. Nor where a task may run the loop (`nest_asyncio`): inside of it the callback that the task goes on in
    /// cannot be called again, nor does anybody wake whom it has not come to.
    fn may_resume(&self, py: Python<'_>) -> PyResult<bool> {
        let event_loop = self.core.event_loop(py)?;
        let get_debug = intern!(py, "get_debug");
        let debugged = calls::method(&event_loop, get_debug, PyTuple::empty(py))?.is_truthy()?;
        Ok(!debugged && !event_loop.hasattr(intern!(py, "_nest_patched"))?)
    }

    /// Asks the loop for a tick and a timer, where they are needed.
    fn ask(&self, slf: &Bound<'_, Self>) -> PyResult<()> {
        let waiting = !lock(&self.core.queue).is_empty();
        let ticks = waiting && !lock(&self.tick).comes_by(Moment::NEVER);
        let first = self.core.first_timer();
        let arm = first.filter(|&first| !lock(&self.alarm).comes_by(first));
        if !ticks && arm.is_none() {
            return Ok(());
        }
        let event_loop = self.core.event_loop(slf.py())?;
        let now = seawall::now();
        if ticks {
            let number = lock(&self.tick).ask(now, now);
            let soon = (slf.getattr("tick")?, number);
            calls::method(&event_loop, "call_soon", soon)?;
        }
        if let Some(at) = arm {
            let number = lock(&self.alarm).ask(at, now);
            let later = (at.since(now).as_secs_f64(), slf.getattr("alarm")?, number);
            calls::method(&event_loop, "call_later", later)?;
        }
        Ok(())
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        enter(&self.door, || self.core.end());
    }
}
