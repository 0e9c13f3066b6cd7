//! The addresses of a socket's two ends.

use std::net::SocketAddr;
use std::os::fd::AsFd;

use rustix::net::{SocketAddrAny, getpeername, getsockname};

/// Our end and the peer's, as far as they are internet addresses and known.
pub(crate) fn ends(socket: impl AsFd) -> (Option<SocketAddr>, Option<SocketAddr>) {
    let inet = |end: SocketAddrAny| SocketAddr::try_from(end).ok();
    (
        getsockname(&socket).ok().and_then(inet),
        getpeername(&socket).ok().flatten().and_then(inet),
    )
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn both_ends_of_a_connection_are_known_and_a_unix_socket_has_none() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let there = listener.local_addr().expect("it is bound");
        let socket = TcpStream::connect(there).expect("it listens");
        let here = socket.local_addr().expect("it is bound");
        assert_eq!(ends(&socket), (Some(here), Some(there)));
        let (one, _other) = UnixStream::pair().expect("a pair");
        assert_eq!(ends(&one), (None, None));
    }
}
