//! A connection that one task has for itself, watched by its runtime.

use std::io;
use std::sync::Arc;

use seawall_model::{Cause, Close, Provenance};
use seawall_wire::Value;

use super::exchange::examine;
use super::runtime::{self, Watched, Woken};
use crate::clock;
use crate::fork;
use crate::link::connection::{Incoming, Loss};
use crate::link::handshake::Server;
use crate::link::ledger::Lent;
use crate::link::live::{Live, Step, wire_cause};
use crate::link::shared::Link;
use crate::net::stream::close_of;

/// A whole frame, read.
pub(super) enum Came {
    /// The reply to the oldest request.
    Reply(Value),
    /// A push, or what a RESP2 subscriber gets for one.
    Other(Value),
}

/// Lets other tasks have their turn where a socket always has something to read: the runtime does not see to that.
#[derive(Debug, Default)]
pub(super) struct Breath(u32);

impl Breath {
    /// How often a task reads in a row, some megabytes at most.
    const MAX: u32 = 64;

    /// A read brought something.
    pub(super) async fn taken(&mut self) {
        self.0 += 1;
        if self.0 >= Self::MAX {
            self.0 = 0;
            runtime::yield_now().await;
        }
    }
}

/// A connection of one's own. Dropped clean, it goes back; dropped in the middle of something, it is closed.
pub(super) struct Own {
    link: Arc<Link>,
    // In this order: the watch ends before its socket does.
    watched: Option<Watched>,
    lent: Option<Lent<Box<Live>>>,
    generation: u64,
    breath: Breath,
    /// It must not go back: what was sent on it changed what later commands mean.
    pub(super) tainted: bool,
}

impl Own {
    pub(super) fn new(link: Arc<Link>, lent: Lent<Box<Live>>) -> io::Result<Self> {
        match Watched::bare(&lent.connection) {
            Ok(watched) => Ok(Self {
                link,
                watched: Some(watched),
                lent: Some(lent),
                generation: fork::generation(),
                breath: Breath::default(),
                tainted: false,
            }),
            Err(error) => {
                link.give_back(lent.connection, lent.usage);
                Err(error)
            }
        }
    }

    /// The connection; `None` once it is gone.
    pub(super) fn live(&mut self) -> Option<&mut Live> {
        self.lent.as_mut().map(|lent| &mut *lent.connection)
    }

    /// What its end would prove now.
    pub(super) fn loss(&self, close: Close) -> Loss {
        self.lent.as_ref().map_or_else(
            || Loss::unknown(close),
            |lent| lent.connection.state.loss(close, clock::now()),
        )
    }

    /// How far each unanswered request got, oldest first.
    pub(super) fn trail(&self) -> Vec<Provenance> {
        self.lent
            .as_ref()
            .map_or_else(Vec::new, |lent| lent.connection.state.provenances())
    }

    /// Writes what is queued, or reads what comes, waiting for either. Safe to drop at any point.
    pub(super) async fn step(&mut self) -> Result<(), Close> {
        let (Some(watched), Some(lent)) = (&self.watched, &mut self.lent) else {
            return Err(Close::Ours);
        };
        let live = &mut lent.connection;
        let mut blocked = false;
        if live.state.wants_write() && live.mute.is_none() {
            match watched.write(live) {
                Ok(Step::Moved) => {}
                Ok(Step::WouldBlock) => blocked = true,
                Err(_) => live.fall_mute(clock::now()),
            }
        }
        let mute = live.mute;
        let woken = runtime::first_of(watched, None, blocked, mute).await;
        match woken.map_err(|error| close_of(&error))? {
            Woken::Readable => {}
            Woken::Writable | Woken::Rung => return Ok(()),
            Woken::Late => return Err(Close::Reset),
        }
        match watched.read(live, clock::now()) {
            Ok(Step::Moved) => {
                self.breath.taken().await;
                Ok(())
            }
            Ok(Step::WouldBlock) => Ok(()),
            Err(error) => Err(close_of(&error)),
        }
    }

    /// Whether something is still to be written.
    pub(super) fn wants_write(&self) -> bool {
        self.lent
            .as_ref()
            .is_some_and(|lent| lent.connection.state.wants_write())
    }

    /// The next whole frame that has come.
    pub(super) fn next(&mut self) -> Result<Option<Came>, Cause> {
        let Some(live) = self.live() else {
            return Err(Cause::ClientClosed);
        };
        let incoming = match live.state.next_incoming() {
            Ok(None) => return Ok(None),
            Ok(Some(incoming)) => incoming,
            Err(error) => return Err(wire_cause(&error)),
        };
        let frame = match incoming {
            Incoming::Reply(frame) | Incoming::Push(frame) | Incoming::Unasked(frame) => frame,
        };
        // What cannot be read is still owed: its command ran.
        let (value, _) = Value::decode(live.state.frame(frame), live.state.limits())
            .map_err(|error| wire_cause(&error))?;
        live.state.consume(incoming);
        Ok(Some(match incoming {
            Incoming::Reply(_) => Came::Reply(value),
            Incoming::Push(_) | Incoming::Unasked(_) => Came::Other(value),
        }))
    }

    /// It ended under us: tells the ledger. What is known of the server and of the request comes back.
    pub(super) fn bury(&mut self, loss: &Loss) -> (Server, Provenance) {
        self.lay_down(|link, lent| link.bury(lent, loss))
    }

    /// As [`bury`](Self::bury), with the server asked for its reason where it may have had one.
    pub(super) async fn bury_named(&mut self, loss: &mut Loss) -> (Server, Provenance) {
        if !self.link.wants_examination(loss) {
            return self.bury(loss);
        }
        let connection = self.live().map_or(0, |live| live.id);
        let known = self.lay_down(|link, lent| link.bury_untold(lent, loss));
        examine(&self.link, loss).await;
        self.link.tell_lost(connection, loss);
        known
    }

    /// It is given up; that speaks for itself alone.
    pub(super) fn bury_alone(&mut self, loss: &Loss) -> (Server, Provenance) {
        self.lay_down(|link, lent| link.bury_alone(lent, loss))
    }

    fn lay_down(&mut self, bury: impl FnOnce(&Link, Lent<Box<Live>>)) -> (Server, Provenance) {
        self.watched = None;
        let Some(lent) = self.lent.take() else {
            return (Server::default(), Provenance::Queued);
        };
        let known = (
            lent.connection.server.clone(),
            lent.connection.state.provenance(),
        );
        bury(&self.link, lent);
        known
    }

    /// It leads to the wrong server, and nothing is owed on it: closes it.
    pub(super) fn part(&mut self) {
        self.watched = None;
        if let Some(lent) = self.lent.take() {
            self.link.part(lent.connection, lent.usage);
        }
    }

    /// Closes it without a word to anybody: what the kernel has not sent is thrown away.
    pub(super) fn abandon(&mut self) {
        self.tainted = true;
        self.release();
    }

    fn release(&mut self) {
        self.watched = None;
        let Some(lent) = self.lent.take() else { return };
        if self.generation != fork::generation() {
            // A forked child: the socket is the parent's too. Closing our copy is all that may be done.
            return;
        }
        if self.tainted {
            let (usage, had_since) = (lent.usage, lent.connection.had_since);
            lent.connection.stream.abort();
            self.link
                .decide(|ledger, now| ledger.dropped(now, usage, had_since));
        } else {
            self.link.give_back(lent.connection, lent.usage);
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.release();
    }
}
