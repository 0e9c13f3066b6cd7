//! Replies as the objects that redis-py makes of them.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList};
use seawall_wire::decode::{Aggregate, Size, Visitor, visit};
use seawall_wire::{Limits, Value, WireError};

use crate::{calls, trouble};

/// How text is written and read: a pool's `encoding`, `encoding_errors` and `decode_responses`.
#[pyclass(frozen, module = "seawall._ext")]
pub(crate) struct Codec {
    /// `None`: UTF-8, strictly.
    encoding: Option<(String, String)>,
    decode: bool,
}

#[pymethods]
impl Codec {
    #[new]
    fn new(encoding: &str, errors: &str, decode: bool) -> Self {
        let plain = matches!(encoding.to_ascii_lowercase().as_str(), "utf-8" | "utf8")
            && errors == "strict";
        Self {
            encoding: (!plain).then(|| (encoding.to_owned(), errors.to_owned())),
            decode,
        }
    }
}

impl Codec {
    pub(crate) fn encoding(&self) -> Option<(&str, &str)> {
        let (encoding, errors) = self.encoding.as_ref()?;
        Some((encoding, errors))
    }

    fn text<'py>(&self, py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        if self.encoding.is_none()
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            return string_of(py, text);
        }
        let (encoding, errors) = self.encoding().unwrap_or(("utf-8", "strict"));
        calls::method(&bytes_of(py, bytes)?, "decode", (encoding, errors))
    }
}

/// As `PyBytes::new`, which panics where there is no memory for it: here that is a `MemoryError`.
pub(crate) fn bytes_of<'py>(py: Python<'py>, content: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let len = content.len().cast_signed();
    #[expect(unsafe_code, reason = "pyo3 has no form of it that can fail")]
    // SAFETY: the bytes are copied from a slice of that length; what is returned is ours, or null with an exception set.
    unsafe {
        let made = ffi::PyBytes_FromStringAndSize(content.as_ptr().cast(), len);
        Bound::from_owned_ptr_or_err(py, made)
    }
}

/// As [`bytes_of`], for text.
fn string_of<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    let len = text.len().cast_signed();
    #[expect(unsafe_code, reason = "pyo3 has no form of it that can fail")]
    // SAFETY: as above.
    unsafe {
        let made = ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast(), len);
        Bound::from_owned_ptr_or_err(py, made)
    }
}

/// A reply.
pub(crate) struct Built<'py> {
    pub(crate) value: Bound<'py, PyAny>,
    /// Nobody asked for it.
    pub(crate) push: bool,
    /// An error stands in it.
    pub(crate) errors: bool,
}

/// Builds the object that a whole frame is. Errors of the server in it become exceptions that are returned, not raised.
pub(crate) fn build<'py>(
    py: Python<'py>,
    frame: &[u8],
    limits: &Limits,
    codec: &Codec,
    decode: bool,
) -> Result<PyResult<Built<'py>>, WireError> {
    let decode = decode && codec.decode;
    if let Some(content) = string(frame) {
        // Most replies are one.
        let value = if decode {
            codec.text(py, content)
        } else {
            bytes_of(py, content)
        };
        return Ok(value.map(|value| Built {
            value,
            push: false,
            errors: false,
        }));
    }
    let mut builder = Builder {
        py,
        codec,
        decode,
        open: Vec::new(),
        done: None,
        failed: None,
        push: false,
        errors: false,
    };
    visit(frame, limits, &mut builder)?;
    let Builder { push, errors, .. } = builder;
    Ok(match (builder.failed, builder.done) {
        (Some(error), _) => Err(error),
        (None, Some(value)) => Ok(Built {
            value,
            push,
            errors,
        }),
        (None, None) => Ok(Built {
            value: py.None().into_bound(py),
            push,
            errors,
        }),
    })
}

/// What stands in a whole frame that is a string of known length.
fn string(frame: &[u8]) -> Option<&[u8]> {
    let [b'$', b'0'..=b'9', ..] = frame else {
        return None;
    };
    let head = frame
        .iter()
        .take(LENGTH_MAX)
        .position(|&byte| byte == b'\n')?
        + 1;
    frame.get(head..frame.len() - 2)
}

/// A length's digits, and what stands before and behind them.
const LENGTH_MAX: usize = 23;

/// An aggregate that is not whole yet.
enum Open<'py> {
    List(Vec<Bound<'py, PyAny>>),
    Map(Bound<'py, PyDict>, Option<Bound<'py, PyAny>>),
    /// Pairs about the value that follows them: left out.
    Attribute,
    Parts(Vec<u8>),
}

struct Builder<'py, 'c> {
    py: Python<'py>,
    codec: &'c Codec,
    decode: bool,
    open: Vec<Open<'py>>,
    done: Option<Bound<'py, PyAny>>,
    failed: Option<PyErr>,
    push: bool,
    errors: bool,
}

impl<'py> Builder<'py, '_> {
    fn put(&mut self, value: Bound<'py, PyAny>) {
        match self.open.last_mut() {
            None => self.done = Some(value),
            Some(Open::List(values)) => values.push(value),
            Some(Open::Map(map, key)) => match key.take() {
                None => *key = Some(value),
                Some(key) => {
                    if let Err(error) = map.set_item(key, value) {
                        self.fail(error);
                    }
                }
            },
            Some(Open::Attribute | Open::Parts(_)) => {}
        }
    }

    fn put_or_fail(&mut self, value: PyResult<Bound<'py, PyAny>>) {
        match value {
            Ok(value) => self.put(value),
            Err(error) => {
                self.fail(error);
                self.put(self.py.None().into_bound(self.py));
            }
        }
    }

    fn fail(&mut self, error: PyErr) {
        self.failed.get_or_insert(error);
    }

    fn bytes(&mut self, content: &[u8]) {
        if self.decode {
            let text = self.codec.text(self.py, content);
            self.put_or_fail(text);
        } else {
            let bytes = bytes_of(self.py, content);
            self.put_or_fail(bytes);
        }
    }
}

impl<'a> Visitor<'a> for Builder<'_, '_> {
    fn null(&mut self) {
        self.put(self.py.None().into_bound(self.py));
    }
    fn boolean(&mut self, value: bool) {
        self.put(PyBool::new(self.py, value).to_owned().into_any());
    }
    fn int(&mut self, value: i64) {
        self.put(PyInt::new(self.py, value).into_any());
    }
    fn double(&mut self, value: f64) {
        self.put(PyFloat::new(self.py, value).into_any());
    }
    fn big_number(&mut self, digits: &'a [u8]) {
        let text = String::from_utf8_lossy(digits);
        let number = self.py.get_type::<PyInt>().call1((text,));
        self.put_or_fail(number);
    }
    fn simple(&mut self, text: &'a [u8]) {
        self.bytes(text);
    }
    fn bulk(&mut self, content: &'a [u8]) {
        self.bytes(content);
    }
    fn verbatim(&mut self, _format: [u8; 3], text: &'a [u8]) {
        self.bytes(text);
    }
    fn error(&mut self, text: &'a [u8]) {
        self.errors = true;
        let error = trouble::of_reply(self.py, text);
        self.put_or_fail(error);
    }
    fn begin_parts(&mut self) {
        self.open.push(Open::Parts(Vec::new()));
    }
    fn part(&mut self, content: &'a [u8]) {
        if let Some(Open::Parts(whole)) = self.open.last_mut() {
            whole.extend_from_slice(content);
        }
    }
    fn end_parts(&mut self) {
        if let Some(Open::Parts(whole)) = self.open.pop() {
            self.bytes(&whole);
        }
    }
    fn begin(&mut self, aggregate: Aggregate, _size: Size) {
        self.push |= self.open.is_empty() && aggregate == Aggregate::Push;
        self.open.push(match aggregate {
            Aggregate::Map => Open::Map(PyDict::new(self.py), None),
            Aggregate::Attribute => Open::Attribute,
            Aggregate::Array | Aggregate::Set | Aggregate::Push => Open::List(Vec::new()),
        });
    }
    fn end(&mut self, _aggregate: Aggregate) {
        match self.open.pop() {
            Some(Open::List(values)) => {
                let list = PyList::new(self.py, values).map(Bound::into_any);
                self.put_or_fail(list);
            }
            Some(Open::Map(map, _)) => self.put(map.into_any()),
            Some(Open::Attribute | Open::Parts(_)) | None => {}
        }
    }
}

/// Builds the object that a value is.
pub(crate) fn of_value<'py>(
    py: Python<'py>,
    value: Value,
    codec: &Codec,
    decode: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let decode = decode && codec.decode;
    let text = |bytes: &[u8]| {
        if decode {
            codec.text(py, bytes)
        } else {
            bytes_of(py, bytes)
        }
    };
    let list = |values: Vec<Value>| -> PyResult<Bound<'py, PyAny>> {
        let values = values
            .into_iter()
            .map(|value| of_value(py, value, codec, decode));
        Ok(PyList::new(py, values.collect::<PyResult<Vec<_>>>()?)?.into_any())
    };
    match value {
        Value::Null => Ok(py.None().into_bound(py)),
        Value::Bool(value) => Ok(PyBool::new(py, value).to_owned().into_any()),
        Value::Int(value) => Ok(PyInt::new(py, value).into_any()),
        Value::Double(value) => Ok(PyFloat::new(py, value).into_any()),
        Value::BigNumber(digits) => py.get_type::<PyInt>().call1((&*digits,)),
        Value::Simple(bytes) | Value::Bulk(bytes) | Value::Verbatim { text: bytes, .. } => {
            text(&bytes)
        }
        Value::Error(error) => trouble::of_reply(py, error.message.as_bytes()),
        Value::Array(values) | Value::Set(values) | Value::Push(values) => list(values),
        Value::Map(pairs) => {
            let map = PyDict::new(py);
            for (key, value) in pairs {
                map.set_item(
                    of_value(py, key, codec, decode)?,
                    of_value(py, value, codec, decode)?,
                )?;
            }
            Ok(map.into_any())
        }
        Value::Attributed { value, .. } => of_value(py, *value, codec, decode),
    }
}
