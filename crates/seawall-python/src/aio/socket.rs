//! A socket that a loop watches.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use seawall::asynchronous::{Readiness, Watch};

use super::executor::{Core, Executor};
use crate::calls;

/// What the loop tells of one socket.
#[derive(Default)]
struct Sides {
    read: Readiness,
    write: Readiness,
    /// The loop watches for room to write.
    writing: AtomicBool,
}

/// Called by the loop when there is something to read.
#[pyclass(frozen, module = "seawall._ext")]
struct Reader {
    executor: Py<Executor>,
    sides: Arc<Sides>,
}

#[pymethods]
impl Reader {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let executor = self.executor.bind(py);
        Executor::turn(executor, |_| self.sides.read.found())
    }
}

/// Called by the loop when there is room to write.
#[pyclass(frozen, module = "seawall._ext")]
struct Writer {
    executor: Py<Executor>,
    sides: Arc<Sides>,
    socket: RawFd,
}

#[pymethods]
impl Writer {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let executor = self.executor.bind(py);
        // Room is asked for anew each time there was none: else the loop would call without end.
        let event_loop = executor.get().core().event_loop(py)?;
        calls::method(&event_loop, "remove_writer", (self.socket,))?;
        self.sides.writing.store(false, Ordering::Release);
        Executor::turn(executor, |_| self.sides.write.found())
    }
}

/// A socket that a loop watches until this is dropped.
pub(super) struct WatchedSocket {
    core: Weak<Core>,
    sides: Arc<Sides>,
    socket: OwnedFd,
}

impl WatchedSocket {
    pub(super) fn start(py: Python<'_>, core: &Arc<Core>, socket: OwnedFd) -> PyResult<Self> {
        let sides = Arc::<Sides>::default();
        let reader = Reader {
            executor: core.executor(py)?,
            sides: Arc::clone(&sides),
        };
        let event_loop = core.event_loop(py)?;
        let watched = (socket.as_raw_fd(), Bound::new(py, reader)?);
        calls::method(&event_loop, "add_reader", watched)?;
        Ok(Self {
            core: Arc::downgrade(core),
            sides,
            socket,
        })
    }

    fn watch_for_room(&self) -> io::Result<()> {
        if self.sides.writing.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let Some(core) = self.core.upgrade() else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let started = Python::attach(|py| {
            let writer = Writer {
                executor: core.executor(py)?,
                sides: Arc::clone(&self.sides),
                socket: self.socket.as_raw_fd(),
            };
            let event_loop = core.event_loop(py)?;
            let watched = (self.socket.as_raw_fd(), Bound::new(py, writer)?);
            calls::method(&event_loop, "add_writer", watched).map(drop)
        });
        started.map_err(|error| io::Error::other(error.to_string()))
    }
}

impl Watch for WatchedSocket {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sides.read.poll(context).map(Ok)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.sides.write.poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        match self.watch_for_room() {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Drop for WatchedSocket {
    fn drop(&mut self) {
        let Some(core) = self.core.upgrade() else {
            return;
        };
        if core.is_inherited() || (core.is_over() && !core.is_here()) {
            // Its loop is its parent's; or it is closed, and its selector with it.
            return;
        }
        let number = self.socket.as_raw_fd();
        let forgotten = Python::try_attach(|py| -> PyResult<()> {
            let event_loop = core.event_loop(py)?;
            if calls::method(&event_loop, "is_closed", PyTuple::empty(py))?.is_truthy()? {
                return Ok(());
            }
            calls::method(&event_loop, "remove_reader", (number,))?;
            if self.sides.writing.load(Ordering::Acquire) {
                calls::method(&event_loop, "remove_writer", (number,))?;
            }
            Ok(())
        });
        // A loop that is being torn down watches nothing any more.
        drop(forgotten);
    }
}
