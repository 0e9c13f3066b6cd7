use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seawall_model::{Cause, Close, Provenance};
use seawall_wire::Value;
use seawall_wire::error::ErrorKind;
#[cfg(feature = "tokio")]
use seawall_wire::error::ServerError;

use super::exchange;
use super::own::{Came, Own};
use super::park::acquire_own;
use super::runtime;
use crate::clock;
use crate::command::{Cmd, Nature};
use crate::error::{Error, Kind};
use crate::link::call::{Call, Conduct, Term};
use crate::link::connection::Loss;
use crate::link::live::Live;
use crate::link::shared::Link;

/// A raw connection, borrowed from the pool: what is sent is not retried, what comes is not sorted.
///
/// It goes back to the pool when it is dropped clean, and is closed if a reply is owed, something is unread, or a
/// command changed what later ones would mean (SELECT, WATCH, SUBSCRIBE, ..). Dropping the future of
/// [`send`](Self::send) or [`recv`](Self::recv) leaves the lease as it was: what was queued is still sent, what came is
/// still there.
pub struct Lease {
    link: Arc<Link>,
    conduct: Conduct,
    own: Own,
    sent: Box<str>,
}

impl Lease {
    pub(super) async fn borrow(
        link: Arc<Link>,
        conduct: Conduct,
        term: Term,
    ) -> Result<Self, Error> {
        let own = {
            let mut call = Call::new(&link, &conduct, "LEASE", Nature::lease(), term);
            let lent = acquire_own(&mut call).await?;
            call.leased();
            Own::new(Arc::clone(&link), lent).map_err(|error| exchange::no_driver(&call, &error))?
        };
        Ok(Self {
            link,
            conduct,
            own,
            sent: Box::default(),
        })
    }

    /// Writes a command, all of it, within the deadline. Its reply is taken by [`recv`](Self::recv).
    pub async fn send(&mut self, cmd: &Cmd) -> Result<(), Error> {
        let nature = cmd.nature();
        self.own.tainted |= nature.session;
        self.link.recent.leave(nature.writes);
        self.sent = cmd.name().into();
        let now = clock::now();
        let until = now + self.conduct.deadline;
        match self.own.live() {
            Some(live) => cmd.queue_on(&mut live.state, now),
            None => return Err(self.gone()),
        }
        while self.own.wants_write() {
            // Replies to what was sent before are taken in meanwhile, or both sides would wait for each other.
            let step = match self.own.live().map(Live::write_some) {
                Some(Ok(_)) if !self.own.wants_write() => return Ok(()),
                _ => runtime::timeout(until.since(clock::now()), self.own.step()).await,
            };
            match step {
                Ok(Ok(())) => {}
                Ok(Err(close)) => return Err(self.lose(close, None)),
                Err(_) => {
                    return Err(self
                        .lose(Close::Abandoned, None)
                        .with(|report| report.kind = Kind::TimedOut));
                }
            }
        }
        Ok(())
    }

    /// Reads the next reply or push, waiting no longer than the deadline.
    pub async fn recv(&mut self) -> Result<Value, Error> {
        match self.recv_within(self.conduct.deadline).await? {
            Some(value) => Ok(value),
            None => Err(self
                .lose(Close::Abandoned, None)
                .with(|report| report.kind = Kind::TimedOut)),
        }
    }

    /// Reads the next reply or push, waiting `within` for it; `None` if nothing whole came. The lease stays usable.
    pub async fn recv_within(&mut self, within: Duration) -> Result<Option<Value>, Error> {
        let until = clock::now() + within;
        loop {
            match self.own.next() {
                Ok(Some(Came::Reply(value) | Came::Other(value))) => {
                    // It leads to a replica: not for the next borrower.
                    self.own.tainted |=
                        matches!(&value, Value::Error(error) if error.kind == ErrorKind::ReadOnly);
                    return Ok(Some(value));
                }
                Ok(None) => {}
                Err(Cause::ClientClosed) => return Err(self.gone()),
                Err(cause) => return Err(self.lose(Close::Ours, Some(cause))),
            }
            let now = clock::now();
            if now >= until && !within.is_zero() {
                // Also where something always comes, and nothing whole.
                return Ok(None);
            }
            match runtime::timeout(until.since(now), self.own.step()).await {
                Ok(Ok(())) => {}
                Ok(Err(close)) => {
                    // What came before the end is still to be taken.
                    match self.own.next() {
                        Ok(Some(Came::Reply(value) | Came::Other(value))) => {
                            return Ok(Some(value));
                        }
                        _ => return Err(self.lose(close, None)),
                    }
                }
                Err(_) => return Ok(None),
            }
        }
    }

    #[cfg(test)]
    pub(super) fn fd(&mut self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.own.live().map(|live| live.stream.fd())
    }

    /// How far the oldest unanswered command got.
    pub fn provenance(&mut self) -> Provenance {
        self.own
            .live()
            .map_or(Provenance::Queued, |live| live.state.provenance())
    }

    /// The id by which the server knows this connection, if it told.
    pub fn client_id(&mut self) -> Option<u64> {
        self.own.live().and_then(|live| live.server.client_id)
    }

    /// Gives the connection up: what the kernel has not sent yet is thrown away, so that it cannot run later.
    pub fn abandon(mut self) {
        self.own.abandon();
    }

    /// The error for a refusal by the server.
    #[cfg(feature = "tokio")]
    pub(super) fn refused(&self, error: ServerError) -> Error {
        Error::server(error, &self.sent, &self.link.name, false)
    }

    fn gone(&self) -> Error {
        Error::new(
            Kind::Refused,
            Cause::ClientClosed,
            &self.sent,
            &self.link.name,
        )
        .with(|report| {
            report.detail = "the lease's connection was lost before; take another one".into();
        })
    }

    fn lose(&mut self, close: Close, cause: Option<Cause>) -> Error {
        let mut loss: Loss = self.own.loss(close).with(&self.sent);
        loss.cause = cause.unwrap_or(loss.cause);
        let (server, provenance) = if close == Close::Abandoned {
            self.own.bury_alone(&loss)
        } else {
            self.own.bury(&loss)
        };
        let mut call = Call::new(
            &self.link,
            &self.conduct,
            &self.sent,
            Nature::lease(),
            Term::Usual,
        );
        call.given_up(&loss, &server, provenance)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({})", self.link.name)
    }
}
