//! Our own faces as contenders: calls come from the lab, line by line, and go through a client of ours.

#[cfg(feature = "tokio")]
mod asynchronous;
mod blocking;

use std::io;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use seawall::blocking::Client;
use seawall::{Builder, Cause, Cmd, Error, Event, Kind, Pipeline, Sent, Stats, Value, journal};
use seawall_lab::contender::serve::{InboxError, Outbox};
use seawall_lab::contender::{
    Ability, Answer, Call, Event as Told, Failure, Refused, Reply, Restarted, Settings,
};
use seawall_lab::run::Contender;

use crate::{Door, Exit, output};

/// Stand for a face of ours in the lab (the lab starts this itself).
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct Contend {
    /// Which face
    #[arg(long)]
    face: Face,
}

/// A face of the engine that can stand in the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Face {
    /// `seawall::blocking::Client`.
    Blocking,
    /// `seawall::asynchronous::Client`.
    #[cfg(feature = "tokio")]
    Tokio,
}

impl Face {
    /// Those that this program has.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied()
    }

    /// The names of all faces.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        Self::value_variants().iter().map(|face| face.name())
    }

    /// This program, called again to stand for the face.
    pub(crate) fn contender(self, door: &Door) -> Contender {
        let words = ["lab", "contend", "--face", self.name()];
        let program = door.program.iter().map(String::as_str);
        Contender::judged(self.name(), program.chain(words))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Blocking => "blocking",
            #[cfg(feature = "tokio")]
            Self::Tokio => "tokio",
        }
    }
}

impl Contend {
    pub(crate) fn run(self) -> Exit {
        let result = match self.face {
            Face::Blocking => blocking::contend(),
            #[cfg(feature = "tokio")]
            Face::Tokio => asynchronous::contend(),
        };
        match result {
            Ok(()) => Exit::Well,
            Err(error) => {
                output::fail(error, "");
                Exit::Unable
            }
        }
    }
}

/// What is left of a call's deadline, which runs from when its line was read.
fn left(call: &Call, read_at: Instant) -> Duration {
    call.deadline
        .saturating_sub(read_at.elapsed())
        .max(Duration::from_millis(1))
}

fn answer(id: u64, outcome: Result<Reply, Failure>) -> Answer {
    match outcome {
        Ok(reply) => Answer::Ok { id, reply },
        Err(failure) => Answer::Fail { id, failure },
    }
}

fn single(outcome: Result<Value, Error>) -> Result<Reply, Failure> {
    outcome
        .map(|value| reply(&value))
        .map_err(|error| failure(&error))
}

fn ready(name: &str, can: &[Ability]) -> Answer {
    Answer::Ready {
        name: name.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        can: can.to_vec(),
    }
}

fn finish(stats: &Stats, outbox: &Outbox) {
    outbox.say(&Answer::Stats(vec![
        ("dials".into(), stats.dialled),
        ("dials-failed".into(), stats.dials_failed.total()),
        ("retries".into(), stats.retried),
    ]));
    outbox.say(&Answer::Bye);
}

fn builder(settings: &Settings, outbox: &Outbox) -> Result<Builder, ContendError> {
    let deadline = Duration::from_millis(settings.deadline_ms);
    let outbox = outbox.clone();
    Ok(Client::builder(&settings.url)?
        .deadline(deadline)?
        .pool_size(settings.workers.max(1))?
        .on_event(move |event| tell(&outbox, event)))
}

fn cmd(words: &[Vec<u8>]) -> Cmd {
    let mut cmd = Cmd::new("");
    for word in words {
        cmd.push(word);
    }
    cmd
}

fn pipeline(commands: &[Vec<Vec<u8>>]) -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.extend(commands.iter().map(|words| cmd(words)));
    pipeline
}

/// Several results as one answer: what the server answered to one command is a reply; any other failure fails the whole,
/// which may have run as soon as a part of it may have.
fn list(results: Result<Vec<Result<Value, Error>>, Error>) -> Result<Reply, Failure> {
    let results = results.map_err(|error| failure(&error))?;
    let of_its_own =
        |error: &Error| error.kind() == Kind::Server && error.cause() == Cause::CommandError;
    let failed = results
        .iter()
        .filter_map(|result| result.as_ref().err())
        .find(|&error| !of_its_own(error));
    if let Some(error) = failed {
        let ran = results
            .iter()
            .any(|result| result.as_ref().err().is_none_or(Error::may_have_run));
        let sent = if ran { Sent::Perhaps } else { Sent::No };
        return Err(Failure {
            sent,
            ..failure(error)
        });
    }
    let replies = results.iter().map(|result| match result {
        Ok(value) => reply(value),
        Err(error) => Reply::Error(
            error
                .server_error()
                .map_or_else(Vec::new, |said| said.message.as_bytes().to_vec()),
        ),
    });
    Ok(Reply::Array(replies.collect()))
}

fn reply(value: &Value) -> Reply {
    match value {
        Value::Null => Reply::Nil,
        Value::Bool(truth) => Reply::Int(i64::from(*truth)),
        Value::Int(n) => Reply::Int(*n),
        Value::Double(n) => Reply::Text(n.to_string().into_bytes()),
        Value::BigNumber(digits) => Reply::Text(digits.to_string().into_bytes()),
        Value::Simple(text) => Reply::Simple(text.clone()),
        Value::Bulk(bytes) | Value::Verbatim { text: bytes, .. } => Reply::bulk(bytes),
        Value::Error(error) => Reply::Error(error.message.as_bytes().to_vec()),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => {
            Reply::Array(items.iter().map(reply).collect())
        }
        Value::Map(pairs) => Reply::Array(
            pairs
                .iter()
                .flat_map(|(key, value)| [reply(key), reply(value)])
                .collect(),
        ),
        Value::Attributed { value, .. } => reply(value),
    }
}

fn failure(error: &Error) -> Failure {
    // Refused by policy: the endpoint is known to be in an outage, and the answer says when to come back.
    let by_policy = error.kind() == Kind::Refused && error.retry_after().is_some();
    Failure {
        sent: if error.may_have_run() {
            Sent::Perhaps
        } else {
            Sent::No
        },
        cause: Some(error.cause()),
        refused: if by_policy { Refused::Yes } else { Refused::No },
        attempts: error.attempts(),
        message: error.to_string(),
    }
}

fn tell(outbox: &Outbox, event: &Event<'_>) {
    let told = match *event {
        Event::OutageStarted { cause, .. } => Told::OutageStart { cause: Some(cause) },
        Event::Recovered {
            cause,
            lasted,
            restarted,
            ..
        } => Told::OutageEnd {
            cause: Some(cause),
            lasted: Some(lasted),
            restarted: match restarted {
                journal::Restarted::Yes => Restarted::Yes,
                journal::Restarted::No => Restarted::No,
                journal::Restarted::Unknown => Restarted::Unsaid,
            },
        },
        Event::Lost { cause, .. } => Told::Lost { cause: Some(cause) },
        Event::NameStale { .. } => Told::Other {
            kind: "name-stale".into(),
        },
        _ => return,
    };
    outbox.say(&Answer::Event(told));
}

/// Why a contender could not stand.
#[derive(Debug, thiserror::Error)]
enum ContendError {
    /// The lab must say hello, once.
    #[error(
        "the first line must be `hello`, and only the first (this command is for the lab: see docs/contenders.md)"
    )]
    NoHello,
    /// The lab must not ask for what this face did not say it can do.
    #[error("this face cannot do what the lab asks for")]
    Unable,
    /// The lab's line could not be read.
    #[error(transparent)]
    Inbox(#[from] InboxError),
    /// The pipe to the lab broke.
    #[error("the lab no longer reads: {0}")]
    Io(#[from] io::Error),
    /// No client for these settings.
    #[error(transparent)]
    Client(#[from] Error),
}
