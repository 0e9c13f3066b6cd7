use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use socket2::{Domain, SockRef, Socket, Type};

use super::deaf::{self, Hearing};

/// Which end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// How far a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The server was asked for a connection and has not answered.
    Dialling,
    Open,
    /// It sent its FIN: nothing more is to be read.
    Ended,
}

/// What came of reading.
pub(super) enum Got {
    Bytes(usize),
    End,
    Nothing,
    Broken,
}

/// One socket of a flow, and what the relay waits for on it.
#[derive(Debug)]
pub(super) struct End {
    stream: TcpStream,
    stage: Stage,
    token: u64,
    /// What epoll was told; none if it does not know the socket.
    interest: Option<EventFlags>,
}

impl End {
    /// A client that was accepted.
    pub(super) fn accepted(socket: Socket, token: u64) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        Ok(Self {
            stream: socket.into(),
            stage: Stage::Open,
            token,
            interest: None,
        })
    }

    /// Begins to connect to the server.
    pub(super) fn dial(server: SocketAddr, token: u64) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&server.into()) {
            Err(error)
                if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
            {
                Err(error)
            }
            _ => Ok(Self {
                stream: socket.into(),
                stage: Stage::Dialling,
                token,
                interest: None,
            }),
        }
    }

    pub(super) fn is_dialling(&self) -> bool {
        self.stage == Stage::Dialling
    }

    pub(super) fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Called when a dialling socket became writable, or failed.
    pub(super) fn finish_dial(&mut self) -> io::Result<()> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        self.stage = Stage::Open;
        Ok(())
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> Got {
        match (&self.stream).read(into) {
            Ok(0) => {
                self.stage = Stage::Ended;
                Got::End
            }
            Ok(bytes) => Got::Bytes(bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Got::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Got::Nothing,
            Err(_) => Got::Broken,
        }
    }

    /// How many bytes the kernel took; fewer than given if it has no room.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() && !self.is_dialling() {
            match (&self.stream).write(&bytes[taken..]) {
                Ok(more) => taken += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Sends a FIN. A socket that is gone already needs none.
    pub(super) fn send_fin(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// From now on dropping this sends a RST, and what the kernel has not sent is thrown away.
    pub(super) fn arm_reset(&self) {
        // Fails for a socket that is gone already.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// From now on every packet that comes for this socket is dropped before TCP sees it.
    pub(super) fn deafen(&self) {
        // Tried once when the relay started; a socket that refuses now is gone.
        let _ = deaf::set(&self.stream, Hearing::Nothing);
    }

    /// Undoes [`deafen`](Self::deafen).
    pub(super) fn hear(&self) {
        let _ = deaf::set(&self.stream, Hearing::All);
    }

    /// Tells epoll what is waited for; none takes the socket out, so that not even its errors are reported.
    pub(super) fn wait_for(&mut self, interest: Option<EventFlags>, epoll: &OwnedFd) {
        let data = EventData::new_u64(self.token);
        let told = match (self.interest, interest) {
            (old, new) if old == new => return,
            (None, Some(new)) => epoll::add(epoll, &self.stream, data, new),
            (Some(_), Some(new)) => epoll::modify(epoll, &self.stream, data, new),
            (_, None) => epoll::delete(epoll, &self.stream),
        };
        if told.is_ok() {
            self.interest = interest;
        }
    }
}
