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

/// Calls `each` for every line in which one of the texts stands; the file's last lines, as they are.
pub(super) fn search(
    mut input: impl Read,
    texts: &AhoCorasick,
    mut each: impl FnMut(&Hit<'_>),
) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; BEFORE + CHUNK];
    // What was looked through and is kept ends at `seen`; what was read ends at `filled`.
    let (mut seen, mut filled) = (0, 0);
    let mut number = 1;
    // Inside a line that is longer than a chunk, of which the front was looked at.
    let mut inside = false;
    loop {
        let came = fill(&mut input, &mut buffer[filled..])?;
        filled += came;
        let at_end = filled < buffer.len();
        let whole = match memrchr(b'\n', &buffer[seen..filled]) {
            Some(last) if !at_end => seen + last + 1,
            _ => filled,
        };
        let mut from = seen;
        if inside {
            from = memchr(b'\n', &buffer[seen..whole]).map_or(whole, |end| seen + end + 1);
            inside = from == whole && buffer[..whole].last() != Some(&b'\n');
            number += u64::from(!inside);
        }
        number = hits(&buffer[..whole], from, number, texts, &mut each);
        if at_end {
            return Ok(buffer[first_whole(&buffer[..whole])..whole].to_vec());
        }
        inside |= buffer[..whole].last() != Some(&b'\n');
        let keep = first_whole(&buffer[..whole]);
        buffer.copy_within(keep..filled, 0);
        (seen, filled) = (whole - keep, filled - keep);
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

/// The hits from `from` on, where line `number` begins; the number of the line after the last.
fn hits(
    bytes: &[u8],
    mut from: usize,
    mut number: u64,
    texts: &AhoCorasick,
    each: &mut impl FnMut(&Hit<'_>),
) -> u64 {
    while let Some(found) = texts.find(&bytes[from..]) {
        let at = from + found.start();
        let start = memrchr(b'\n', &bytes[from..at]).map_or(from, |end| from + end + 1);
        let end = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
        number += lines_in(&bytes[from..start]);
        each(&Hit {
            number,
            line: text(&bytes[start..end]),
            before: Before(&bytes[..start]),
        });
        number += u64::from(end < bytes.len());
        from = (end + 1).min(bytes.len());
    }
    number + lines_in(&bytes[from..])
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
        search(bytes, &texts, each).expect("it is in memory");
        found
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
    fn what_stands_before_a_line_is_told_from_its_end() {
        let texts = AhoCorasick::new(["needle"]).expect("an automaton");
        let mut before = Vec::new();
        let each = |hit: &Hit<'_>| before.extend(hit.before.lines().map(Cow::into_owned));
        search(&b"one\ntwo\nneedle\n"[..], &texts, each).expect("it is in memory");
        assert_eq!(before, ["two", "one"]);
    }

    proptest! {
        #[test]
        fn a_search_finds_what_a_walk_finds(pieces in proptest::collection::vec("needle|\n|hay|\u{e9}", 0..60)) {
            let text = pieces.concat();
            prop_assert_eq!(by_search(text.as_bytes()), by_lines(text.as_bytes()));
        }
    }
}
