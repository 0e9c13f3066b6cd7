use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use seawall_model::{Cause, Close, Moment, Provenance};
use seawall_wire::Value;

use super::park;
use crate::clock;
use crate::command::{Cmd, Nature};
use crate::error::{Error, Kind};
use crate::fork;
use crate::link::call::{Call, Conduct};
use crate::link::connection::{Incoming, Loss};
use crate::link::ledger::Lent;
use crate::link::live::{Live, Step, wire_cause};
use crate::link::shared::Link;
use crate::net::stream::close_of;
use crate::net::wait::{self, Interest};

/// A raw connection, borrowed from the pool: what is sent is not retried, what comes is not sorted.
///
/// It goes back to the pool when it is dropped clean, and is closed if a reply is owed, something is unread, or a
/// command changed what later ones would mean (SELECT, WATCH, SUBSCRIBE, ..).
pub struct Lease {
    link: Arc<Link>,
    conduct: Conduct,
    lent: Option<Lent<Box<Live>>>,
    generation: u64,
    tainted: bool,
    sent: Box<str>,
}

impl Lease {
    pub(super) fn borrow(
        link: Arc<Link>,
        conduct: Conduct,
        span: Option<Duration>,
    ) -> Result<Self, Error> {
        // It will carry what its borrower likes, for as long as he likes: apart from the calls, as for a write.
        let nature = Nature::lease();
        let lent = {
            let mut call = Call::new(&link, &conduct, "LEASE", nature, span);
            let (lent, _) = park::acquire(&mut call)?;
            call.leased();
            lent
        };
        let generation = fork::generation();
        Ok(Self {
            link,
            conduct,
            lent: Some(lent),
            generation,
            tainted: false,
            sent: Box::default(),
        })
    }

    /// Writes a command, all of it, within the deadline. Its reply is taken by [`recv`](Self::recv).
    pub fn send(&mut self, cmd: &Cmd) -> Result<(), Error> {
        let deadline = clock::now() + self.conduct.deadline;
        let nature = cmd.nature();
        self.tainted |= nature.session;
        self.link.recent.leave(nature.writes);
        self.sent = cmd.name().into();
        let live = self.live()?;
        live.state.queue(clock::now(), 1, |out| cmd.pack(out));
        loop {
            match live.write_some() {
                Ok(Step::Moved) => return Ok(()),
                Ok(Step::WouldBlock) => {}
                Err(_) => {
                    let close = live.read_last_words(clock::now());
                    return Err(self.lose(close, None));
                }
            }
            if clock::now() >= deadline {
                return Err(self.lose(Close::Abandoned, None));
            }
            // Replies to what was sent before must be taken in meanwhile, or both sides wait for each other.
            let _ = wait::ready(live.stream.fd(), Interest::ReadOrWrite, deadline);
            if let Err(error) = live.read_some(clock::now()) {
                return Err(self.lose(close_of(&error), None));
            }
        }
    }

    /// Reads the next reply or push, waiting no longer than the deadline.
    pub fn recv(&mut self) -> Result<Value, Error> {
        let within = self.conduct.deadline;
        match self.recv_within(within)? {
            Some(value) => Ok(value),
            None => Err(self
                .lose(Close::Abandoned, None)
                .with(|report| report.kind = Kind::TimedOut)),
        }
    }

    /// Reads the next reply or push, waiting `within` for its first byte; `None` if nothing came. The connection stays
    /// usable.
    pub fn recv_within(&mut self, within: Duration) -> Result<Option<Value>, Error> {
        let until = clock::now() + within;
        loop {
            let live = self.live()?;
            match live.state.next_incoming() {
                Ok(Some(incoming)) => return self.take(incoming).map(Some),
                Ok(None) => {}
                Err(error) => return Err(self.lose(Close::Ours, Some(wire_cause(&error)))),
            }
            match wait::ready(live.stream.fd(), Interest::Read, until) {
                Ok(false) => return Ok(None),
                Ok(true) => {}
                Err(error) => return Err(self.lose(close_of(&error), None)),
            }
            if let Err(error) = live.read_some(clock::now()) {
                return Err(self.lose(close_of(&error), None));
            }
        }
    }

    /// Whether a read would find bytes, in the buffer or in the socket, within `within`.
    pub fn can_read(&mut self, within: Duration) -> Result<bool, Error> {
        let until = clock::now() + within;
        loop {
            let live = self.live()?;
            if !live.state.unread().is_empty() {
                return Ok(true);
            }
            match wait::ready(live.stream.fd(), Interest::Read, until) {
                Ok(true) if live.stream.is_layered() => {}
                Ok(ready) => return Ok(ready),
                Err(error) => return Err(self.lose(close_of(&error), None)),
            }
            // Under TLS the socket may carry nothing that a read would find. An end is found again by the next read.
            if live.read_some(clock::now()).is_err() {
                return Ok(true);
            }
        }
    }

    /// How far the oldest unanswered command got.
    pub fn provenance(&self) -> Provenance {
        self.lent.as_ref().map_or(Provenance::Queued, |lent| {
            lent.connection.state.provenance()
        })
    }

    /// The id by which the server knows this connection, if it told.
    pub fn client_id(&self) -> Option<u64> {
        self.lent
            .as_ref()
            .and_then(|lent| lent.connection.server.client_id)
    }

    /// The socket, for those who poll it themselves; `None` once it is lost. It is non-blocking, and bytes may wait in
    /// the buffer while it is silent: ask [`can_read`](Self::can_read) first.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.lent.as_ref().map(|lent| lent.connection.stream.fd())
    }

    /// Gives the connection up: what the kernel has not sent yet is thrown away, so that it cannot run later.
    pub fn abandon(mut self) {
        self.release(Fate::Abandon);
    }

    fn take(&mut self, incoming: Incoming) -> Result<Value, Error> {
        let live = self.live()?;
        let frame = match incoming {
            Incoming::Reply(frame) | Incoming::Push(frame) | Incoming::Unasked(frame) => frame,
        };
        let decoded = Value::decode(live.state.frame(frame), live.state.limits());
        live.state.consume(incoming);
        match decoded {
            Ok((value, _)) => Ok(value),
            Err(error) => Err(self.lose(Close::Ours, Some(wire_cause(&error)))),
        }
    }

    fn live(&mut self) -> Result<&mut Live, Error> {
        if self.generation != fork::generation() {
            return Err(Error::new(
                Kind::Refused,
                Cause::ClientClosed,
                &self.sent,
                &self.link.name,
            )
            .with(|report| {
                report.detail =
                    "the lease was taken before a fork; take another one in the child".into();
            }));
        }
        match &mut self.lent {
            Some(lent) => Ok(&mut lent.connection),
            None => Err(Error::new(
                Kind::Refused,
                Cause::ClientClosed,
                &self.sent,
                &self.link.name,
            )
            .with(|report| {
                report.detail = "the lease's connection was lost before; take another one".into();
            })),
        }
    }

    /// The connection is gone: reports it and says what that proves.
    fn lose(&mut self, close: Close, cause: Option<Cause>) -> Error {
        let now = clock::now();
        let Some(lent) = self.lent.take() else {
            return Error::new(
                Kind::Refused,
                Cause::ClientClosed,
                &self.sent,
                &self.link.name,
            );
        };
        let mut loss: Loss = lent.connection.state.loss(close, now).with(&self.sent);
        loss.cause = cause.unwrap_or(loss.cause);
        let provenance = lent.connection.state.provenance();
        let server = lent.connection.server.clone();
        if close == Close::Abandoned {
            self.link.bury_alone(lent, &loss);
        } else {
            self.link.bury(lent, &loss);
        }
        Call::new(&self.link, &self.conduct, &self.sent, Nature::lease(), None)
            .given_up(&loss, &server, provenance)
    }

    fn release(&mut self, fate: Fate) {
        let Some(lent) = self.lent.take() else { return };
        if self.generation != fork::generation() {
            // A forked child: the socket is the parent's too. Closing our copy is all that may be done.
            drop(lent);
            return;
        }
        match fate {
            Fate::Return if !self.tainted => self.link.give_back(lent.connection, lent.usage),
            Fate::Return | Fate::Abandon => {
                let usage = lent.usage;
                lent.connection.stream.abort();
                self.link
                    .decide(|ledger: &mut _, now: Moment| ledger.dropped(now, usage));
            }
        }
    }
}

/// What becomes of a leased connection.
#[derive(Clone, Copy)]
enum Fate {
    Return,
    Abandon,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.release(Fate::Return);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({}, {})", self.link.name, self.provenance())
    }
}
