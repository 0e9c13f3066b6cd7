//! From a reply to the type that the caller asked for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use seawall_wire::Value;

/// Why a reply is not of the type that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongType {
    /// What was asked for.
    pub wanted: &'static str,
    /// What came.
    pub got: &'static str,
}

/// A type that a reply can be read as.
///
/// `Option` reads a null as `None`. Numbers read integers, doubles without a fraction and text that is a number, since
/// RESP2 has only text for some of them. Maps read RESP3 maps and RESP2's flat arrays.
pub trait FromReply: Sized {
    /// Reads the reply.
    fn from_reply(value: Value) -> Result<Self, WrongType>;

    /// Reads one element of a list of bytes; only bytes themselves differ.
    #[doc(hidden)]
    fn from_list(values: Vec<Value>) -> Result<Vec<Self>, WrongType> {
        values.into_iter().map(Self::from_reply).collect()
    }

    /// Reads a string where a list is expected: only a list of bytes can be.
    #[doc(hidden)]
    fn from_string(_bytes: Vec<u8>) -> Option<Vec<Self>> {
        None
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Int(_) => "an integer",
        Value::Double(_) => "a double",
        Value::BigNumber(_) => "a big number",
        Value::Simple(_) => "a simple string",
        Value::Bulk(_) => "a bulk string",
        Value::Verbatim { .. } => "a verbatim string",
        Value::Error(_) => "an error",
        Value::Array(_) => "an array",
        Value::Set(_) => "a set",
        Value::Map(_) => "a map",
        Value::Push(_) => "a push",
        Value::Attributed { .. } => "an attributed reply",
    }
}

fn wrong<T>(wanted: &'static str, value: &Value) -> Result<T, WrongType> {
    Err(WrongType {
        wanted,
        got: kind(value),
    })
}

fn plain(value: Value) -> Value {
    match value {
        Value::Attributed { value, .. } => plain(*value),
        other => other,
    }
}

impl FromReply for Value {
    fn from_reply(value: Value) -> Result<Self, WrongType> {
        Ok(value)
    }
}

impl FromReply for () {
    fn from_reply(_: Value) -> Result<Self, WrongType> {
        Ok(())
    }
}

impl<T: FromReply> FromReply for Option<T> {
    fn from_reply(value: Value) -> Result<Self, WrongType> {
        match plain(value) {
            Value::Null => Ok(None),
            other => T::from_reply(other).map(Some),
        }
    }
}

impl FromReply for bool {
    fn from_reply(value: Value) -> Result<Self, WrongType> {
        match plain(value) {
            Value::Bool(truth) => Ok(truth),
            Value::Int(n) => Ok(n != 0),
            Value::Null => Ok(false),
            Value::Simple(text) if *text == *b"OK" => Ok(true),
            other => wrong("a boolean", &other),
        }
    }
}

fn text(value: Value) -> Result<Vec<u8>, Value> {
    match plain(value) {
        Value::Bulk(bytes) | Value::Simple(bytes) => Ok(bytes),
        Value::Verbatim { text, .. } => Ok(text),
        Value::BigNumber(digits) => Ok(digits.to_string().into_bytes()),
        Value::Int(n) => Ok(n.to_string().into_bytes()),
        Value::Double(n) => Ok(n.to_string().into_bytes()),
        other => Err(other),
    }
}

impl FromReply for String {
    fn from_reply(value: Value) -> Result<Self, WrongType> {
        match text(value) {
            Ok(bytes) => Self::from_utf8(bytes).map_err(|_| WrongType {
                wanted: "text",
                got: "bytes that are not UTF-8",
            }),
            Err(other) => wrong("text", &other),
        }
    }
}

macro_rules! number {
    ($($type:ty),+) => {$(
        impl FromReply for $type {
            fn from_reply(value: Value) -> Result<Self, WrongType> {
                match plain(value) {
                    Value::Int(n) => <$type>::try_from(n)
                        .map_err(|_| WrongType { wanted: stringify!($type), got: "an integer out of its range" }),
                    Value::Bool(truth) => Ok(<$type>::from(truth)),
                    other => match text(other) {
                        Ok(bytes) => std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok())
                            .ok_or(WrongType { wanted: stringify!($type), got: "text that is no such number" }),
                        Err(other) => wrong(stringify!($type), &other),
                    },
                }
            }
        }
    )+};
}
number!(u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl FromReply for f64 {
    fn from_reply(value: Value) -> Result<Self, WrongType> {
        match plain(value) {
            Value::Double(n) => Ok(n),
            Value::Int(n) => Ok(n as Self),
            other => match text(other) {
                Ok(bytes) => std::str::from_utf8(&bytes)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .ok_or(WrongType {
                        wanted: "a double",
                        got: "text that is no number",
                    }),
                Err(other) => wrong("a double", &other),
            },
        }
    }
}

/// A byte stands only in a list of bytes: `Vec<u8>` is the bytes of a string.
impl FromReply for u8 {
    fn from_reply(value: Value) -> Result<Self, WrongType> {
        match value {
            Value::Int(n) => Self::try_from(n).map_err(|_| WrongType {
                wanted: "u8",
                got: "an integer out of its range",
            }),
            other => wrong("u8", &other),
        }
    }

    fn from_string(bytes: Vec<u8>) -> Option<Vec<Self>> {
        Some(bytes)
    }
}

impl<T: FromReply> FromReply for Vec<T> {
    fn from_reply(value: Value) -> Result<Self, WrongType> {
        match plain(value) {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => T::from_list(items),
            Value::Map(pairs) => T::from_list(
                pairs
                    .into_iter()
                    .map(|(key, value)| Value::Array(vec![key, value]))
                    .collect(),
            ),
            other @ (Value::Null | Value::Error(_) | Value::Bool(_)) => wrong("a list", &other),
            other => match text(other) {
                Ok(bytes) => T::from_string(bytes).ok_or(WrongType {
                    wanted: "a list",
                    got: "a string",
                }),
                Err(other) => wrong("a list", &other),
            },
        }
    }
}

fn pairs(value: Value) -> Result<Vec<(Value, Value)>, WrongType> {
    match plain(value) {
        Value::Map(pairs) => Ok(pairs),
        Value::Array(items) if items.len() % 2 == 0 => {
            let mut items = items.into_iter();
            Ok(std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect())
        }
        other => wrong("a map", &other),
    }
}

impl<K: FromReply + Eq + Hash, V: FromReply, S: BuildHasher + Default> FromReply
    for HashMap<K, V, S>
{
    fn from_reply(value: Value) -> Result<Self, WrongType> {
        pairs(value)?
            .into_iter()
            .map(|(key, value)| Ok((K::from_reply(key)?, V::from_reply(value)?)))
            .collect()
    }
}

impl<K: FromReply + Ord, V: FromReply> FromReply for BTreeMap<K, V> {
    fn from_reply(value: Value) -> Result<Self, WrongType> {
        pairs(value)?
            .into_iter()
            .map(|(key, value)| Ok((K::from_reply(key)?, V::from_reply(value)?)))
            .collect()
    }
}

impl<T: FromReply + Eq + Hash, S: BuildHasher + Default> FromReply for HashSet<T, S> {
    fn from_reply(value: Value) -> Result<Self, WrongType> {
        Vec::<Value>::from_reply(value)?
            .into_iter()
            .map(T::from_reply)
            .collect()
    }
}

macro_rules! tuple {
    ($count:literal: $($name:ident),+) => {
        impl<$($name: FromReply),+> FromReply for ($($name,)+) {
            fn from_reply(value: Value) -> Result<Self, WrongType> {
                let Value::Array(items) = plain(value) else {
                    return Err(WrongType { wanted: concat!("a list of ", $count), got: "something else" });
                };
                if items.len() != $count {
                    return Err(WrongType { wanted: concat!("a list of ", $count), got: "a list of another length" });
                }
                let mut items = items.into_iter();
                Ok(($($name::from_reply(items.next().unwrap_or(Value::Null))?,)+))
            }
        }
    };
}
tuple!(2: A, B);
tuple!(3: A, B, C);
tuple!(4: A, B, C, D);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_bytes_or_text_and_never_a_list_of_something_else() {
        let hello = || Value::Bulk(b"hello".to_vec());
        assert_eq!(Vec::<u8>::from_reply(hello()), Ok(b"hello".to_vec()));
        assert_eq!(String::from_reply(hello()), Ok("hello".to_owned()));
        assert!(Vec::<String>::from_reply(hello()).is_err());
    }

    #[test]
    fn null_is_none_and_nothing_else() {
        assert_eq!(Option::<String>::from_reply(Value::Null), Ok(None));
        assert!(String::from_reply(Value::Null).is_err());
        assert!(i64::from_reply(Value::Null).is_err());
    }

    #[test]
    fn a_flat_array_and_a_map_read_alike() {
        let flat = Value::Array(vec![Value::Bulk(b"a".to_vec()), Value::Int(1)]);
        let map = Value::Map(vec![(Value::Bulk(b"a".to_vec()), Value::Int(1))]);
        let wanted = BTreeMap::from([("a".to_owned(), 1_i64)]);
        assert_eq!(BTreeMap::from_reply(flat), Ok(wanted.clone()));
        assert_eq!(BTreeMap::from_reply(map), Ok(wanted));
    }

    #[test]
    fn a_number_out_of_range_is_refused() {
        assert!(u16::from_reply(Value::Int(70_000)).is_err());
        assert_eq!(i64::from_reply(Value::Bulk(b"42".to_vec())), Ok(42));
    }
}
