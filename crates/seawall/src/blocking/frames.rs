use seawall_wire::decode::{Visitor, visit};
use seawall_wire::error::ServerError;
use seawall_wire::{Limits, Value, WireError};

use crate::link::sink::{self, Sink};

/// Replies as they came, for a door that builds values of its own from them.
///
/// May be used again for the next call; what it held is forgotten then, its room is kept.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    errors: bool,
    /// Replies only count together: a call that goes again begins anew.
    whole: bool,
    refusal: Option<ServerError>,
    value: Option<Value>,
}

/// Above this, the room of one large reply is given back with the next call.
const KEEP_MAX: usize = 64 * 1024;

impl Frames {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The replies, in order, each one whole frame.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.ends.iter().enumerate().map(|(place, &end)| {
            let start = if place == 0 { 0 } else { self.ends[place - 1] };
            &self.bytes[start..end]
        })
    }

    /// The room that it keeps for replies, in bytes.
    pub fn room(&self) -> usize {
        self.bytes.capacity()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The error that the server answered the only command with, word for word: unlike an [`Error`](crate::Error),
    /// which may be logged, it can quote arguments.
    pub fn refusal(&self) -> Option<&ServerError> {
        self.refusal.as_ref()
    }

    /// The only reply, where it was read already: one that came over a connection that many threads share is no frame
    /// any more.
    pub fn take_value(&mut self) -> Option<Value> {
        self.value.take()
    }

    /// The call was answered over a shared connection.
    pub(super) fn hold(&mut self, value: Option<Value>, refusal: Option<ServerError>) {
        self.value = value;
        self.refusal = refusal;
    }

    /// The bytes that it holds.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn begin(&mut self, whole: bool) {
        self.bytes.clear();
        if self.bytes.capacity() > KEEP_MAX {
            self.bytes = Vec::new();
        }
        self.ends.clear();
        self.errors = false;
        self.whole = whole;
        self.refusal = None;
        self.value = None;
    }
}

impl Sink for Frames {
    fn take_frame(&mut self, frame: &[u8], limits: &Limits) -> Result<(), WireError> {
        self.errors |= if self.whole {
            // EXEC's reply holds the others.
            contains_error(frame, limits)
        } else {
            sink::refusal(frame, limits).is_some()
        };
        if self.bytes.try_reserve(frame.len()).is_err() {
            return Err(WireError::no_memory(self.bytes.len()));
        }
        self.bytes.extend_from_slice(frame);
        self.ends.push(self.bytes.len());
        Ok(())
    }
    fn refused(&mut self, error: &ServerError) {
        self.refusal = Some(error.clone());
    }
    fn shows_writes(&self) -> bool {
        !self.errors
    }
    fn errors(&self, from: usize, tell: &mut dyn FnMut(&ServerError)) {
        if self.errors {
            let limits = Limits::default();
            for frame in self.iter().skip(from) {
                if self.whole {
                    // What was walked over once is well formed.
                    let _ = visit(frame, &limits, &mut Errors(tell));
                } else if let Some(error) = sink::refusal(frame, &limits) {
                    tell(&error);
                }
            }
        }
    }
    fn taken(&self) -> usize {
        self.ends.len()
    }
    fn restart(&mut self) {
        if self.whole {
            self.begin(true);
        }
    }
}

/// Tells of the errors in a frame.
struct Errors<'a>(&'a mut dyn FnMut(&ServerError));

impl<'a> Visitor<'a> for Errors<'_> {
    fn error(&mut self, text: &'a [u8]) {
        (self.0)(&ServerError::parse(text));
    }
}

fn contains_error(frame: &[u8], limits: &Limits) -> bool {
    let mut found = false;
    let _ = visit(frame, limits, &mut Errors(&mut |_| found = true));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(whole: bool, frames: &[&[u8]]) -> (bool, Vec<String>) {
        let mut sink = Frames::new();
        sink.begin(whole);
        for frame in frames {
            sink.take_frame(frame, &Limits::default())
                .expect("a whole frame");
        }
        let mut errors = Vec::new();
        sink.errors(0, &mut |error| errors.push(error.message.to_string()));
        (sink.shows_writes(), errors)
    }

    #[test]
    fn errors_inside_execs_reply_are_told_too() {
        let replies: [&[u8]; 3] = [b"+OK\r\n", b"+QUEUED\r\n", b"*1\r\n-READONLY no\r\n"];
        assert_eq!(
            told(true, &replies),
            (false, vec!["READONLY no".to_owned()])
        );
    }

    #[test]
    fn a_value_that_looks_like_an_error_is_none() {
        let replies: [&[u8]; 2] = [b"$4\r\n-ERR\r\n", b"*1\r\n$5\r\n\r\n-no\r\n"];
        assert_eq!(told(true, &replies), (true, Vec::new()));
    }
}
