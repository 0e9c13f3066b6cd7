//! Seawall's engine as a native module for Python: `seawall._ext`.
//!
//! Rules: no Python call, allocation or release while a Rust lock is held (finalizers re-enter); the interpreter is let
//! go of while a thread waits, and not by a greenlet; nothing here keeps a Python object alive beyond a call but a
//! credential provider.

mod aio;
mod attempts;
mod calls;
mod command_line;
mod direct;
mod doctor;
mod events;
mod greenlet;
mod ground;
mod guard;
mod identity;
mod lease;
mod link;
mod many;
mod observe;
mod pack;
mod reply;
mod tally;
mod trouble;

use pyo3::prelude::*;

/// The engine behind `seawall`; private, its shape may change with any version.
///
/// Under an interpreter without a global lock it asks for one, since nobody has run it without.
#[pymodule(gil_used = true)]
fn _ext(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<link::Link>()?;
    module.add_class::<lease::Lease>()?;
    module.add_class::<aio::AsyncLink>()?;
    module.add_class::<aio::Executor>()?;
    module.add_class::<aio::Poller>()?;
    module.add_class::<aio::CallFuture>()?;
    module.add_class::<reply::Codec>()?;
    module.add_class::<guard::Guard>()?;
    module.add_class::<guard::Guarded>()?;
    module.add_class::<guard::Ticket>()?;
    module.add_class::<guard::Notice>()?;
    module.add_function(wrap_pyfunction!(trouble::install, module)?)?;
    module.add_function(wrap_pyfunction!(direct::install_direct, module)?)?;
    module.add_function(wrap_pyfunction!(direct::install_direct_tasks, module)?)?;
    module.add_function(wrap_pyfunction!(direct::run_directly, module)?)?;
    module.add_function(wrap_pyfunction!(direct::begin_directly, module)?)?;
    module.add_function(wrap_pyfunction!(direct::callback_of, module)?)?;
    module.add_function(wrap_pyfunction!(trouble::refused, module)?)?;
    module.add_function(wrap_pyfunction!(pack::pack, module)?)?;
    module.add_function(wrap_pyfunction!(many::answers, module)?)?;
    module.add_function(wrap_pyfunction!(command_line::command_line, module)?)?;
    module.add_function(wrap_pyfunction!(doctor::diagnose, module)?)?;
    module.add_function(wrap_pyfunction!(events::install_drain, module)?)?;
    module.add_function(wrap_pyfunction!(events::events_bell, module)?)?;
    module.add_function(wrap_pyfunction!(events::events_ring, module)?)?;
    module.add_function(wrap_pyfunction!(events::events_left, module)?)?;
    module.add_function(wrap_pyfunction!(events::events_take, module)?)?;
    module.add_function(wrap_pyfunction!(events::events_listen, module)?)?;
    module.add_function(wrap_pyfunction!(events::events_count, module)?)?;
    module.add_function(wrap_pyfunction!(attempts::trace_attempts, module)?)?;
    module.add_function(wrap_pyfunction!(tally::gone, module)?)?;
    module.add_function(wrap_pyfunction!(tally::histogram_bounds, module)?)?;
    module.add_function(wrap_pyfunction!(observe::requests, module)?)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
