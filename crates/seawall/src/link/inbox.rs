//! What came from the peer and has not been taken yet.

use seawall_wire::{
    Limits, WireError,
    scan::{FrameKind, Scan, Scanner},
};

/// Room that a fresh connection reads into. One TCP segment train of small replies fits; a larger reply grows it.
const ROOM: usize = 16 * 1024;

/// Above this, the buffer is given back once it is empty: one large reply must not pin its size to the connection.
const KEEP_MAX: usize = 64 * 1024;

/// The most that is asked of the allocator at a time, whatever length a frame announces: a hostile header costs
/// nothing until its bytes come.
const GROW_MAX: u64 = 4 * 1024 * 1024;

/// Up to this the buffer doubles; above it grows by a quarter, so that it is never much larger than the reply.
const DOUBLE_MAX: usize = 8 * 1024 * 1024;

/// A read buffer that knows where its frames end.
pub(crate) struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    scanner: Scanner,
    missing: u64,
    /// The process has no memory for what comes.
    starved: bool,
}

/// A whole frame at the front of the inbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) len: usize,
    pub(crate) kind: FrameKind,
}

impl Inbox {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            buffer: vec![0; ROOM],
            start: 0,
            end: 0,
            scanner: Scanner::new(limits),
            missing: 0,
            starved: false,
        }
    }

    /// Bytes that came and were not taken.
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    /// The bytes that came and were not taken.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Where the next read goes; never empty.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        let wanted = usize::try_from(self.missing.clamp(1, GROW_MAX)).unwrap_or(ROOM);
        if self.buffer.len() - self.end < wanted {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if self.buffer.len() - self.end < wanted && !self.grow(wanted) {
                // Under a limit (`ulimit -v`, uWSGI's limit-as) that is the caller's error, not the process's end. What came
                // is given up, and `next` says so: the connection goes with it.
                self.starved = true;
                self.start = 0;
                self.end = 0;
            }
        }
        &mut self.buffer[self.end..]
    }

    /// Makes room for `wanted` more, if there is any to be had.
    fn grow(&mut self, wanted: usize) -> bool {
        let len = self.buffer.len();
        for grown in [self.grown(wanted), self.end + wanted] {
            if self.buffer.try_reserve_exact(grown - len).is_ok() {
                self.buffer.resize(grown, 0);
                return true;
            }
        }
        false
    }

    /// How long the buffer becomes to have room for `wanted` more: longer by a part of itself, so that the copies of a
    /// growing reply stay linear in its size, and no longer than a long string needs whose end is known.
    fn grown(&self, wanted: usize) -> usize {
        let len = self.buffer.len();
        let more = if len < DOUBLE_MAX { len } else { len / 4 };
        let most = if self.missing > GROW_MAX {
            usize::try_from(self.missing)
                .map_or(usize::MAX, |missing| self.end.saturating_add(missing))
        } else {
            usize::MAX
        };
        (len + more).min(most).max(self.end + wanted)
    }

    /// `n` bytes of [`room`](Self::room) were filled.
    pub(crate) fn filled(&mut self, n: usize) {
        self.end += n;
        debug_assert!(
            self.end <= self.buffer.len(),
            "more was filled than there was room"
        );
    }

    /// The next whole frame, if it is here.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, WireError> {
        if self.starved {
            return Err(WireError::no_memory(self.buffer.len()));
        }
        if self.start == self.end {
            return Ok(None);
        }
        match self.scanner.scan(&self.buffer[self.start..self.end])? {
            Scan::Complete { len, kind } => {
                self.missing = 0;
                Ok(Some(Frame { len, kind }))
            }
            Scan::Partial { missing_at_least } => {
                self.missing = missing_at_least;
                Ok(None)
            }
        }
    }

    /// The bytes of a frame that [`next`](Self::next) found.
    pub(crate) fn frame(&self, frame: Frame) -> &[u8] {
        &self.buffer[self.start..self.start + frame.len]
    }

    /// The frame was taken.
    pub(crate) fn consume(&mut self, frame: Frame) {
        self.start += frame.len;
        if self.start == self.end && self.buffer.len() > KEEP_MAX {
            self.buffer = vec![0; ROOM];
            self.start = 0;
            self.end = 0;
        }
    }
}
