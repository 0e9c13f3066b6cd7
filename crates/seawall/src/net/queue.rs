//! What the kernel still holds of what was written.

use std::os::fd::{AsRawFd, BorrowedFd};

/// Bytes that the kernel took and that the peer's kernel has not acknowledged; 0 where that is not told.
#[expect(
    unsafe_code,
    reason = "the one number that tells a slow link from a dead one has no safe call"
)]
pub(crate) fn unacknowledged(socket: BorrowedFd<'_>) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: `TIOCOUTQ` (SIOCOUTQ for a socket) writes one `int` to the address, and the descriptor is open.
    let told = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if told == 0 {
        usize::try_from(bytes).unwrap_or(0)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    #[test]
    fn what_a_peer_does_not_read_stays_with_us_until_it_does() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let there = listener.local_addr().expect("it is bound");
        let mut socket = TcpStream::connect(there).expect("it listens");
        let (mut peer, _) = listener.accept().expect("it has come");
        assert_eq!(unacknowledged(socket.as_fd()), 0);
        socket.set_nonblocking(true).expect("it can be set");
        let mut written = 0;
        while let Ok(more) = socket.write(&[0; 4096]) {
            written += more;
        }
        assert!(unacknowledged(socket.as_fd()) > 0);
        let mut everything = vec![0; written];
        peer.read_exact(&mut everything).expect("it is there");
        while unacknowledged(socket.as_fd()) > 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_is_no_socket_holds_nothing() {
        let file = std::fs::File::open("/dev/null").expect("it is there");
        assert_eq!(unacknowledged(file.as_fd()), 0);
    }
}
