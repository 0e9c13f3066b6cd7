//! The logs of Redis 2.8 to 8, of Valkey and of Sentinel.

use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, OnceLock};

use super::clock::{self, Told};
use super::envelope::{self, Of, Opened};
use super::{Given, Hit, Searcher};
use crate::facts::{Fact, Facts, Kept, Line, Peer, Place, ServerLine, Spot};
use crate::rule::Need;
use crate::stamp::{Stamp, month};
use crate::text::{Listened, Said, Text};

/// Whether this is a line of such a log: `9:M 23 Nov 2026 02:58:11.042 # ..`.
pub(super) fn is(line: &str) -> bool {
    head(line).is_some() || line.contains("oO0OoO0OoO0Oo") || is_fatal(line)
}

/// Written to standard error before there is a log.
fn is_fatal(line: &str) -> bool {
    line.contains("FATAL CONFIG FILE ERROR")
}

#[derive(Clone)]
pub(super) struct RedisLog {
    source: Arc<str>,
    given: Given,
    found: Kept<Discriminant<Line>, ServerLine>,
    said: Kept<Text, Said>,
    yearless: bool,
    zoneless: bool,
}

impl RedisLog {
    pub(super) fn new(name: &str, given: Given) -> Self {
        Self {
            source: name.into(),
            given,
            found: Kept::default(),
            said: Kept::default(),
            yearless: false,
            zoneless: false,
        }
    }

    /// Takes a line that was opened; whether it is of this kind.
    pub(super) fn take(&mut self, hit: &Hit<'_>, opened: &Opened<'_>) -> bool {
        let head = head(&opened.text);
        let (pid, own, message) = match &head {
            Some(head) => (head.pid, head.when.told(self.given), head.message),
            None if opened.of == Of::Server || is_fatal(&opened.text) => {
                (opened.pid, None, &*opened.text)
            }
            None => return false,
        };
        let sentinel = head.as_ref().is_some_and(|head| head.sentinel)
            || opened
                .writer
                .as_ref()
                .is_some_and(|writer| writer.contains("-sentinel"));
        let told = better(own, opened.told);
        let at = told.map(|told| told.at);
        self.yearless |= told.is_some_and(|told| !told.dated);
        self.zoneless |= told.is_some_and(|told| !told.zoned);
        let place = Place {
            source: Arc::clone(&self.source),
            spot: Spot::Line(hit.number),
        };
        for what in self.listened().said(message, pid) {
            let place = place.clone();
            self.said.push(what.text, Fact { at, place, what });
        }
        if let Some(line) = meaning(message) {
            let key = discriminant(&line);
            let what = ServerLine {
                pid,
                sentinel,
                line,
            };
            self.found.push(key, Fact { at, place, what });
        }
        true
    }
}

/// The server's own time is the more exact; what carries its line knows the zone.
fn better(own: Option<Told>, carried: Option<Told>) -> Option<Told> {
    match (own, carried) {
        (Some(own), Some(carried)) if carried.zoned && !own.zoned => Some(carried),
        (own, carried) => own.or(carried),
    }
}

pub(super) fn listened() -> &'static Listened {
    static LISTENED: OnceLock<Listened> = OnceLock::new();
    let own = MEANINGS.iter().map(|(words, _)| *words);
    Listened::once(&LISTENED, Need::ServerLog, own)
}

impl Searcher for RedisLog {
    fn source(&self) -> Arc<str> {
        Arc::clone(&self.source)
    }

    fn listened(&self) -> &'static Listened {
        listened()
    }

    fn time(&self, line: &str) -> Option<Stamp> {
        let opened = envelope::open(line, self.given.now);
        let own = head(&opened.text).and_then(|head| head.when.told(self.given));
        better(own, opened.told).map(|told| told.at)
    }

    fn line(&mut self, hit: &Hit<'_>) {
        let opened = envelope::open(&hit.line, self.given.now);
        self.take(hit, &opened);
    }

    fn at(&mut self, given: Given) {
        self.given = given;
    }

    fn copy(&self) -> Box<dyn Searcher> {
        Box::new(self.clone())
    }

    fn end(&mut self, facts: &mut Facts) {
        facts.had.insert(Need::ServerLog);
        if self.zoneless {
            facts.without_zone(&self.source, "Redis writes local time and no zone");
        }
        if self.yearless {
            facts.assumed.insert(format!(
                "{}: its times have no year; each is taken as the last one before now",
                self.source
            ));
        }
        let found = self.found.end(&self.source, facts);
        facts.server_log.extend(found);
        let said = self.said.end(&self.source, facts);
        facts.said.extend(said);
    }
}

/// A line's time of day; the year may be missing.
pub(super) struct When {
    /// It is UTC, and no local time.
    zoned: bool,
    year: Option<i64>,
    month: u32,
    day: u32,
    time: (u32, u32, u32),
    millis: u32,
}

impl When {
    fn told(&self, given: Given) -> Option<Told> {
        let day = (self.month, self.day);
        let at = match self.year {
            Some(year) => Stamp::of((year, self.month, self.day), self.time, self.millis)?,
            None => clock::yearless(day, self.time, self.millis, given.now)?,
        };
        Some(Told {
            at,
            zoned: self.zoned,
            dated: self.year.is_some(),
        })
    }
}

pub(super) struct Head<'a> {
    pid: Option<u32>,
    sentinel: bool,
    when: When,
    message: &'a str,
}

/// `PID:ROLE DAY MONTH [YEAR] HH:MM:SS.mmm LEVEL message`, or `[PID] DAY MONTH HH:MM:SS.mmm LEVEL message`.
pub(super) fn head(line: &str) -> Option<Head<'_>> {
    let (pid, role, rest) = if let Some(old) = line.strip_prefix('[') {
        let (pid, rest) = old.split_once("] ")?;
        (pid, "", rest)
    } else {
        let (process, rest) = line.split_once(' ')?;
        let (pid, role) = process.split_once(':')?;
        if role == "signal-handler" {
            // `9:signal-handler (1795402691) Received SIGTERM scheduling shutdown...`
            let (seconds, message) = rest.strip_prefix('(')?.split_once(") ")?;
            return of_signal(pid, seconds, message);
        }
        if role.len() != 1 {
            return None;
        }
        (pid, role, rest)
    };
    let pid = pid.trim().parse().ok()?;
    let mut words = rest.splitn(3, ' ');
    let day = words.next()?.parse().ok()?;
    let month = month(words.next()?)?;
    let rest = words.next()?;
    let (first, after) = rest.split_once(' ')?;
    let (year, clock, rest) = match first.parse::<i64>() {
        Ok(year) if first.len() == 4 => {
            let (clock, rest) = after.split_once(' ')?;
            (Some(year), clock, rest)
        }
        _ => (None, first, after),
    };
    let (clock, millis) = clock.split_once('.')?;
    let mut parts = clock.split(':').map(|part| part.parse().ok());
    let time = (parts.next()??, parts.next()??, parts.next()??);
    let message = rest.strip_prefix(['.', '-', '*', '#'])?.trim_start();
    Some(Head {
        pid: Some(pid),
        sentinel: role == "X",
        when: When {
            zoned: false,
            year,
            month,
            day,
            time,
            millis: millis.parse().ok()?,
        },
        message,
    })
}

fn of_signal<'a>(pid: &str, seconds: &str, message: &'a str) -> Option<Head<'a>> {
    let text = Stamp(seconds.parse::<i64>().ok()?.checked_mul(1_000)?).to_string();
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    Some(Head {
        pid: Some(pid.parse().ok()?),
        // It does not say of whom.
        sentinel: false,
        when: When {
            zoned: true,
            year: Some(text.get(..4)?.parse().ok()?),
            month: number(5, 7)?,
            day: number(8, 10)?,
            time: (number(11, 13)?, number(14, 16)?, number(17, 19)?),
            millis: 0,
        },
        message,
    })
}

/// Makes a meaning of a message.
type Make = fn(&str) -> Option<Line>;

/// What stands in a message, and what it means: the first that fits.
const MEANINGS: &[(&str, Make)] = &[
    ("oO0OoO0OoO0Oo", |_| Some(Line::Started)),
    ("Server started, Redis version", |_| Some(Line::Started)),
    ("eady to accept connections", |_| Some(Line::Ready)),
    ("scheduling shutdown", |message| {
        let signal = message.split_whitespace().nth(1).unwrap_or("a signal");
        Some(Line::Signalled(signal.to_owned()))
    }),
    ("User requested shutdown", |_| Some(Line::ShuttingDown)),
    ("is now ready to exit, bye bye", |_| Some(Line::Farewell)),
    ("crashed by signal: ", |message| {
        number_after(message, "crashed by signal: ").map(Line::Crashed)
    }),
    ("Out Of Memory allocating", |_| Some(Line::AllocationFailed)),
    ("overcoming of output buffer limits", |message| {
        peer(message).map(Line::OutputLimit)
    }),
    ("reached max query buffer length", |message| {
        peer(message).map(Line::QueryLimit)
    }),
    ("Evicting client: ", |message| {
        peer(message).map(Line::Evicted)
    }),
    ("Accepting client connection: accept: ", |message| {
        Some(Line::AcceptFailed(last_part(message)))
    }),
    ("maxclients has been reduced to ", |message| {
        number_after(message, "reduced to ").map(Line::MaxclientsReduced)
    }),
    ("Can't save in background: fork: ", |message| {
        Some(Line::ForkFailed(last_part(message)))
    }),
    ("Background saving error", |_| Some(Line::SaveFailed)),
    ("Background saving terminated", |_| Some(Line::SaveFailed)),
    ("Asynchronous AOF fsync is taking too long", |_| {
        Some(Line::FsyncSlow)
    }),
    ("Error writing to the AOF file: ", |message| {
        Some(Line::AofFailed(last_part(message)))
    }),
    ("DB loaded from", |message| {
        loaded(message).map(Line::Loaded)
    }),
    ("Full resync requested by replica", |message| {
        Some(Line::FullResync(last_word(message)))
    }),
    ("Full resync requested by slave", |message| {
        Some(Line::FullResync(last_word(message)))
    }),
    ("Connection with master lost", |_| {
        Some(Line::ReplicationLost("primary".to_owned()))
    }),
    ("Connection with primary lost", |_| {
        Some(Line::ReplicationLost("primary".to_owned()))
    }),
    ("Connection with replica", |message| {
        let lost = message.contains("lost");
        lost.then(|| Line::ReplicationLost("replica".to_owned()))
    }),
    ("Possible SECURITY ATTACK detected", |_| {
        Some(Line::SpokeHttp)
    }),
    ("Error accepting a client connection: ", |message| {
        let who = field(message, "addr=").unwrap_or_default();
        Some(Line::TlsMismatch(
            who.trim_end_matches([')', ' ']).to_owned(),
        ))
    }),
];

/// What a line means, if it tells of anything that several rules know.
fn meaning(message: &str) -> Option<Line> {
    let (_, make) = MEANINGS.iter().find(|(words, _)| message.contains(words))?;
    make(message)
}

fn last_part(message: &str) -> String {
    message.rsplit(": ").next().unwrap_or("").to_owned()
}

fn last_word(message: &str) -> String {
    message.rsplit(' ').next().unwrap_or("").to_owned()
}

/// Milliseconds of `DB loaded from disk: 1.234 seconds`.
fn loaded(message: &str) -> Option<u64> {
    let seconds = message.strip_suffix(" seconds")?.rsplit(' ').next()?;
    let (whole, part) = seconds.split_once('.')?;
    let millis = part.get(..3)?.parse::<u64>().ok()?;
    let whole = whole.parse::<u64>().ok()?;
    Some(whole.saturating_mul(1_000).saturating_add(millis))
}

fn number_after<T: std::str::FromStr>(message: &str, words: &str) -> Option<T> {
    let rest = &message[message.find(words)? + words.len()..];
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.split_whitespace().find_map(|word| {
        let word = word.trim_start_matches('(');
        word.strip_prefix(name)
    })
}

/// A client as the log names it; also a row of CLIENT LIST.
pub(super) fn peer(text: &str) -> Option<Peer> {
    let number = |name: &str| field(text, name).and_then(|value| value.parse().ok());
    let word = |name: &str| field(text, name).unwrap_or_default().to_owned();
    let addr = word("addr=");
    if addr.is_empty() {
        return None;
    }
    Some(Peer {
        id: number("id="),
        addr,
        // Valkey hides what users chose, and says so.
        name: word("name=").replace("*redacted*", ""),
        flags: word("flags="),
        command: word("cmd=").replace("*redacted*", ""),
        idle: number("idle=").unwrap_or(0),
        output_bytes: number("omem=").unwrap_or(0),
        query_bytes: number("qbuf=").unwrap_or(0),
        queued: number("multi=").unwrap_or(0),
        database: word("db=").parse().ok(),
    })
}
