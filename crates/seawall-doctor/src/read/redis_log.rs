//! The logs of Redis 2.8 to 8, of Valkey and of Sentinel.

use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

use super::{Given, Reader};
use crate::facts::{Fact, Facts, Kept, Line, Peer, Place, ServerLine, Spot};
use crate::rule::Need;
use crate::stamp::{Stamp, month};

/// Whether this is a line of such a log: `9:M 23 Nov 2026 02:58:11.042 # ..`.
pub(super) fn is(line: &str) -> bool {
    head(line).is_some() || line.contains("oO0OoO0OoO0Oo")
}

pub(super) struct RedisLog {
    source: Arc<str>,
    given: Given,
    number: u64,
    found: Kept<Discriminant<Line>, ServerLine>,
    seen: bool,
    yearless: bool,
}

impl RedisLog {
    pub(super) fn new(name: &str, given: Given) -> Self {
        Self {
            source: name.into(),
            given,
            number: 0,
            found: Kept::default(),
            seen: false,
            yearless: false,
        }
    }
}

impl Reader for RedisLog {
    fn line(&mut self, line: &str) {
        self.number += 1;
        let Some(head) = head(line) else { return };
        self.seen = true;
        let Some(meaning) = meaning(head.message) else {
            return;
        };
        let at = head.when.stamp(self.given);
        self.yearless |= head.when.year.is_none();
        let key = discriminant(&meaning);
        let place = Place {
            source: Arc::clone(&self.source),
            spot: Spot::Line(self.number),
        };
        let what = ServerLine {
            pid: head.pid,
            line: meaning,
        };
        self.found.push(key, Fact { at, place, what });
    }

    fn end(&mut self, facts: &mut Facts) {
        facts.had.insert(Need::ServerLog);
        if self.seen {
            facts.assumed.insert(format!(
                "{}: its times are taken as UTC (Redis writes local time and no zone)",
                self.source
            ));
        }
        if self.yearless {
            facts.assumed.insert(format!(
                "{}: its times have no year; each is taken as the last one before now",
                self.source
            ));
        }
        let found = self.found.end(&self.source, facts);
        facts.server_log.extend(found);
    }
}

/// A line's time of day; the year may be missing.
struct When {
    year: Option<i64>,
    month: u32,
    day: u32,
    time: (u32, u32, u32),
    millis: u32,
}

impl When {
    fn stamp(&self, given: Given) -> Option<Stamp> {
        let of = |year| Stamp::of((year, self.month, self.day), self.time, self.millis);
        if let Some(year) = self.year {
            return of(year);
        }
        let this_year: i64 = given.now.to_string()[..4].parse().ok()?;
        // A day ahead is another time zone; more is last year.
        let limit = given.now.plus_seconds(86_400);
        match of(this_year) {
            Some(at) if at <= limit => Some(at),
            _ => of(this_year - 1),
        }
    }
}

struct Head<'a> {
    pid: Option<u32>,
    when: When,
    message: &'a str,
}

/// `PID:ROLE DAY MONTH [YEAR] HH:MM:SS.mmm LEVEL message`, or `[PID] DAY MONTH HH:MM:SS.mmm LEVEL message`.
fn head(line: &str) -> Option<Head<'_>> {
    let (pid, rest) = if let Some(old) = line.strip_prefix('[') {
        let (pid, rest) = old.split_once("] ")?;
        (pid, rest)
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
        (pid, rest)
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
        when: When {
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
        when: When {
            year: Some(text.get(..4)?.parse().ok()?),
            month: number(5, 7)?,
            day: number(8, 10)?,
            time: (number(11, 13)?, number(14, 16)?, number(17, 19)?),
            millis: 0,
        },
        message,
    })
}

/// What a line means, if it tells of anything that a rule knows.
fn meaning(message: &str) -> Option<Line> {
    let has = |words: &str| message.contains(words);
    Some(
        if has("oO0OoO0OoO0Oo") || has("Server started, Redis version") {
            Line::Started
        } else if has("Ready to accept connections") || has("ready to accept connections") {
            Line::Ready
        } else if has("scheduling shutdown") {
            let signal = message.split_whitespace().nth(1).unwrap_or("a signal");
            Line::Signalled(signal.to_owned())
        } else if has("User requested shutdown") {
            Line::ShuttingDown
        } else if has("is now ready to exit, bye bye") {
            Line::Farewell
        } else if has("crashed by signal: ") {
            Line::Crashed(number_after(message, "crashed by signal: ")?)
        } else if has("Out Of Memory allocating") {
            Line::AllocationFailed
        } else if has("overcoming of output buffer limits") {
            Line::OutputLimit(peer(message)?)
        } else if has("reached max query buffer length") {
            Line::QueryLimit(peer(message)?)
        } else if message.starts_with("Evicting client: ") {
            Line::Evicted(peer(message)?)
        } else if message.starts_with("Accepting client connection: accept: ") {
            Line::AcceptFailed(message.rsplit(": ").next().unwrap_or("").to_owned())
        } else if has("maxclients has been reduced to ") {
            Line::MaxclientsReduced(number_after(message, "reduced to ")?)
        } else if message.starts_with("Can't save in background: fork: ") {
            Line::ForkFailed(message.rsplit(": ").next().unwrap_or("").to_owned())
        } else if message == "Background saving error"
            || message.starts_with("Background saving terminated")
        {
            Line::SaveFailed
        } else if has("Asynchronous AOF fsync is taking too long") {
            Line::FsyncSlow
        } else if message.starts_with("Error writing to the AOF file: ") {
            Line::AofFailed(message.rsplit(": ").next().unwrap_or("").to_owned())
        } else if has("DB loaded from") {
            let seconds = message.strip_suffix(" seconds")?.rsplit(' ').next()?;
            let (whole, part) = seconds.split_once('.')?;
            let millis = part.get(..3)?.parse::<u64>().ok()?;
            Line::Loaded(
                whole
                    .parse::<u64>()
                    .ok()?
                    .saturating_mul(1_000)
                    .saturating_add(millis),
            )
        } else if has("Full resync requested by replica") || has("Full resync requested by slave") {
            Line::FullResync(message.rsplit(' ').next().unwrap_or("").to_owned())
        } else if has("Connection with master lost") || has("Connection with primary lost") {
            Line::ReplicationLost("primary".to_owned())
        } else if has("Connection with replica") && has("lost") {
            Line::ReplicationLost("replica".to_owned())
        } else if has("Possible SECURITY ATTACK detected") {
            Line::SpokeHttp
        } else if message.starts_with("Error accepting a client connection: ") {
            let who = field(message, "addr=").unwrap_or_default();
            Line::TlsMismatch(who.trim_end_matches([')', ' ']).to_owned())
        } else {
            return None;
        },
    )
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
    })
}
