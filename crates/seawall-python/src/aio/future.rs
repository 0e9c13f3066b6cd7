//! What a task awaits while its call is under way.
//!
//! It does what tasks ask of a future (<https://docs.python.org/3/library/asyncio-future.html>), and no more: nobody but
//! the one coroutine of our own that began the call ever sees it. Where the loop itself is in the middle of nothing, it
//! resumes its task at once, instead of by a callback of the loop's, which costs as much as the rest of a call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use pyo3::exceptions::asyncio::CancelledError;
use pyo3::exceptions::{PyBaseException, PyException, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit, intern};

use super::executor::{Executor, Work};
use crate::attempts::Attempt;
use crate::{calls, direct};

/// How a call ended.
enum Ended {
    Well(Py<PyAny>),
    /// With this, until it is told: kept any longer, it would keep itself, by the frames in its traceback.
    Badly(Option<Py<PyBaseException>>),
    /// Its task was cancelled, with this for a message.
    Cancelled(Option<Py<PyAny>>),
}

/// What resumes the task, and in which context.
pub(super) struct Waiter {
    callback: Py<PyAny>,
    context: Option<Py<PyAny>>,
}

#[derive(Default)]
struct State {
    ended: Option<Ended>,
    waiter: Option<Waiter>,
}

/// A call under way, and the future that its task awaits.
#[pyclass(frozen, module = "seawall._ext")]
pub(crate) struct CallFuture {
    executor: Py<Executor>,
    work: OnceLock<Work>,
    /// It is one of those that the executor counts.
    pub(super) is_counted: AtomicBool,
    /// What tasks look at to tell `yield` from `yield from`.
    blocking: AtomicBool,
    state: Mutex<State>,
}

#[pymethods]
impl CallFuture {
    #[getter(_asyncio_future_blocking)]
    fn is_blocking(&self) -> bool {
        self.blocking.load(Ordering::Relaxed)
    }

    #[setter(_asyncio_future_blocking)]
    fn set_blocking(&self, blocking: bool) {
        self.blocking.store(blocking, Ordering::Relaxed);
    }

    fn get_loop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.executor.bind(py).get().core().event_loop(py)
    }

    /// One task awaits it, once.
    #[pyo3(signature = (callback, /, *, context = None))]
    fn add_done_callback(
        slf: &Bound<'_, Self>,
        callback: Py<PyAny>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let waiter = Waiter { callback, context };
        let (waiter, refused) = {
            let mut state = slf.get().lock();
            if state.ended.is_some() {
                (Some(waiter), None)
            } else if state.waiter.is_some() {
                (None, Some(waiter))
            } else {
                state.waiter = Some(waiter);
                (None, None)
            }
        };
        if refused.is_some() {
            return Err(PyRuntimeError::new_err("it is awaited already"));
        }
        waiter.map_or(Ok(()), |waiter| Self::wake_soon(slf, &waiter))
    }

    /// Its task is cancelled. What that means for the call is for its coroutine to say: see `give_up`.
    #[pyo3(signature = (msg = None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        match slf.get().end(Ended::Cancelled(msg)) {
            Err(_) => Ok(false),
            Ok(waiter) => {
                waiter.map_or(Ok(()), |waiter| Self::wake_soon(slf, &waiter))?;
                Ok(true)
            }
        }
    }

    /// What the call came to.
    fn result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &mut self.lock().ended {
            Some(Ended::Well(value)) => Ok(value.bind(py).clone()),
            Some(Ended::Badly(error)) => Err(match error.take() {
                Some(error) => PyErr::from_value(error.into_bound(py).into_any()),
                None => PyRuntimeError::new_err("its error was told already"),
            }),
            Some(Ended::Cancelled(None)) => Err(CancelledError::new_err(())),
            Some(Ended::Cancelled(Some(msg))) => Err(CancelledError::new_err(msg.clone_ref(py))),
            None => Err(PyRuntimeError::new_err("it has not ended")),
        }
    }

    /// Whether it was answered, and not with an error.
    fn is_answered(&self) -> bool {
        matches!(self.lock().ended, Some(Ended::Well(_)))
    }

    fn __await__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    /// Itself until it has ended, for the task to wait for; then nothing.
    fn __next__<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, Self>> {
        let this = slf.get();
        if this.lock().ended.is_some() {
            return None;
        }
        this.blocking.store(true, Ordering::Relaxed);
        Some(slf.clone())
    }

    /// Its caller has gone: it is taken back if nothing of it was sent; else its reply goes to nobody.
    fn give_up(&self, py: Python<'_>) -> PyResult<()> {
        match self.work.get() {
            Some(work) => Executor::give_up(self.executor.bind(py), self, work),
            None => Ok(()),
        }
    }

    /// The attempts that failed, where somebody traces: see `attempts.rs`. Each is told once.
    fn attempts(&self) -> Vec<Attempt> {
        match self.work.get() {
            Some(Work::Job(_, story)) => story.take(),
            Some(Work::AtOnce(_)) | None => Vec::new(),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Held by nobody at such a moment but a thread that is stopped there: then it is no garbage.
        let Ok(state) = self.state.try_lock() else {
            return Ok(());
        };
        visit.call(&self.executor)?;
        match &state.ended {
            Some(Ended::Well(value)) => visit.call(value)?,
            Some(Ended::Cancelled(msg)) => visit.call(msg)?,
            Some(Ended::Badly(error)) => visit.call(error)?,
            None => {}
        }
        if let Some(waiter) = &state.waiter {
            visit.call(&waiter.callback)?;
            visit.call(&waiter.context)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let state = std::mem::take(&mut *self.lock());
        drop(state);
    }
}

impl CallFuture {
    pub(super) fn new<'py>(executor: &Bound<'py, Executor>) -> PyResult<Bound<'py, Self>> {
        let future = Self {
            executor: executor.clone().unbind(),
            work: OnceLock::new(),
            is_counted: AtomicBool::new(false),
            blocking: AtomicBool::new(false),
            state: Mutex::default(),
        };
        Bound::new(executor.py(), future)
    }

    /// What works on it. Said once, when that has begun.
    pub(super) fn is_worked_on(&self, work: Work) {
        let _ = self.work.set(work);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its end, if it is the first: whom to wake. What it is told in vain comes back, to be let go of without the lock.
    fn end(&self, ended: Ended) -> Result<Option<Waiter>, Ended> {
        let mut state = self.lock();
        if state.ended.is_some() {
            return Err(ended);
        }
        state.ended = Some(ended);
        Ok(state.waiter.take())
    }

    /// The call is over: whom to wake, if he is still there.
    pub(super) fn resolve(
        &self,
        py: Python<'_>,
        outcome: PyResult<Bound<'_, PyAny>>,
    ) -> Option<Waiter> {
        let ended = match outcome {
            Ok(value) => Ended::Well(value.unbind()),
            Err(error) => Ended::Badly(Some(error.into_value(py))),
        };
        self.end(ended).ok().flatten()
    }

    /// Resumes the task that waited. For callbacks of the loop's alone: inside a task no other one can be resumed.
    pub(super) fn wake_now(slf: &Bound<'_, Self>, waiter: &Waiter) -> PyResult<()> {
        let py = slf.py();
        let callback = waiter.callback.bind(py);
        // A task asks a future of asyncio's own for its result in a tenth of the time, and what it is given here is thrown
        // away: the coroutine asks this one.
        let over = match direct::over(py) {
            Some(over) if slf.get().is_answered() => over,
            _ => slf.as_any(),
        };
        let woken = match &waiter.context {
            Some(context) => calls::method(context.bind(py), intern!(py, "run"), (callback, over)),
            None => calls::call(callback, (over,), None),
        };
        match woken {
            // A loop whose callbacks are run inside of a task's: nothing of the task has run. Otherwise it has, and what it
            // awaits now failed to take its callback.
            Err(error)
                if error.is_instance_of::<PyException>(py) && slf.get().is_in_task(py)? =>
            {
                Self::wake_soon(slf, waiter)
            }
            woken => woken.map(drop),
        }
    }

    /// Whether the loop is in the middle of a task.
    fn is_in_task(&self, py: Python<'_>) -> PyResult<bool> {
        let event_loop = self.get_loop(py)?;
        let current_task = py.import(intern!(py, "asyncio"))?.getattr("current_task")?;
        Ok(!calls::call(&current_task, (event_loop,), None)?.is_none())
    }

    /// Has the loop resume the task that waited.
    pub(super) fn wake_soon(slf: &Bound<'_, Self>, waiter: &Waiter) -> PyResult<()> {
        let py = slf.py();
        let options = PyDict::new(py);
        if let Some(context) = &waiter.context {
            options.set_item(intern!(py, "context"), context)?;
        }
        let event_loop = slf.get().get_loop(py)?;
        let call_soon = event_loop.getattr(intern!(py, "call_soon"))?;
        let args = PyTuple::new(py, [waiter.callback.bind(py), slf.as_any()])?;
        calls::call(&call_soon, args, Some(&options)).map(drop)
    }
}
