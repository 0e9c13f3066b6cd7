mod build;

use crate::error::ServerError;
use crate::{Limits, WireError, decode};

/// One value of RESP2 or RESP3, owned.
///
/// Equality is that of the parts; a double that is not a number equals nothing, itself included.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: `_`, and `$-1` and `*-1` of RESP2.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    /// A floating-point number; infinities and not-a-number too.
    Double(f64),
    /// A whole number of any size, as its digits with an optional sign.
    BigNumber(Box<str>),
    /// A short text without line ends, such as `OK`; mostly ASCII, but any bytes can come.
    Simple(Vec<u8>),
    /// A string: any bytes. Strings in parts are joined.
    Bulk(Vec<u8>),
    /// A text for people.
    Verbatim {
        /// Three letters: `txt` is plain, `mkd` is Markdown.
        format: [u8; 3],
        /// The text, without its format.
        text: Vec<u8>,
    },
    /// An error that the server sent.
    Error(ServerError),
    /// A list.
    Array(Vec<Value>),
    /// Values without an order; the server's order is kept.
    Set(Vec<Value>),
    /// Pairs of key and value, in the server's order. Keys can be of any type.
    Map(Vec<(Value, Value)>),
    /// Something nobody asked for, such as a message of a channel; its first element says what.
    Push(Vec<Value>),
    /// A value with what describes it, never empty. Several attributes before one value are joined.
    Attributed {
        /// The attributes.
        attributes: Vec<(Value, Value)>,
        /// What they describe.
        value: Box<Value>,
    },
}

/// For a copy of a frame of this size and more it is looked whether there is memory.
const LARGE: usize = 1 << 20;

impl Value {
    /// Reads the frame at the start of `frame`: its value and its length.
    ///
    /// A string costs one allocation. What an aggregate announces is never allocated beyond what the bytes at hand
    /// can hold. Errors are those of [`decode::visit`]; where there is no memory for a copy of a large frame, it is too large.
    pub fn decode(frame: &[u8], limits: &Limits) -> Result<(Self, usize), WireError> {
        if frame.len() >= LARGE && Vec::<u8>::new().try_reserve_exact(frame.len()).is_err() {
            // Its copies would end the process.
            return Err(WireError::no_memory(LARGE));
        }
        let mut one = build::One(Self::Null);
        if let Some(len) = decode::visit_plain(frame, limits, &mut one)? {
            return Ok((one.0, len));
        }
        let mut builder = build::Builder::new(frame.len());
        let len = decode::visit_any(frame, limits, &mut builder)?;
        Ok((builder.finish(), len))
    }

    /// The bytes of a text: of [`Simple`](Self::Simple), [`Bulk`](Self::Bulk), [`Verbatim`](Self::Verbatim) and
    /// [`BigNumber`](Self::BigNumber), attributed or not.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self.bare() {
            Self::Simple(bytes) | Self::Bulk(bytes) | Self::Verbatim { text: bytes, .. } => {
                Some(bytes)
            }
            Self::BigNumber(digits) => Some(digits.as_bytes()),
            _ => None,
        }
    }

    /// The bytes as text, where they are UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The number of an [`Int`](Self::Int), attributed or not.
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(value) = self.bare() {
            Some(*value)
        } else {
            None
        }
    }

    /// The error of an [`Error`](Self::Error), attributed or not.
    pub fn as_error(&self) -> Option<&ServerError> {
        if let Self::Error(error) = self.bare() {
            Some(error)
        } else {
            None
        }
    }

    /// The elements of an array, a set or a push, attributed or not.
    pub fn as_elements(&self) -> Option<&[Self]> {
        match self.bare() {
            Self::Array(elements) | Self::Set(elements) | Self::Push(elements) => Some(elements),
            _ => None,
        }
    }

    /// Whether this is null, attributed or not.
    pub fn is_null(&self) -> bool {
        matches!(self.bare(), Self::Null)
    }

    /// Whether this is the `OK` of a command that did what it was asked.
    pub fn is_ok(&self) -> bool {
        matches!(self.bare(), Self::Simple(text) if text == b"OK")
    }

    /// The value without its attributes.
    pub fn bare(&self) -> &Self {
        let mut value = self;
        while let Self::Attributed { value: inner, .. } = value {
            value = inner;
        }
        value
    }

    /// The value without its attributes, for good.
    #[must_use]
    pub fn into_bare(self) -> Self {
        let mut value = self;
        while let Self::Attributed { value: inner, .. } = value {
            value = *inner;
        }
        value
    }

    /// What type this is, in one word of the protocol's own: for errors that say what was expected.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Double(_) => "double",
            Self::BigNumber(_) => "big number",
            Self::Simple(_) => "simple string",
            Self::Bulk(_) => "bulk string",
            Self::Verbatim { .. } => "verbatim string",
            Self::Error(_) => "error",
            Self::Array(_) => "array",
            Self::Set(_) => "set",
            Self::Map(_) => "map",
            Self::Push(_) => "push",
            Self::Attributed { .. } => "attributed value",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_look_through_attributes() {
        let value = Value::Attributed {
            attributes: vec![(Value::Simple(b"ttl".to_vec()), Value::Int(3600))],
            value: Box::new(Value::Bulk(b"hello".to_vec())),
        };
        assert_eq!(value.as_str(), Some("hello"));
        assert_eq!(value.into_bare(), Value::Bulk(b"hello".to_vec()));
        assert!(Value::Simple(b"OK".to_vec()).is_ok() && !Value::Bulk(b"OK".to_vec()).is_ok());
    }

    #[test]
    fn an_element_takes_the_forty_bytes_that_the_limits_count_with() {
        assert_eq!(size_of::<Value>(), 40);
    }
}
