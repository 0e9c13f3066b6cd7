//! A connected socket of one of the kinds we speak over. It is read and written without waiting, but for
//! [`read_patiently`](Stream::read_patiently).

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags};
use seawall_model::Close;
use socket2::SockRef;

use super::tls::TlsStream;

/// How long the kernel lets a patient read wait; with [`PATIENCE_SLACK`] less than the 250 ms after which a reply is
/// overdue, so that waiting for a reply to an ordinary call may be one system call.
const PATIENCE: Duration = Duration::from_millis(200);

/// How much later than that it may wake us: kernels count this wait in ticks, of 10 ms at most.
const PATIENCE_SLACK: Duration = Duration::from_millis(20);

/// Whether reads may wait in the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Nobody asked yet.
    #[default]
    Untried,
    /// They may.
    Has,
    /// They may not.
    HasNot,
}

/// A connected socket.
///
/// `write` reports bytes *accepted*: for a plain socket those the kernel took, under TLS the plain bytes whose whole
/// record the kernel took. A caller always passes everything from its first byte that was not accepted, so that a
/// layer which holds bytes back may count on seeing them again.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream>),
}

impl Stream {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => {
                let at_once = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                Ok(rustix::net::send(self.fd(), bytes, at_once)?)
            }
            Self::Tls(session) => session.write(bytes),
        }
    }

    /// Writes what the stream itself still has to say: under TLS, answers to the peer's own control messages.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
            Self::Tls(session) => session.flush(),
        }
    }

    /// Whether the stream itself waits to write, whatever its caller has queued.
    pub(crate) fn wants_write(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unix(_) => false,
            Self::Tls(session) => session.wants_write(),
        }
    }

    /// Reads once; 0 is the peer's end. Before the socket is waited for, read on while [`has_unread`](Self::has_unread).
    pub(crate) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => {
                let (n, _) = rustix::net::recv(self.fd(), room, RecvFlags::DONTWAIT)?;
                Ok(n)
            }
            Self::Tls(session) => session.read(room),
        }
    }

    /// Lets [`read_patiently`](Self::read_patiently) wait. Not under TLS, whose session reads when it likes. For shells
    /// that wait for one socket at a time: a poll before each read costs a call as much as all of our own work on it.
    pub(crate) fn be_patient(&self) -> Patience {
        if self.is_layered() {
            return Patience::HasNot;
        }
        let fd = self.fd();
        let socket = SockRef::from(&fd);
        // In this order: a socket without a limit must never wait.
        let set = socket
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| socket.set_nonblocking(false));
        match set {
            Ok(()) => Patience::Has,
            Err(_) => Patience::HasNot,
        }
    }

    /// Whether a patient read comes back in time for a wait of `rest`.
    pub(crate) fn patience_fits(rest: Duration) -> bool {
        rest >= PATIENCE + PATIENCE_SLACK
    }

    /// As [`read`](Self::read), but where the stream [has patience](Self::be_patient) and nothing has come, it waits for
    /// something, a signal (`Interrupted`) or the end of its patience (`WouldBlock`).
    pub(crate) fn read_patiently(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => {
                let (n, _) = rustix::net::recv(self.fd(), room, RecvFlags::empty())?;
                Ok(n)
            }
            Self::Tls(session) => session.read(room),
        }
    }

    /// Whether bytes wait that the socket does not announce: under TLS, decrypted ones.
    pub(crate) fn has_unread(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unix(_) => false,
            Self::Tls(session) => session.has_unread(),
        }
    }

    /// Bytes that came and cannot be read, since the rest of their record did not come.
    pub(crate) fn unfinished(&self) -> usize {
        match self {
            Self::Tcp(_) | Self::Unix(_) => 0,
            Self::Tls(session) => session.unfinished(),
        }
    }

    /// Whether a readable socket may turn out to carry nothing for the reader: control messages of TLS.
    pub(crate) fn is_layered(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
            Self::Tls(session) => session.fd(),
        }
    }

    /// Closes in order. Under TLS the peer is told, as far as the socket takes it without waiting.
    ///
    /// Never in a forked child: the session is the parent's, and a word of ours in it would end it.
    pub(crate) fn close(self) {
        if let Self::Tls(session) = self {
            session.close();
        }
    }

    /// Abandons the connection: the kernel throws away what it has not sent (for TCP with a reset), so that it cannot
    /// run later, when a frozen server thaws.
    ///
    /// Never in a forked child: it would end the connection of the parent, which still uses it.
    pub(crate) fn abort(self) {
        match self {
            Self::Tcp(socket) => reset(&socket),
            Self::Unix(_) => {}
            Self::Tls(session) => session.abort(),
        }
    }
}

/// Resets a connection, whoever else holds its socket: closing ours with linger 0 would do, but does nothing for as
/// long as a forked child has a copy.
pub(super) fn reset(socket: &TcpStream) {
    if rustix::net::connect_unspec(socket).is_err() {
        // Best effort: if the option cannot be set the socket is closed all the same.
        let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
    }
}

/// How the peer ended the connection, from the error that a read or write gave.
pub(crate) fn close_of(error: &io::Error) -> Close {
    use io::ErrorKind as K;
    match error.kind() {
        K::UnexpectedEof => Close::Fin,
        // What came cannot be decrypted, or is no TLS: it is we who go.
        K::InvalidData => Close::Ours,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Write as _};

    fn pair() -> (Stream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("it can");
        let ours = Stream::Unix(ours);
        assert_eq!(ours.be_patient(), Patience::Has);
        (ours, theirs)
    }

    #[test]
    fn a_patient_socket_waits_for_bytes_and_not_for_ever() {
        let (mut ours, mut theirs) = pair();
        let mut room = [0; 8];
        let error = ours.read_patiently(&mut room).expect_err("nothing came");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let writer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            theirs.write_all(b"late").expect("it takes four bytes");
        });
        assert_eq!(ours.read_patiently(&mut room).expect("four bytes"), 4);
        writer.join().expect("no panic");
        assert_eq!(ours.read_patiently(&mut room).expect("its end"), 0);
    }

    #[test]
    fn a_patient_socket_is_written_without_waiting() {
        let (mut ours, _theirs) = pair();
        let error = loop {
            if let Err(error) = ours.write(&vec![0; 64 * 1024]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn patience_ends_before_an_ordinary_reply_is_overdue() {
        assert!(Stream::patience_fits(Duration::from_millis(250)));
        assert!(!Stream::patience_fits(Duration::from_millis(200)));
    }
}
