//! The attempts of one call, for those who trace it: nothing is kept unless somebody asked.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use seawall::asynchronous::Task;
use seawall::{Cause, Event};

use crate::calls;

/// An attempt that failed: its number, why, how long the next one waited in milliseconds, and why there is none.
pub(crate) type Attempt = (u32, &'static str, Option<u64>, Option<&'static str>);

/// What is remembered of one call at most; the engine's own limit is ten attempts.
const KEPT_MAX: usize = 32;

static TRACED: AtomicBool = AtomicBool::new(false);
static HOOK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

thread_local! {
    static HERE: RefCell<Vec<Attempt>> = const { RefCell::new(Vec::new()) };
}

/// Retries are told on the thread of the call, or in its task.
pub(crate) fn hear(event: &Event<'_>) {
    if !are_traced() {
        return;
    }
    let attempt = match *event {
        Event::Retried {
            cause,
            attempt,
            waited,
            ..
        } => {
            let waited = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
            (attempt.saturating_sub(1), cause.name(), Some(waited), None)
        }
        Event::RetryRefused { cause, why, .. } => (0, Cause::name(cause), None, Some(why.name())),
        _ => return,
    };
    HERE.with(|here| {
        let mut here = here.borrow_mut();
        if here.len() < KEPT_MAX {
            here.push(attempt);
        }
    });
}

/// Takes what was told on this thread.
fn take() -> Vec<Attempt> {
    HERE.with(|here| std::mem::take(&mut *here.borrow_mut()))
}

/// A greenlet leaves its thread to others: what was told of its call goes with it.
pub(crate) fn put_aside() -> Vec<Attempt> {
    take()
}

/// It is back. What was told of the others is theirs, and they have taken it.
pub(crate) fn take_up(told: Vec<Attempt>) {
    HERE.with(|here| *here.borrow_mut() = told);
}

/// What was told on this thread before a call is not the call's.
pub(crate) fn begin() {
    if are_traced() {
        take();
    }
}

/// A call is over, on the thread that asked for it: whoever traces is told, if there is something to tell. `answered` is
/// whether the last attempt was, where that is known.
pub(crate) fn end(py: Python<'_>, answered: Option<bool>) {
    if are_traced() {
        let attempts = take();
        if !attempts.is_empty()
            && let Some(hook) = HOOK.get(py)
            && let Err(error) = calls::call(hook.bind(py), (attempts, answered), None)
        {
            error.write_unraisable(py, None);
        }
    }
}

/// Tells who is told of attempts; and that they are kept from now on, or no more.
#[pyfunction]
pub(crate) fn trace_attempts(py: Python<'_>, hook: Py<PyAny>, on: bool) {
    let _ = HOOK.set(py, hook);
    TRACED.store(on, Ordering::Relaxed);
}

/// Whether somebody traces.
pub(crate) fn are_traced() -> bool {
    TRACED.load(Ordering::Relaxed)
}

/// What was told in a task, one poll after another.
#[derive(Clone, Default)]
pub(crate) struct Story(Option<Arc<Mutex<Vec<Attempt>>>>);

impl Story {
    /// Wraps a task, if somebody traces.
    pub(crate) fn of(task: Task) -> (Self, Task) {
        if !are_traced() {
            return (Self::default(), task);
        }
        let kept = Arc::new(Mutex::new(Vec::new()));
        let noted = Noted {
            task,
            kept: Arc::clone(&kept),
        };
        (Self(Some(kept)), Box::pin(noted))
    }

    pub(crate) fn take(&self) -> Vec<Attempt> {
        self.0.as_ref().map_or_else(Vec::new, |kept| {
            std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}

struct Noted {
    task: Task,
    kept: Arc<Mutex<Vec<Attempt>>>,
}

impl Future for Noted {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // One task may be polled inside another's poll, by a finalizer.
        let others = take();
        let polled = self.task.as_mut().poll(context);
        let ours = HERE.with(|here| std::mem::replace(&mut *here.borrow_mut(), others));
        if !ours.is_empty() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(ours);
        }
        polled
    }
}
