use crate::decode::Ignore;
use crate::walk::{Progress, Walk};
use crate::{Limits, WireError};

/// What a frame is to those who match replies to requests.
///
/// Attributes are no kind of their own: they belong to the value that follows them, so an attributed reply is one
/// frame, of that value's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// The answer to a request. Errors inside an array count as part of the answer.
    Reply,
    /// The answer to a request, and it is an error: `-` or `!`.
    Error,
    /// Out of band (`>`), an answer to nothing: a published message, an invalidation. In RESP3 the confirmations of
    /// SUBSCRIBE and UNSUBSCRIBE come as these too.
    Push,
}

/// What a scan found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A whole frame is there.
    Complete {
        /// Its length in bytes, from the start of `unread`.
        len: usize,
        /// What it is.
        kind: FrameKind,
    },
    /// The frame's end has not come yet.
    Partial {
        /// The fewest bytes that can complete the frame; exact inside a string of known length at the frame's end.
        missing_at_least: u64,
    },
}

/// Finds the end of one reply after another.
///
/// The order of calls: [`scan`](Self::scan) with the unread bytes, which start at the frame's first byte; while it
/// says [`Scan::Partial`], read more behind them and call again; at [`Scan::Complete`] consume the frame and call with
/// what is left. After an error the stream is lost and so is the scanner, until [`reset`](Self::reset).
///
/// Bytes that were scanned are not scanned again: content of strings is never looked at, long lines are searched once.
/// Only a short line of lengths or numbers (at most 24 bytes) that was cut is read from its start. The scanner's size
/// is fixed (about 1 KiB); it never allocates.
#[derive(Clone, Debug)]
pub struct Scanner {
    limits: Limits,
    walk: Walk,
}

impl Scanner {
    /// A scanner at the start of a frame.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            walk: Walk::new(),
        }
    }

    /// Looks for the end of the frame that begins `unread`.
    ///
    /// `unread` is what it was at the last call, and more: it may have moved in memory, but nothing in it has changed.
    pub fn scan(&mut self, unread: &[u8]) -> Result<Scan, WireError> {
        match self.walk.go_on(unread, &self.limits, &mut Ignore)? {
            Progress::Whole { len, kind } => {
                self.walk.reset();
                Ok(Scan::Complete { len, kind })
            }
            Progress::Short { missing_at_least } => Ok(Scan::Partial { missing_at_least }),
        }
    }

    /// Forgets a frame begun: the next bytes are the first of a frame.
    pub fn reset(&mut self) {
        self.walk.reset();
    }

    /// The limits it holds to.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examined;

    /// Feeds `frame` in pieces of `step` bytes; returns how many bytes were looked at.
    fn looked_at(frame: &[u8], step: usize) -> usize {
        let mut scanner = Scanner::new(Limits::default());
        examined::take();
        for end in (step..frame.len()).step_by(step) {
            let found = scanner.scan(&frame[..end]).expect("well-formed");
            assert!(
                matches!(found, Scan::Partial { .. }),
                "whole after {end} bytes: {found:?}"
            );
        }
        let whole = Scan::Complete {
            len: frame.len(),
            kind: FrameKind::Reply,
        };
        assert_eq!(scanner.scan(frame), Ok(whole));
        examined::take()
    }

    #[test]
    fn the_content_of_a_string_is_never_looked_at() {
        let size = 32 << 20;
        let mut frame = format!("${size}\r\n").into_bytes();
        frame.resize(frame.len() + size, b'x');
        frame.extend_from_slice(b"\r\n");
        assert!(looked_at(&frame, 16 << 10) < 40, "only the head is read");
    }

    #[test]
    fn many_elements_in_small_reads_are_looked_at_about_once() {
        let mut frame = b"*100000\r\n".to_vec();
        for _ in 0..50_000 {
            frame.extend_from_slice(b"$5\r\nhello\r\n:123456\r\n");
        }
        let whole = looked_at(&frame, frame.len());
        let cut = looked_at(&frame, 1460);
        assert!(
            cut <= whole + frame.len() / 1460 * 24,
            "{cut} bytes, {whole} in one piece"
        );
    }

    #[test]
    fn a_long_line_in_tiny_reads_is_searched_once() {
        let mut frame = b"+".to_vec();
        frame.resize(60_000, b'x');
        frame.extend_from_slice(b"\r\n");
        assert!(looked_at(&frame, 1) <= frame.len());
    }
}
