//! Which loop runs on this thread, found once for all tasks that one of its callbacks resumes.
//!
//! Up to Python 3.11 `get_running_loop` asks the kernel each time whether this is a forked child, which costs as much as all else
//! that is looked up for a call. What asyncio notes for a thread when a loop begins or ends to run there is an object of its own
//! each time (later: the loop itself). While the same one is there, and nobody forked, the same loop runs.

use std::cell::{Cell, RefCell};

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;

/// A loop that was found running.
struct Found {
    note: Py<PyAny>,
    generation: u64,
    event_loop: Py<PyAny>,
}

#[derive(Default)]
struct Here {
    /// In so many callbacks that resume tasks this thread is, one inside the other. Outside of any nothing is kept: it would
    /// keep the loop alive.
    callbacks: Cell<usize>,
    found: RefCell<Option<Found>>,
}

thread_local! {
    static HERE: Here = Here::default();
}

fn keep(found: Option<Found>) {
    let before = HERE.with(|here| here.found.replace(found));
    // Outside of the borrow: what lets go of a loop may run anything.
    drop(before);
}

/// A callback of the loop's resumes tasks until this is dropped. Greenlets may be in several at once, and leave them in any order.
pub(super) struct Resuming;

impl Resuming {
    pub(super) fn begin() -> Self {
        HERE.with(|here| here.callbacks.set(here.callbacks.get() + 1));
        Self
    }
}

impl Drop for Resuming {
    fn drop(&mut self) {
        let left = HERE.with(|here| {
            let left = here.callbacks.get() - 1;
            here.callbacks.set(left);
            left
        });
        if left == 0 {
            keep(None);
        }
    }
}

/// The loop that runs on this thread, which `get_running_loop` is asked for where it is not known.
pub(crate) fn running_loop<'py>(
    py: Python<'py>,
    get_running_loop: &Py<PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let note = note(py)?;
    let generation = seawall::fork_generation();
    let known = HERE.with(|here| {
        let found = here.found.borrow();
        let found = found.as_ref().filter(|found| {
            found.generation == generation && note.as_ref().is_some_and(|note| note.is(&found.note))
        });
        found.map(|found| found.event_loop.bind(py).clone())
    });
    if let Some(known) = known {
        return Ok(known);
    }
    let event_loop = get_running_loop.bind(py).call0()?;
    if let Some(note) = note
        && HERE.with(|here| here.callbacks.get() > 0)
    {
        keep(Some(Found {
            note: note.unbind(),
            generation,
            event_loop: event_loop.clone().unbind(),
        }));
    }
    Ok(event_loop)
}

/// What asyncio notes for this thread while a loop runs on it.
fn note(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let name = intern!(py, "__asyncio_running_event_loop__");
    #[expect(unsafe_code, reason = "pyo3 has no form of it")]
    // SAFETY: the thread is attached. What both return is borrowed from the thread's own state, or null: for the second, with an
    // exception set if there is one to tell.
    let note = unsafe {
        let own = ffi::PyThreadState_GetDict();
        if own.is_null() {
            return Ok(None);
        }
        let note = ffi::PyDict_GetItemWithError(own, name.as_ptr());
        Bound::from_borrowed_ptr_or_opt(py, note)
    };
    match note {
        None => PyErr::take(py).map_or(Ok(None), Err),
        note => Ok(note),
    }
}
