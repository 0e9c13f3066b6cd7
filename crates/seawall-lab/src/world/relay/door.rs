use std::io;
use std::net::SocketAddr;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use socket2::Socket;

use super::deaf::{self, Hearing};
use crate::world::port::ReservedPort;

/// Connections that may wait to be accepted: a storm of them should not look like a fault.
const BACKLOG: i32 = 1024;

/// What a client finds that connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doorway {
    /// It is accepted.
    Open,
    /// It is refused.
    Shut,
    /// Nothing answers.
    Unreachable,
}

/// The relay's listening port.
#[derive(Debug)]
pub(super) struct Door {
    port: ReservedPort,
    listener: Option<Socket>,
    token: u64,
}

impl Door {
    /// An open door. Fails where the kernel cannot make a socket deaf: there would be no partitions.
    pub(super) fn new(epoll: &OwnedFd, token: u64, at: SocketAddr) -> io::Result<Self> {
        let mut door = Self {
            port: ReservedPort::at(at)?,
            listener: None,
            token,
        };
        door.set(Doorway::Unreachable, epoll)?;
        door.set(Doorway::Open, epoll)?;
        Ok(door)
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    pub(super) fn set(&mut self, doorway: Doorway, epoll: &OwnedFd) -> io::Result<()> {
        if doorway == Doorway::Shut {
            // Closing it resets what waits to be accepted, and the kernel refuses what comes.
            self.listener = None;
            return Ok(());
        }
        let listener = match self.listener.take() {
            Some(listener) => listener,
            None => self.listen(epoll)?,
        };
        let hearing = if doorway == Doorway::Unreachable {
            Hearing::Nothing
        } else {
            Hearing::All
        };
        deaf::set(&listener, hearing)?;
        self.listener = Some(listener);
        Ok(())
    }

    fn listen(&self, epoll: &OwnedFd) -> io::Result<Socket> {
        let listener = self.port.listen(BACKLOG)?;
        listener.set_nonblocking(true)?;
        epoll::add(
            epoll,
            &listener,
            EventData::new_u64(self.token),
            EventFlags::IN,
        )?;
        Ok(listener)
    }

    /// The next connection that waits.
    pub(super) fn accept(&self) -> Option<io::Result<Socket>> {
        match self.listener.as_ref()?.accept() {
            Ok((socket, _)) => Some(Ok(socket)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => Some(Err(error)),
        }
    }
}
