//! How a calling thread waits.

use std::cell::Cell;
use std::fmt;
use std::os::fd::BorrowedFd;

use seawall_model::{Close, Moment};

use crate::fork;
use crate::link::live::Live;
use crate::net::wait;
pub use crate::net::wait::Interest;

/// Something on the thread's own side ended a wait: a signal whose handler raised, a greenlet that was killed.
///
/// The call that waited gives its connection up and ends with [`Cause::Cancelled`](crate::Cause::Cancelled); whoever
/// laid the ground knows what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

/// How a calling thread waits, where the kernel's own wait would not do: an interpreter that must serve its signals, a
/// hub of greenlets that must go on.
///
/// A client without one waits in `poll`, and for other threads on a condition variable.
pub trait Ground: fmt::Debug + Send + Sync {
    /// Waits until the socket is ready (also: until it failed) or `until` has come; says which.
    fn ready(
        &self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        until: Moment,
    ) -> Result<bool, Interrupted>;

    /// Whether a read may wait in the kernel instead, a quarter of a second at most, with [`look_up`](Self::look_up)
    /// after it: one system call less for each reply.
    fn may_block(&self) -> bool {
        false
    }

    /// A read came back from the kernel with nothing: a signal may have come.
    fn look_up(&self) -> Result<(), Interrupted> {
        Ok(())
    }

    /// Waits until `until`.
    fn sleep(&self, until: Moment) -> Result<(), Interrupted>;

    /// Lets another thread go on that is about to finish something. Nothing interrupts this.
    fn make_way(&self) {
        std::thread::yield_now();
    }
}

/// Waits on the ground, or where there is none in the kernel.
pub(super) fn ready(
    ground: Option<&dyn Ground>,
    fd: BorrowedFd<'_>,
    interest: Interest,
    until: Moment,
) -> Result<bool, Interrupted> {
    match ground {
        // A wait that the kernel refuses ends as if something had come: the read that follows says what it is.
        None => Ok(wait::ready(fd, interest, until).unwrap_or(true)),
        Some(ground) => in_one_process(|| ground.ready(fd, interest, until)),
    }
}

/// Waits on a ground. Whoever waits there may come back in a forked child: a greenlet, or a signal's handler that forked.
/// The call is its parent's.
fn in_one_process<T>(wait: impl FnOnce() -> Result<T, Interrupted>) -> Result<T, Interrupted> {
    let process = fork::generation();
    let waited = wait();
    if process == fork::generation() {
        waited
    } else {
        Err(Interrupted)
    }
}

/// A write failed: reads the peer's last words, and how it closed.
pub(super) fn last_words(
    ground: Option<&dyn Ground>,
    live: &mut Live,
    now: Moment,
) -> Result<Close, Interrupted> {
    let called_away = Cell::new(false);
    let close = live.read_last_words(now, |fd, until| {
        let heard = ready(ground, fd, Interest::Read, until);
        called_away.set(heard.is_err());
        heard.unwrap_or(false)
    });
    if called_away.get() {
        Err(Interrupted)
    } else {
        Ok(close)
    }
}

/// Sleeps until a moment of the boot clock.
pub(super) fn sleep(ground: Option<&dyn Ground>, until: Moment) -> Result<(), Interrupted> {
    let rest = until.since(crate::clock::now());
    match ground {
        _ if rest.is_zero() => Ok(()),
        None => {
            std::thread::sleep(rest);
            Ok(())
        }
        Some(ground) => in_one_process(|| ground.sleep(until)),
    }
}
