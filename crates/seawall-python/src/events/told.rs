//! One event as plain data, and as Python gets it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use seawall::journal::HealthState;
use seawall::{Cause, Event, Life, OutageCalls};

const DEBUG: u8 = 10;
const INFO: u8 = 20;
const WARNING: u8 = 30;

/// An event that waits. Names and facts are those of the engine's log.
pub(super) struct Told {
    pub(super) name: &'static str,
    pub(super) endpoint: Box<str>,
    pub(super) cause: Option<Cause>,
    /// It is told of the endpoint, not of one connection or call.
    pub(super) of_health: bool,
    /// `Some`: it makes a line of the log, which says how many like it were withheld.
    pub(super) line: Option<u64>,
    level: u8,
    at: f64,
    facts: Vec<(&'static str, Fact)>,
}

enum Fact {
    Count(u64),
    Seconds(f64),
    Text(Box<str>),
    Unknown,
}

impl From<u64> for Fact {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<Duration> for Fact {
    fn from(span: Duration) -> Self {
        Self::Seconds(span.as_secs_f64())
    }
}

impl From<&str> for Fact {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl<T: Into<Fact>> From<Option<T>> for Fact {
    fn from(fact: Option<T>) -> Self {
        fact.map_or(Self::Unknown, Into::into)
    }
}

fn millis(span: Duration) -> Fact {
    Fact::Count(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// What the match below fills in.
struct Words {
    name: &'static str,
    level: u8,
    cause: Option<Cause>,
    facts: Vec<(&'static str, Fact)>,
}

impl Words {
    fn new(name: &'static str, level: u8, cause: impl Into<Option<Cause>>) -> Self {
        Self {
            name,
            level,
            cause: cause.into(),
            facts: Vec::new(),
        }
    }

    fn with(mut self, name: &'static str, fact: impl Into<Fact>) -> Self {
        self.facts.push((name, fact.into()));
        self
    }

    fn with_life(self, life: &Life) -> Self {
        self.with("idle_ms", millis(life.idle))
            .with("age_ms", millis(life.age))
            .with("bytes_in", life.bytes_in)
            .with("bytes_out", life.bytes_out)
            .with("in_flight", life.owed as u64)
    }

    fn with_calls(self, calls: &OutageCalls) -> Self {
        self.with("answered", calls.answered)
            .with("failed", calls.failed)
            .with("maybe_ran", calls.maybe_ran)
    }
}

impl Told {
    /// `None` for an event that this door does not know yet.
    pub(super) fn of(endpoint: &str, event: &Event<'_>) -> Option<Self> {
        let of_health = !matches!(
            event,
            Event::Opened { .. }
                | Event::DialFailed { .. }
                | Event::Closed { .. }
                | Event::Lost { .. }
                | Event::NameStale { .. }
                | Event::Retried { .. }
                | Event::RetryRefused { .. }
        );
        let words = if of_health {
            of_endpoint(event)?
        } else {
            of_connection(event)?
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Some(Self {
            name: words.name,
            endpoint: endpoint.into(),
            cause: words.cause,
            of_health,
            line: None,
            level: words.level,
            at: since.unwrap_or_default().as_secs_f64(),
            facts: words.facts,
        })
    }

    pub(super) fn as_tuple<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let facts = PyDict::new(py);
        for (name, fact) in &self.facts {
            match fact {
                Fact::Count(count) => facts.set_item(name, count)?,
                Fact::Seconds(seconds) => facts.set_item(name, seconds)?,
                Fact::Text(text) => facts.set_item(name, &**text)?,
                Fact::Unknown => facts.set_item(name, py.None())?,
            }
        }
        let cause = self.cause.map(Cause::name);
        let told = (
            self.name,
            &*self.endpoint,
            cause,
            self.at,
            facts,
            self.level,
            self.line,
        );
        told.into_pyobject(py)
    }
}

fn of_connection(event: &Event<'_>) -> Option<Words> {
    Some(match *event {
        Event::Opened {
            connection,
            client_id,
            took,
            ..
        } => Words::new("connection.open", DEBUG, None)
            .with("connection", connection)
            .with("client_id", client_id)
            .with("took_ms", millis(took)),
        Event::DialFailed {
            cause,
            detail,
            took,
            ..
        } => Words::new("connection.failed", DEBUG, cause)
            .with("took_ms", millis(took))
            .with("detail", detail),
        Event::Closed {
            connection,
            why,
            ref life,
            ..
        } => Words::new("connection.close", DEBUG, None)
            .with("connection", connection)
            .with("why", why)
            .with_life(life),
        Event::Lost {
            connection,
            cause,
            close,
            ref life,
            command,
            ..
        } => Words::new("connection.lost", INFO, cause)
            .with("connection", connection)
            .with("close", close.name())
            .with("cmd", command)
            .with_life(life),
        Event::NameStale {
            address,
            cause,
            detail,
            ..
        } => Words::new("name.stale", INFO, cause)
            .with("address", &*address.to_string())
            .with("detail", detail),
        Event::Retried {
            command,
            cause,
            attempt,
            attempts_max,
            waited,
            ..
        } => Words::new("retry", INFO, cause)
            .with("cmd", command)
            .with("attempt", u64::from(attempt))
            .with("attempts_max", u64::from(attempts_max))
            .with("waited_ms", millis(waited)),
        Event::RetryRefused {
            command,
            cause,
            why,
            ..
        } => Words::new("retry.refused", INFO, cause)
            .with("cmd", command)
            .with("why", why.name()),
        _ => return None,
    })
}

fn of_endpoint(event: &Event<'_>) -> Option<Words> {
    Some(match *event {
        Event::Suspected { cause, .. } => Words::new("outage.suspected", INFO, cause),
        Event::OutageStarted { cause, fails, .. } => {
            Words::new("outage.start", WARNING, cause).with("fails", fails)
        }
        Event::OutageNamed { cause, .. } => Words::new("outage.cause", WARNING, cause),
        Event::OutageProgress {
            cause,
            lasting,
            ref calls,
            ..
        } => Words::new("outage.progress", WARNING, cause)
            .with("lasting", lasting)
            .with_calls(calls),
        Event::Recovered {
            from: HealthState::Down,
            cause,
            lasted,
            restarted,
            ref calls,
            ..
        } => Words::new("outage.end", WARNING, cause)
            .with("lasted", lasted)
            .with_calls(calls)
            .with("restarted", restarted.name()),
        Event::Recovered { cause, lasted, .. } => {
            Words::new("outage.cleared", INFO, cause).with("lasted", lasted)
        }
        Event::AnsweredByPolicy { policy, count, .. } => Words::new("policy.answered", DEBUG, None)
            .with("policy", policy.name())
            .with("count", count),
        Event::WritesRefused { cause, .. } => Words::new("writes.refused", WARNING, cause),
        Event::WritesAccepted { lasted, .. } => {
            Words::new("writes.accepted", WARNING, None).with("lasted", lasted)
        }
        Event::JournalInMemory {
            directory,
            detail,
            hint,
            ..
        } => Words::new("journal.memory_only", WARNING, None)
            .with("dir", &*directory.to_string_lossy())
            .with("error", detail)
            .with("hint", hint),
        _ => return None,
    })
}
