use crate::decode::{Aggregate, Visitor};
use crate::nesting::{ELEMENT_BYTES_MIN, Nesting};
use crate::scan::FrameKind;
use crate::token::{self, Blob, Token};
use crate::{Limits, WireError};

/// One walk over one frame, which can stop where the bytes end and go on when there are more.
///
/// Scanner and decoder are this walk with different visitors: that is why they agree. How far it came depends on the
/// bytes alone, never on how they were cut: each step either needs more bytes, or says the same whatever follows.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    /// Where the token begins that is being read, or whose string is awaited.
    at: usize,
    /// How far the end of an incomplete line at `at` has been looked for.
    searched: usize,
    awaits: Awaits,
    kind: FrameKind,
    nesting: Nesting,
}

#[derive(Clone, Copy, Debug)]
enum Awaits {
    /// A value, or the end of a streamed aggregate.
    Value,
    /// A part of a string in parts.
    Part,
    /// The rest of a string of known length.
    Body(Body),
}

/// Whether the bytes reached for one more step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Taken,
    Short,
}

/// How far a walk came.
pub(crate) enum Progress {
    Whole { len: usize, kind: FrameKind },
    Short { missing_at_least: u64 },
}

impl Walk {
    pub(crate) const fn new() -> Self {
        Self {
            at: 0,
            searched: 0,
            awaits: Awaits::Value,
            kind: FrameKind::Reply,
            nesting: Nesting::new(),
        }
    }

    pub(crate) fn reset(&mut self) {
        self.at = 0;
        self.searched = 0;
        self.awaits = Awaits::Value;
        self.nesting.reset();
    }

    /// Walks on through `bytes`, which begin with the frame's first byte.
    pub(crate) fn go_on<'a, V: Visitor<'a>>(
        &mut self,
        bytes: &'a [u8],
        limits: &Limits,
        visitor: &mut V,
    ) -> Result<Progress, WireError> {
        let view = within_limit(bytes, limits);
        while self.nesting.owed() > 0 {
            let step = match self.awaits {
                Awaits::Value => self.value(view, limits, visitor)?,
                Awaits::Part => self.part(view, limits, visitor)?,
                Awaits::Body(body) => self.body(body, view, visitor)?,
            };
            if step == Step::Short {
                return self.short(view, limits);
            }
        }
        Ok(Progress::Whole {
            len: self.at,
            kind: self.kind,
        })
    }

    fn value<'a, V: Visitor<'a>>(
        &mut self,
        view: &'a [u8],
        limits: &Limits,
        visitor: &mut V,
    ) -> Result<Step, WireError> {
        let read = token::read(view, self.at, &mut self.searched, limits)?;
        let Some((token, next)) = read else {
            return Ok(Step::Short);
        };
        if self.nesting.is_outermost() {
            self.kind = kind_of(&token);
        }
        match token {
            Token::Plain(plain) => {
                self.nesting.begins(self.at, limits)?;
                plain.tell(visitor);
                self.landed(visitor);
            }
            Token::Blob(blob, len) => {
                let body = Body::new(blob, len, self.at, next, limits)?;
                self.nesting.begins(self.at, limits)?;
                return self.body(body, view, visitor);
            }
            Token::OpenString => {
                self.nesting.begins(self.at, limits)?;
                self.awaits = Awaits::Part;
                visitor.begin_parts();
            }
            Token::Open(aggregate, size) => {
                self.nesting
                    .open((aggregate, size), self.at, next, limits)?;
                visitor.begin(aggregate, size);
                if let Some(closed) = self.nesting.close_if_full() {
                    self.closed(closed, visitor);
                }
            }
            Token::End => {
                let closed = self.nesting.dot(self.at)?;
                self.closed(closed, visitor);
            }
        }
        self.at = next;
        Ok(Step::Taken)
    }

    fn part<'a, V: Visitor<'a>>(
        &mut self,
        view: &'a [u8],
        limits: &Limits,
        visitor: &mut V,
    ) -> Result<Step, WireError> {
        let Some((len, next)) = token::part(view, self.at)? else {
            return Ok(Step::Short);
        };
        if len > 0 {
            return self.body(
                Body::new(Blob::Part, len, self.at, next, limits)?,
                view,
                visitor,
            );
        }
        self.awaits = Awaits::Value;
        self.at = next;
        visitor.end_parts();
        self.landed(visitor);
        Ok(Step::Taken)
    }

    fn body<'a, V: Visitor<'a>>(
        &mut self,
        body: Body,
        view: &'a [u8],
        visitor: &mut V,
    ) -> Result<Step, WireError> {
        let Some((content, next)) = body.content(view)? else {
            self.awaits = Awaits::Body(body);
            return Ok(Step::Short);
        };
        self.at = next;
        body.blob.tell(content, visitor);
        if body.blob == Blob::Part {
            self.awaits = Awaits::Part;
        } else {
            self.awaits = Awaits::Value;
            self.landed(visitor);
        }
        Ok(Step::Taken)
    }

    fn short(&self, view: &[u8], limits: &Limits) -> Result<Progress, WireError> {
        if view.len() == limits.frame_len_max() {
            let limit = limits.frame_bytes_max;
            return Err(WireError::FrameTooLarge {
                offset: self.at as u64,
                limit,
            });
        }
        Ok(Progress::Short {
            missing_at_least: self.missing(view.len(), view.last().copied()),
        })
    }

    fn landed<'a, V: Visitor<'a>>(&mut self, visitor: &mut V) {
        self.nesting.landed();
        self.ended(visitor);
    }

    /// An aggregate is closed. What attributes describe is still to come, so they end nothing but themselves.
    fn closed<'a, V: Visitor<'a>>(&mut self, aggregate: Aggregate, visitor: &mut V) {
        visitor.end(aggregate);
        if aggregate != Aggregate::Attribute {
            self.ended(visitor);
        }
    }

    /// A value ended, and with it every aggregate whose last element it was.
    fn ended<'a, V: Visitor<'a>>(&mut self, visitor: &mut V) {
        while let Some(aggregate) = self.nesting.ended() {
            visitor.end(aggregate);
            if aggregate == Aggregate::Attribute {
                return;
            }
        }
    }

    /// The fewest bytes that can make the frame whole.
    fn missing(&self, have: usize, last: Option<u8>) -> u64 {
        let here = match self.awaits {
            Awaits::Body(body) => {
                body.missing(have)
                    + if body.blob == Blob::Part {
                        LAST_PART_BYTES
                    } else {
                        0
                    }
            }
            Awaits::Part if have == self.at => LAST_PART_BYTES,
            Awaits::Value if have == self.at => ELEMENT_BYTES_MIN,
            _ if last == Some(b'\r') => 1,
            _ => LINE_END.len() as u64,
        };
        let behind = (self.nesting.owed() - 1).saturating_mul(ELEMENT_BYTES_MIN);
        behind.saturating_add(here)
    }
}

const LINE_END: &[u8; 2] = b"\r\n";

/// `;0` and a line end.
const LAST_PART_BYTES: u64 = 4;

/// The bytes that the limit lets us look at: a long buffer then gets the answer that its pieces would get.
pub(crate) fn within_limit<'a>(bytes: &'a [u8], limits: &Limits) -> &'a [u8] {
    &bytes[..bytes.len().min(limits.frame_len_max())]
}

/// Where the content of a string of known length stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    blob: Blob,
    start: usize,
    end: usize,
}

impl Body {
    /// The body of `len` bytes from `start`, of the string whose marker stands at `at`.
    pub(crate) fn new(
        blob: Blob,
        len: u64,
        at: usize,
        start: usize,
        limits: &Limits,
    ) -> Result<Self, WireError> {
        let whole = (start as u64)
            .saturating_add(len)
            .saturating_add(LINE_END.len() as u64);
        match usize::try_from(whole) {
            Ok(whole) if whole <= limits.frame_len_max() => Ok(Self {
                blob,
                start,
                end: whole - LINE_END.len(),
            }),
            _ => Err(WireError::FrameTooLarge {
                offset: at as u64,
                limit: limits.frame_bytes_max,
            }),
        }
    }

    /// The content, and where what follows its line end begins; `None`: not all there yet.
    pub(crate) fn content<'a>(
        &self,
        view: &'a [u8],
    ) -> Result<Option<(&'a [u8], usize)>, WireError> {
        let next = self.end + LINE_END.len();
        let Some(line_end) = view.get(self.end..next) else {
            return Ok(None);
        };
        if line_end != LINE_END {
            return Err(WireError::MissingCrLf {
                offset: self.end as u64,
            });
        }
        Ok(Some((&view[self.start..self.end], next)))
    }

    /// How many bytes are missing of which `have` are there.
    pub(crate) fn missing(&self, have: usize) -> u64 {
        (self.end + LINE_END.len() - have) as u64
    }
}

fn kind_of(token: &Token<'_>) -> FrameKind {
    match token {
        Token::Open(Aggregate::Push, _) => FrameKind::Push,
        Token::Blob(Blob::Error, _) | Token::Plain(token::Plain::Error(_)) => FrameKind::Error,
        _ => FrameKind::Reply,
    }
}
