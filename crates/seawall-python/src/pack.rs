//! A command's arguments, as redis-py takes them.

use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyFloat, PyInt, PyList, PyMemoryView, PyString, PyTuple,
};
use seawall::Cmd;

use crate::calls;
use crate::reply::{self, Codec};
use crate::trouble::data_error;

/// Appends the words of one command. The first may hold several, `"CONFIG GET"`, which go apart.
pub(crate) fn words(cmd: &mut Cmd, args: &Bound<'_, PyTuple>, codec: &Codec) -> PyResult<()> {
    let mut args = args.iter();
    let Some(name) = args.next() else {
        return Err(data_error(cmd_without_name()));
    };
    if let Ok(text) = name.cast::<PyString>() {
        split(cmd, text.to_str()?.as_bytes())?;
    } else if let Ok(bytes) = name.cast::<PyBytes>() {
        split(cmd, bytes.as_bytes())?;
    } else {
        push(cmd, &name, codec)?;
    }
    for arg in args {
        push(cmd, &arg, codec)?;
    }
    room_for(cmd.size())
}

/// For what is as large as this, it is looked whether there is memory.
const LARGE: usize = 1 << 20;

/// Whether there is memory for the copy that goes out. Where there is none (`ulimit -v`, uWSGI's limit-as), that is told
/// before anything is sent, and is not the process's end.
pub(crate) fn room_for(len: usize) -> PyResult<()> {
    if len >= LARGE && Vec::<u8>::new().try_reserve_exact(len).is_err() {
        return Err(no_memory());
    }
    Ok(())
}

pub(crate) fn no_memory() -> PyErr {
    PyMemoryError::new_err("no memory to send the command; nothing of it was sent")
}

fn cmd_without_name() -> String {
    "a command without a name".to_owned()
}

fn split(cmd: &mut Cmd, name: &[u8]) -> PyResult<()> {
    if name.contains(&b' ') {
        name.split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .try_for_each(|word| add(cmd, word))
    } else {
        add(cmd, name)
    }
}

fn add(cmd: &mut Cmd, word: &[u8]) -> PyResult<()> {
    cmd.try_push(word).map_err(|_| no_memory())
}

fn push(cmd: &mut Cmd, arg: &Bound<'_, PyAny>, codec: &Codec) -> PyResult<()> {
    if let Ok(bytes) = arg.cast::<PyBytes>() {
        add(cmd, bytes.as_bytes())?;
    } else if let Ok(text) = arg.cast::<PyString>() {
        match codec.encoding() {
            None => add(cmd, text.to_str()?.as_bytes())?,
            Some((encoding, errors)) => {
                let encoded = calls::method(text, "encode", (encoding, errors))?;
                add(cmd, encoded.cast::<PyBytes>()?.as_bytes())?;
            }
        }
    } else if arg.is_instance_of::<PyBool>() {
        return Err(wrong_type(arg));
    } else if let Ok(number) = arg.cast_exact::<PyInt>()
        && let Ok(number) = number.extract::<i64>()
    {
        add(cmd, itoa::Buffer::new().format(number).as_bytes())?;
    } else if arg.is_instance_of::<PyInt>() || arg.is_instance_of::<PyFloat>() {
        // One of a class of the application's may say it in Python.
        let said = calls::method(&arg.get_type(), "__repr__", (arg,))?;
        add(cmd, said.cast::<PyString>()?.to_str()?.as_bytes())?;
    } else if let Ok(bytes) = arg.cast::<PyByteArray>() {
        room_for(bytes.len())?;
        add(cmd, &bytes.to_vec())?;
    } else if arg.is_instance_of::<PyMemoryView>() {
        let copy = arg.call_method0("tobytes")?;
        add(cmd, copy.cast::<PyBytes>()?.as_bytes())?;
    } else {
        return Err(wrong_type(arg));
    }
    Ok(())
}

fn wrong_type(arg: &Bound<'_, PyAny>) -> PyErr {
    let name = arg.get_type().name();
    let name = name.map_or_else(|_| "?".to_owned(), |name| name.to_string());
    data_error(format!(
        "Invalid input of type: '{name}'. Convert to a bytes, string, int or float first."
    ))
}

/// Packs commands, each a tuple, into one bytes object.
#[pyfunction]
pub(crate) fn pack<'py>(
    py: Python<'py>,
    commands: &Bound<'py, PyAny>,
    codec: &Codec,
) -> PyResult<Bound<'py, PyAny>> {
    let mut out = Vec::new();
    let mut add = |command: &Bound<'py, PyAny>| -> PyResult<()> {
        let mut cmd = Cmd::new("");
        match command.cast::<PyTuple>() {
            Ok(args) => words(&mut cmd, args, codec)?,
            Err(_) => words(
                &mut cmd,
                &command.extract::<Bound<'py, PyList>>()?.to_tuple(),
                codec,
            )?,
        }
        cmd.try_pack(&mut out).map_err(|_| no_memory())
    };
    for command in commands.try_iter()? {
        add(&command?)?;
    }
    let packed = reply::bytes_of(py, &out)?;
    let len = out.len();
    drop(out);
    room_for(len)?;
    Ok(packed)
}
