//! From a name to a connected socket: every address has its turn, within one deadline.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;

use seawall_model::{Cause, Moment};
use socket2::{Domain, SockAddr, Socket, Type};

use super::super::resolver::Answer;
use super::{Attempt, Moved, Stage, Try};
use crate::events::Event;
use crate::fork;
use crate::link::cause;
use crate::link::handshake::DialError;
use crate::link::shared::{Keepalive, Line, Link};
use crate::net::stream::Stream;
use crate::net::tls::TlsStream;

impl Attempt {
    /// Takes what the name service found, or what was good before it fell silent.
    pub(super) fn resolve(
        &mut self,
        link: &Link,
        answer: Answer<Vec<SocketAddr>>,
        until: Moment,
        now: Moment,
    ) -> Moved {
        let error = match answer.take() {
            Some(Ok(mut found)) if !found.is_empty() => {
                link.addresses().order(&mut found, now);
                self.found = found;
                return self.begin_with_found(now);
            }
            Some(Ok(_)) => DialError::new(Cause::NameUnknown, "the name has no address"),
            Some(Err(error)) => DialError::new(cause::of_lookup(&error), error.to_string()),
            None if now >= until => {
                let ms = now.since(self.began).as_millis();
                let detail = format!("the name lookup did not end in {ms} ms");
                DialError::new(Cause::NameService, detail)
            }
            None => return self.wait(Stage::Resolving { answer, until }),
        };
        let mut known = link.addresses().last_good().to_vec();
        let Some(&address) = known.first() else {
            return Moved::Failed(error);
        };
        let stale = Event::NameStale {
            address,
            cause: error.cause,
            detail: &error.detail,
        };
        link.listeners.tell(&link.name, &stale);
        link.addresses().order(&mut known, now);
        self.found = known;
        self.stale = Some(error.detail);
        self.begin_with_found(now)
    }

    fn begin_with_found(&mut self, now: Moment) -> Moved {
        self.left = self.found.iter().rev().copied().collect();
        self.next_address(now)
    }

    /// Begins to connect to the next address; with none left, the attempt is over.
    fn next_address(&mut self, now: Moment) -> Moved {
        while let Some(address) = self.left.pop() {
            if now >= self.deadline {
                break;
            }
            // The rest of the time is shared by the addresses that are left, so that a dead one cannot use it up.
            let turns = u32::try_from(self.left.len() + 1).unwrap_or(u32::MAX);
            let at = Try {
                address: Some(address),
                began: now,
                until: now + self.deadline.since(now) / turns,
            };
            match connect(Domain::for_address(address), &address.into()) {
                Ok(socket) => return Moved::To(Stage::Connecting { socket, at }),
                Err(error) => self.note(DialError::new(
                    cause::of_connect(&error),
                    format!("connect to {address}: {error}"),
                )),
            }
        }
        let failed = match self.failures.take() {
            Some((error, 1)) => error,
            Some((mut error, tried)) => {
                error.detail = format!("{} ({tried} addresses were tried)", error.detail).into();
                error
            }
            None => DialError::new(Cause::ConnectTimeout, "no time was left to connect"),
        };
        Moved::Failed(failed)
    }

    /// An address came to nothing: the next one has its turn. What the server itself said holds for all of them.
    pub(super) fn elsewhere(
        &mut self,
        link: &Link,
        at: Try,
        mut error: DialError,
        now: Moment,
    ) -> Moved {
        if let Some(why) = &self.stale {
            let detail = format!(
                "{} (its last good address, since the name is not to be had: {why})",
                error.detail
            );
            error.detail = detail.into();
        }
        if error.server.is_some() {
            return Moved::Failed(error);
        }
        if let Some(address) = at.address {
            link.addresses().failed(address, now);
        }
        self.note(error);
        self.next_address(now)
    }

    /// Says which address it was, where the URL says a name.
    pub(super) fn placed(link: &Link, at: Try, mut error: DialError) -> DialError {
        if let Some(address) = at.address
            && link.endpoint.ip().is_none()
        {
            error.detail = format!("{address}: {}", error.detail).into();
        }
        error
    }

    /// Keeps the most telling failure; of equal ones the first.
    fn note(&mut self, error: DialError) {
        self.failures = Some(match self.failures.take() {
            Some((first, tried)) if telling(first.cause) >= telling(error.cause) => {
                (first, tried + 1)
            }
            Some((_, tried)) => (error, tried + 1),
            None => (error, 1),
        });
    }

    /// A Unix socket has one address and no name.
    pub(super) fn reach_socket_file(&self, path: &Path, now: Moment) -> Stage {
        let at = Try {
            address: None,
            began: now,
            until: self.deadline,
        };
        match SockAddr::unix(path).and_then(|to| connect(Domain::UNIX, &to)) {
            Ok(socket) => Stage::Connecting { socket, at },
            Err(error) => Stage::Doomed(socket_file_error(path, &error)),
        }
    }

    /// Looks whether the socket is connected, and goes on to what comes then.
    pub(super) fn connect(&mut self, link: &Link, socket: Socket, at: Try, now: Moment) -> Moved {
        let to = at
            .address
            .map_or_else(|| "the socket".to_owned(), |address| address.to_string());
        match socket.take_error() {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => {
                let detail = format!("connect to {to}: {error}");
                let error = DialError::new(cause::of_connect(&error), detail);
                return self.elsewhere(link, at, error, now);
            }
        }
        if socket.peer_addr().is_err() {
            if now >= at.until {
                let ms = at.until.since(at.began).as_millis();
                let detail = format!("connect to {to}: no answer in {ms} ms");
                let error = DialError::new(Cause::ConnectTimeout, detail);
                return self.elsewhere(link, at, error, now);
            }
            return self.wait(Stage::Connecting { socket, at });
        }
        let stream = match (&link.dialer.line, at.address) {
            (_, None) => Stream::Unix(socket.into()),
            (Line::Plain, Some(_)) => {
                tune(&socket, link.dialer.keepalive, link.dialer.user_timeout);
                Stream::Tcp(socket.into())
            }
            (Line::Tls(line), Some(_)) => {
                tune(&socket, link.dialer.keepalive, link.dialer.user_timeout);
                return match TlsStream::new(socket.into(), line) {
                    Ok(stream) => Moved::To(Stage::Securing {
                        stream: Box::new(stream),
                        at,
                    }),
                    Err(error) => {
                        Moved::Failed(DialError::new(Cause::TlsHandshake, error.to_string()))
                    }
                };
            }
        };
        self.begin_greeting(link, stream, at, now)
    }
}

/// How much a failure says about the server: one that answered on any address tells more than one that did not.
fn telling(cause: Cause) -> u8 {
    match cause {
        // As where a host has no IPv6 at all, and the name has such an address.
        Cause::Unreachable => 0,
        Cause::ConnectTimeout => 1,
        Cause::ConnectionRefused | Cause::ConnectForbidden | Cause::LocalLimit => 2,
        _ => 3,
    }
}

/// Why no connection to a Unix socket could be begun, and what stands at its path instead.
fn socket_file_error(path: &Path, error: &std::io::Error) -> DialError {
    let at = path.display();
    let other = std::fs::metadata(path)
        .ok()
        .filter(|found| !found.file_type().is_socket());
    if other.is_some() {
        return DialError::new(
            Cause::BadSettings,
            format!("what is at {at} is no socket (`unixsocket` in redis.conf names the server's)"),
        );
    }
    let cause = cause::of_connect(error);
    let more = match cause {
        Cause::ConnectForbidden => {
            ": this process's user may not connect to it (`unixsocketperm` in redis.conf)"
        }
        Cause::ServerUnresponsive => ": its backlog is full, the server accepts nobody",
        _ => "",
    };
    DialError::new(cause, format!("connect to {at}: {error}{more}"))
}

fn connect(domain: Domain, to: &SockAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM.nonblocking().cloexec(), None)?;
    fork::keep_from_children(socket.as_fd());
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

/// Connects without TLS and without tuning, to ask one question.
pub(super) fn connect_plainly(address: SocketAddr) -> std::io::Result<Socket> {
    connect(Domain::for_address(address), &address.into())
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
