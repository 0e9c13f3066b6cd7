//! One attempt to make a connection: look up, connect, secure, greet. A state machine that the tender moves on.

mod doubt;
mod greet;
mod identify;
mod reach;
mod secure;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Weak};

use rustix::event::PollFlags;
use seawall_model::Moment;
use socket2::Socket;

use super::resolver::{Answer, Resolver};
use crate::clock;
use crate::events::Event;
use crate::link::handshake::{DialError, Handshake, Purpose, Server};
use crate::link::keys::Identity;
use crate::link::ledger::Use;
use crate::link::live::Live;
use crate::link::shared::Link;
use crate::net::ends::ends;
use crate::net::tls::TlsStream;
use doubt::Doubt;
use identify::Identified;

/// An attempt under way.
pub(super) struct Attempt {
    link: Weak<Link>,
    purpose: Purpose,
    began: Moment,
    deadline: Moment,
    /// Who logs in, where that changes with time.
    identity: Option<Identity>,
    /// What the name led to.
    found: Vec<SocketAddr>,
    /// Addresses that are left to try, the next one last.
    left: Vec<SocketAddr>,
    /// Why the addresses come from memory, if they do.
    stale: Option<Box<str>>,
    /// How the addresses that were tried failed: the most telling of them, and how many they were.
    failures: Option<(DialError, usize)>,
    /// Whether a wordless end may still be doubted: no connection ever came about, and this attempt has not asked.
    may_doubt: bool,
    stage: Stage,
}

/// One address being tried.
#[derive(Clone, Copy)]
struct Try {
    /// None for a Unix socket.
    address: Option<SocketAddr>,
    began: Moment,
    /// When the next address has its turn.
    until: Moment,
}

enum Stage {
    Identifying {
        answer: Answer<Identified>,
        until: Moment,
        resolver: Resolver,
    },
    Resolving {
        answer: Answer<Vec<SocketAddr>>,
        /// When the last good address is used instead.
        until: Moment,
    },
    Connecting {
        socket: Socket,
        at: Try,
    },
    Securing {
        stream: Box<TlsStream>,
        at: Try,
    },
    Doubting {
        doubt: Doubt,
        at: Try,
    },
    Greeting {
        live: Box<Live>,
        handshake: Box<Handshake>,
        at: Try,
    },
    /// It failed before there was anything to wait for.
    Doomed(DialError),
    /// Between two stages, and after the last.
    Over,
}

/// Whether an attempt goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Pending,
    Ended,
}

/// What one step of a stage came to.
enum Moved {
    Waiting,
    To(Stage),
    Established(Box<Live>, Server, Try),
    Failed(DialError),
}

impl Attempt {
    pub(super) fn new(
        link: &Arc<Link>,
        purpose: Purpose,
        now: Moment,
        resolver: &Resolver,
    ) -> Self {
        let mut this = Self {
            link: Arc::downgrade(link),
            purpose,
            began: now,
            deadline: now,
            identity: None,
            found: Vec::new(),
            left: Vec::new(),
            stale: None,
            failures: None,
            may_doubt: purpose == Purpose::Carry && !link.addresses().has_worked(),
            stage: Stage::Over,
        };
        this.stage = this.set_out(link, resolver, now);
        this
    }

    /// When it must be looked at, whatever its socket does.
    pub(super) fn deadline(&self) -> Moment {
        match &self.stage {
            Stage::Identifying { until, .. } | Stage::Resolving { until, .. } => *until,
            Stage::Connecting { at, .. }
            | Stage::Doubting { at, .. }
            | Stage::Greeting { at, .. } => at.until,
            Stage::Securing { stream, at } => self.patience(stream, *at),
            Stage::Doomed(_) | Stage::Over => self.began,
        }
    }

    /// The socket it waits for, if it has one.
    pub(super) fn waits_for(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let also = |writes: bool| {
            if writes {
                PollFlags::IN | PollFlags::OUT
            } else {
                PollFlags::IN
            }
        };
        match &self.stage {
            Stage::Connecting { socket, .. } => Some((socket.as_fd(), PollFlags::OUT)),
            Stage::Securing { stream, .. } => Some((stream.fd(), also(stream.wants_write()))),
            Stage::Doubting { doubt, .. } => Some((doubt.fd(), also(!doubt.has_asked()))),
            Stage::Greeting { live, .. } => Some((live.stream.fd(), also(live.wants_write()))),
            Stage::Identifying { .. }
            | Stage::Resolving { .. }
            | Stage::Doomed(_)
            | Stage::Over => None,
        }
    }

    /// Moves on as far as it can without waiting.
    pub(super) fn advance(&mut self, now: Moment) -> Progress {
        let Some(link) = self.link.upgrade() else {
            return Progress::Ended;
        };
        if link.ledger().is_closed() {
            return Progress::Ended;
        }
        loop {
            let moved = match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Identifying {
                    answer,
                    until,
                    resolver,
                } => self.identify(&link, answer, until, resolver, now),
                Stage::Resolving { answer, until } => self.resolve(&link, answer, until, now),
                Stage::Connecting { socket, at } => self.connect(&link, socket, at, now),
                Stage::Securing { stream, at } => self.secure(&link, stream, at, now),
                Stage::Doubting { doubt, at } => self.doubt(&link, doubt, at, now),
                Stage::Greeting {
                    live,
                    handshake,
                    at,
                } => self.greet(&link, live, handshake, at, now),
                Stage::Doomed(error) => Moved::Failed(error),
                Stage::Over => return Progress::Ended,
            };
            match moved {
                Moved::Waiting => return Progress::Pending,
                Moved::To(stage) => self.stage = stage,
                Moved::Established(live, server, at) => {
                    self.established(&link, live, server, at);
                    return Progress::Ended;
                }
                Moved::Failed(error) => {
                    self.failed(&link, &error);
                    return Progress::Ended;
                }
            }
        }
    }

    /// Stays where it is until something happens.
    fn wait(&mut self, stage: Stage) -> Moved {
        self.stage = stage;
        Moved::Waiting
    }

    fn established(&self, link: &Link, mut live: Box<Live>, server: Server, at: Try) {
        live.server = server;
        let server = live.server.clone();
        let now = clock::now();
        if let Some(address) = at.address {
            link.addresses().worked(address, &self.found);
        }
        let (local, peer) = ends(live.stream.fd());
        let opened = Event::Opened {
            connection: live.id,
            local,
            peer,
            client_id: server.client_id,
            run_id: server.run_id.as_deref(),
            took: now.since(self.began),
        };
        link.listeners.tell(&link.name, &opened);
        let lent = Link::lend(live, Use::Call);
        let (purpose, began) = (self.purpose, self.began);
        link.decide(|ledger, now| ledger.dialled(now, purpose, began, lent, &server));
    }

    fn failed(&self, link: &Link, error: &DialError) {
        link.listeners.tell(
            &link.name,
            &Event::DialFailed {
                cause: error.cause,
                detail: &error.detail,
                took: clock::now().since(self.began),
            },
        );
        let (purpose, began) = (self.purpose, self.began);
        link.decide(|ledger, now| ledger.dial_failed(now, purpose, began, error));
    }
}
