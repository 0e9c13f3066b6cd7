//! Every error on its way to Python; which class it becomes is decided in `seawall/errors.py`.

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};
use seawall::{Cause, Cmd, Error, Kind, Provenance};

use crate::calls;

struct Makers {
    /// Makes the exception of an error of the engine's, from its facts.
    failure: Py<PyAny>,
    /// Makes the exception of an error that the server answered with, from its text.
    reply: Py<PyAny>,
    /// The class for arguments that cannot be sent.
    data_error: Py<PyAny>,
}

static MAKERS: PyOnceLock<Makers> = PyOnceLock::new();

/// Tells how exceptions are made; once, when `seawall` is imported.
#[pyfunction]
pub(crate) fn install(py: Python<'_>, failure: Py<PyAny>, reply: Py<PyAny>, data_error: Py<PyAny>) {
    let makers = Makers {
        failure,
        reply,
        data_error,
    };
    // A second import finds the first one's, which are the same.
    let _ = MAKERS.set(py, makers);
}

fn makers(py: Python<'_>) -> PyResult<&Makers> {
    let makers = MAKERS.get(py);
    makers.ok_or_else(|| PyRuntimeError::new_err("seawall._ext is used before seawall is imported"))
}

/// The exception for an argument that cannot be sent.
pub(crate) fn data_error(text: String) -> PyErr {
    Python::attach(|py| match makers(py) {
        Ok(makers) => match calls::call(makers.data_error.bind(py), (text,), None) {
            Ok(error) => PyErr::from_value(error),
            Err(error) => error,
        },
        Err(_) => PyValueError::new_err(text),
    })
}

/// The exception that an error reply is, as an object.
pub(crate) fn of_reply<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let reply = makers(py)?.reply.bind(py);
    calls::call(reply, (String::from_utf8_lossy(text),), None)
}

/// The exception that an error of the engine's is.
pub(crate) fn of_error(py: Python<'_>, error: &Error, refusal: Option<&str>) -> PyErr {
    match failure(py, error, refusal) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

fn failure<'py>(
    py: Python<'py>,
    error: &Error,
    refusal: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    let makers = makers(py)?;
    let facts = PyDict::new(py);
    let kind = match error.kind() {
        Kind::Refused => "refused",
        Kind::Lost => "lost",
        Kind::TimedOut => "timed-out",
        Kind::Server => "server",
        Kind::Reply => "reply",
        Kind::Settings => "settings",
        _ => "other",
    };
    facts.set_item("kind", kind)?;
    facts.set_item("cause", error.cause().name())?;
    facts.set_item("also", error.also().map(Cause::name))?;
    facts.set_item("may_have_run", error.may_have_run())?;
    facts.set_item("provenance", provenance(error.provenance()))?;
    facts.set_item("attempts", error.attempts())?;
    facts.set_item("elapsed", error.elapsed().as_secs_f64())?;
    facts.set_item(
        "retry_after",
        error.retry_after().map(|span| span.as_secs_f64()),
    )?;
    facts.set_item("command", error.command())?;
    facts.set_item("endpoint", error.endpoint())?;
    facts.set_item("hint", error.hint())?;
    let connection = error.connection();
    facts.set_item("idle", connection.map(|facts| facts.idle.as_secs_f64()))?;
    facts.set_item("age", connection.map(|facts| facts.age.as_secs_f64()))?;
    facts.set_item("client_id", connection.and_then(|facts| facts.client_id))?;
    facts.set_item("reply", refusal.map(|text| PyString::new(py, text)))?;
    calls::call(makers.failure.bind(py), (error.to_string(), facts), None)
}

/// What an error that is the reply to a command says of the server's state: the cause, what to do, and whether the command may
/// have run all the same. `None`: it is about the command itself.
#[pyfunction]
pub(crate) fn refused(command: &str, reply: &str) -> Option<(&'static str, &'static str, bool)> {
    let (cause, may_have_run) = Cmd::new(command).refused(reply.as_bytes())?;
    Some((cause.name(), cause.hint(), may_have_run))
}

/// The exception for a reply that cannot be read, though its end was found.
pub(crate) fn unreadable(py: Python<'_>, error: &seawall_wire::WireError) -> PyErr {
    match of_reply(
        py,
        format!("ERR the server's reply cannot be read: {error}").as_bytes(),
    ) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// The exception for a connection that is not there any more, or that another thread is using.
pub(crate) fn closed(py: Python<'_>, closed: bool) -> PyErr {
    let facts = PyDict::new(py);
    let text = if closed {
        "Connection closed: it was given back or disconnected before"
    } else {
        "Connection closed, or in use by another thread: a connection carries one conversation at a time"
    };
    let exception = facts
        .set_item("kind", "refused")
        .and_then(|()| facts.set_item("cause", "client-closed"))
        .and_then(|()| makers(py))
        .and_then(|makers| calls::call(makers.failure.bind(py), (text, facts), None));
    match exception {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// How far a request got, in one word.
pub(crate) fn provenance(provenance: Provenance) -> &'static str {
    match provenance {
        Provenance::Queued => "queued",
        Provenance::Offered => "offered",
        Provenance::Partly(_) => "partly",
        Provenance::Written => "written",
        Provenance::Replying => "replying",
    }
}
