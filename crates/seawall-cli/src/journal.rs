use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use seawall::journal::{self, Entry, Event, JournalContents, JournalFile, Record, WriteGate};

use crate::{Exit, output};

/// Where journals are looked for if no path is given.
const STATE_DIR: &str = "SEAWALL_STATE_DIR";

/// Show what processes kept of their connections, outages and retries.
///
/// Exits with 0, with 1 if something could not be read (damage is told on standard error, and the rest is shown), and
/// with 2 if there is nothing to read.
#[derive(Debug, Args)]
pub(crate) struct Journal {
    /// A journal, or a directory of them [default: what `SEAWALL_STATE_DIR` says]
    path: Option<PathBuf>,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Journal {
    pub(crate) fn run(self) -> Exit {
        let Some(path) = self.path.or_else(|| state_dir(std::env::var_os(STATE_DIR))) else {
            let hint = "give the path of a *.journal file or of a state directory, or set SEAWALL_STATE_DIR";
            output::fail("no path was given", hint);
            return Exit::Unable;
        };
        let contents = match journal::read(&path) {
            Ok(contents) => contents,
            Err(error) => {
                output::fail(&error, error.hint());
                return Exit::Unable;
            }
        };
        let show = if self.json { as_json } else { as_text };
        let lines = contents.entries.iter().map(|entry| show(&contents, entry));
        if let Err(error) = output::out_all(lines) {
            output::fail(
                format_args!("the records could not be written: {error}"),
                "",
            );
            return Exit::Unable;
        }
        let complaints: Vec<String> = contents.files.iter().filter_map(complaint).collect();
        for complaint in &complaints {
            output::note(format_args!("seawall: {complaint}"));
        }
        if complaints.is_empty() {
            Exit::Well
        } else {
            Exit::Short
        }
    }
}

fn state_dir(value: Option<OsString>) -> Option<PathBuf> {
    value.filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// What could not be read of a file.
fn complaint(file: &JournalFile) -> Option<String> {
    if file.is_whole() {
        return None;
    }
    let mut text = match &file.trouble {
        Some(trouble) => format!("{trouble}\n  hint: {}", trouble.hint()),
        None => file.path.display().to_string(),
    };
    if file.damaged_bytes > 0 {
        let _ = write!(text, "\n  {} bytes are damaged", file.damaged_bytes);
    }
    if file.unknown_records > 0 {
        let _ = write!(
            text,
            "\n  {} records are of a newer version, or make no sense",
            file.unknown_records
        );
    }
    let _ = write!(text, "\n  {} records were read", file.records);
    Some(text)
}

/// `2026-11-22T00:40:47.123Z 4711 outage.start endpoint=127.0.0.1:6379 cause=connection-refused`
fn as_text(contents: &JournalContents, entry: &Entry) -> String {
    let Record {
        at, wall_unix_ms, ..
    } = &entry.record;
    let mut line = wall_unix_ms.map_or_else(|| format!("boot+{at}"), utc);
    match contents.files[entry.file].process {
        Some(process) => {
            let _ = write!(line, " {process}");
        }
        None => line.push_str(" ?"),
    }
    let Shown { name, fields } = shown(&entry.record.event);
    let _ = write!(line, " {name}");
    for (key, value) in fields {
        match value {
            Value::Text(text) if text.contains(char::is_whitespace) => {
                let _ = write!(line, " {key}={text:?}");
            }
            Value::Text(text) => {
                let _ = write!(line, " {key}={text}");
            }
            Value::Number(number) => {
                let _ = write!(line, " {key}={number}");
            }
            Value::Millis(span) => {
                let _ = write!(line, " {key}={}", millis(span));
            }
        }
    }
    line
}

/// The same as one JSON object.
fn as_json(contents: &JournalContents, entry: &Entry) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let file = &contents.files[entry.file];
    let mut line = String::from("{");
    if let Some(unix_ms) = entry.record.wall_unix_ms {
        let _ = write!(line, "\"time\":\"{}\",\"unix_ms\":{unix_ms},", utc(unix_ms));
    }
    let _ = write!(line, "\"boot_ns\":{}", entry.record.at.as_nanos());
    if let Some(process) = file.process {
        let _ = write!(line, ",\"process\":{process}");
    }
    let name = file.path.file_name().unwrap_or_default().to_string_lossy();
    let _ = write!(line, ",\"file\":{}", quoted(&name));
    let Shown { name, fields } = shown(&entry.record.event);
    let _ = write!(line, ",\"event\":\"{name}\"");
    for (key, value) in fields {
        let value = match value {
            Value::Text(text) => quoted(&text),
            Value::Number(number) => number.to_string(),
            Value::Millis(span) => millis(span),
        };
        let _ = write!(line, ",\"{key}\":{value}");
    }
    line.push('}');
    line
}

/// An event as it is shown: by the names of the log's lines, so that what is looked for in one is found in the other.
struct Shown {
    name: &'static str,
    fields: Vec<(&'static str, Value)>,
}

enum Value {
    Text(String),
    Number(u64),
    Millis(Duration),
}

impl Shown {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            fields: Vec::new(),
        }
    }

    fn text(self, key: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        self.any(key, Some(Value::Text(value.to_string())))
    }

    fn text_if(self, key: &'static str, value: Option<impl ToString>) -> Self {
        self.any(key, value.map(|value| Value::Text(value.to_string())))
    }

    fn number(self, key: &'static str, value: u64) -> Self {
        self.any(key, Some(Value::Number(value)))
    }

    fn millis(self, key: &'static str, value: Duration) -> Self {
        self.any(key, Some(Value::Millis(value)))
    }

    fn any(mut self, key: &'static str, value: Option<Value>) -> Self {
        self.fields.extend(value.map(|value| (key, value)));
        self
    }
}

fn shown(event: &Event) -> Shown {
    match event {
        Event::Opened { .. } | Event::Closed { .. } | Event::DialFailed { .. } => connection(event),
        Event::HealthChanged {
            endpoint,
            state,
            cause,
        } => Shown::new("health")
            .text("endpoint", endpoint)
            .text("state", state)
            .text_if("cause", *cause),
        Event::WritesChanged {
            endpoint,
            gate,
            cause,
        } => Shown::new(match gate {
            WriteGate::Open => "writes.accepted",
            WriteGate::Closed => "writes.refused",
        })
        .text("endpoint", endpoint)
        .text_if("cause", *cause),
        Event::OutageStarted { endpoint, cause } => Shown::new("outage.start")
            .text("endpoint", endpoint)
            .text("cause", cause),
        Event::OutageEnded {
            endpoint,
            lasted,
            cause,
            restarted,
            answered,
            failed,
            maybe_ran,
        } => Shown::new("outage.end")
            .text("endpoint", endpoint)
            .text("cause", cause)
            .millis("lasted_ms", *lasted)
            .number("answered", *answered)
            .number("failed", *failed)
            .number("maybe_ran", *maybe_ran)
            .text("restarted", restarted),
        Event::AnsweredByPolicy { policy, count } => Shown::new("policy.answered")
            .text("policy", policy)
            .number("count", *count),
        Event::Retried {
            cause,
            attempt,
            command,
        } => Shown::new("retry")
            .text_if("cmd", *command)
            .text("cause", cause)
            .number("attempt", (*attempt).into()),
        Event::RetryRefused {
            why,
            cause,
            command,
        } => Shown::new("retry.refused")
            .text_if("cmd", *command)
            .text("cause", cause)
            .text("why", why),
        Event::Lost { records } => Shown::new("journal.lost").number("records", *records),
        _ => Shown::new("unknown"),
    }
}

fn connection(event: &Event) -> Shown {
    match event {
        Event::Opened {
            connection,
            endpoint,
            local,
            peer,
            client_id,
            run_id_hash,
            took,
        } => Shown::new("connection.open")
            .text("endpoint", endpoint)
            .number("connection", connection.0)
            .text_if("local", *local)
            .text_if("peer", *peer)
            .any("client_id", client_id.map(Value::Number))
            .text_if(
                "run_id_hash",
                run_id_hash.map(|hash| format!("{hash:016x}")),
            )
            .millis("took_ms", *took),
        Event::DialFailed {
            endpoint,
            cause,
            took,
        } => Shown::new("connection.failed")
            .text("endpoint", endpoint)
            .text("cause", cause)
            .millis("took_ms", *took),
        Event::Closed {
            connection,
            endpoint,
            cause,
            close,
            idle,
            age,
            bytes_in,
            bytes_out,
            in_flight,
            replies,
            command,
        } => Shown::new(if cause.is_some() {
            "connection.lost"
        } else {
            "connection.close"
        })
        .text("endpoint", endpoint)
        .number("connection", connection.0)
        .text_if("cause", *cause)
        .text("close", close.name())
        .text_if("cmd", *command)
        .millis("idle_ms", *idle)
        .millis("age_ms", *age)
        .number("bytes_in", *bytes_in)
        .number("bytes_out", *bytes_out)
        .number("in_flight", (*in_flight).into())
        .number("replies", *replies),
        _ => Shown::new("unknown"),
    }
}

/// Milliseconds, to the microsecond where they are few.
fn millis(span: Duration) -> String {
    let micros = span.as_micros();
    match (micros / 1_000, micros % 1_000) {
        (whole, part) if whole < 1_000 && part > 0 => format!("{whole}.{part:03}"),
        (whole, _) => whole.to_string(),
    }
}

/// `2026-11-22T00:40:47.123Z`
fn utc(unix_ms: u64) -> String {
    let (mut days, ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    // A year further than any clock's: a damaged number is not worth a long walk.
    while year < 9_999 && days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for len in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < len {
            break;
        }
        days -= len;
        month += 1;
    }
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!(
        "{year:04}-{month:02}-{:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z",
        days + 1,
        ms % 1_000
    )
}

#[cfg(test)]
mod tests {
    use seawall::journal::{ConnectionId, HealthState};
    use seawall::{Cause, Close, Endpoint};

    use super::*;

    fn fields(event: &Event) -> String {
        let Shown { name, fields } = shown(event);
        fields
            .iter()
            .fold(name.to_owned(), |line, (key, value)| match value {
                Value::Text(text) => format!("{line} {key}={text}"),
                Value::Number(number) => format!("{line} {key}={number}"),
                Value::Millis(span) => format!("{line} {key}={}", millis(*span)),
            })
    }

    #[test]
    fn moments_of_the_wall_clock_are_shown_in_utc() {
        for (unix_ms, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (1_764_590_401_007, "2025-12-01T12:00:01.007Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(utc(unix_ms), shown);
        }
        assert!(
            utc(u64::MAX).starts_with("9999-"),
            "a damaged number has an end"
        );
    }

    #[test]
    fn a_lost_connection_and_a_closed_one_are_told_apart_by_their_names() {
        let closed = |cause| Event::Closed {
            connection: ConnectionId(7),
            endpoint: Endpoint::tcp("cache.internal", 6379).expect("it is one"),
            cause,
            close: Close::Reset,
            idle: Duration::from_micros(300_217),
            age: Duration::from_secs(400),
            bytes_in: 10,
            bytes_out: 20,
            in_flight: 1,
            replies: 3,
            command: Some("incr".into()),
        };
        assert_eq!(
            fields(&closed(Some(Cause::ConnectionReset))),
            "connection.lost endpoint=cache.internal:6379 connection=7 cause=connection-reset close=reset cmd=INCR \
             idle_ms=300.217 age_ms=400000 bytes_in=10 bytes_out=20 in_flight=1 replies=3"
        );
        assert!(fields(&closed(None)).starts_with("connection.close endpoint="));
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let changed = Event::HealthChanged {
            endpoint: Endpoint::unix("/run/a b.sock").expect("it is one"),
            state: HealthState::Up,
            cause: None,
        };
        assert_eq!(
            fields(&changed),
            "health endpoint=unix:/run/a b.sock state=up"
        );
    }

    #[test]
    fn an_empty_state_dir_is_none() {
        assert_eq!(state_dir(Some("".into())), None);
        assert_eq!(state_dir(Some("/s".into())), Some(PathBuf::from("/s")));
    }
}
