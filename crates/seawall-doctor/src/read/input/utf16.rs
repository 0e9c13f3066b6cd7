//! UTF-16 with a byte-order mark, as Windows and its `PowerShell` write logs.

use std::io::{self, Read};

/// As UTF-8; what is no text becomes a replacement character.
pub(super) struct Utf16<R> {
    input: R,
    /// The first byte of a pair is the larger one.
    big: Option<bool>,
    /// A byte, or half of a character, that waits for its rest.
    byte: Option<u8>,
    half: Option<u16>,
    ready: Vec<u8>,
    given: usize,
}

impl<R: Read> Utf16<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            big: None,
            byte: None,
            half: None,
            ready: Vec::new(),
            given: 0,
        }
    }

    fn unit(&mut self, one: u8, two: u8) {
        let Some(big) = self.big else {
            self.big = Some(one == 0xfe);
            return;
        };
        let unit = u16::from_be_bytes(if big { [one, two] } else { [two, one] });
        let units = self.half.take().into_iter().chain([unit]);
        let is_first_half = (0xd800..0xdc00).contains(&unit);
        let mut units: Vec<_> = units.collect();
        if is_first_half {
            self.half = units.pop();
        }
        for told in char::decode_utf16(units) {
            let character = told.unwrap_or(char::REPLACEMENT_CHARACTER);
            let mut bytes = [0; 4];
            self.ready
                .extend_from_slice(character.encode_utf8(&mut bytes).as_bytes());
        }
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() {
            self.ready.clear();
            self.given = 0;
            let mut raw = [0; 8 * 1024];
            let came = self.input.read(&mut raw)?;
            if came == 0 {
                return Ok(0);
            }
            for byte in &raw[..came] {
                match self.byte.take() {
                    Some(first) => self.unit(first, *byte),
                    None => self.byte = Some(*byte),
                }
            }
        }
        let count = into.len().min(self.ready.len() - self.given);
        into[..count].copy_from_slice(&self.ready[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}
