//! Applications' logs: what Redis clients write into them, alone or inside a traceback.

use std::sync::{Arc, OnceLock};

use super::kernel::iso;
use super::{Hit, Searcher, call};
use crate::facts::{ClientLine, Fact, Facts, Failure, Kept, Place, Spot};
use crate::rule::Need;
use crate::stamp::Stamp;
use crate::text::{Listened, Said, Text};

/// What clients write, the more particular first: redis-py, ioredis, node-redis, go-redis, Jedis, Lettuce, redis-rs.
const TEXTS: &[(&str, Failure)] = &[
    ("max number of clients reached", Failure::MaxClients),
    ("LOADING Redis is loading", Failure::Loading),
    ("Redis is loading the dataset in memory", Failure::Loading),
    ("READONLY You can't write", Failure::ReadOnly),
    (
        "You can't write against a read only replica",
        Failure::ReadOnly,
    ),
    ("OOM command not allowed", Failure::OutOfMemory),
    ("command not allowed when used memory", Failure::OutOfMemory),
    ("MISCONF ", Failure::SaveFailed),
    ("unable to persist on disk", Failure::SaveFailed),
    ("WRONGPASS ", Failure::Auth),
    ("invalid username-password pair", Failure::Auth),
    ("NOAUTH ", Failure::Auth),
    ("Authentication required", Failure::Auth),
    ("Connection closed by server", Failure::Closed),
    ("Socket closed unexpectedly", Failure::Closed),
    ("Unexpected end of stream", Failure::Closed),
    ("Timeout reading from ", Failure::ReadTimeout),
    ("Timeout connecting to server", Failure::ConnectTimeout),
    ("connect ETIMEDOUT", Failure::ConnectTimeout),
    ("Too many connections", Failure::PoolExhausted),
    ("No connection available", Failure::PoolExhausted),
    ("redis: connection pool timeout", Failure::PoolExhausted),
    (
        "Could not get a resource from the pool",
        Failure::PoolExhausted,
    ),
    ("Name or service not known", Failure::NameUnknown),
    ("Temporary failure in name resolution", Failure::NameUnknown),
    ("getaddrinfo ENOTFOUND", Failure::NameUnknown),
    ("while writing to socket", Failure::WriteFailed),
    ("Broken pipe", Failure::WriteFailed),
    ("write EPIPE", Failure::WriteFailed),
    ("Connection reset by peer", Failure::Reset),
    ("read ECONNRESET", Failure::Reset),
    ("connection reset by peer", Failure::Reset),
    ("Connection refused", Failure::Refused),
    ("connect ECONNREFUSED", Failure::Refused),
    ("connection refused", Failure::Refused),
];

/// Whether this is a line of such a log.
pub(super) fn is(line: &str) -> bool {
    listened().search.is_match(line)
}

fn listened() -> &'static Listened {
    static LISTENED: OnceLock<Listened> = OnceLock::new();
    let own = TEXTS.iter().map(|(text, _)| *text);
    Listened::once(&LISTENED, Need::ClientLog, own)
}

fn meaning(line: &str) -> Option<Failure> {
    let known = TEXTS.iter().find(|(text, _)| line.contains(text));
    known.map(|(_, failure)| *failure)
}

/// So many lines before a failure are looked at for its time.
const TRACEBACK_MAX: usize = 200;

pub(super) struct Application {
    source: Arc<str>,
    /// The failure that was told last, where, and its time.
    told: Option<(Failure, u64, Option<Stamp>)>,
    failures: u64,
    found: Kept<Failure, ClientLine>,
    said: Kept<Text, Said>,
}

impl Application {
    pub(super) fn new(name: &str) -> Self {
        Self {
            source: name.into(),
            told: None,
            failures: 0,
            found: Kept::default(),
            said: Kept::default(),
        }
    }
}

impl Searcher for Application {
    fn source(&self) -> Arc<str> {
        Arc::clone(&self.source)
    }

    fn listened(&self) -> &'static Listened {
        listened()
    }

    fn time(&self, line: &str) -> Option<Stamp> {
        time_of(line)
    }

    fn line(&mut self, hit: &Hit<'_>) {
        let own = time_of(&hit.line);
        // The lines of a traceback have no time: the line above them has.
        let mut before = hit.before.lines().take(TRACEBACK_MAX);
        let at = own.or_else(|| before.find_map(|line| time_of(&line)));
        let place = Place {
            source: Arc::clone(&self.source),
            spot: Spot::Line(hit.number),
        };
        let mut heard = false;
        for what in self.listened().said(&hit.line, None) {
            heard = true;
            let place = place.clone();
            self.said.push(what.text, Fact { at, place, what });
        }
        let Some(failure) = meaning(&hit.line).or(heard.then_some(Failure::Other)) else {
            return;
        };
        // A traceback tells the same failure twice: as the socket's error, and as the client's.
        let again = self.told.is_some_and(|(told, line, then)| {
            own.is_none() && then == at && hit.number - line < 60 && same(told, failure)
        });
        if again {
            return;
        }
        self.told = Some((failure, hit.number, at));
        self.failures += 1;
        let what = ClientLine {
            failure,
            server: call::server(&hit.line),
            local: call::local(&hit.line),
            idle: call::idle(&hit.line),
            command: call::command(&hit.line, hit.before),
        };
        self.found.push(failure, Fact { at, place, what });
    }

    fn end(&mut self, facts: &mut Facts) {
        facts.had.insert(Need::ClientLog);
        facts.failures += self.failures;
        let found = self.found.end(&self.source, facts);
        facts.client_log.extend(found);
        let said = self.said.end(&self.source, facts);
        facts.said.extend(said);
    }
}

/// A broken pipe and a reset are one failure in one traceback.
fn same(one: Failure, other: Failure) -> bool {
    let kind = |failure| match failure {
        Failure::WriteFailed => Failure::Reset,
        other => other,
    };
    kind(one) == kind(other)
}

/// The time of a line: its first one in the form of ISO 8601, wherever it stands in front.
fn time_of(line: &str) -> Option<Stamp> {
    let front: usize = line.char_indices().nth(48).map_or(line.len(), |(at, _)| at);
    let starts = line[..front]
        .char_indices()
        .filter(|(_, c)| c.is_ascii_digit());
    starts.take(8).find_map(|(start, _)| iso(&line[start..]))
}
