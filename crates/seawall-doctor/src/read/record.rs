//! A record of an application's log: a line with a time, and the traceback under it.

use super::Hit;
use super::client_texts::names_redis;
use super::clock::{self, Told};
use super::envelope::{self, Opened};
use crate::stamp::Stamp;

/// So many lines before a failure are looked at for its record's beginning.
const TRACEBACK_MAX: u64 = 200;

/// What is around a line.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// The number of its first line.
    pub(super) first: u64,
    /// The number of the last line that told something.
    pub(super) last: u64,
    /// The line is not its first: it goes on with what stands above it.
    pub(super) continues: bool,
    pub(super) told: Option<Told>,
    /// Whether something in it names Redis; `None` where something else is named.
    pub(super) names: Option<bool>,
    /// Who wrote it.
    pub(super) process: Option<String>,
}

/// The record that a line stands in, from what stands before it.
pub(super) fn around(hit: &Hit<'_>, opened: &Opened<'_>, now: Stamp) -> Record {
    let own = clock::find(first_line(&opened.text), now);
    let mut record = Record {
        first: hit.number,
        last: hit.number,
        continues: own.is_none() && !opened.whole && is_continuation(&opened.text),
        told: preferred(opened.told, own),
        names: Some(false),
        process: opened.writer.clone().or_else(|| process(&opened.text)),
    };
    if !record.continues && record.told.is_some() {
        return record;
    }
    let mut inside = record.continues;
    // In a traceback, whose first line ends the record unless it says that it goes on.
    let mut at_start = opened.text.starts_with(TRACEBACK);
    for (line, back) in hit.before.lines().zip(1..=TRACEBACK_MAX) {
        let above = envelope::open(&line, now);
        let text = &*above.text;
        let own = clock::find(first_line(text), now);
        if inside {
            let goes_on = own.is_none() && !above.whole && is_continuation(text);
            let another = at_start && goes_on && !is_chain(text) && !text.trim().is_empty();
            if above.whole || another {
                inside = false;
            } else {
                record.first = hit.number - back;
                if record.names == Some(false) {
                    record.names = names_redis(text);
                }
                record.process = record.process.take().or_else(|| process(text));
                inside = goes_on;
                // Blank lines stand between an exception and what says that another one follows.
                at_start = text.starts_with(TRACEBACK) || at_start && text.trim().is_empty();
            }
        }
        record.told = record.told.or_else(|| preferred(above.told, own));
        if !inside && record.told.is_some() {
            break;
        }
    }
    record
}

/// A time with a zone before one without; else the line's own.
fn preferred(carried: Option<Told>, own: Option<Told>) -> Option<Told> {
    match (carried, own) {
        (Some(carried), Some(own)) if own.zoned || !carried.zoned => Some(own),
        (carried, own) => carried.or(own),
    }
}

const TRACEBACK: &str = "Traceback (most recent call last)";

fn is_chain(text: &str) -> bool {
    text.starts_with("During handling of the above exception")
        || text.starts_with("The above exception was the direct cause")
}

fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or(text)
}

/// Whether a line goes on with what stands above it: it is a part of a traceback.
fn is_continuation(text: &str) -> bool {
    let first = first_line(text);
    let indented = first.starts_with([' ', '\t']);
    indented
        || first.is_empty()
        || first.starts_with(TRACEBACK)
        || is_chain(first)
        || first.starts_with("Caused by: ")
        || first.starts_with("at ")
        || is_exception(first)
}

/// `redis.exceptions.ConnectionError: ..`, `ConnectionResetError`: a name without blanks that ends as exceptions do.
fn is_exception(line: &str) -> bool {
    let name = line.split([':', ' ']).next().unwrap_or(line);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._$\\".contains(c);
    let ends = [
        "Error",
        "Exception",
        "Timeout",
        "timeout",
        "Interrupted",
        "Closed",
    ];
    let bare = name.len() == line.len() || line[name.len()..].starts_with(':');
    bare && name.chars().all(plain) && ends.iter().any(|end| name.ends_with(end))
}

/// `ForkPoolWorker-3`, gunicorn's `[9]` behind its time, `(pid:9)`, `pid=9`, `#9]`.
fn process(text: &str) -> Option<String> {
    let front: usize = text
        .char_indices()
        .nth(160)
        .map_or(text.len(), |(at, _)| at);
    let front = &text[..front];
    for name in [
        "ForkPoolWorker-",
        "SpawnPoolWorker-",
        "PoolWorker-",
        "SpawnProcess-",
    ] {
        if let Some(at) = front.find(name) {
            let digits = leading_digits(&front[at + name.len()..])?;
            return Some(format!("{name}{digits}"));
        }
    }
    if front.contains("/MainProcess]") {
        return Some("MainProcess".to_owned());
    }
    for before in ["] [", "(pid:", "(pid: ", "pid=", "pid:", " #"] {
        let Some(at) = front.find(before) else {
            continue;
        };
        let rest = &front[at + before.len()..];
        if let Some(digits) = leading_digits(rest)
            && rest[digits.len()..].starts_with([']', ')', ' ', ','])
        {
            return Some(digits.to_owned());
        }
    }
    None
}

fn leading_digits(text: &str) -> Option<&str> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    (1..=7).contains(&end).then(|| &text[..end])
}
