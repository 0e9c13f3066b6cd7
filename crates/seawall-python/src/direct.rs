//! Plain commands of our two clients: from the client's method to the engine, without a frame of Python's between.
//!
//! Most of what a call cost beside its system calls was spent in such frames. Whatever is not plain (somebody wraps redis-py's
//! methods, reads replies in a way of their own, counts) goes the long way, through Python.

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::aio::{AsyncLink, CallFuture, running_loop};
use crate::calls;
use crate::link::Link;
use crate::reply::Codec;

/// What it has to know of Python's for threads' client: the attributes of what `seawall/client.py` gives at its import.
#[derive(FromPyObject)]
pub(crate) struct Theirs {
    /// redis-py's class of clients, and its method that others wrap, as it was written.
    base: Py<PyType>,
    plain: Py<PyAny>,
    /// Our class of clients, and methods of it: where others stand in their place, those are called.
    ours: Py<PyType>,
    common: Py<PyType>,
    execute: Py<PyAny>,
    parse: Py<PyAny>,
    send: Py<PyAny>,
    /// The class of pools that the engine serves.
    pool: Py<PyType>,
    /// Who counts for redis-py's own metrics: names of a module, and an object.
    recorder: Py<PyDict>,
    providers: Py<PyAny>,
    /// Whether there is a deadline of a block, and how much is left to it: both are functions.
    until: Py<PyAny>,
    left: Py<PyAny>,
    response_error: Py<PyAny>,
    /// What is returned where it is redis-py's to do; a callback may return anything else.
    elsewhere: Py<PyAny>,
}

/// The same for asyncio's, from `seawall/asyncio/client.py`.
#[derive(FromPyObject)]
pub(crate) struct TasksTheirs {
    /// redis-py's method: where another stands in its place, that is called.
    parse: Py<PyAny>,
    pool: Py<PyType>,
    running: Py<PyAny>,
    /// A future of asyncio's that was answered with nothing.
    over: Py<PyAny>,
    until: Py<PyAny>,
    left: Py<PyAny>,
}

static THEIRS: PyOnceLock<Theirs> = PyOnceLock::new();
static TASKS_THEIRS: PyOnceLock<TasksTheirs> = PyOnceLock::new();

fn not_installed() -> PyErr {
    PyRuntimeError::new_err("seawall was not imported")
}

#[pyfunction]
pub(crate) fn install_direct(py: Python<'_>, theirs: Theirs) {
    // A second import finds the first one's, which is the same.
    let _ = THEIRS.set(py, theirs);
}

#[pyfunction]
pub(crate) fn install_direct_tasks(py: Python<'_>, theirs: TasksTheirs) {
    let _ = TASKS_THEIRS.set(py, theirs);
}

/// A future that has ended well.
pub(crate) fn over(py: Python<'_>) -> Option<&Bound<'_, PyAny>> {
    TASKS_THEIRS.get(py).map(|theirs| theirs.over.bind(py))
}

/// Runs a plain command, and returns its reply as redis-py makes it; `elsewhere` where it is redis-py's to do. Once it is
/// `seen`, whoever wraps redis-py's method or counts has seen it.
#[pyfunction]
pub(crate) fn run_directly<'py>(
    py: Python<'py>,
    client: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    options: &Bound<'py, PyDict>,
    seen: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let theirs = THEIRS.get(py).ok_or_else(not_installed)?;
    if (seen || is_unwatched(client, theirs)?)
        && let Some(reply) = run(client, theirs, args, options)?
    {
        return Ok(reply);
    }
    Ok(theirs.elsewhere.bind(py).clone())
}

/// Whether nobody stands between redis-py's `execute_command` and the engine who wants to see each command.
fn is_unwatched(client: &Bound<'_, PyAny>, theirs: &Theirs) -> PyResult<bool> {
    let py = client.py();
    let class = client.get_type();
    if !class.is(&theirs.ours) && !comes_next(&class, theirs) {
        return Ok(false);
    }
    let wrapped = theirs
        .base
        .bind(py)
        .getattr(intern!(py, "execute_command"))?;
    let inner = intern!(py, "_execute_command");
    if !wrapped.is(&theirs.plain)
        || !has(&class, inner, &theirs.execute)?
        || attributes(client)?.contains(inner)?
    {
        return Ok(false);
    }
    let collector = theirs
        .recorder
        .bind(py)
        .get_item(intern!(py, "_metrics_collector"))?;
    if collector.is_none_or(|collector| !collector.is_none()) {
        return Ok(false);
    }
    let provider = theirs
        .providers
        .bind(py)
        .getattr(intern!(py, "_provider_manager"))?;
    Ok(provider.is_none())
}

/// Whether redis-py's class comes right after ours for a class that was derived: no other's `execute_command` between.
fn comes_next(class: &Bound<'_, PyType>, theirs: &Theirs) -> bool {
    let mro = class.mro();
    let mut after = mro.iter().skip_while(|each| !each.is(&theirs.ours)).skip(1);
    after.next().is_some_and(|next| next.is(&theirs.common))
        && after.next().is_some_and(|next| next.is(&theirs.base))
}

fn has(
    class: &Bound<'_, PyType>,
    name: &Bound<'_, PyString>,
    method: &Py<PyAny>,
) -> PyResult<bool> {
    Ok(class.getattr(name)?.is(method))
}

/// Runs a plain command of a client whose pool is the engine's. `None` where it is redis-py's to do.
fn run<'py>(
    client: &Bound<'py, PyAny>,
    theirs: &Theirs,
    args: &Bound<'py, PyTuple>,
    options: &Bound<'py, PyDict>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = client.py();
    let class = client.get_type();
    // Asked for as attributes: an application may have made properties of them.
    let pool = client.getattr(intern!(py, "connection_pool"))?;
    let own = attributes(client)?;
    if !client.getattr(intern!(py, "connection"))?.is_none()
        || !pool.is_instance(theirs.pool.bind(py))?
        // Somebody reads replies in a way of their own, or watches that.
        || !has(&class, intern!(py, "parse_response"), &theirs.parse)?
        || !has(&class, intern!(py, "_send_command_parse_response"), &theirs.send)?
        || own.contains(intern!(py, "parse_response"))?
        || own.contains(intern!(py, "_send_command_parse_response"))?
    {
        return Ok(None);
    }
    let link = known(&pool, intern!(py, "_link_known"), intern!(py, "_link"))?;
    let Ok(link) = link.cast::<Link>() else {
        return Ok(None);
    };
    let Terms {
        codec,
        decode,
        within,
    } = terms(&pool, &theirs.until, &theirs.left, options)?;
    let reply = match link.get().execute(py, args, &codec, decode, within) {
        Ok(reply) => reply,
        Err(error) => return empty(py, theirs, options, error).map(Some),
    };
    if reply.is(py.NotImplemented()) {
        // It needs a connection of its own: SELECT, WATCH, MONITOR, ..
        return Ok(None);
    }
    let callbacks = client.getattr(intern!(py, "response_callbacks"))?;
    match callback(&callbacks, &args.get_item(0)?)? {
        None => Ok(Some(reply)),
        Some(callback) => {
            for name in [
                intern!(py, "NEVER_DECODE"),
                intern!(py, "EMPTY_RESPONSE"),
                intern!(py, "keys"),
            ] {
                if options.contains(name)? {
                    options.del_item(name)?;
                }
            }
            calls::call(&callback, (reply,), Some(options)).map(Some)
        }
    }
}

/// Begins a plain command of asyncio's client: the future of its reply, of which redis-py's callback is still to make
/// something. `NotImplemented` where it is redis-py's to do.
#[pyfunction]
pub(crate) fn begin_directly<'py>(
    py: Python<'py>,
    client: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    options: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let theirs = TASKS_THEIRS.get(py).ok_or_else(not_installed)?;
    let begun = begin(client, theirs, args, options)?;
    Ok(begun.map_or_else(|| py.NotImplemented().into_bound(py), Bound::into_any))
}

fn begin<'py>(
    client: &Bound<'py, PyAny>,
    theirs: &TasksTheirs,
    args: &Bound<'py, PyTuple>,
    options: &Bound<'py, PyDict>,
) -> PyResult<Option<Bound<'py, CallFuture>>> {
    let py = client.py();
    let pool = client.getattr(intern!(py, "connection_pool"))?;
    if !client.getattr(intern!(py, "connection"))?.is_none()
        || client.getattr(intern!(py, "single_connection_client"))?.is_truthy()?
        || !pool.is_instance(theirs.pool.bind(py))?
        // Somebody reads replies in a way of their own.
        || !has(&client.get_type(), intern!(py, "parse_response"), &theirs.parse)?
        || attributes(client)?.contains(intern!(py, "parse_response"))?
    {
        return Ok(None);
    }
    let link = link_of_loop(&pool, theirs)?;
    let Ok(link) = link.cast::<AsyncLink>() else {
        return Ok(None);
    };
    let Terms {
        codec,
        decode,
        within,
    } = terms(&pool, &theirs.until, &theirs.left, options)?;
    let begun = link.get().execute(py, args, codec.unbind(), decode, within);
    begun.map(Some)
}

/// The link of the loop that runs: the pool knows that of the loop that was here last.
fn link_of_loop<'py>(
    pool: &Bound<'py, PyAny>,
    theirs: &TasksTheirs,
) -> PyResult<Bound<'py, PyAny>> {
    let py = pool.py();
    let known = pool.getattr(intern!(py, "_known"))?;
    if let Ok(known) = known.cast::<PyTuple>() {
        // Neither a reference nor this function runs any Python.
        let its_loop = known.get_item(0)?.call0()?;
        if its_loop.is(&running_loop(py, &theirs.running)?) {
            return known.get_item(1);
        }
    }
    calls::method(pool, intern!(py, "_link"), PyTuple::empty(py))
}

/// What redis-py makes of the reply to the command of this name, if anything.
#[pyfunction]
pub(crate) fn callback_of<'py>(
    client: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = client.py();
    callback(&client.getattr(intern!(py, "response_callbacks"))?, name)
}

/// How a command is sent, and its reply read.
struct Terms<'py> {
    codec: Bound<'py, Codec>,
    decode: bool,
    /// What is left to the deadline of the caller's block, if there is one.
    within: Option<f64>,
}

fn terms<'py>(
    pool: &Bound<'py, PyAny>,
    until: &Py<PyAny>,
    left: &Py<PyAny>,
    options: &Bound<'py, PyDict>,
) -> PyResult<Terms<'py>> {
    let py = pool.py();
    let codec = known(pool, intern!(py, "_codec_known"), intern!(py, "_codec"))?;
    // Of a context variable: it runs no Python.
    let within = if until.bind(py).call0()?.is_none() {
        None
    } else {
        calls::call(left.bind(py), PyTuple::empty(py), None)?.extract()?
    };
    Ok(Terms {
        codec: codec.cast_into()?,
        decode: !options.contains(intern!(py, "NEVER_DECODE"))?,
        within,
    })
}

/// What an object has for itself, beside its class's attributes.
fn attributes<'py>(of: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    #[expect(unsafe_code, reason = "pyo3 has no form of it")]
    // SAFETY: the object lives as long as the call, and the thread is attached. What is returned is ours, or null with an
    // exception set.
    let own = unsafe {
        let own = ffi::PyObject_GenericGetDict(of.as_ptr(), std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(of.py(), own)?
    };
    Ok(own.cast_into()?)
}

/// What the pool has found out before, or finds out now.
fn known<'py>(
    pool: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    find: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let known = pool.getattr(name)?;
    if known.is_none() {
        return calls::method(pool, find, PyTuple::empty(pool.py()));
    }
    Ok(known)
}

/// What stands for an error of the server's, where the caller named something.
fn empty<'py>(
    py: Python<'py>,
    theirs: &Theirs,
    options: &Bound<'py, PyDict>,
    error: PyErr,
) -> PyResult<Bound<'py, PyAny>> {
    match options.get_item(intern!(py, "EMPTY_RESPONSE"))? {
        Some(empty) if error.is_instance(py, theirs.response_error.bind(py)) => Ok(empty),
        _ => Err(error),
    }
}

/// What redis-py makes of this command's reply, if anything.
fn callback<'py>(
    callbacks: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = callbacks.py();
    // As it is written first: the dictionary's own `get` turns each name into capitals.
    if let Ok(callbacks) = callbacks.cast::<PyDict>()
        && let Ok(name) = name.cast::<PyString>()
    {
        if let Some(callback) = callbacks.get_item(name)? {
            return Ok(Some(callback));
        }
        if name.to_str().is_ok_and(is_capitals) {
            return Ok(None);
        }
    }
    let callback = calls::method(callbacks, intern!(py, "get"), (name,))?;
    Ok(Some(callback).filter(|callback| !callback.is_none()))
}

fn is_capitals(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_lowercase())
}
