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

thread_local! {
    /// What was found in the loop's callback that this thread is inside of; outside of any, nothing is kept: it would keep the
    /// loop alive.
    static FOUND: RefCell<Option<Option<Found>>> = const { RefCell::new(None) };
}

/// A callback of the loop's resumes tasks until this is dropped.
pub(super) struct Resuming {
    outer: Option<Option<Found>>,
}

impl Resuming {
    pub(super) fn begin() -> Self {
        let outer = FOUND.with(|found| found.borrow_mut().replace(None));
        Self { outer }
    }
}

impl Drop for Resuming {
    fn drop(&mut self) {
        let outer = self.outer.take();
        let found = FOUND.with(|found| std::mem::replace(&mut *found.borrow_mut(), outer));
        // Not under the borrow: what lets go of a loop may run anything.
        drop(found);
    }
}

/// The loop that runs on this thread, which `get_running_loop` is asked for where it is not known.
pub(crate) fn running_loop<'py>(
    py: Python<'py>,
    get_running_loop: &Py<PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let note = note(py)?;
    let generation = seawall::fork_generation();
    let known = FOUND.with(|found| {
        let found = found.borrow();
        let known = found.as_ref()?.as_ref()?;
        let same = known.generation == generation
            && note.as_ref().is_some_and(|note| note.is(&known.note));
        same.then(|| known.event_loop.bind(py).clone())
    });
    if let Some(known) = known {
        return Ok(known);
    }
    let event_loop = get_running_loop.bind(py).call0()?;
    if let Some(note) = note {
        keep(Found {
            note: note.unbind(),
            generation,
            event_loop: event_loop.clone().unbind(),
        });
    }
    Ok(event_loop)
}

/// Keeps what was found while the callback lasts that this thread is inside of, if it is inside of one.
fn keep(new: Found) {
    let before = FOUND.with(|found| found.borrow_mut().as_mut().map(|found| found.replace(new)));
    drop(before);
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
