//! How a thread of an interpreter waits: in `poll`, with an ear for its signals.

use std::cell::RefCell;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use pyo3::prelude::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use seawall::Moment;
use seawall::blocking::{Ground, Interest, Interrupted};

/// The longest wait without asking for signals: one may have come right before the wait began, whose handler is still
/// to be run.
const SLICE: Duration = Duration::from_millis(250);

thread_local! {
    /// What a signal's handler raised while this thread waited.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// What a signal's handler raised in the call that just ended.
pub(crate) fn raised() -> Option<PyErr> {
    RAISED.with(|raised| raised.borrow_mut().take())
}

/// The ground of an ordinary thread.
#[derive(Debug)]
pub(crate) struct Threads;

impl Ground for Threads {
    fn ready(
        &self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        until: Moment,
    ) -> Result<bool, Interrupted> {
        let flags = match interest {
            Interest::Read => PollFlags::IN,
            Interest::ReadOrWrite => PollFlags::IN | PollFlags::OUT,
        };
        let mut fds = [PollFd::from_borrowed_fd(fd, flags)];
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

/// Runs the handlers of signals that have come; only the main thread has any to run.
fn serve_signals() -> Result<(), Interrupted> {
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is not general enough in its lifetime to be passed by its name"
    )]
    let served = Python::attach(|py| py.check_signals());
    match served {
        Ok(()) => Ok(()),
        Err(raise) => {
            RAISED.with(|raised| *raised.borrow_mut() = Some(raise));
            Err(Interrupted)
        }
    }
}
