//! The breaker around Python's callables: decisions, and the calls of plain functions. All that happens where a call does
//! not go well is in `seawall/_guard.py`.
//!
//! What a call costs while all is well: `enter` answers a small number without a lock or a look at the clock, and `done`
//! takes it back; [`Guarded::run`] does both, and the number stays here. Everything else has a [`Ticket`], which comes back by
//! itself if an exception out of a signal's handler strikes between two lines of Python.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyInt, PyTuple, PyType};
use pyo3::{IntoPyObjectExt, PyTraverseError, PyVisit, intern};
use seawall::Moment;
use seawall::guard::{
    self, AgainSettings, BreakerSettings, BudgetSettings, Change, GuardSettings, Next, Outcome,
    Slow, Spent, State,
};

use crate::calls;
use crate::link::span;

/// A guard's decisions.
#[pyclass(frozen, module = "seawall._ext")]
pub(crate) struct Guard(Arc<guard::Guard>);

/// Leave for one call that is a trial, or whose beginning matters.
#[pyclass(frozen, name = "GuardTicket", module = "seawall._ext")]
pub(crate) struct Ticket {
    leave: guard::Ticket,
    /// A ticket may be held by an exception's traceback, and keeps nothing alive.
    guard: Weak<guard::Guard>,
    ended: AtomicBool,
}

/// A call that may not be made, or with which something changed.
#[pyclass(frozen, name = "GuardNotice", module = "seawall._ext")]
pub(crate) struct Notice {
    ticket: Result<Py<Ticket>, guard::Refused>,
    change: Option<Change>,
}

/// A plain function and the guard around it.
#[pyclass(frozen, name = "GuardedCall", module = "seawall._ext")]
pub(crate) struct Guarded {
    function: Py<PyAny>,
    guard: Py<Guard>,
    /// `_guard.py`'s side of it: who knows of what did not go well.
    hands: Py<PyAny>,
}

/// Leave for a call of [`Guarded`]'s, of which Python knows or not.
enum Leave<'py> {
    Plain(guard::Ticket),
    Shown(Bound<'py, PyAny>),
}

type Begun = (Result<guard::Ticket, guard::Refused>, Option<Change>);

/// What `_guard.py` has read and found right; seconds and shares.
#[derive(Clone, Copy, FromPyObject)]
#[pyo3(from_item_all)]
struct Numbers {
    fail_max: Option<u32>,
    window: f64,
    calls_min: u32,
    failure_rate: Option<f64>,
    slow_after: Option<f64>,
    slow_rate: f64,
    reset_timeout: f64,
    reset_timeout_max: f64,
    trials: u32,
    success_threshold: u32,
    trial_timeout: f64,
    attempts: u32,
    timeout: Option<f64>,
    wait_initial: f64,
    wait_max: f64,
    wait_jitter: f64,
    wait_exp_base: f64,
    retry_budget: u32,
}

#[pymethods]
impl Guard {
    #[new]
    fn new(numbers: Numbers) -> PyResult<Self> {
        let breaker = BreakerSettings {
            failures_max: numbers.fail_max,
            window: span(numbers.window)?,
            calls_min: numbers.calls_min,
            failed_share: numbers.failure_rate,
            slow: match numbers.slow_after {
                Some(seconds) => Some(Slow {
                    after: span(seconds)?,
                    share: numbers.slow_rate,
                }),
                None => None,
            },
            open_first: span(numbers.reset_timeout)?,
            open_longest: span(numbers.reset_timeout_max)?,
            trials_max: numbers.trials,
            trials_to_close: numbers.success_threshold,
            trial_longest: span(numbers.trial_timeout)?,
            ..BreakerSettings::default()
        };
        let again = (numbers.attempts > 1)
            .then(|| -> PyResult<AgainSettings> {
                Ok(AgainSettings {
                    attempts_max: numbers.attempts,
                    within: numbers.timeout.map_or(Ok(Duration::MAX), span)?,
                    wait_initial: span(numbers.wait_initial)?,
                    wait_max: span(numbers.wait_max)?,
                    wait_jitter: span(numbers.wait_jitter)?,
                    wait_base: numbers.wait_exp_base,
                    budget: BudgetSettings {
                        share_percent: numbers.retry_budget,
                        ..BudgetSettings::default()
                    },
                })
            })
            .transpose()?;
        let guard = guard::Guard::new("", GuardSettings { breaker, again });
        Ok(Self(Arc::new(guard)))
    }

    /// Leave for a call: a number or a `Ticket`; or a `Notice`.
    fn enter<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.begin(py, true)
    }

    /// The same for a call that is made again.
    fn enter_again<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.begin(py, false)
    }

    /// The call was answered. What this and the next two bring about is answered as a `dict`, mostly nothing.
    fn done<'py>(
        &self,
        py: Python<'py>,
        ticket: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.end(py, ticket, Outcome::Good)
    }

    /// The call failed.
    fn failed<'py>(
        &self,
        py: Python<'py>,
        ticket: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.end(py, ticket, Outcome::Failed)
    }

    /// The call was left by its caller.
    fn abandoned<'py>(
        &self,
        py: Python<'py>,
        ticket: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.end(py, ticket, Outcome::Abandoned)
    }

    /// Whether a call that began with this ticket and has failed so often may be made again: the pause before that, or
    /// what is used up. `left`: seconds to the caller's own deadline; `asked`: a pause that somebody chose.
    #[pyo3(signature = (first, attempt, left, asked))]
    fn again<'py>(
        &self,
        py: Python<'py>,
        first: &Ticket,
        attempt: u32,
        left: Option<f64>,
        asked: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let until = match left {
            Some(left) => seawall::now() + span(left)?,
            None => Moment::NEVER,
        };
        let asked = asked.map(span).transpose()?;
        let next = self.0.again(first.leave.began(), attempt, until, asked);
        match next {
            Next::After(pause) => pause.as_secs_f64().into_bound_py_any(py),
            Next::GiveUp(Spent::Attempts) => "attempts".into_bound_py_any(py),
            Next::GiveUp(Spent::Time) => "timeout".into_bound_py_any(py),
            Next::GiveUp(Spent::Budget) => "budget".into_bound_py_any(py),
        }
    }

    fn open<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        told(py, self.0.open())
    }

    fn close<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        told(py, self.0.close())
    }

    fn isolate<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        told(py, self.0.isolate())
    }

    fn disable<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        told(py, self.0.disable())
    }

    /// How it stands, in numbers.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.0.stats();
        let dict = PyDict::new(py);
        dict.set_item("state", stats.state.name())?;
        dict.set_item("reason", reason(stats.state))?;
        dict.set_item("since", stats.since.map(|span| span.as_secs_f64()))?;
        let retry_after = stats.retry_after.map(|span| span.as_secs_f64());
        dict.set_item("retry_after", retry_after)?;
        let counts = stats.counts;
        dict.set_item("calls", counts.succeeded + counts.failed + counts.abandoned)?;
        dict.set_item("succeeded", counts.succeeded)?;
        dict.set_item("failed", counts.failed)?;
        dict.set_item("abandoned", counts.abandoned)?;
        dict.set_item("slow", counts.slow)?;
        dict.set_item("refused", counts.refused)?;
        dict.set_item("retries", stats.repeated)?;
        dict.set_item("retries_unpaid", stats.unpaid)?;
        Ok(dict)
    }
}

/// Where nothing depends on when a call began, all there is to know is the state that let it through.
fn is_plain(ticket: &guard::Ticket) -> bool {
    ticket.began() == Moment::ORIGIN
}

impl Guard {
    fn begin<'py>(&self, py: Python<'py>, first: bool) -> PyResult<Bound<'py, PyAny>> {
        self.shown(py, self.0.begin(first))
    }

    /// What beginning came to, as Python is shown it.
    fn shown<'py>(&self, py: Python<'py>, begun: Begun) -> PyResult<Bound<'py, PyAny>> {
        match begun {
            (Ok(ticket), None) if is_plain(&ticket) => ticket.epoch().into_bound_py_any(py),
            (Ok(ticket), None) => self.ticket(ticket).into_bound_py_any(py),
            (ticket, change) => {
                let ticket = match ticket {
                    Ok(ticket) => Ok(Py::new(py, self.ticket(ticket))?),
                    Err(refused) => Err(refused),
                };
                Notice { ticket, change }.into_bound_py_any(py)
            }
        }
    }

    fn ticket(&self, ticket: guard::Ticket) -> Ticket {
        Ticket {
            leave: ticket,
            guard: Arc::downgrade(&self.0),
            ended: AtomicBool::new(false),
        }
    }

    fn end<'py>(
        &self,
        py: Python<'py>,
        ticket: &Bound<'py, PyAny>,
        outcome: Outcome,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let change = if let Ok(epoch) = ticket.cast_exact::<PyInt>() {
            self.0
                .end(guard::Ticket::of_epoch(epoch.extract()?), outcome)
        } else {
            ticket.cast::<Ticket>()?.get().end(&self.0, outcome)
        };
        told(py, change)
    }
}

#[pymethods]
impl Guarded {
    #[new]
    fn new(
        py: Python<'_>,
        function: Py<PyAny>,
        guard: Py<Guard>,
        hands: Py<PyAny>,
    ) -> PyResult<Self> {
        // Known before a call needs it: none is to fail for that, as the interpreter ends.
        coroutine(py)?;
        Ok(Self {
            function,
            guard,
            hands,
        })
    }

    /// Calls the function if it may be called.
    fn run<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let guard = self.guard.get();
        let hands = self.hands.bind(py);
        let fails = |ticket, error: PyErr| {
            let error = error.into_value(py).into_bound(py).into_any();
            calls::method(hands, intern!(py, "_failed_natively"), (ticket, &error))?;
            Err(PyErr::from_value(error))
        };
        let leave = match guard.0.begin(true) {
            (Ok(ticket), None) if is_plain(&ticket) => Leave::Plain(ticket),
            begun => {
                let ticket = guard.shown(py, begun)?;
                if ticket.is_exact_instance_of::<Notice>() {
                    match calls::method(hands, intern!(py, "_heed"), (&ticket,)) {
                        Ok(ticket) => Leave::Shown(ticket),
                        Err(error) => return fails(ticket, error),
                    }
                } else {
                    Leave::Shown(ticket)
                }
            }
        };
        let kwargs = (!kwargs.is_empty()).then_some(kwargs);
        let answer = match calls::call(self.function.bind(py), args.clone(), kwargs) {
            Ok(answer) => answer,
            Err(error) => return fails(leave.shown(py)?, error),
        };
        if answer.get_type().is(coroutine(py)?) {
            return calls::method(hands, intern!(py, "_awaited"), (leave.shown(py)?, answer));
        }
        let change = match &leave {
            Leave::Plain(ticket) => told(py, guard.0.end(*ticket, Outcome::Good))?,
            Leave::Shown(ticket) => guard.end(py, ticket, Outcome::Good)?,
        };
        if let Some(change) = change {
            calls::method(hands, intern!(py, "_told"), (change,))?;
        }
        Ok(answer)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        visit.call(&self.hands)
    }
}

impl<'py> Leave<'py> {
    fn shown(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Leave::Plain(ticket) => ticket.epoch().into_bound_py_any(py),
            Leave::Shown(ticket) => Ok(ticket),
        }
    }
}

/// What calls of coroutine functions answer.
fn coroutine(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static COROUTINE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    COROUTINE.import(py, "types", "CoroutineType")
}

impl Ticket {
    fn end(&self, guard: &guard::Guard, outcome: Outcome) -> Option<Change> {
        if self.ended.swap(true, Ordering::Relaxed) {
            return None;
        }
        guard.end(self.leave, outcome)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(guard) = self.guard.upgrade() {
            self.end(&guard, Outcome::Abandoned);
        }
    }
}

#[pymethods]
impl Notice {
    /// Leave for the call, if it has it.
    #[getter]
    fn ticket<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, Ticket>> {
        self.ticket.as_ref().ok().map(|ticket| ticket.bind(py))
    }

    /// The guard's state, if the call is refused.
    #[getter]
    fn state(&self) -> Option<&'static str> {
        self.ticket
            .as_ref()
            .err()
            .map(|refused| refused.state.name())
    }

    /// Why it opened, in words.
    #[getter]
    fn reason(&self) -> Option<String> {
        let refused = self.ticket.as_ref().err();
        refused.and_then(|refused| reason(refused.state))
    }

    /// Seconds until the next trial is due, where that is known.
    #[getter]
    fn retry_after(&self) -> Option<f64> {
        let refused = self.ticket.as_ref().err();
        let after = refused.and_then(|refused| refused.retry_after);
        after.map(|span| span.as_secs_f64())
    }

    /// What asking brought about.
    #[getter]
    fn change<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        told(py, self.change)
    }
}

fn reason(state: State) -> Option<String> {
    match state {
        State::Open { why, .. } => Some(why.to_string()),
        _ => None,
    }
}

fn told(py: Python<'_>, change: Option<Change>) -> PyResult<Option<Bound<'_, PyDict>>> {
    change.map(|change| as_dict(py, change)).transpose()
}

#[cold]
fn as_dict(py: Python<'_>, change: Change) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    let kind = match change {
        Change::Opened { why, until } => {
            dict.set_item("trip", why.name())?;
            dict.set_item("reason", why.to_string())?;
            let retry_after = until.since(seawall::now());
            dict.set_item("retry_after", retry_after.as_secs_f64())?;
            "open"
        }
        Change::HalfOpen => "half-open",
        Change::Closed { lasted, refused } => {
            dict.set_item("lasted", lasted.as_secs_f64())?;
            dict.set_item("refused", refused)?;
            "close"
        }
        Change::Isolated => "isolate",
        Change::Disabled => "disable",
    };
    dict.set_item("kind", kind)?;
    Ok(dict)
}
