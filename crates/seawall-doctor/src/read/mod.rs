//! Files, recognised by their content.

mod application;
mod info;
mod kernel;
mod redis_log;

use std::io::{self, BufRead, BufReader, Read};

use crate::facts::{Facts, Peer};
use crate::stamp::Stamp;

/// So many lines decide what a file is.
const LOOKED_AT: usize = 400;

/// A line is looked at no further than this: no line that means something is longer.
const LINE_MAX: usize = 8 * 1024;

/// What a reader needs besides the lines.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    /// When this was read: logs without a year are from the year before it.
    pub now: Stamp,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The log of Redis, Valkey or Sentinel.
    RedisLog,
    /// What INFO, CLIENT LIST or CONFIG GET answered.
    Pasted,
    /// The kernel's log.
    Kernel,
    /// An application's log.
    Application,
    /// Nothing that is known.
    Unknown,
}

/// Reads a file to its end, in bounded memory: what it is, and what it tells.
pub fn file(name: &str, input: impl Read, given: Given) -> io::Result<(Kind, Facts)> {
    let mut lines = Lines::new(BufReader::with_capacity(256 * 1024, input));
    let mut head = Vec::new();
    while head.len() < LOOKED_AT {
        match lines.next()? {
            Some(line) => head.push(line.to_owned()),
            None => break,
        }
    }
    let kind = recognise(&head);
    let mut facts = Facts::default();
    let mut reader: Box<dyn Reader> = match kind {
        Kind::RedisLog => Box::new(redis_log::RedisLog::new(name, given)),
        Kind::Pasted => Box::new(info::Pasted::new(name, given)),
        Kind::Kernel => Box::new(kernel::Kernel::new(name, given)),
        Kind::Application => Box::new(application::Application::new(name, given)),
        Kind::Unknown => return Ok((kind, facts)),
    };
    for line in &head {
        reader.line(line);
    }
    while let Some(line) = lines.next()? {
        reader.line(line);
    }
    reader.end(&mut facts);
    Ok((kind, facts))
}

/// A row of CLIENT LIST.
pub(crate) fn client(row: &str) -> Option<Peer> {
    redis_log::peer(row)
}

/// Takes a file's lines one by one.
trait Reader {
    fn line(&mut self, line: &str);
    fn end(&mut self, facts: &mut Facts);
}

/// What each reader makes of a line: the file is what most of its lines are.
fn recognise(head: &[String]) -> Kind {
    let count = |is: fn(&str) -> bool| head.iter().filter(|line| is(line)).count();
    let scores = [
        (count(redis_log::is), Kind::RedisLog),
        (count(info::is), Kind::Pasted),
        (count(kernel::is), Kind::Kernel),
        (count(application::is), Kind::Application),
    ];
    // `max_by_key` takes the last of several: they stand from the vaguest to the most telling.
    let best = scores.into_iter().rev().max_by_key(|(score, _)| *score);
    best.filter(|(score, _)| *score > 0)
        .map_or(Kind::Unknown, |(_, kind)| kind)
}

/// Lines of text out of bytes that may be anything.
struct Lines<R> {
    input: R,
    bytes: Vec<u8>,
    text: String,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            bytes: Vec::new(),
            text: String::new(),
        }
    }

    fn next(&mut self) -> io::Result<Option<&str>> {
        self.bytes.clear();
        let mut more = true;
        let mut came = false;
        while more {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            came = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let upto = end.unwrap_or(chunk.len());
            let room = LINE_MAX.saturating_sub(self.bytes.len());
            self.bytes.extend_from_slice(&chunk[..upto.min(room)]);
            more = end.is_none();
            let used = end.map_or(upto, |end| end + 1);
            self.input.consume(used);
        }
        if !came {
            return Ok(None);
        }
        self.text.clear();
        self.text
            .push_str(String::from_utf8_lossy(&self.bytes).trim_end_matches('\r'));
        Ok(Some(&self.text))
    }
}

#[cfg(test)]
mod tests;
