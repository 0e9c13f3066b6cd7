//! Calls that may run Python code.
//!
//! Until Python 3.14 a thread that is not the main one ends on the spot when it comes back for the interpreter's lock while
//! the interpreter is being taken down. That unwinds its stack; where it comes to frames of Rust's, the process is aborted.
//! Such a thread stays in these calls instead, until the process has ended.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

/// Keeps its thread here when it is dropped.
struct Stay;

impl Drop for Stay {
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

/// `PyObject_Call`, as what it is: a thread's end goes through it.
type Call = unsafe extern "C-unwind" fn(
    *mut ffi::PyObject,
    *mut ffi::PyObject,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

/// pyo3 declares it as one that never unwinds, and what the compiler knows of a function by its name holds for each call
/// of it: then nothing is dropped here, and the thread's end aborts the process. So its address is all that it may know.
fn py_object_call() -> Call {
    let declared: unsafe extern "C" fn(_, _, _) -> _ = ffi::PyObject_Call;
    #[expect(unsafe_code, reason = "the only way to say that it may unwind")]
    // SAFETY: the two types are of one calling convention, and what differs is what may be done with a call.
    std::hint::black_box(unsafe {
        std::mem::transmute::<
            unsafe extern "C" fn(
                *mut ffi::PyObject,
                *mut ffi::PyObject,
                *mut ffi::PyObject,
            ) -> *mut ffi::PyObject,
            Call,
        >(declared)
    })
}

/// Calls it, with keywords if there are any.
pub(crate) fn call<'py, A>(
    callable: &Bound<'py, PyAny>,
    args: A,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>>
where
    A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>>,
    A::Error: Into<PyErr>,
{
    let args = args.into_pyobject(callable.py()).map_err(Into::into)?;
    let options = options.map_or(std::ptr::null_mut(), Bound::as_ptr);
    let stay = Stay;
    #[expect(
        unsafe_code,
        reason = "the only way to call it that a thread's end may go through"
    )]
    // SAFETY: all three live as long as the call, the options are a dictionary or null, and the thread is attached. What
    // is returned is ours, or null with an exception set.
    let returned = unsafe {
        let returned = py_object_call()(callable.as_ptr(), args.as_ptr(), options);
        Bound::from_owned_ptr_or_err(callable.py(), returned)
    };
    std::mem::forget(stay);
    returned
}

/// Calls a method of it.
pub(crate) fn method<'py, A>(
    object: &Bound<'py, PyAny>,
    name: impl IntoPyObject<'py, Target = PyString>,
    args: A,
) -> PyResult<Bound<'py, PyAny>>
where
    A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>>,
    A::Error: Into<PyErr>,
{
    call(&object.getattr(name)?, args, None)
}
