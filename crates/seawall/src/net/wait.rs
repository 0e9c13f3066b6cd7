//! Waiting for a socket until a moment.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use seawall_model::Moment;

use crate::clock;

/// What a shell waits for on its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, or the end.
    Read,
    /// Either that, or room to write.
    ReadOrWrite,
}

/// Waits until the socket is ready (also: until it failed) or `until` has come; says which.
pub(crate) fn ready(fd: BorrowedFd<'_>, interest: Interest, until: Moment) -> io::Result<bool> {
    ready_at(fd, interest, clock::now(), until)
}

/// As [`ready`], where the clock has just been read.
pub(crate) fn ready_at(
    fd: BorrowedFd<'_>,
    interest: Interest,
    mut now: Moment,
    until: Moment,
) -> io::Result<bool> {
    let flags = match interest {
        Interest::Read => PollFlags::IN,
        Interest::ReadOrWrite => PollFlags::IN | PollFlags::OUT,
    };
    let mut fds = [PollFd::from_borrowed_fd(fd, flags)];
    loop {
        match poll(&mut fds, timeout(now, until).as_ref()) {
            // A signal: its handler ran, the wait goes on. Doors that must act on signals lay a ground of their own.
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno.into()),
        }
        now = clock::now();
        if now >= until {
            return Ok(false);
        }
    }
}

/// The rest of the wait as the kernel takes it; none is for ever.
pub(crate) fn timeout(now: Moment, until: Moment) -> Option<Timespec> {
    if until.is_never() {
        return None;
    }
    // A day at most: a clock that jumps may not turn a wait into an overflow.
    let rest = until.since(now).min(Duration::from_secs(86_400));
    Some(Timespec {
        tv_sec: i64::try_from(rest.as_secs()).unwrap_or(86_400),
        tv_nsec: i64::from(rest.subsec_nanos()),
    })
}
