//! One attempt to make a connection: look up, connect, greet. A state machine that the tender moves on.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use rustix::event::PollFlags;
use seawall_model::{Cause, Endpoint, Moment};
use seawall_wire::{Value, sniff_foreign};
use socket2::{Domain, SockAddr, Socket, Type};

use super::resolver::{Answer, Resolver};
use crate::clock;
use crate::events::Event;
use crate::link::cause;
use crate::link::connection::{Connection, Incoming};
use crate::link::handshake::{DialError, Handshake, Next, Purpose, Server};
use crate::link::ledger::Use;
use crate::link::live::{Live, Step, wire_cause};
use crate::link::shared::{Keepalive, Link};
use crate::net::stream::{Stream, close_of};

/// An attempt under way.
pub(super) struct Attempt {
    link: Weak<Link>,
    purpose: Purpose,
    began: Moment,
    deadline: Moment,
    /// Addresses that are left to try, the next one last.
    addresses: Vec<SocketAddr>,
    stage: Stage,
}

enum Stage {
    Resolving(Answer),
    Connecting {
        socket: Socket,
        address: Option<SocketAddr>,
        until: Moment,
    },
    Greeting {
        live: Box<Live>,
        handshake: Box<Handshake>,
    },
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
    Established(Box<Live>, Server),
    Failed(DialError),
}

impl Attempt {
    pub(super) fn new(
        link: &Arc<Link>,
        purpose: Purpose,
        now: Moment,
        resolver: &Resolver,
    ) -> Self {
        let span = match purpose {
            Purpose::Carry => link.dialer.connect_timeout,
            Purpose::Probe(_) | Purpose::Examine => link.dialer.probe_timeout,
        };
        let deadline = now + span;
        let mut this = Self {
            link: Arc::downgrade(link),
            purpose,
            began: now,
            deadline,
            addresses: Vec::new(),
            stage: Stage::Over,
        };
        this.stage = match &link.endpoint {
            Endpoint::Tcp { host, port } => Stage::Resolving(resolver.look_up(host, *port)),
            Endpoint::Unix { path } => {
                match SockAddr::unix(path).and_then(|to| connect(Domain::UNIX, &to)) {
                    Ok(socket) => Stage::Connecting {
                        socket,
                        address: None,
                        until: deadline,
                    },
                    Err(error) => Self::put_failure(&error),
                }
            }
        };
        this
    }

    fn put_failure(error: &std::io::Error) -> Stage {
        let copy = std::io::Error::new(error.kind(), error.to_string());
        let copy = error
            .raw_os_error()
            .map_or(copy, std::io::Error::from_raw_os_error);
        Stage::Resolving(Arc::new(std::sync::Mutex::new(Some(Err(copy)))))
    }

    /// When it must be looked at, whatever its socket does.
    pub(super) fn deadline(&self) -> Moment {
        match &self.stage {
            Stage::Connecting { until, .. } => *until,
            _ => self.deadline,
        }
    }

    /// The socket it waits for, if it has one.
    pub(super) fn waits_for(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match &self.stage {
            Stage::Connecting { socket, .. } => Some((socket.as_fd(), PollFlags::OUT)),
            Stage::Greeting { live, .. } => {
                let write = if live.state.wants_write() {
                    PollFlags::OUT
                } else {
                    PollFlags::empty()
                };
                Some((live.stream.fd(), PollFlags::IN | write))
            }
            Stage::Resolving(_) | Stage::Over => None,
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
                Stage::Resolving(answer) => self.resolve(&link, answer, now),
                Stage::Connecting {
                    socket,
                    address,
                    until,
                } => self.connect(&link, socket, address, until, now),
                Stage::Greeting { live, handshake } => self.greet(live, handshake, now),
                Stage::Over => return Progress::Ended,
            };
            match moved {
                Moved::Waiting => return Progress::Pending,
                Moved::To(stage) => self.stage = stage,
                Moved::Established(live, server) => {
                    self.established(&link, live, server);
                    return Progress::Ended;
                }
                Moved::Failed(error) => {
                    self.failed(&link, &error);
                    return Progress::Ended;
                }
            }
        }
    }

    fn resolve(&mut self, link: &Link, answer: Answer, now: Moment) -> Moved {
        let found = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let late = now >= self.deadline;
        let last_good = || {
            link.last_good
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        };
        match found {
            None if late => {
                let known = last_good();
                if known.is_empty() {
                    return Moved::Failed(DialError::new(
                        Cause::NameService,
                        "the name lookup did not end in time",
                    ));
                }
                // The name service is gone, the server need not be: one more moment for its last address.
                self.deadline = now + (self.deadline - self.began);
                self.addresses = known;
            }
            None => {
                self.stage = Stage::Resolving(answer);
                return Moved::Waiting;
            }
            Some(Ok(mut addresses)) if !addresses.is_empty() => {
                addresses.reverse();
                self.addresses = addresses;
            }
            Some(Ok(_)) => {
                return Moved::Failed(DialError::new(
                    Cause::NameUnknown,
                    "the name has no address",
                ));
            }
            Some(Err(error)) if error.raw_os_error().is_some() => {
                return Moved::Failed(DialError::new(cause::of_connect(&error), error.to_string()));
            }
            Some(Err(error)) => {
                let known = last_good();
                if known.is_empty() {
                    return Moved::Failed(DialError::new(
                        cause::of_lookup(&error),
                        error.to_string(),
                    ));
                }
                self.addresses = known;
            }
        }
        self.next_address(now, None)
    }

    /// Begins to connect to the next address; with none left, `last` is how the attempt ends.
    fn next_address(&mut self, now: Moment, last: Option<DialError>) -> Moved {
        let mut last = last
            .unwrap_or_else(|| DialError::new(Cause::ConnectTimeout, "no address was left to try"));
        while let Some(address) = self.addresses.pop() {
            if now >= self.deadline {
                break;
            }
            // The rest of the time is shared by the addresses that are left, so that a dead one cannot use it up.
            let share = self.deadline.since(now)
                / u32::try_from(self.addresses.len() + 1).unwrap_or(u32::MAX);
            let domain = if address.is_ipv4() {
                Domain::IPV4
            } else {
                Domain::IPV6
            };
            match connect(domain, &address.into()) {
                Ok(socket) => {
                    return Moved::To(Stage::Connecting {
                        socket,
                        address: Some(address),
                        until: now + share,
                    });
                }
                Err(error) => {
                    last = DialError::new(cause::of_connect(&error), format!("{address}: {error}"));
                }
            }
        }
        Moved::Failed(last)
    }

    fn connect(
        &mut self,
        link: &Link,
        socket: Socket,
        address: Option<SocketAddr>,
        until: Moment,
        now: Moment,
    ) -> Moved {
        let failed = |error: &std::io::Error| {
            let to = address.map_or_else(|| "the socket".to_owned(), |a| a.to_string());
            DialError::new(
                cause::of_connect(error),
                format!("connect to {to}: {error}"),
            )
        };
        match socket.take_error() {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => return self.next_address(now, Some(failed(&error))),
        }
        if socket.peer_addr().is_err() {
            if now >= until {
                let ms = until.since(self.began).as_millis();
                let to = address.map(|a| a.to_string()).unwrap_or_default();
                let error = DialError::new(
                    Cause::ConnectTimeout,
                    format!("connect to {to}: no answer in {ms} ms"),
                );
                return self.next_address(now, Some(error));
            }
            self.stage = Stage::Connecting {
                socket,
                address,
                until,
            };
            return Moved::Waiting;
        }
        if let Some(address) = address {
            let mut last_good = link
                .last_good
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if last_good.first() != Some(&address) {
                *last_good = vec![address];
            }
        }
        let stream = match address {
            Some(_) => {
                tune(&socket, link.dialer.keepalive, link.dialer.user_timeout);
                Stream::Tcp(socket.into())
            }
            None => Stream::Unix(socket.into()),
        };
        let (handshake, bytes, replies) = Handshake::start(
            link.dialer.login.clone(),
            link.ledger().curiosity(self.purpose),
        );
        let mut state = Connection::new(link.dialer.limits, now);
        state.queue(now, replies, |out| out.extend_from_slice(&bytes));
        let live = Live {
            id: link.next_id(),
            stream,
            state,
            server: Server::default(),
        };
        Moved::To(Stage::Greeting {
            live: Box::new(live),
            handshake: Box::new(handshake),
        })
    }

    fn greet(&mut self, mut live: Box<Live>, mut handshake: Box<Handshake>, now: Moment) -> Moved {
        loop {
            let ended = match live.write_some() {
                Ok(_) => match live.read_some(now) {
                    Ok(step) => Ok(step),
                    Err(error) => Err(close_of(&error)),
                },
                Err(_) => Err(live.read_last_words(now)),
            };
            match take_replies(&mut live, &mut handshake, now) {
                Ok(Some(server)) => return Moved::Established(live, server),
                Ok(None) => {}
                Err(error) => return Moved::Failed(error),
            }
            match ended {
                Ok(Step::Moved) => {}
                Ok(Step::WouldBlock) if now >= self.deadline => {
                    let ms = self.deadline.since(self.began).as_millis();
                    let said = live.state.bytes_in();
                    let detail = format!(
                        "connected, but the greeting was not answered in {ms} ms ({said} bytes came)"
                    );
                    live.stream.abort();
                    return Moved::Failed(DialError::new(Cause::ServerUnresponsive, detail));
                }
                Ok(Step::WouldBlock) => {
                    self.stage = Stage::Greeting { live, handshake };
                    return Moved::Waiting;
                }
                Err(close) => {
                    let loss = live.state.loss(close, now);
                    let detail =
                        format!("{close} during the greeting, after {} bytes", loss.bytes_in);
                    return Moved::Failed(DialError::new(loss.cause, detail));
                }
            }
        }
    }

    fn established(&self, link: &Link, mut live: Box<Live>, server: Server) {
        live.server = server;
        let server = live.server.clone();
        let now = clock::now();
        let opened = Event::Opened {
            connection: live.id,
            client_id: server.client_id,
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
            },
        );
        let (purpose, began) = (self.purpose, self.began);
        link.decide(|ledger, now| ledger.dial_failed(now, purpose, began, error));
    }
}

/// Feeds the greeting's replies; `Some` once the connection may carry calls.
fn take_replies(
    live: &mut Live,
    handshake: &mut Handshake,
    now: Moment,
) -> Result<Option<Server>, DialError> {
    loop {
        let foreign = sniff_foreign(live.state.unread());
        let incoming = match live.state.next_incoming() {
            Ok(None) if foreign.is_none() => return Ok(None),
            Ok(Some(incoming)) if foreign.is_none() => incoming,
            Err(error) if foreign.is_none() => {
                return Err(DialError::new(wire_cause(&error), error.to_string()));
            }
            _ => {
                let what = foreign
                    .map(|foreign| foreign.to_string())
                    .unwrap_or_default();
                return Err(DialError::new(
                    Cause::NotRedis,
                    format!("what answers there speaks {what}"),
                ));
            }
        };
        match incoming {
            Incoming::Push(_) => live.state.consume(incoming),
            Incoming::Reply(frame) | Incoming::Unasked(frame) => {
                let (value, _) = Value::decode(live.state.frame(frame), live.state.limits())
                    .map_err(|error| DialError::new(wire_cause(&error), error.to_string()))?;
                live.state.consume(incoming);
                match handshake.handle(value)? {
                    Next::Await => {}
                    Next::Fallback { bytes, replies } => {
                        live.state
                            .queue(now, replies, |out| out.extend_from_slice(&bytes));
                    }
                    Next::Ready(server) => return Ok(Some(server)),
                }
            }
        }
    }
}

fn connect(domain: Domain, to: &SockAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM.nonblocking().cloexec(), None)?;
    match socket.connect(to) {
        Ok(()) => Ok(socket),
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
        {
            Ok(socket)
        }
        Err(error) => Err(error),
    }
}

/// Sets what the kernel shall do for the connection. A kernel that refuses one of these serves us all the same.
fn tune(socket: &Socket, keepalive: Option<Keepalive>, user_timeout: Duration) {
    let _ = socket.set_tcp_nodelay(true);
    if let Some(Keepalive {
        idle,
        interval,
        probes,
    }) = keepalive
    {
        let settings = socket2::TcpKeepalive::new()
            .with_time(idle)
            .with_interval(interval)
            .with_retries(probes);
        let _ = socket.set_tcp_keepalive(&settings);
    }
    if !user_timeout.is_zero() {
        let _ = socket.set_tcp_user_timeout(Some(user_timeout));
    }
}
