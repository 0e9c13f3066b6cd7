//! Ports that stay ours while nothing listens on them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A loopback port that stays ours while nothing listens on it.
///
/// The socket is bound and never listens: connecting to it is refused, the server (which sets `SO_REUSEADDR` as we do)
/// can bind beside it, and the kernel gives the port to nobody else between two lives of the server.
#[derive(Debug)]
pub(super) struct ReservedPort {
    addr: SocketAddr,
    _socket: Socket,
}

impl ReservedPort {
    pub(super) fn new() -> io::Result<Self> {
        Self::at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// The same at an address of one's choice; port 0 leaves the port to the kernel.
    pub(super) fn at(addr: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // Shared only once it is ours: asked for a port to share, the kernel may give one that another reserved.
        socket.bind(&addr.into())?;
        socket.set_reuse_address(true)?;
        let addr = socket
            .local_addr()?
            .as_socket()
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self {
            addr,
            _socket: socket,
        })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A listener on the port.
    pub(super) fn listen(&self, backlog: i32) -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&self.addr.into())?;
        socket.listen(backlog)?;
        Ok(socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_reserved_port_refuses_connections_and_can_be_listened_on_again_and_again() {
        let port = ReservedPort::new().unwrap();
        for _ in 0..3 {
            let refused = TcpStream::connect(port.addr()).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            let listener = port.listen(16).unwrap();
            TcpStream::connect(port.addr()).unwrap();
            drop(listener);
        }
        assert!(
            TcpListener::bind(port.addr()).is_ok(),
            "others that reuse addresses, as servers do, may bind it"
        );
    }
}
