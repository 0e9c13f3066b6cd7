//! Which loop runs on this thread, found once for all tasks that one of its callbacks resumes.
//!
//! Up to Python 3.11 `get_running_loop` asks the kernel each time whether this is a forked child, which costs as much as all else
//! that is looked up for a call. What asyncio notes for a thread when a loop begins or ends to run there is an object of its own
//! each time (later: the loop itself). While the same one is there, and nobody forked, the same loop runs.

use std::cell::RefCell;

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;

/// A loop that was found running.
struct Found {
    note: Py<PyAny>,
    generation: u64,
    event_loop: Py<PyAny>,
}

/// Where this thread is.
#[derive(Default)]
enum Place {
    /// Nothing is kept: it would keep the loop alive.
    #[default]
    Elsewhere,
    /// In a callback of a loop's, which resumes tasks; and what was found there.
    InCallback(Option<Found>),
}

thread_local! {
    static HERE: RefCell<Place> = const { RefCell::new(Place::Elsewhere) };
}

fn put(place: Place) -> Place {
    HERE.with(|here| here.replace(place))
}

/// A callback of the loop's resumes tasks until this is dropped.
pub(super) struct Resuming {
    outer: Place,
}

impl Resuming {
    pub(super) fn begin() -> Self {
        Self {
            outer: put(Place::InCallback(None)),
        }
    }
}

impl Drop for Resuming {
    fn drop(&mut self) {
        // What was found is let go of outside of the borrow: that may run anything.
        drop(put(std::mem::take(&mut self.outer)));
    }
}

/// The loop that runs on this thread, which `get_running_loop` is asked for where it is not known.
pub(crate) fn running_loop<'py>(
    py: Python<'py>,
    get_running_loop: &Py<PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let note = note(py)?;
    let generation = seawall::fork_generation();
    let known = HERE.with(|here| match &*here.borrow() {
        Place::InCallback(Some(found))
            if found.generation == generation
                && note.as_ref().is_some_and(|note| note.is(&found.note)) =>
        {
            Some(found.event_loop.bind(py).clone())
        }
        _ => None,
    });
    if let Some(known) = known {
        return Ok(known);
    }
    let event_loop = get_running_loop.bind(py).call0()?;
    if let Some(note) = note
        && HERE.with(|here| matches!(*here.borrow(), Place::InCallback(_)))
    {
        let found = Found {
            note: note.unbind(),
            generation,
            event_loop: event_loop.clone().unbind(),
        };
        drop(put(Place::InCallback(Some(found))));
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
