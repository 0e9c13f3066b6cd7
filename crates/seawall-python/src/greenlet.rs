//! How a greenlet waits, where gevent or eventlet has patched `socket`: by its hub, which runs the others meanwhile.
//!
//! The sockets stay the engine's; `seawall/_greenlets.py` has what is gevent's or eventlet's. No lock is held while a
//! greenlet waits, and what a call keeps is its own or on the heap: the stack below a waiting greenlet is moved away.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use rustix::event::{PollFd, Timespec, poll};
use seawall::Moment;
use seawall::blocking::{Ground, Interest, Interrupted};

use crate::ground::flags;
use crate::{attempts, calls};

/// The longest that a hub's timer is asked for: a wait without an end is as many of them as it takes.
const LONGEST: Duration = Duration::from_secs(3600);

/// The number of what only sleeps.
const NO_FD: i32 = -1;

/// What the process's greenlets are waited with; there is no way back from being patched.
static HUBS: PyOnceLock<Hubs> = PyOnceLock::new();

struct Hubs {
    /// Whether the caller is a greenlet that a hub can wait for.
    serve: Py<PyAny>,
    /// Waits for a descriptor, or without one, no longer than so many seconds: whether it is ready.
    wait: Py<PyAny>,
}

/// Whether the caller is a greenlet that waits by a hub.
pub(crate) fn is_one(py: Python<'_>) -> PyResult<bool> {
    match hubs(py)? {
        None => Ok(false),
        Some(hubs) => calls::call(hubs.serve.bind(py), PyTuple::empty(py), None)?.is_truthy(),
    }
}

/// Asked at each call, since a process may be patched at any time; its sockets are looked into when they have changed.
fn hubs(py: Python<'_>) -> PyResult<Option<&'static Hubs>> {
    /// The names of the module of sockets.
    static SOCKET: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    /// The address of the class of sockets that was looked into last. It is kept alive.
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    if let Some(hubs) = HUBS.get(py) {
        return Ok(Some(hubs));
    }
    let names = || PyResult::Ok(py.import("socket")?.dict().unbind());
    let socket = SOCKET.get_or_try_init(py, names)?.bind(py);
    let Some(class) = socket.get_item(intern!(py, "socket"))? else {
        return Ok(None);
    };
    let address = class.as_ptr() as usize;
    if SEEN.load(Ordering::Relaxed) == address {
        return Ok(None);
    }
    let module = py.import("seawall._greenlets")?;
    let found = calls::method(&module, "find", PyTuple::empty(py))?;
    if found.is_none() {
        let _ = class.into_ptr();
        SEEN.store(address, Ordering::Relaxed);
        return Ok(None);
    }
    let (serve, wait) = found.extract()?;
    Ok(Some(HUBS.get_or_init(py, || Hubs { serve, wait })))
}

/// The ground of one call of a greenlet.
#[derive(Debug, Default)]
pub(crate) struct Greenlet {
    /// What was raised into it while it waited.
    raised: Mutex<Option<PyErr>>,
}

impl Greenlet {
    pub(crate) fn raised(&self) -> Option<PyErr> {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        raised.take()
    }

    fn wait(&self, fd: i32, interest: Interest, until: Moment) -> Result<bool, Interrupted> {
        Python::attach(|py| {
            loop {
                let rest = until.since(seawall::now());
                if rest.is_zero() {
                    return Ok(false);
                }
                let told = attempts::put_aside();
                let asked = ask(py, fd, interest, rest.min(LONGEST));
                attempts::take_up(told);
                match asked {
                    Ok(true) => return Ok(true),
                    // A hub's clock stands still while its greenlets run: a timer may come early.
                    Ok(false) => {}
                    Err(raise) => {
                        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
                        *raised = Some(raise);
                        return Err(Interrupted);
                    }
                }
            }
        })
    }
}

fn ask(py: Python<'_>, fd: i32, interest: Interest, within: Duration) -> PyResult<bool> {
    let Some(hubs) = HUBS.get(py) else {
        return Ok(true);
    };
    let write = interest == Interest::ReadOrWrite;
    let asked = (fd, write, within.as_secs_f64());
    calls::call(hubs.wait.bind(py), asked, None)?.extract()
}

impl Ground for Greenlet {
    fn ready(
        &self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        until: Moment,
    ) -> Result<bool, Interrupted> {
        // Who only looks does not leave.
        if until > seawall::now() && self.wait(fd.as_raw_fd(), interest, until)? {
            return Ok(true);
        }
        // Where another greenlet held the hub up, it may have come in time: gevent's hub looks at its timers first.
        let mut fds = [PollFd::from_borrowed_fd(fd, flags(interest))];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        Ok(poll(&mut fds, Some(&at_once)) != Ok(0))
    }

    fn sleep(&self, until: Moment) -> Result<(), Interrupted> {
        self.wait(NO_FD, Interest::Read, until).map(drop)
    }

    fn make_way(&self) {
        // Whoever is waited for may be waiting for the interpreter.
        Python::attach(|py| py.detach(std::thread::yield_now));
    }
}
