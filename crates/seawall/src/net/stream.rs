//! A connected socket of one of the kinds we speak over, always non-blocking.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use seawall_model::Close;
use socket2::SockRef;

/// A connected, non-blocking socket.
///
/// `write` reports bytes *accepted*: for a plain socket those the kernel took, under TLS the plain bytes whose whole
/// record the kernel took. A caller always passes everything from its first byte that was not accepted, so that a
/// layer which holds bytes back may count on seeing them again.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Unix(socket) => socket.write(bytes),
        }
    }

    pub(crate) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(room),
            Self::Unix(socket) => socket.read(room),
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }

    /// Abandons the connection: the kernel throws away what it has not sent (for TCP with a reset), so that it cannot
    /// run later, when a frozen server thaws.
    ///
    /// Never in a forked child: linger belongs to the socket, which the parent still uses.
    pub(crate) fn abort(self) {
        if let Self::Tcp(socket) = &self {
            // Best effort: if the option cannot be set the socket is closed all the same.
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }
}

/// How the peer ended the connection, from the error that a read or write gave.
pub(crate) fn close_of(error: &io::Error) -> Close {
    use io::ErrorKind as K;
    match error.kind() {
        K::UnexpectedEof => Close::Fin,
        K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe => Close::Reset,
        K::TimedOut => Close::KernelTimeout,
        _ => match error.raw_os_error() {
            Some(libc_errno::EHOSTUNREACH | libc_errno::ENETUNREACH) => Close::KernelTimeout,
            Some(errno) => Close::Other(errno),
            None => Close::Other(0),
        },
    }
}

/// Errno values that [`std::io::ErrorKind`] lumps together, as Linux numbers them.
mod libc_errno {
    pub(super) const ENETUNREACH: i32 = rustix::io::Errno::NETUNREACH.raw_os_error();
    pub(super) const EHOSTUNREACH: i32 = rustix::io::Errno::HOSTUNREACH.raw_os_error();
}
