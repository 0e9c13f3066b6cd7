//! How a call of Python's waits: a thread in `poll`, with an ear for its signals; a greenlet by its hub.

use std::cell::RefCell;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use pyo3::prelude::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use seawall::blocking::{Ground, Interest, Interrupted};
use seawall::{Error, Moment};

use crate::greenlet::{self, Greenlet};
use crate::trouble;

/// The longest wait without asking for signals: one may have come right before the wait began, whose handler is still
/// to be run.
const SLICE: Duration = Duration::from_millis(250);

static THREADS: LazyLock<Arc<dyn Ground>> = LazyLock::new(|| Arc::new(Threads));

/// What one call stands on.
pub(crate) enum Footing {
    Thread,
    Greenlet(Arc<Greenlet>),
}

impl Footing {
    pub(crate) fn here(py: Python<'_>) -> PyResult<Self> {
        Ok(if greenlet::is_one(py)? {
            Self::Greenlet(Arc::default())
        } else {
            Self::Thread
        })
    }

    pub(crate) fn ground(&self) -> Arc<dyn Ground> {
        match self {
            Self::Thread => Arc::clone(&THREADS),
            Self::Greenlet(greenlet) => Arc::clone(greenlet) as Arc<dyn Ground>,
        }
    }

    /// Does what may wait. A thread lets go of the interpreter meanwhile. A greenlet must not: its thread runs others
    /// while it waits, which come and go in any order, and what `detach` puts aside of the thread is to be put back in
    /// the order of a stack. The hub lets go of the interpreter when it has nothing to do.
    pub(crate) fn run<T: Send>(&self, py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
        match self {
            Self::Thread => py.detach(work),
            Self::Greenlet(_) => work(),
        }
    }

    /// What was raised while the call waited: by a signal's handler, or into the greenlet.
    pub(crate) fn raised(&self) -> Option<PyErr> {
        match self {
            Self::Thread => RAISED.with(|raised| raised.borrow_mut().take()),
            Self::Greenlet(greenlet) => greenlet.raised(),
        }
    }

    /// The exception that ends the call. What was raised while it waited comes before what that did to the call.
    pub(crate) fn trouble(&self, py: Python<'_>, error: &Error, refusal: Option<&str>) -> PyErr {
        self.raised()
            .unwrap_or_else(|| trouble::of_error(py, error, refusal))
    }
}

thread_local! {
    /// What a signal's handler raised while this thread waited.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// The ground of an ordinary thread.
#[derive(Debug)]
struct Threads;

impl Ground for Threads {
    fn ready(
        &self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        until: Moment,
    ) -> Result<bool, Interrupted> {
        let mut fds = [PollFd::from_borrowed_fd(fd, flags(interest))];
        wait(&mut fds, until)
    }

    fn may_block(&self) -> bool {
        true
    }

    fn look_up(&self) -> Result<(), Interrupted> {
        serve_signals()
    }

    fn sleep(&self, until: Moment) -> Result<(), Interrupted> {
        wait(&mut [], until).map(drop)
    }
}

/// What `poll` is asked for.
pub(crate) fn flags(interest: Interest) -> PollFlags {
    match interest {
        Interest::Read => PollFlags::IN,
        Interest::ReadOrWrite => PollFlags::IN | PollFlags::OUT,
    }
}

fn wait(fds: &mut [PollFd<'_>], until: Moment) -> Result<bool, Interrupted> {
    loop {
        let rest = until.since(seawall::now());
        let slice = rest.min(SLICE);
        let timeout = Timespec {
            tv_sec: i64::try_from(slice.as_secs()).unwrap_or(0),
            tv_nsec: i64::from(slice.subsec_nanos()),
        };
        match poll(fds, Some(&timeout)) {
            Ok(0) => {
                serve_signals()?;
                if rest <= SLICE {
                    return Ok(false);
                }
            }
            Err(rustix::io::Errno::INTR) => serve_signals()?,
            // What the kernel refuses to wait for is read, and says itself what it is.
            Ok(_) | Err(_) => return Ok(true),
        }
    }
}

/// Runs the handlers of signals that have come; only the main thread has any to run, and none while the interpreter is
/// being taken down: then the wait goes on, and ends with the process.
fn serve_signals() -> Result<(), Interrupted> {
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is not general enough in its lifetime to be passed by its name"
    )]
    let served = Python::try_attach(|py| py.check_signals());
    match served {
        Some(Ok(())) | None => Ok(()),
        Some(Err(raise)) => {
            RAISED.with(|raised| *raised.borrow_mut() = Some(raise));
            Err(Interrupted)
        }
    }
}
