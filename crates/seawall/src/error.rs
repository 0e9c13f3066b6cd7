//! The error that every call can end with.

use std::fmt;
use std::time::Duration;

use seawall_model::{Cause, Close, Provenance, Sent};
use seawall_wire::error::ServerError;

use crate::reply::WrongType;

/// What kind of end a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// It was not sent: the endpoint is down, the pool is exhausted, or its deadline came first.
    Refused,
    /// It was sent, and its connection ended before the reply came.
    Lost,
    /// It was sent, and its deadline came before the reply.
    TimedOut,
    /// The server answered with an error.
    Server,
    /// What came cannot be read, or is not of the type that was asked for.
    Reply,
    /// A setting is wrong: URL, option, credentials, certificate.
    Settings,
}

/// Why a call failed, and what it proves.
///
/// The text names what happened and where, on its first line; `caused by:` what lies behind; `hint:` what to do; `why:` who
/// finds the reason, where only a symptom was seen.
/// ```text
/// INCR may have run: the connection was reset while in use (127.0.0.1:6379)
///   caused by: the connection was reset (RST), 12 ms old, 1 request in flight, 31 bytes out, 0 in
///   hint: if the server's log shows nothing, something between reset it: a balancer, a proxy, a firewall
///   why: seawall doctor <URL of the server> <its log>
/// ```
#[derive(Clone)]
pub struct Error(Box<Report>);

/// What is known of a failure.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) kind: Kind,
    pub(crate) cause: Cause,
    pub(crate) also: Option<Cause>,
    pub(crate) sent: Sent,
    pub(crate) provenance: Provenance,
    /// Of each unanswered command of a pipeline, this one's first.
    pub(crate) trail: Vec<Provenance>,
    pub(crate) command: Box<str>,
    pub(crate) endpoint: Box<str>,
    pub(crate) detail: Box<str>,
    pub(crate) server: Option<ServerError>,
    pub(crate) connection: Option<ConnectionFacts>,
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
    pub(crate) retry_after: Option<Duration>,
}

/// What is known of the connection that a call was lost with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionFacts {
    /// How it ended.
    pub close: Close,
    /// How long it had been idle before the request.
    pub idle: Duration,
    /// How long it had been established.
    pub age: Duration,
    /// Bytes that came on it, in all.
    pub bytes_in: u64,
    /// Bytes that the kernel accepted for it, in all.
    pub bytes_out: u64,
    /// Requests that were in flight on it.
    pub in_flight: usize,
    /// Bytes of an unfinished reply that had come.
    pub partial: usize,
    /// The id by which the server's log and CLIENT LIST know it.
    pub client_id: Option<u64>,
    /// The server process it was connected to.
    pub run_id: Option<Box<str>>,
}

impl Error {
    pub(crate) fn new(kind: Kind, cause: Cause, command: &str, endpoint: &str) -> Self {
        Self(Box::new(Report {
            kind,
            cause,
            also: None,
            sent: Sent::No,
            provenance: Provenance::Queued,
            trail: Vec::new(),
            command: command.into(),
            endpoint: endpoint.into(),
            detail: Box::default(),
            server: None,
            connection: None,
            attempts: 0,
            elapsed: Duration::ZERO,
            retry_after: None,
        }))
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Report)) -> Self {
        change(&mut self.0);
        self
    }

    pub(crate) fn wrong_type(wrong: &WrongType, command: &str, endpoint: &str) -> Self {
        Self::new(Kind::Reply, Cause::CommandError, command, endpoint).with(|report| {
            report.detail =
                format!("the reply is {}, {} was asked for", wrong.got, wrong.wanted).into();
            report.sent = Sent::Perhaps;
            report.provenance = Provenance::Replying;
        })
    }

    /// The server answered one command of several with an error.
    pub(crate) fn server(error: ServerError, command: &str, endpoint: &str, script: bool) -> Self {
        let sent = if error.kind.surely_did_not_run() && !script {
            Sent::No
        } else {
            Sent::Perhaps
        };
        Self::new(
            Kind::Server,
            crate::link::cause::of_server(&error.kind),
            command,
            endpoint,
        )
        .with(|report| {
            report.sent = sent;
            report.provenance = Provenance::Replying;
            report.server = Some(crate::link::cause::without_arguments(error));
        })
    }

    /// How far each unanswered command of a pipeline got, in order, for [`for_command`](Self::for_command).
    pub(crate) fn take_trail(&mut self) -> Vec<Provenance> {
        std::mem::take(&mut self.0.trail)
    }

    /// The same end, as it concerns one command of the same pipeline that got this far.
    pub(crate) fn for_command(&self, command: &str, provenance: Option<Provenance>) -> Self {
        self.clone().with(|report| {
            report.command = command.into();
            if let Some(provenance) = provenance {
                report.provenance = provenance;
                // An earlier attempt may have run it, however far the last one got.
                if report.attempts <= 1 {
                    report.sent = provenance.sent_if_aborted();
                }
            }
        })
    }

    /// What kind of end it was.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Why; the first cause wins.
    pub fn cause(&self) -> Cause {
        self.0.cause
    }

    /// What else was seen on the way, if anything.
    pub fn also(&self) -> Option<Cause> {
        self.0.also
    }

    /// Whether the command may have run. `false` is a proof that it did not.
    pub fn may_have_run(&self) -> bool {
        self.0.sent == Sent::Perhaps
    }

    /// How far the last attempt got.
    pub fn provenance(&self) -> Provenance {
        self.0.provenance
    }

    /// What the server said, if it answered with an error.
    pub fn server_error(&self) -> Option<&ServerError> {
        self.0.server.as_ref()
    }

    /// The connection it was lost with, if there was one.
    pub fn connection(&self) -> Option<&ConnectionFacts> {
        self.0.connection.as_ref()
    }

    /// How often it was sent.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// How long the call took, from its start to this error.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// When it is worth trying again, if the endpoint is down: until its next probe.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The command's name.
    pub fn command(&self) -> &str {
        &self.0.command
    }

    /// The endpoint it was for.
    pub fn endpoint(&self) -> &str {
        &self.0.endpoint
    }

    /// What to look at or do next.
    pub fn hint(&self) -> &'static str {
        if self.0.finds_no_listener_on_a_unix_socket() {
            return "is redis-server running, and is this the path of `unixsocket` in its redis.conf?";
        }
        self.0.cause.hint()
    }
}

impl Report {
    /// There is no host and no port to look at.
    fn finds_no_listener_on_a_unix_socket(&self) -> bool {
        self.cause == Cause::ConnectionRefused && self.endpoint.starts_with("unix:")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &*self.0;
        let command = match &*report.command {
            "" => "the connection",
            // What it was wanted for is its holder's affair.
            "LEASE" => "a connection",
            name => name,
        };
        let fate = match (report.kind, report.sent) {
            (Kind::Settings, _) if report.command.is_empty() => "cannot be made",
            (Kind::Server, _) => "was refused",
            (Kind::Reply, _) => "was answered, but not as asked",
            (_, Sent::No) if &*report.command == "LEASE" => "could not be had",
            (_, Sent::No) => "did not run",
            (_, Sent::Perhaps) => "may have run",
        };
        write!(f, "{command} {fate}: ")?;
        match &report.server {
            Some(error) => write!(f, "{}", error.message)?,
            None if report.kind == Kind::Reply && !report.detail.is_empty() => {
                f.write_str(&report.detail)?;
            }
            None if report.finds_no_listener_on_a_unix_socket() => {
                f.write_str("no process listens on that socket")?;
            }
            None => f.write_str(report.cause.says())?,
        }
        write!(f, " ({})", report.endpoint)?;
        if !report.detail.is_empty() && report.kind != Kind::Reply && report.server.is_none() {
            write!(f, "\n  caused by: {}", report.detail)?;
        }
        if let Some(connection) = &report.connection {
            write!(f, "\n  caused by: {connection}")?;
        }
        if report.attempts > 1 {
            write!(
                f,
                "\n  tried {} times in {} ms",
                report.attempts,
                report.elapsed.as_millis()
            )?;
        }
        if let Some(after) = report.retry_after {
            write!(f, "\n  retry after: {} ms", after.as_millis().max(1))?;
        }
        if report.cause != Cause::CommandError {
            write!(f, "\n  hint: {}", self.hint())?;
        }
        if report.cause.is_symptom() {
            f.write_str("\n  why: seawall doctor <URL of the server> <its log>")?;
        }
        Ok(())
    }
}

impl fmt::Display for ConnectionFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.close)?;
        if self.idle >= Duration::from_millis(900) {
            write!(f, " after {:.1} s idle", self.idle.as_secs_f64())?;
        }
        write!(
            f,
            "; it was {:.3} s old, {} in flight, {} bytes out, {} in",
            self.age.as_secs_f64(),
            self.in_flight,
            self.bytes_out,
            self.bytes_in
        )?;
        if self.partial > 0 {
            write!(f, ", {} of them of an unfinished reply", self.partial)?;
        }
        if let Some(id) = self.client_id {
            write!(f, "; the server knows it as id={id}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {}
