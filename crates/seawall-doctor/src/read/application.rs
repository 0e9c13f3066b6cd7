//! Applications' logs: what Redis clients write into them, alone or inside a traceback.

use std::sync::Arc;

use super::kernel::iso;
use super::{Given, Reader};
use crate::facts::{ClientLine, Fact, Facts, Failure, Kept, Place, Spot};
use crate::rule::Need;
use crate::stamp::Stamp;

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
    meaning(line).is_some()
}

fn meaning(line: &str) -> Option<Failure> {
    let known = TEXTS.iter().find(|(text, _)| line.contains(text));
    known.map(|(_, failure)| *failure)
}

pub(super) struct Application {
    source: Arc<str>,
    number: u64,
    /// Of the last line that had a time: the lines of a traceback have none.
    last: Option<Stamp>,
    /// The failure that was told last, where, and its time.
    told: Option<(Failure, u64, Option<Stamp>)>,
    failures: u64,
    found: Kept<Failure, ClientLine>,
}

impl Application {
    pub(super) fn new(name: &str, _given: Given) -> Self {
        Self {
            source: name.into(),
            number: 0,
            last: None,
            told: None,
            failures: 0,
            found: Kept::default(),
        }
    }
}

impl Reader for Application {
    fn line(&mut self, line: &str) {
        self.number += 1;
        let at = time_of(line);
        self.last = at.or(self.last);
        let Some(failure) = meaning(line) else { return };
        let what = ClientLine {
            failure,
            server: server(line),
        };
        // A traceback tells the same failure twice: as the socket's error, and as the client's.
        let again = self.told.is_some_and(|(told, line, then)| {
            at.is_none() && then == self.last && self.number - line < 60 && same(told, failure)
        });
        if again {
            return;
        }
        self.told = Some((failure, self.number, self.last));
        self.failures += 1;
        let place = Place {
            source: Arc::clone(&self.source),
            spot: Spot::Line(self.number),
        };
        let at = self.last;
        self.found.push(failure, Fact { at, place, what });
    }

    fn end(&mut self, facts: &mut Facts) {
        facts.had.insert(Need::ClientLog);
        facts.failures += self.failures;
        let found = self.found.end(&self.source, facts);
        facts.client_log.extend(found);
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

/// `connecting to cache:6379.`, `reading from cache:6379`, `connect ECONNREFUSED 10.0.0.1:6379`.
fn server(line: &str) -> Option<String> {
    let after = [
        "connecting to ",
        "reading from ",
        "ECONNREFUSED ",
        "dial tcp ",
        "connect ETIMEDOUT ",
    ];
    let (place, words) = after
        .iter()
        .find_map(|words| line.find(words).map(|place| (place, words)))?;
    let rest = &line[place + words.len()..];
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let server = rest[..end].trim_end_matches(['.', ':', ',']);
    server.contains(':').then(|| server.to_owned())
}
