//! A connection together with its socket: what the tender hands to the shells.

use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use seawall_model::{Cause, Close, Moment};
use seawall_wire::{Value, WireError};

use super::connection::{Connection, Incoming, Loss};
use super::handshake::Server;
use crate::net::queue::unacknowledged;
use crate::net::stream::{Patience, Stream, close_of};
use crate::net::wait::{Interest, ready};

/// A connection clean and used within this time is handed out without a look at its socket: a peer that closed it in
/// this window is found by the request itself, which costs a retry and no more.
const FRESH: Duration = Duration::from_millis(1);

/// After a failed write, what the peer had to say before it closed is waited for no longer than this.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Bytes of pushes that a connection at rest is rid of at a time. Nothing that is asked for on pooled connections makes a
/// server push there at all; one that pushes faster than it is read would hold up whoever looks.
const PUSHES_MAX: u64 = 1 << 20;

/// What the kernel holds of a request is looked at from this size on: what is smaller is on its way at once on any link
/// that is of use.
const DRAIN_FROM: usize = 64 * 1024;

/// An established connection.
pub(crate) struct Live {
    pub(crate) id: u64,
    pub(crate) stream: Stream,
    pub(crate) state: Connection,
    pub(crate) server: Server,
    /// Since when somebody has had it for himself.
    pub(crate) had_since: Option<Moment>,
    /// A write failed. Nothing more is written, and until then the peer's last words are waited for.
    pub(crate) mute: Option<Moment>,
    pub(crate) patience: Patience,
    /// A write was told that the connection was reset. The kernel tells it once: a read only finds an end.
    reset: bool,
    /// The most bytes that were known to have reached the peer's kernel.
    arrived: u64,
    /// What the peer's host had acknowledged when that was last asked.
    acknowledged: u64,
    /// More had, when that was last looked at.
    draining: bool,
}

/// What one write or read did.
#[derive(Debug)]
pub(crate) enum Step {
    Moved,
    WouldBlock,
}

impl Live {
    /// A connection that is made, and has not said anything yet.
    pub(crate) fn new(id: u64, stream: Stream, state: Connection) -> Self {
        Self {
            id,
            stream,
            state,
            server: Server::default(),
            had_since: None,
            mute: None,
            patience: Patience::default(),
            reset: false,
            arrived: 0,
            acknowledged: 0,
            draining: false,
        }
    }

    /// Whether something waits to be written: requests, or the stream's own control messages.
    pub(crate) fn wants_write(&self) -> bool {
        self.mute.is_none() && (self.state.wants_write() || self.stream.wants_write())
    }

    /// Whether it could be handed to another caller.
    pub(crate) fn is_fit(&self) -> bool {
        self.mute.is_none() && self.state.is_clean()
    }

    /// Whether all that was asked is answered and nothing waits in the kernel either: it may end in order, and whoever
    /// sits at the other end, a proxy or a log, sees no reset.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_fit() && unacknowledged(self.stream.fd()) == 0
    }

    /// A write failed. What the peer said before it closed is still to be read: `-ERR max number of clients reached`
    /// stands behind a reset. For shells that wait for many sockets; the others ask for
    /// [`read_last_words`](Self::read_last_words).
    pub(crate) fn fall_mute(&mut self, now: Moment) {
        self.mute.get_or_insert(now + LAST_WORDS);
    }

    /// Offers everything that is queued to one write.
    pub(crate) fn write_some(&mut self) -> io::Result<Step> {
        while self.state.wants_write() {
            self.state.offered();
            match self.stream.write(self.state.transmit()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.state.accepted(n),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Step::WouldBlock),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        match self.stream.flush() {
            Ok(()) => Ok(Step::Moved),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Step::WouldBlock),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// A write failed. `EPIPE` says nothing more than the read that follows, since the peer ended its side in order first.
    fn failed(&mut self, error: io::Error) -> io::Error {
        self.reset |= error.kind() == ErrorKind::ConnectionReset;
        error
    }

    /// Whether more of a large request has reached the peer since this was last asked: then the link is slow, and the
    /// peer not silent. What is left of a small one says nothing.
    pub(crate) fn is_draining(&mut self) -> bool {
        let held = unacknowledged(self.stream.fd());
        let arrived = self.state.bytes_out().saturating_sub(held as u64);
        // The end of a large one counts as well.
        let large = held >= DRAIN_FROM || self.draining;
        self.draining = large && arrived > self.arrived;
        self.arrived = self.arrived.max(arrived);
        self.draining
    }

    /// Whether the peer's host has said that it has all that was written, or more of it than when this was last asked.
    pub(crate) fn is_acknowledged(&mut self) -> bool {
        let held = unacknowledged(self.stream.fd());
        let arrived = self.state.bytes_out().saturating_sub(held as u64);
        let more = arrived > self.acknowledged;
        self.acknowledged = self.acknowledged.max(arrived);
        more || held == 0
    }

    /// Whether something came, or it ended, and nobody has read that yet.
    pub(crate) fn has_news(&self) -> bool {
        ready(self.stream.fd(), Interest::Read, Moment::ORIGIN).unwrap_or(true)
    }

    /// Reads once, and all that the socket will not announce again: after this it may be waited for.
    pub(crate) fn read_some(&mut self, now: Moment) -> io::Result<Step> {
        loop {
            match self.stream.read(self.state.room()) {
                Ok(0) => return Err(self.end()),
                Ok(n) => {
                    self.state.received(n, now);
                    if !self.stream.has_unread() {
                        return Ok(Step::Moved);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Step::WouldBlock),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.torn(error)),
            }
        }
    }

    /// Reads once, and waits for that if nothing has come: see [`Stream::read_patiently`]. `clock` is asked after it.
    pub(crate) fn read_patiently(
        &mut self,
        clock: impl FnOnce() -> Moment,
    ) -> (io::Result<Step>, Moment) {
        let read = self.stream.read_patiently(self.state.room());
        let now = clock();
        let step = match read {
            Ok(0) => Err(self.end()),
            Ok(n) => {
                self.state.received(n, now);
                Ok(Step::Moved)
            }
            // A signal's handler ran: how much of the wait is left is for the caller to see.
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Ok(Step::WouldBlock)
            }
            Err(error) => Err(self.torn(error)),
        };
        (step, now)
    }

    /// Whether it may wait in a read for `rest`.
    pub(crate) fn is_patient(&mut self, rest: Duration) -> bool {
        if self.patience == Patience::Untried {
            self.patience = self.stream.be_patient();
        }
        self.patience == Patience::Has && Stream::patience_fits(rest)
    }

    /// A read found the end.
    fn end(&mut self) -> io::Error {
        let end = if self.reset {
            ErrorKind::ConnectionReset
        } else {
            ErrorKind::UnexpectedEof
        };
        self.torn(end.into())
    }

    /// The stream ended. If it did so inside a record, it did so inside something that the peer was saying.
    fn torn(&mut self, error: io::Error) -> io::Error {
        self.state.torn(self.stream.unfinished());
        error
    }

    /// A write failed: reads what the peer said before it closed. `ready` waits until something came, or that long.
    pub(crate) fn read_last_words(
        &mut self,
        now: Moment,
        ready: impl Fn(BorrowedFd<'_>, Moment) -> bool,
    ) -> Close {
        let until = now + LAST_WORDS;
        loop {
            match self.read_some(now) {
                Ok(Step::Moved) => {}
                Ok(Step::WouldBlock) if ready(self.stream.fd(), until) => {}
                Ok(Step::WouldBlock) => return Close::Reset,
                Err(error) => return close_of(&error),
            }
        }
    }

    /// Looks, before it is handed out, whether the peer has closed it or said something: pushes are taken, anything
    /// else condemns it.
    pub(crate) fn check(&mut self, now: Moment) -> Result<(), Loss> {
        self.had_since = Some(now);
        if now.since(self.state.last_used()) < FRESH && self.state.is_clean() {
            return Ok(());
        }
        self.look(now)
    }

    /// [`check`](Self::check) without its shortcut.
    pub(crate) fn look(&mut self, now: Moment) -> Result<(), Loss> {
        let before = self.state.bytes_in();
        loop {
            match self.read_some(now) {
                Ok(Step::Moved) if self.state.bytes_in() - before > PUSHES_MAX => {
                    return Err(self.broken(Cause::ProtocolError, now));
                }
                Ok(Step::Moved) => self.drain_pushes(now)?,
                Ok(Step::WouldBlock) => break,
                Err(error) => return Err(self.state.loss(close_of(&error), now)),
            }
        }
        if self.state.is_clean() {
            Ok(())
        } else {
            Err(self.broken(Cause::ProtocolError, now))
        }
    }

    fn drain_pushes(&mut self, now: Moment) -> Result<(), Loss> {
        loop {
            match self.state.next_incoming() {
                // A reply here is one that a caller waits for.
                Ok(None | Some(Incoming::Reply(_))) => return Ok(()),
                Ok(Some(incoming @ Incoming::Push(_))) => self.state.consume(incoming),
                // The server may say why it closes: that is its last word, not a broken order.
                Ok(Some(Incoming::Unasked(frame))) => {
                    let said = Value::decode(self.state.frame(frame), self.state.limits());
                    let cause = match said {
                        Ok((Value::Error(error), _)) => crate::link::cause::of_server(&error.kind),
                        _ => Cause::ProtocolError,
                    };
                    return Err(self.broken(cause, now));
                }
                Err(error) => return Err(self.broken(wire_cause(&error), now)),
            }
        }
    }

    fn broken(&self, cause: Cause, now: Moment) -> Loss {
        Loss {
            cause,
            ..self.state.loss(Close::Ours, now)
        }
    }
}

/// The cause behind bytes that could not be read.
pub(crate) fn wire_cause(error: &WireError) -> Cause {
    if error.is_limit() {
        Cause::ReplyTooLarge
    } else {
        Cause::ProtocolError
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use socket2::SockRef;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    /// A connection, and its peer's end.
    fn pair() -> (Live, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let socket = TcpStream::connect(addr).expect("it is there");
        socket.set_nonblocking(true).expect("it can be set");
        let (peer, _) = listener.accept().expect("it has come");
        let state = Connection::new(seawall_wire::Limits::default(), clock::now());
        (Live::new(1, Stream::Tcp(socket), state), peer)
    }

    fn wait(live: &Live) {
        let until = clock::now() + Duration::from_secs(10);
        let came =
            crate::net::wait::ready(live.stream.fd(), crate::net::wait::Interest::Read, until);
        assert!(came.expect("it can be waited for"), "nothing came");
    }

    #[test]
    fn a_reset_that_a_write_met_first_is_not_read_as_an_end_in_order() {
        let (mut live, mut peer) = pair();
        peer.write_all(b"+OK\r\n").expect("it is sent");
        let abruptly = SockRef::from(&peer).set_linger(Some(Duration::ZERO));
        abruptly.expect("it can be set");
        drop(peer);
        wait(&live);
        live.state
            .queue(clock::now(), 1, |out| out.extend_from_slice(b"PING\r\n"));
        live.write_some().expect_err("it was reset");
        let close = live.read_last_words(clock::now(), |_, _| false);
        assert_eq!(close, Close::Reset);
        let words = live.state.next_incoming().expect("they are whole");
        assert!(matches!(words, Some(Incoming::Reply(_))), "its last words");
    }

    #[test]
    fn an_end_in_order_that_a_write_met_first_is_one() {
        let (mut live, peer) = pair();
        drop(peer);
        wait(&live);
        // The first write is answered by a reset, the second one fails.
        for _ in 0..2 {
            live.state
                .queue(clock::now(), 1, |out| out.extend_from_slice(b"PING\r\n"));
            let _ = live.write_some();
            wait(&live);
        }
        let close = live.read_last_words(clock::now(), |_, _| false);
        assert_eq!(close, Close::Fin);
    }
}
