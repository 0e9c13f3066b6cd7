use std::io;

use nix::sys::socket::SetSockOpt;
use nix::{setsockopt_impl, sockopt_impl};
use rustix::fd::AsFd;

sockopt_impl!(
    /// The lowest time-to-live that a packet for this socket may have left.
    MinTtl, SetOnly, libc::IPPROTO_IP, libc::IP_MINTTL, libc::c_int
);

/// What of the packets that come for a socket reaches TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    All,
    Nothing,
}

/// No packet of a usual client has as much left: Linux sends with 64, and 255 is the most there is.
const MORE_THAN_ANY: libc::c_int = 255;

/// Makes a socket deaf, or lets it hear again. A deaf listening socket answers no connection requests.
///
/// This is how a partition looks to TCP: the kernel drops the packets before TCP sees them, and nothing is
/// acknowledged. A full backlog hides new connections as well, but established ones would go on to be acknowledged; a
/// packet filter (`SO_ATTACH_FILTER`) does both, and some kernels keep it for root.
pub(super) fn set(socket: impl AsFd, hearing: Hearing) -> io::Result<()> {
    let ttl = match hearing {
        Hearing::All => 0,
        Hearing::Nothing => MORE_THAN_ANY,
    };
    Ok(MinTtl.set(&socket.as_fd(), &ttl)?)
}
