//! Writing commands and replies.
//!
//! Everything is appended to a buffer of the caller's. Whatever is passed, what is written is one well-formed frame:
//! line ends inside texts that cannot hold them become spaces, as Redis does it.

mod reply;

pub use reply::{
    array_header, attribute_header, big_number, boolean, bulk, double, error, int, map_header,
    null, push_header, set_header, simple, verbatim,
};

use crate::Value;

/// Which version of the protocol a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// What every server speaks, and every connection starts with.
    #[default]
    Resp2,
    /// What `HELLO 3` switches to: maps, sets, pushes, attributes, doubles, booleans.
    Resp3,
}

/// Appends a command: its name and its arguments, as an array of bulk strings.
///
/// # Panics
/// If the iterator yields another number of items than it announced: a frame with a wrong head would shift every
/// later reply.
///
/// ```
/// let mut out = Vec::new();
/// seawall_wire::encode::command(&mut out, [b"DEL".as_slice(), b"key"]);
/// assert_eq!(out, b"*2\r\n$3\r\nDEL\r\n$3\r\nkey\r\n");
/// ```
pub fn command<I>(out: &mut Vec<u8>, args: I)
where
    I: IntoIterator<IntoIter: ExactSizeIterator, Item: AsRef<[u8]>>,
{
    let args = args.into_iter();
    let announced = args.len();
    array_header(out, announced);
    let mut written = 0;
    for arg in args {
        bulk(out, arg.as_ref());
        written += 1;
    }
    assert!(
        written == announced,
        "the iterator announced {announced} arguments and gave {written}"
    );
}

/// Appends a value as a server would send it.
///
/// In RESP2 what it does not know is written as Redis writes it there: maps as flat arrays, sets and pushes as arrays,
/// booleans as 0 and 1, doubles, big numbers and verbatim strings as bulk strings, null as `$-1`; attributes are left
/// out. In RESP3 an error of several lines, or longer than one should be, is sent as a string (`!`).
pub fn value(out: &mut Vec<u8>, value: &Value, protocol: Protocol) {
    match value {
        Value::Null => null(out, protocol),
        Value::Bool(value) => boolean(out, *value, protocol),
        Value::Int(value) => int(out, *value),
        Value::Double(value) => double(out, *value, protocol),
        Value::BigNumber(digits) => big_number(out, digits, protocol),
        Value::Simple(text) => simple(out, text),
        Value::Bulk(content) => bulk(out, content),
        Value::Verbatim { format, text } => verbatim(out, *format, text, protocol),
        Value::Error(server_error) => error(out, server_error.message.as_bytes(), protocol),
        Value::Array(values) => {
            array_header(out, values.len());
            all(out, values, protocol);
        }
        Value::Set(values) => {
            set_header(out, values.len(), protocol);
            all(out, values, protocol);
        }
        Value::Push(values) => {
            push_header(out, values.len(), protocol);
            all(out, values, protocol);
        }
        Value::Map(pairs) => {
            map_header(out, pairs.len(), protocol);
            all_pairs(out, pairs, protocol);
        }
        Value::Attributed {
            attributes,
            value: described,
        } => {
            if protocol == Protocol::Resp3 {
                attribute_header(out, attributes.len());
                all_pairs(out, attributes, protocol);
            }
            self::value(out, described, protocol);
        }
    }
}

fn all(out: &mut Vec<u8>, values: &[Value], protocol: Protocol) {
    for each in values {
        value(out, each, protocol);
    }
}

fn all_pairs(out: &mut Vec<u8>, pairs: &[(Value, Value)], protocol: Protocol) {
    for (key, each) in pairs {
        value(out, key, protocol);
        value(out, each, protocol);
    }
}
