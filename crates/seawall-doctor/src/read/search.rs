//! Finds the lines that matter in a file of any size, without looking at each of the others.

use std::borrow::Cow;
use std::io::{self, Read};

use aho_corasick::AhoCorasick;
use memchr::{memchr, memchr_iter, memrchr};

use super::LINE_MAX;

/// So much is looked through at once.
const CHUNK: usize = 1 << 20;

/// So much of what was looked through is kept, for who wants to see what stood before a line.
const BEFORE: usize = 16 * 1024;

/// A line that holds one of the texts.
pub(super) struct Hit<'a> {
    /// From 1.
    pub(super) number: u64,
    pub(super) line: Cow<'a, str>,
    /// What stands before it, as far as it is kept.
    pub(super) before: Before<'a>,
}

/// Some whole lines.
#[derive(Clone, Copy)]
pub(super) struct Before<'a>(pub(super) &'a [u8]);

impl<'a> Before<'a> {
    /// Its lines, the last first.
    pub(super) fn lines(self) -> impl Iterator<Item = Cow<'a, str>> {
        let bytes = self.0.strip_suffix(b"\n").unwrap_or(self.0);
        let mut end = (!bytes.is_empty()).then_some(bytes.len());
        std::iter::from_fn(move || {
            let upto = end?;
            let start = memrchr(b'\n', &bytes[..upto]);
            end = start;
            Some(text(&bytes[start.map_or(0, |start| start + 1)..upto]))
        })
    }
}

/// How far a text was looked through: what comes next is looked at with what stood before it.
#[derive(Clone)]
pub(super) struct Looking {
    buffer: Vec<u8>,
    /// What was looked through and is kept ends here.
    seen: usize,
    /// What was read ends here.
    filled: usize,
    /// Of the line that begins at `seen`, or goes on there.
    number: u64,
    /// It goes on: it is longer than a chunk, and its front was looked at.
    inside: Option<Told>,
    beyond: Beyond,
}

/// Whether something was found in a line already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told(bool);

/// Lines with a text so far behind their beginning that it is not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Beyond {
    /// How many.
    pub(super) lines: u64,
    /// The number of the first of them.
    pub(super) first: Option<u64>,
}

impl Beyond {
    fn add(&mut self, number: u64) {
        self.lines += 1;
        self.first.get_or_insert(number);
    }
}

impl Looking {
    /// At a text's beginning.
    pub(super) fn new() -> Self {
        Self {
            buffer: Vec::new(),
            seen: 0,
            filled: 0,
            number: 1,
            inside: None,
            beyond: Beyond::default(),
        }
    }

    /// Looks through all of `input`, but for a last line that has no end yet; calls `each` for every line in which one of the
    /// texts stands.
    pub(super) fn through(
        &mut self,
        mut input: impl Read,
        texts: &AhoCorasick,
        mut each: impl FnMut(&Hit<'_>),
    ) -> io::Result<()> {
        self.buffer.resize(BEFORE + CHUNK, 0);
        loop {
            let came = fill(&mut input, &mut self.buffer[self.filled..])?;
            self.filled += came;
            let at_end = self.filled < self.buffer.len();
            let whole = match memrchr(b'\n', &self.buffer[self.seen..self.filled]) {
                Some(last) => self.seen + last + 1,
                None if at_end => self.seen,
                None => self.filled,
            };
            self.look(whole, texts, &mut each);
            let keep = first_whole(&self.buffer[..whole]);
            self.buffer.copy_within(keep..self.filled, 0);
            (self.seen, self.filled) = (whole - keep, self.filled - keep);
            if at_end {
                self.buffer.truncate(self.filled);
                self.buffer.shrink_to_fit();
                return Ok(());
            }
        }
    }

    /// Looks at the line that has no end yet, as if it had.
    pub(super) fn rest(&mut self, texts: &AhoCorasick, mut each: impl FnMut(&Hit<'_>)) {
        let filled = self.filled;
        self.look(filled, texts, &mut each);
        self.seen = filled;
    }

    fn look(&mut self, whole: usize, texts: &AhoCorasick, each: &mut impl FnMut(&Hit<'_>)) {
        let mut from = self.seen;
        if let Some(Told(told)) = self.inside {
            let end = memchr(b'\n', &self.buffer[from..whole]).map(|end| from + end + 1);
            let part = &self.buffer[from..end.unwrap_or(whole)];
            let told = told || texts.is_match(part);
            if told && self.inside == Some(Told(false)) {
                self.beyond.add(self.number);
            }
            self.inside = end.is_none().then_some(Told(told));
            self.number += u64::from(end.is_some());
            from = end.unwrap_or(whole);
        }
        let bytes = &self.buffer[..whole];
        let mut last = None;
        while let Some(found) = texts.find(&bytes[from..]) {
            let at = from + found.start();
            let start = memrchr(b'\n', &bytes[from..at]).map_or(from, |end| from + end + 1);
            let end = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
            self.number += lines_in(&bytes[from..start]);
            if found.end() + from - start > LINE_MAX {
                self.beyond.add(self.number);
            } else {
                each(&Hit {
                    number: self.number,
                    line: text(&bytes[start..end]),
                    before: Before(&bytes[..start]),
                });
            }
            last = (end == bytes.len()).then_some(start);
            self.number += u64::from(end < bytes.len());
            from = (end + 1).min(bytes.len());
        }
        self.number += lines_in(&bytes[from..]);
        let ends = bytes.last().is_none_or(|last| *last == b'\n');
        if self.inside.is_none() && !ends && whole > self.seen {
            self.inside = Some(Told(last.is_some()));
        }
    }

    /// Its last lines that are whole.
    pub(super) fn tail(&self) -> Before<'_> {
        Before(&self.buffer[..self.seen])
    }

    /// What was not looked at.
    pub(super) fn beyond(&self) -> Beyond {
        self.beyond
    }
}

/// Where the lines begin that are kept.
fn first_whole(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(BEFORE);
    if from == 0 {
        return 0;
    }
    memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |end| from + end + 1)
}

/// Fills `space` as far as there is something to fill it with.
fn fill(input: &mut impl Read, space: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < space.len() {
        match input.read(&mut space[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn lines_in(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

/// A line's text, no more of it than any line has that means something.
fn text(line: &[u8]) -> Cow<'_, str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8_lossy(&line[..line.len().min(LINE_MAX)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The hits of a plain walk over the lines.
    fn by_lines(bytes: &[u8]) -> Vec<(u64, String)> {
        let lines = bytes.split(|byte| *byte == b'\n').zip(1..);
        lines
            .filter(|(line, _)| line.windows(6).any(|six| six == b"needle"))
            .map(|(line, number)| (number, text(line).into_owned()))
            .collect()
    }

    fn by_search(bytes: &[u8]) -> Vec<(u64, String)> {
        let texts = AhoCorasick::new(["needle"]).expect("an automaton");
        let mut found = Vec::new();
        let each = |hit: &Hit<'_>| found.push((hit.number, hit.line.clone().into_owned()));
        search(bytes, &texts, each);
        found
    }

    fn search(bytes: &[u8], texts: &AhoCorasick, mut each: impl FnMut(&Hit<'_>)) -> Beyond {
        let mut looking = Looking::new();
        looking
            .through(bytes, texts, &mut each)
            .expect("it is in memory");
        looking.rest(texts, each);
        looking.beyond()
    }

    #[test]
    fn lines_are_found_and_numbered_across_chunks() {
        let mut text = Vec::new();
        for number in 0..400_000 {
            let line = if number % 997 == 0 { "a needle" } else { "hay" };
            text.extend_from_slice(format!("{line} {number}\n").as_bytes());
        }
        assert!(text.len() > 3 * CHUNK);
        assert_eq!(by_search(&text), by_lines(&text));
    }

    #[test]
    fn a_line_longer_than_all_is_one_line() {
        let long = format!("needle {}\nhay\nneedle", "x".repeat(3 * CHUNK));
        let found = by_search(long.as_bytes());
        let numbers: Vec<_> = found.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [1, 3]);
    }

    #[test]
    fn what_stands_too_far_behind_a_lines_beginning_is_counted() {
        let texts = AhoCorasick::new(["needle"]).expect("an automaton");
        let far = "x".repeat(LINE_MAX);
        let farther = "x".repeat(2 * CHUNK);
        let line = format!(
            "{far}needle\nneedle{farther}needle\n{farther}needle{farther}needle\n{farther}\nneedle {farther}{far}\n{farther}needle"
        );
        let mut numbers = Vec::new();
        let beyond = search(line.as_bytes(), &texts, |hit| numbers.push(hit.number));
        assert_eq!(numbers, [2, 5]);
        assert_eq!((beyond.lines, beyond.first), (3, Some(1)));
    }

    #[test]
    fn what_stands_before_a_line_is_told_from_its_end() {
        let texts = AhoCorasick::new(["needle"]).expect("an automaton");
        let mut before = Vec::new();
        let each = |hit: &Hit<'_>| before.extend(hit.before.lines().map(Cow::into_owned));
        search(&b"one\ntwo\nneedle\n"[..], &texts, each);
        assert_eq!(before, ["two", "one"]);
    }

    proptest! {
        #[test]
        fn a_search_finds_what_a_walk_finds(pieces in proptest::collection::vec("needle|\n|hay|\u{e9}", 0..60)) {
            let text = pieces.concat();
            prop_assert_eq!(by_search(text.as_bytes()), by_lines(text.as_bytes()));
        }

        #[test]
        fn a_text_that_grows_is_found_as_if_it_had_been_whole(pieces in proptest::collection::vec("needle|need|le|\n|hay|\u{e9}", 0..60)) {
            let texts = AhoCorasick::new(["needle"]).expect("an automaton");
            let mut looking = Looking::new();
            let mut found = Vec::new();
            for piece in &pieces {
                looking
                    .through(piece.as_bytes(), &texts, |hit| found.push((hit.number, hit.line.clone().into_owned())))
                    .expect("it is in memory");
                // What has no end yet is looked at beside what was found.
                let mut now = found.clone();
                looking.clone().rest(&texts, |hit| now.push((hit.number, hit.line.clone().into_owned())));
                prop_assert!(now.len() <= found.len() + 1);
            }
            looking.rest(&texts, |hit| found.push((hit.number, hit.line.clone().into_owned())));
            prop_assert_eq!(found, by_lines(pieces.concat().as_bytes()));
        }
    }
}
