//! Building values straight from the buffer of one whole frame.

use crate::token::{self, Token};
use crate::walk::{Body, Progress, Walk, within_limit};
use crate::{Limits, WireError};

/// A value that has elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// `*`: a list of values.
    Array,
    /// `~`: values without an order.
    Set,
    /// `%`: pairs of key and value.
    Map,
    /// `>`: something nobody asked for, such as a message of a channel.
    Push,
    /// `|`: pairs that describe the value which follows them.
    Attribute,
}

impl Aggregate {
    /// How many elements make one entry: two in maps and attributes, else one.
    pub const fn elements_per_entry(self) -> u64 {
        match self {
            Self::Map | Self::Attribute => 2,
            Self::Array | Self::Set | Self::Push => 1,
        }
    }
}

/// What an aggregate's head says of its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Size {
    /// So many entries: pairs of a map or attribute, else elements. The word of the peer, bounded by
    /// [`Limits::elements_max`] alone; allocate for what the bytes at hand can hold, not for this.
    Known(u64),
    /// The entries come until [`Visitor::end`].
    Streamed,
}

/// What a frame is told to, value by value in the order of the bytes. Slices live as long as the buffer.
///
/// A map is [`begin`](Self::begin), key, value, key, value, .., [`end`](Self::end). An attribute is the same before
/// the value that it describes, wherever a value may stand. Every method does nothing unless it is overridden. None
/// can stop the walk: a frame has to be walked to its end anyway to know where the next one begins. If the walk fails
/// later, what was told is to be thrown away.
pub trait Visitor<'a> {
    /// `_` of RESP3, `$-1` and `*-1` of RESP2.
    fn null(&mut self) {}
    /// `#t` or `#f`.
    fn boolean(&mut self, value: bool) {
        let _ = value;
    }
    /// `:`
    fn int(&mut self, value: i64) {
        let _ = value;
    }
    /// `,`
    fn double(&mut self, value: f64) {
        let _ = value;
    }
    /// `(`: an optional sign and digits, of any length.
    fn big_number(&mut self, digits: &'a [u8]) {
        let _ = digits;
    }
    /// `+`
    fn simple(&mut self, text: &'a [u8]) {
        let _ = text;
    }
    /// `$` of known length.
    fn bulk(&mut self, content: &'a [u8]) {
        let _ = content;
    }
    /// `=`: a text for people, with its format, such as `txt` or `mkd`.
    fn verbatim(&mut self, format: [u8; 3], text: &'a [u8]) {
        let _ = (format, text);
    }
    /// `-` or `!`: the error's text, to be read by [`ServerError::parse`](crate::error::ServerError::parse).
    fn error(&mut self, text: &'a [u8]) {
        let _ = text;
    }
    /// `$?`: a string in parts begins.
    fn begin_parts(&mut self) {}
    /// `;`: a part of it, never empty.
    fn part(&mut self, content: &'a [u8]) {
        let _ = content;
    }
    /// `;0`: the string in parts is whole.
    fn end_parts(&mut self) {}
    /// `*`, `~`, `%`, `>` or `|`: an aggregate begins.
    fn begin(&mut self, aggregate: Aggregate, size: Size) {
        let _ = (aggregate, size);
    }
    /// The innermost aggregate, which is an `aggregate`, is whole.
    fn end(&mut self, aggregate: Aggregate) {
        let _ = aggregate;
    }
}

/// Told everything, keeps nothing: what the scanner walks with.
pub(crate) struct Ignore;

impl Visitor<'_> for Ignore {}

/// Walks over the frame at the start of `frame` and tells `visitor` what is in it. Returns the frame's length; bytes
/// behind it are not looked at.
///
/// Nothing is allocated and nothing recurses. Errors: [`WireError::Incomplete`] if the frame's end is missing, else
/// what the scanner would say of these bytes.
///
/// ```
/// use seawall_wire::{Limits, decode};
///
/// #[derive(Default)]
/// struct Sum(i64);
/// impl decode::Visitor<'_> for Sum {
///     fn int(&mut self, value: i64) {
///         self.0 += value;
///     }
/// }
///
/// let mut sum = Sum::default();
/// let len = decode::visit(b"*3\r\n:1\r\n:2\r\n$1\r\nx\r\n", &Limits::default(), &mut sum)?;
/// assert_eq!((len, sum.0), (19, 3));
/// # Ok::<(), seawall_wire::WireError>(())
/// ```
pub fn visit<'a, V: Visitor<'a>>(
    frame: &'a [u8],
    limits: &Limits,
    visitor: &mut V,
) -> Result<usize, WireError> {
    match visit_plain(frame, limits, visitor)? {
        Some(len) => Ok(len),
        None => visit_any(frame, limits, visitor),
    }
}

/// The short way for the most frequent replies: a value without elements needs no stack. `None`: it is none, or not
/// whole, and nothing was told.
pub(crate) fn visit_plain<'a, V: Visitor<'a>>(
    frame: &'a [u8],
    limits: &Limits,
    visitor: &mut V,
) -> Result<Option<usize>, WireError> {
    let view = within_limit(frame, limits);
    match token::read(view, 0, &mut 0, limits)? {
        Some((Token::Plain(plain), next)) => {
            plain.tell(visitor);
            Ok(Some(next))
        }
        Some((Token::Blob(blob, len), start)) => {
            let body = Body::new(blob, len, 0, start, limits)?;
            let Some((content, next)) = body.content(view)? else {
                return Ok(None);
            };
            blob.tell(content, visitor);
            Ok(Some(next))
        }
        _ => Ok(None),
    }
}

/// The way for every frame.
pub(crate) fn visit_any<'a, V: Visitor<'a>>(
    frame: &'a [u8],
    limits: &Limits,
    visitor: &mut V,
) -> Result<usize, WireError> {
    match Walk::new().go_on(frame, limits, visitor)? {
        Progress::Whole { len, .. } => Ok(len),
        Progress::Short { missing_at_least } => Err(WireError::Incomplete {
            offset: frame.len() as u64,
            missing_at_least,
        }),
    }
}
