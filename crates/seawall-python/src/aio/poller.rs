//! The sockets that tasks with a connection of their own wait for, behind one descriptor that their loop watches.
//!
//! What a loop of asyncio's does in Python to watch a socket and to forget it again costs more than all else of a wait. Here that
//! is one system call: a socket is told of once, and stays in the list, at rest, for its next wait. The kernel takes it out
//! when it is closed.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

use pyo3::prelude::*;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use crate::lease::Lease;

/// So many are told of in one look; the loop comes again for more.
const FOUND_MAX: usize = 256;

#[pyclass(frozen, module = "seawall._ext")]
pub(crate) struct Poller {
    epoll: OwnedFd,
    /// A forked child has the same list, and must leave it alone.
    generation: u64,
}

#[pymethods]
impl Poller {
    #[new]
    fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            generation: seawall::fork_generation(),
        })
    }

    /// What the loop watches.
    fn fileno(&self) -> i32 {
        self.epoll.as_raw_fd()
    }

    /// The lease's socket is told of once: when there is something to read, or the end; with `write` also when there is room to
    /// write. Whether it has one.
    fn arm(&self, lease: &Bound<'_, Lease>, write: bool) -> io::Result<bool> {
        let flags = if write {
            epoll::EventFlags::IN | epoll::EventFlags::OUT
        } else {
            epoll::EventFlags::IN
        };
        let flags = flags | epoll::EventFlags::ONESHOT;
        self.on_socket(lease, |socket| {
            let data = epoll::EventData::new_u64(number(socket.as_raw_fd()));
            match epoll::modify(&self.epoll, socket, data, flags) {
                Err(Errno::NOENT) => epoll::add(&self.epoll, socket, data, flags),
                armed => armed,
            }
        })
    }

    /// It is not told of any more.
    fn disarm(&self, lease: &Bound<'_, Lease>) -> io::Result<bool> {
        self.on_socket(lease, |socket| match epoll::delete(&self.epoll, socket) {
            Err(Errno::NOENT) => Ok(()),
            gone => gone,
        })
    }

    /// What was found since, without waiting: the socket's number, whether it can be read, and written.
    fn found(&self) -> io::Result<Vec<(u64, bool, bool)>> {
        if self.is_inherited() {
            return Ok(Vec::new());
        }
        let mut room = [const { MaybeUninit::uninit() }; FOUND_MAX];
        let events: &[epoll::Event] =
            match epoll::wait(&self.epoll, &mut room, Some(&Timespec::default())) {
                Ok((events, _)) => events,
                Err(Errno::INTR) => &[],
                Err(error) => return Err(error.into()),
            };
        Ok(events.iter().map(told).collect())
    }
}

impl Poller {
    fn is_inherited(&self) -> bool {
        self.generation != seawall::fork_generation()
    }

    fn on_socket(
        &self,
        lease: &Bound<'_, Lease>,
        work: impl FnOnce(std::os::fd::BorrowedFd<'_>) -> Result<(), Errno>,
    ) -> io::Result<bool> {
        if self.is_inherited() {
            return Ok(false);
        }
        match lease.get().on_socket(work) {
            None => Ok(false),
            Some(done) => Ok(done.map(|()| true)?),
        }
    }
}

fn number(descriptor: i32) -> u64 {
    u64::from(descriptor.unsigned_abs())
}

fn told(event: &epoll::Event) -> (u64, bool, bool) {
    use epoll::EventFlags as Flags;
    let epoll::Event { data, flags } = *event;
    let ended = flags.intersects(Flags::HUP | Flags::ERR);
    (
        data.u64(),
        ended || flags.contains(Flags::IN),
        ended || flags.contains(Flags::OUT),
    )
}
