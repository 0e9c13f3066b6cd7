//! The commands of a pipeline, all at once.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyList, PyString, PyTuple};
use seawall::blocking::Frames;
use seawall::{Batch, Cmd};
use seawall_wire::{Limits, Value};

use crate::reply::{self, Built, Codec};
use crate::{calls, pack, trouble};

/// What changes a pipeline's own state as it is answered, or is written in another way.
const SPECIAL: [&str; 5] = ["WATCH", "UNWATCH", "MULTI", "EXEC", "DISCARD"];

/// Packs the commands, `(arguments, options)` each; `cmd` is scratch. Whether they can go together: if not, they are
/// left to redis-py's own way.
pub(crate) fn fill(
    batch: &mut Batch,
    cmd: &mut Cmd,
    commands: &Bound<'_, PyList>,
    codec: &Codec,
) -> PyResult<bool> {
    batch.clear();
    for command in commands.iter() {
        let Ok(command) = command.cast_into_exact::<PyTuple>() else {
            return Ok(false);
        };
        let (Ok(args), Ok(options)) = (command.get_item(0), command.get_item(1)) else {
            return Ok(false);
        };
        let (Ok(args), Ok(options)) = (args.cast::<PyTuple>(), options.cast::<PyDict>()) else {
            return Ok(false);
        };
        if !is_plain(args, options)? {
            return Ok(false);
        }
        cmd.clear();
        pack::words(cmd, args, codec)?;
        batch.try_push(cmd).map_err(|_| pack::no_memory())?;
    }
    // It goes out command by command, and the room for that grows by doubling.
    pack::room_for(2 * batch.bytes())?;
    Ok(!batch.is_empty() && batch.is_plain())
}

fn is_plain(args: &Bound<'_, PyTuple>, options: &Bound<'_, PyDict>) -> PyResult<bool> {
    let py = args.py();
    if !options.is_empty()
        && (options.contains(intern!(py, "EMPTY_RESPONSE"))?
            || options.contains(intern!(py, "NEVER_DECODE"))?)
    {
        return Ok(false);
    }
    let Ok(name) = args.get_item(0) else {
        return Ok(false);
    };
    let Ok(name) = name.cast_into::<PyString>() else {
        return Ok(false);
    };
    let name = name.to_str()?;
    let is = |word: &str| name.eq_ignore_ascii_case(word);
    let himport = name
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("HIMPORT"));
    Ok(!himport && !SPECIAL.into_iter().any(is))
}

/// The replies of a batch, and whether an error is one of them.
pub(crate) fn of_batch<'py>(
    py: Python<'py>,
    frames: &Frames,
    limits: &Limits,
    codec: &Codec,
) -> PyResult<Bound<'py, PyAny>> {
    let mut errors = false;
    let mut replies = Vec::with_capacity(frames.len());
    for frame in frames.iter() {
        let built = build(py, frame, limits, codec)?;
        errors |= built.errors;
        replies.push(built.value);
    }
    told(PyList::new(py, replies)?.as_any(), errors, None)
}

/// What EXEC answered; or, if the server refused any of the requests, all replies.
pub(crate) fn of_transaction<'py>(
    py: Python<'py>,
    frames: &Frames,
    limits: &Limits,
    codec: &Codec,
) -> PyResult<Bound<'py, PyAny>> {
    let refused = |frame: &[u8]| matches!(frame.first(), Some(b'-' | b'!' | b'|'));
    if frames.iter().any(refused) {
        let built = frames
            .iter()
            .map(|frame| Ok(build(py, frame, limits, codec)?.value));
        let replies = built.collect::<PyResult<Vec<_>>>()?;
        let all = PyList::new(py, replies)?;
        return told(&py.None().into_bound(py), true, Some(&all));
    }
    let executed = build(py, frames.iter().last().unwrap_or(b"_\r\n"), limits, codec)?;
    told(&executed.value, executed.errors, None)
}

/// The server's error about the only command.
pub(crate) fn of_refusal(py: Python<'_>, error: PyErr) -> PyResult<Bound<'_, PyAny>> {
    told(
        PyList::new(py, [error.into_value(py)])?.as_any(),
        true,
        None,
    )
}

/// The same of replies that were read already.
pub(crate) fn of_values<'py>(
    py: Python<'py>,
    mut replies: Vec<Value>,
    codec: &Codec,
    transaction: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let one = |value| reply::of_value(py, value, codec, true);
    let refused = transaction && replies.iter().any(|reply| matches!(reply, Value::Error(_)));
    if transaction && !refused {
        let executed = replies.pop().unwrap_or(Value::Null);
        let errors = contains_error(&executed);
        return told(&one(executed)?, errors, None);
    }
    let errors = replies.iter().any(contains_error);
    let built = replies.into_iter().map(one).collect::<PyResult<Vec<_>>>()?;
    let all = PyList::new(py, built)?;
    if refused {
        told(&py.None().into_bound(py), true, Some(&all))
    } else {
        told(all.as_any(), errors, None)
    }
}

fn contains_error(value: &Value) -> bool {
    match value {
        Value::Error(_) => true,
        Value::Array(values) | Value::Set(values) | Value::Push(values) => {
            values.iter().any(contains_error)
        }
        Value::Map(pairs) => pairs
            .iter()
            .any(|(key, value)| contains_error(key) || contains_error(value)),
        Value::Attributed { value, .. } => contains_error(value),
        _ => false,
    }
}

fn told<'py>(
    replies: &Bound<'py, PyAny>,
    errors: bool,
    all: Option<&Bound<'py, PyList>>,
) -> PyResult<Bound<'py, PyAny>> {
    (replies, errors, all)
        .into_pyobject(replies.py())
        .map(Bound::into_any)
}

fn build<'py>(
    py: Python<'py>,
    frame: &[u8],
    limits: &Limits,
    codec: &Codec,
) -> PyResult<Built<'py>> {
    reply::build(py, frame, limits, codec, true)
        .unwrap_or_else(|error| Err(trouble::unreadable(py, &error)))
}

/// Puts each reply through the callback of its command, in place; errors stay as they are. Whether an answer is still to
/// be awaited.
#[pyfunction]
pub(crate) fn answers(
    commands: &Bound<'_, PyList>,
    callbacks: &Bound<'_, PyDict>,
    replies: &Bound<'_, PyList>,
) -> PyResult<bool> {
    let py = commands.py();
    let mut awaited = false;
    for (place, command) in commands.iter().enumerate() {
        let command = command.cast_into::<PyTuple>()?;
        let args = command.get_item(0)?;
        let name = args.cast::<PyTuple>()?.get_item(0)?;
        // As it is written first: the dictionary's own `get` turns each name into capitals.
        let mut callback = callbacks.get_item(&name)?;
        if callback.is_none() && is_not_in_capitals(&name)? {
            let found = calls::method(callbacks, intern!(py, "get"), (&name,))?;
            callback = (!found.is_none()).then_some(found);
        }
        let Some(callback) = callback else { continue };
        let reply = replies.get_item(place)?;
        if reply.is_instance_of::<pyo3::exceptions::PyException>() {
            continue;
        }
        let options = command.get_item(1)?;
        let options = options.cast::<PyDict>()?;
        if options.contains(intern!(py, "keys"))? {
            options.del_item(intern!(py, "keys"))?;
        }
        let reply = if options.is_empty() {
            calls::call(&callback, (reply,), None)?
        } else {
            calls::call(&callback, (reply,), Some(options))?
        };
        awaited |= is_awaitable(&reply)?;
        replies.set_item(place, reply)?;
    }
    Ok(awaited)
}

fn is_awaitable(answer: &Bound<'_, PyAny>) -> PyResult<bool> {
    let plain = answer.is_none()
        || answer.is_exact_instance_of::<PyBool>()
        || answer.is_exact_instance_of::<PyBytes>()
        || answer.is_exact_instance_of::<PyInt>()
        || answer.is_exact_instance_of::<PyString>()
        || answer.is_exact_instance_of::<PyList>()
        || answer.is_exact_instance_of::<PyDict>();
    Ok(!plain
        && answer
            .get_type()
            .hasattr(intern!(answer.py(), "__await__"))?)
}

fn is_not_in_capitals(name: &Bound<'_, PyAny>) -> PyResult<bool> {
    let name = name.cast::<PyString>()?.to_str()?;
    Ok(name.bytes().any(|byte| byte.is_ascii_lowercase()))
}
