//! A log that is still written: its new lines, as they come.

use super::mixed::Mixed;
use super::search::{Before, Hit};
use super::{Given, Kind, LINE_MAX, Searcher};
use crate::facts::Facts;

/// So much of what stood before is kept.
const BEFORE: usize = 16 * 1024;

/// Takes what is written to a log, in pieces of any size.
#[derive(Debug)]
pub struct Follower {
    name: String,
    given: Given,
    reader: Reader,
    number: u64,
    before: Vec<u8>,
    line: Vec<u8>,
}

struct Reader(Mixed);

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl Follower {
    /// Of a log whose lines were read so far up to that number.
    pub fn new(name: &str, lines: u64, given: Given) -> Self {
        Self {
            name: name.to_owned(),
            given,
            reader: Reader(Mixed::new(name, given, Kind::Unknown)),
            number: lines,
            before: Vec::new(),
            line: Vec::new(),
        }
    }

    /// The log begins anew: it was rotated, or cut.
    pub fn again(&mut self) {
        *self = Self::new(&self.name, 0, self.given);
    }

    /// Takes a piece of it.
    pub fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = LINE_MAX.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                self.whole();
            }
        }
    }

    fn whole(&mut self) {
        self.number += 1;
        let line = std::mem::take(&mut self.line);
        if self.reader.0.listened().search.is_match(&line) {
            self.reader.0.line(&Hit {
                number: self.number,
                line: String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)),
                before: Before(&self.before),
            });
        }
        self.before.extend_from_slice(&line);
        self.before.push(b'\n');
        if self.before.len() > 2 * BEFORE {
            let from = self.before.len() - BEFORE;
            let from = memchr::memchr(b'\n', &self.before[from..]).map_or(from, |at| from + at + 1);
            self.before.drain(..from);
        }
        self.line = line;
        self.line.clear();
    }

    /// What it told since this was last asked.
    pub fn told(&mut self) -> Facts {
        let mut facts = Facts::default();
        self.reader.0.end(&mut facts);
        facts.sort();
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Stamp;

    #[test]
    fn lines_are_taken_in_pieces_and_told_once() {
        let now = Stamp::of((2026, 11, 24), (0, 0, 0), 0).expect("a date");
        let mut follower = Follower::new("app.log", 4, Given { now });
        let text = "2026-11-23T02:58:11Z INFO x\n2026-11-23T02:58:12Z Connection closed by server.\n2026-11-23";
        for byte in text.as_bytes() {
            follower.take(std::slice::from_ref(byte));
        }
        let facts = follower.told();
        let told: Vec<_> = facts
            .client_log
            .iter()
            .map(|fact| fact.place.to_string())
            .collect();
        assert_eq!(told, ["app.log:6"]);
        assert_eq!(follower.told().client_log, []);
        follower.again();
        follower.take(b"2026-11-23T02:58:13Z Connection closed by server.\n");
        assert_eq!(follower.told().client_log[0].place.to_string(), "app.log:1");
    }
}
