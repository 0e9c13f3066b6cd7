//! What happens in the engine, on its way to Python.
//!
//! An event is told on the thread on which it happened: the tender's, which must never wait for an interpreter, or a
//! caller's, which has let go of it. So it is put into a bounded queue, as plain data and under a lock that is held for
//! nothing else, and a thread of Python's (`seawall/_drain.py`) takes it from there. That thread waits for the bell in
//! Python's own `poll`: an interpreter that ends ends it, and no frame of ours is on its stack. A queue belongs to one
//! process: a forked child makes another before it touches a lock.

mod ration;
mod told;

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use rustix::event::{EventfdFlags, eventfd};
use seawall::Event;

use crate::{attempts, calls};
use ration::Ration;
use told::Told;

/// How many events wait of connections and calls; a storm of these must leave room for what is told of the endpoint.
const ROOM: usize = 1_024;
/// How many wait in all. One is some 200 bytes.
const ROOM_FOR_HEALTH: usize = 2_048;

static QUEUE: ArcSwapOption<Queue> = ArcSwapOption::const_empty();
/// Something waits in the queue, and nobody drains it.
static UNDRAINED: AtomicBool = AtomicBool::new(false);
/// Starts the thread that drains it.
static STARTER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

struct Queue {
    process: u32,
    bell: OwnedFd,
    rung: AtomicBool,
    drained: AtomicBool,
    /// Whether every event is wanted, or those alone that make a line of the log.
    listening: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    told: VecDeque<Told>,
    dropped: u64,
    ration: Ration,
}

impl Queue {
    /// The one of this process; `None` where not even a descriptor can be had.
    fn current() -> Option<Arc<Self>> {
        let process = std::process::id();
        let known = QUEUE.load();
        if let Some(known) = &*known
            && known.process == process
        {
            return Some(Arc::clone(known));
        }
        let listening = known
            .as_ref()
            .is_some_and(|parents| parents.listening.load(Ordering::Relaxed));
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok()?;
        let made = Arc::new(Self {
            process,
            bell,
            rung: AtomicBool::new(false),
            drained: AtomicBool::new(false),
            listening: AtomicBool::new(listening),
            waiting: Mutex::default(),
        });
        let before = QUEUE.compare_and_swap(&*known, Some(Arc::clone(&made)));
        let ours = match &*before {
            // Another thread was quicker.
            Some(other) if other.process == process => Arc::clone(other),
            _ => made,
        };
        // What a parent left may be locked, and half written, for ever.
        std::mem::forget((known, before));
        Some(ours)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, mut told: Told) {
        let listening = self.listening.load(Ordering::Relaxed);
        {
            let mut waiting = self.lock();
            told.line = waiting.ration.ask(&told);
            if told.line.is_none() && !listening {
                return;
            }
            let room = if told.of_health {
                ROOM_FOR_HEALTH
            } else {
                ROOM
            };
            if waiting.told.len() >= room {
                waiting.dropped += 1;
                return;
            }
            waiting.told.push_back(told);
        }
        if !self.drained.load(Ordering::Acquire) {
            UNDRAINED.store(true, Ordering::Release);
        }
        self.ring();
    }

    fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // Its counter cannot overflow by single rings.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }
}

/// The engine's listener: no Python here.
pub(crate) fn hear(endpoint: &str, event: &Event<'_>) {
    attempts::hear(event);
    if let Some(told) = Told::of(endpoint, event)
        && let Some(queue) = Queue::current()
    {
        queue.put(told);
    }
}

/// Has the draining thread started, if something waits and there is none: after a fork, at a process's first event.
/// Called as a call comes back to Python, with no lock held.
pub(crate) fn look(py: Python<'_>) {
    if UNDRAINED.load(Ordering::Relaxed)
        && UNDRAINED.swap(false, Ordering::AcqRel)
        && let Some(starter) = STARTER.get(py)
        && let Err(error) = calls::call(starter.bind(py), PyTuple::empty(py), None)
    {
        error.write_unraisable(py, None);
    }
}

/// Tells how the draining thread is started; once, when `seawall` is imported.
#[pyfunction]
pub(crate) fn install_drain(py: Python<'_>, starter: Py<PyAny>) {
    // A second import finds the first one's, which is the same.
    let _ = STARTER.set(py, starter);
}

fn queue() -> PyResult<Arc<Queue>> {
    Queue::current().ok_or_else(|| {
        PyOSError::new_err("no descriptor can be had: is the limit of open files reached?")
    })
}

/// The descriptor that is readable while events wait. Whoever asks drains this process's queue from now on.
#[pyfunction]
pub(crate) fn events_bell() -> PyResult<i32> {
    let queue = queue()?;
    queue.drained.store(true, Ordering::Release);
    UNDRAINED.store(false, Ordering::Release);
    Ok(queue.bell.as_raw_fd())
}

/// Rings it without an event.
#[pyfunction]
pub(crate) fn events_ring() -> PyResult<()> {
    queue().map(|queue| queue.ring())
}

/// The drain has ended: the next event asks for another one.
#[pyfunction]
pub(crate) fn events_left() -> PyResult<()> {
    let queue = queue()?;
    queue.drained.store(false, Ordering::Release);
    UNDRAINED.store(!queue.lock().told.is_empty(), Ordering::Release);
    Ok(())
}

/// Takes up to `most` events, the oldest first: `(name, endpoint, cause, at, facts, level, suppressed)`; `suppressed` is
/// `None` where the log's ration is used up.
#[pyfunction]
pub(crate) fn events_take(py: Python<'_>, most: usize) -> PyResult<Vec<Bound<'_, PyTuple>>> {
    let queue = queue()?;
    let mut count = [0; 8];
    let _ = rustix::io::read(&queue.bell, &mut count);
    // After the read: a ring from here on is heard.
    queue.rung.store(false, Ordering::Release);
    let (taken, more) = {
        let mut waiting = queue.lock();
        let most = most.min(waiting.told.len());
        let taken: Vec<_> = waiting.told.drain(..most).collect();
        (taken, !waiting.told.is_empty())
    };
    if more {
        queue.ring();
    }
    taken.iter().map(|told| told.as_tuple(py)).collect()
}

/// Whether every event is wanted from now on, or those alone that make a line of the log.
#[pyfunction]
pub(crate) fn events_listen(all: bool) -> PyResult<()> {
    queue().map(|queue| queue.listening.store(all, Ordering::Relaxed))
}

/// How many events wait, and how many had no room.
#[pyfunction]
pub(crate) fn events_count() -> PyResult<(usize, u64)> {
    let queue = queue()?;
    let waiting = queue.lock();
    Ok((waiting.told.len(), waiting.dropped))
}
