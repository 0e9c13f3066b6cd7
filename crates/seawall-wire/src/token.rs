use crate::decode::{Aggregate, Size, Visitor};
use crate::number::{self, Length, Read};
use crate::{Limits, WireError, examined};

/// One line of RESP: a whole plain value, or the head of something longer.
pub(crate) enum Token<'a> {
    Plain(Plain<'a>),
    /// A string of known length begins behind this line.
    Blob(Blob, u64),
    /// A string in parts begins: `$?`.
    OpenString,
    Open(Aggregate, Size),
    /// The end of an aggregate whose size was not announced: `.`.
    End,
}

/// A value that is whole with its line.
pub(crate) enum Plain<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    BigNumber(&'a [u8]),
    Simple(&'a [u8]),
    Error(&'a [u8]),
}

impl<'a> Plain<'a> {
    pub(crate) fn tell<V: Visitor<'a>>(self, visitor: &mut V) {
        match self {
            Self::Null => visitor.null(),
            Self::Bool(value) => visitor.boolean(value),
            Self::Int(value) => visitor.int(value),
            Self::Double(value) => visitor.double(value),
            Self::BigNumber(digits) => visitor.big_number(digits),
            Self::Simple(text) => visitor.simple(text),
            Self::Error(text) => visitor.error(text),
        }
    }
}

/// What a string of known length is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blob {
    Bulk,
    Error,
    /// The format has been read already, with its colon.
    Verbatim([u8; 3]),
    /// A part of a string in parts.
    Part,
}

impl Blob {
    pub(crate) fn tell<'a, V: Visitor<'a>>(self, content: &'a [u8], visitor: &mut V) {
        match self {
            Self::Bulk => visitor.bulk(content),
            Self::Error => visitor.error(content),
            Self::Verbatim(format) => visitor.verbatim(format, content),
            Self::Part => visitor.part(content),
        }
    }
}

/// Reads the token at `at`.
///
/// `searched` is how far the end of an incomplete line has been looked for, so that the next look begins there.
#[inline]
pub(crate) fn read<'a>(
    view: &'a [u8],
    at: usize,
    searched: &mut usize,
    limits: &Limits,
) -> Read<Token<'a>> {
    let Some(&marker) = view.get(at) else {
        return Ok(None);
    };
    let offset = at as u64;
    let plain = match marker {
        b'+' => map(text(view, at, searched, limits)?, Plain::Simple),
        b'-' => map(text(view, at, searched, limits)?, Plain::Error),
        b':' => map(number::integer(view, at)?, Plain::Int),
        b',' => double(view, at, searched, limits)?,
        b'(' => big_number(view, at, searched, limits)?,
        b'#' => boolean(view, at)?,
        b'_' => {
            let bad = WireError::BadNumber { marker, offset };
            number::line_end(view, at + 1, bad)?.map(|next| (Plain::Null, next))
        }
        b'$' => return bulk(view, at),
        b'!' => {
            return Ok(map(known_length(view, at)?, |len| {
                Token::Blob(Blob::Error, len)
            }));
        }
        b'=' => return verbatim(view, at),
        b'*' => return open(view, at, Aggregate::Array),
        b'%' => return open(view, at, Aggregate::Map),
        b'~' => return open(view, at, Aggregate::Set),
        b'>' => return open(view, at, Aggregate::Push),
        b'|' => return open(view, at, Aggregate::Attribute),
        b'.' => {
            let bad = WireError::StreamMisplaced {
                byte: marker,
                offset,
            };
            return Ok(number::line_end(view, at + 1, bad)?.map(|next| (Token::End, next)));
        }
        b';' => {
            return Err(WireError::StreamMisplaced {
                byte: marker,
                offset,
            });
        }
        byte => return Err(WireError::BadType { byte, offset }),
    };
    Ok(map(plain, Token::Plain))
}

/// Reads the head of a part of a string in parts: its length, 0 for the end of the string.
pub(crate) fn part(view: &[u8], at: usize) -> Read<u64> {
    match view.get(at) {
        None => Ok(None),
        Some(b';') => known_length(view, at),
        Some(&byte) => Err(WireError::StreamMisplaced {
            byte,
            offset: at as u64,
        }),
    }
}

#[inline]
fn map<T, U>(read: Option<(T, usize)>, of: impl FnOnce(T) -> U) -> Option<(U, usize)> {
    read.map(|(value, next)| (of(value), next))
}

#[inline]
fn bulk(view: &[u8], at: usize) -> Read<Token<'_>> {
    Ok(map(number::length(view, at)?, |length| match length {
        Length::Known(len) => Token::Blob(Blob::Bulk, len),
        Length::Null => Token::Plain(Plain::Null),
        Length::Streamed => Token::OpenString,
    }))
}

fn open(view: &[u8], at: usize, aggregate: Aggregate) -> Read<Token<'_>> {
    let (marker, offset) = (view[at], at as u64);
    let Some((length, next)) = number::length(view, at)? else {
        return Ok(None);
    };
    let token = match (length, aggregate) {
        (Length::Known(entries), _) => Token::Open(aggregate, Size::Known(entries)),
        (Length::Null, Aggregate::Array) => Token::Plain(Plain::Null),
        (Length::Null, _) => return Err(WireError::BadLength { marker, offset }),
        (Length::Streamed, Aggregate::Push | Aggregate::Attribute) => {
            return Err(WireError::StreamMisplaced {
                byte: marker,
                offset,
            });
        }
        (Length::Streamed, _) => Token::Open(aggregate, Size::Streamed),
    };
    Ok(Some((token, next)))
}

/// A length where neither null nor a stream may stand.
fn known_length(view: &[u8], at: usize) -> Read<u64> {
    let (marker, offset) = (view[at], at as u64);
    match number::length(view, at)? {
        None => Ok(None),
        Some((Length::Known(len), next)) => Ok(Some((len, next))),
        Some((Length::Null, _)) => Err(WireError::BadLength { marker, offset }),
        Some((Length::Streamed, _)) => Err(WireError::StreamMisplaced {
            byte: marker,
            offset,
        }),
    }
}

fn boolean(view: &[u8], at: usize) -> Read<Plain<'_>> {
    let bad = WireError::BadNumber {
        marker: b'#',
        offset: at as u64,
    };
    let value = match view.get(at + 1) {
        None => return Ok(None),
        Some(b't') => true,
        Some(b'f') => false,
        Some(_) => return Err(bad),
    };
    Ok(number::line_end(view, at + 2, bad)?.map(|next| (Plain::Bool(value), next)))
}

fn double<'a>(view: &'a [u8], at: usize, searched: &mut usize, limits: &Limits) -> Read<Plain<'a>> {
    let Some((text, next)) = text(view, at, searched, limits)? else {
        return Ok(None);
    };
    let bad = WireError::BadNumber {
        marker: b',',
        offset: at as u64,
    };
    Ok(Some((
        Plain::Double(number::double(text).ok_or(bad)?),
        next,
    )))
}

fn big_number<'a>(
    view: &'a [u8],
    at: usize,
    searched: &mut usize,
    limits: &Limits,
) -> Read<Plain<'a>> {
    match text(view, at, searched, limits)? {
        Some((text, _)) if !number::is_big_number(text) => Err(WireError::BadNumber {
            marker: b'(',
            offset: at as u64,
        }),
        other => Ok(map(other, Plain::BigNumber)),
    }
}

/// The head of a verbatim string is its line and the format behind it, `txt:` or `mkd:`.
fn verbatim(view: &[u8], at: usize) -> Read<Token<'_>> {
    let offset = at as u64;
    let Some((len, next)) = known_length(view, at)? else {
        return Ok(None);
    };
    let Some(len) = len.checked_sub(4) else {
        return Err(WireError::BadLength {
            marker: b'=',
            offset,
        });
    };
    match view[next..] {
        [a, b, c, b':', ..] => Ok(Some((
            Token::Blob(Blob::Verbatim([a, b, c]), len),
            next + 4,
        ))),
        [_, _, _, _, ..] => Err(WireError::BadVerbatim { offset }),
        _ => Ok(None),
    }
}

/// Reads a line of text up to CR LF. A lone CR or LF inside is part of the text: clients of Redis have always taken
/// it so.
fn text<'a>(view: &'a [u8], at: usize, searched: &mut usize, limits: &Limits) -> Read<&'a [u8]> {
    let start = at + 1;
    let longest = start
        .saturating_add(limits.line_len_max())
        .saturating_add(2);
    let end = longest.min(view.len());
    let mut from = start.max(*searched);
    while let Some(found) = memchr::memchr(b'\n', &view[from..end]) {
        let newline = from + found;
        examined::note(found + 1);
        // Before the first byte of the text stands the marker, which is no CR.
        if view[newline - 1] == b'\r' {
            return Ok(Some((&view[start..newline - 1], newline + 1)));
        }
        from = newline + 1;
    }
    examined::note(end - from);
    *searched = end;
    if end == longest {
        return Err(WireError::LineTooLong {
            offset: at as u64,
            limit: limits.line_bytes_max,
        });
    }
    Ok(None)
}
