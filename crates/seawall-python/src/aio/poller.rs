//! The sockets that tasks with a connection of their own wait for, behind one descriptor that their loop watches.
//!
//! What a loop of asyncio's does in Python to watch a socket and to forget it again costs more than all else of a wait. Here that
//! is two system calls. What was found is told as long as it is so, as loops do: an exception out of a signal's handler may
//! come before anybody has heard it.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyWeakrefReference};
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use crate::calls;
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

    /// The loop's timer: has whose time has come told so, by those whom this refers to. Once more if that was left halfway by an exception
    /// out of a signal's handler, which comes back: nobody else tells them.
    #[staticmethod]
    fn ring(sockets: &Bound<'_, PyWeakrefReference>) -> PyResult<()> {
        let Some(sockets) = sockets.upgrade() else {
            return Ok(());
        };
        let py = sockets.py();
        let tell = || calls::method(&sockets, intern!(py, "ring"), PyTuple::empty(py)).map(drop);
        tell().inspect_err(|_| {
            if let Err(again) = tell() {
                again.write_unraisable(py, Some(&sockets));
            }
        })
    }

    /// What the loop watches.
    fn fileno(&self) -> i32 {
        self.epoll.as_raw_fd()
    }

    /// The lease's socket is watched: whether there is something to read, or the end; with `write` also whether there is room to
    /// write. Whether it has one.
    fn arm(&self, lease: &Bound<'_, Lease>, write: bool) -> io::Result<bool> {
        let flags = if write {
            epoll::EventFlags::IN | epoll::EventFlags::OUT
        } else {
            epoll::EventFlags::IN
        };
        self.on_socket(lease, |socket| {
            let data = epoll::EventData::new_u64(number(socket.as_raw_fd()));
            match epoll::add(&self.epoll, socket, data, flags) {
                Err(Errno::EXIST) => epoll::modify(&self.epoll, socket, data, flags),
                armed => armed,
            }
        })
    }

    /// It is not watched any more. Whether it has one still: the kernel forgets it when it is closed.
    fn disarm(&self, lease: &Bound<'_, Lease>) -> io::Result<bool> {
        self.on_socket(lease, |socket| self.forget(socket))
    }

    /// What is watched under a number that nobody knows is not watched any more. Whether that could be said: not where its descriptor was
    /// closed, and a copy of it is open somewhere.
    fn drop_number(&self, number: i32) -> bool {
        if number < 0 || self.is_inherited() {
            return false;
        }
        #[expect(unsafe_code, reason = "whoever had the descriptor is gone")]
        // SAFETY: it is borrowed for one system call, which refuses a number that is no descriptor, or not of this list.
        let socket = unsafe { BorrowedFd::borrow_raw(number) };
        epoll::delete(&self.epoll, socket).is_ok()
    }

    /// What is found now, without waiting: the socket's number, whether it can be read, and written.
    fn found(&self) -> io::Result<Vec<(i32, bool, bool)>> {
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

    fn forget(&self, socket: BorrowedFd<'_>) -> Result<(), Errno> {
        match epoll::delete(&self.epoll, socket) {
            Err(Errno::NOENT | Errno::BADF) => Ok(()),
            gone => gone,
        }
    }

    fn on_socket(
        &self,
        lease: &Bound<'_, Lease>,
        work: impl FnOnce(BorrowedFd<'_>) -> Result<(), Errno>,
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

fn told(event: &epoll::Event) -> (i32, bool, bool) {
    use epoll::EventFlags as Flags;
    let epoll::Event { data, flags } = *event;
    let ended = flags.intersects(Flags::HUP | Flags::ERR);
    (
        i32::try_from(data.u64()).unwrap_or(-1),
        ended || flags.contains(Flags::IN),
        ended || flags.contains(Flags::OUT),
    )
}
