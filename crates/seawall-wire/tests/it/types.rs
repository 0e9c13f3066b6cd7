//! Every type of RESP, as the visitor is told it.

use seawall_wire::decode::{self, Aggregate, Size, Visitor};
use seawall_wire::error::{ErrorKind, ServerError};
use seawall_wire::{Limits, Value};

/// Writes down what it is told.
#[derive(Default)]
struct Told(Vec<String>);

impl Told {
    fn note(&mut self, what: &str, bytes: &[u8]) {
        self.0.push(format!("{what} {}", bytes.escape_ascii()));
    }
}

impl<'a> Visitor<'a> for Told {
    fn null(&mut self) {
        self.note("null", b"");
    }
    fn boolean(&mut self, value: bool) {
        self.0.push(format!("bool {value}"));
    }
    fn int(&mut self, value: i64) {
        self.0.push(format!("int {value}"));
    }
    fn double(&mut self, value: f64) {
        self.0.push(format!("double {value}"));
    }
    fn big_number(&mut self, digits: &'a [u8]) {
        self.note("big", digits);
    }
    fn simple(&mut self, text: &'a [u8]) {
        self.note("simple", text);
    }
    fn bulk(&mut self, content: &'a [u8]) {
        self.note("bulk", content);
    }
    fn verbatim(&mut self, format: [u8; 3], text: &'a [u8]) {
        self.note(&format!("verbatim {}", format.escape_ascii()), text);
    }
    fn error(&mut self, text: &'a [u8]) {
        self.note("error", text);
    }
    fn begin_parts(&mut self) {
        self.note("parts", b"");
    }
    fn part(&mut self, content: &'a [u8]) {
        self.note("part", content);
    }
    fn end_parts(&mut self) {
        self.note("whole", b"");
    }
    fn begin(&mut self, aggregate: Aggregate, size: Size) {
        self.0.push(format!("begin {aggregate:?} {size:?}"));
    }
    fn end(&mut self, aggregate: Aggregate) {
        self.0.push(format!("end {aggregate:?}"));
    }
}

fn told(frame: &[u8]) -> Vec<String> {
    let mut told = Told::default();
    let len = decode::visit(frame, &Limits::default(), &mut told).expect("well-formed");
    assert_eq!(len, frame.len());
    told.0
}

fn decoded(frame: &[u8]) -> Value {
    let (value, len) = Value::decode(frame, &Limits::default()).expect("well-formed");
    assert_eq!(len, frame.len());
    value
}

#[test]
fn plain_values_are_told_as_they_are() {
    for (frame, what) in [
        ("+OK\r\n", "simple OK"),
        ("+\r\n", "simple "),
        ("+a\rb\nc\r\n", "simple a\\rb\\nc"),
        ("-ERR no\r\n", "error ERR no"),
        (":-42\r\n", "int -42"),
        (":+7\r\n", "int 7"),
        ("$5\r\nhello\r\n", "bulk hello"),
        ("$0\r\n\r\n", "bulk "),
        ("$4\r\n\r\n\r\n\r\n", "bulk \\r\\n\\r\\n"),
        ("$-1\r\n", "null "),
        ("*-1\r\n", "null "),
        ("_\r\n", "null "),
        ("#t\r\n", "bool true"),
        ("#f\r\n", "bool false"),
        (",1.25\r\n", "double 1.25"),
        (",-inf\r\n", "double -inf"),
        (",nan\r\n", "double NaN"),
        ("(-18446744073709551616\r\n", "big -18446744073709551616"),
        ("!10\r\nERR a\r\nbcd\r\n", "error ERR a\\r\\nbcd"),
        ("=8\r\nmkd:# hi\r\n", "verbatim mkd # hi"),
        ("=4\r\ntxt:\r\n", "verbatim txt "),
    ] {
        assert_eq!(told(frame.as_bytes()), [what], "{frame:?}");
    }
}

#[test]
fn aggregates_are_told_from_begin_to_end() {
    assert_eq!(told(b"*0\r\n"), ["begin Array Known(0)", "end Array"]);
    assert_eq!(
        told(b"*2\r\n~1\r\n:1\r\n%0\r\n"),
        [
            "begin Array Known(2)",
            "begin Set Known(1)",
            "int 1",
            "end Set",
            "begin Map Known(0)",
            "end Map",
            "end Array"
        ]
    );
    assert_eq!(
        told(b">2\r\n+message\r\n%1\r\n+k\r\n*-1\r\n"),
        [
            "begin Push Known(2)",
            "simple message",
            "begin Map Known(1)",
            "simple k",
            "null ",
            "end Map",
            "end Push"
        ]
    );
}

#[test]
fn streamed_aggregates_end_at_their_dot() {
    assert_eq!(told(b"*?\r\n.\r\n"), ["begin Array Streamed", "end Array"]);
    assert_eq!(
        told(b"%?\r\n+a\r\n~?\r\n:1\r\n*1\r\n:2\r\n.\r\n.\r\n"),
        [
            "begin Map Streamed",
            "simple a",
            "begin Set Streamed",
            "int 1",
            "begin Array Known(1)",
            "int 2",
            "end Array",
            "end Set",
            "end Map"
        ]
    );
    assert_eq!(
        decoded(b"%?\r\n+a\r\n:1\r\n+b\r\n:2\r\n.\r\n"),
        Value::Map(vec![
            (Value::Simple(b"a".to_vec()), Value::Int(1)),
            (Value::Simple(b"b".to_vec()), Value::Int(2))
        ])
    );
}

#[test]
fn streamed_strings_are_told_in_parts_and_joined_in_values() {
    let frame = b"*2\r\n$?\r\n;4\r\nHell\r\n;8\r\no world!\r\n;0\r\n$?\r\n;0\r\n";
    assert_eq!(
        told(frame),
        [
            "begin Array Known(2)",
            "parts ",
            "part Hell",
            "part o world!",
            "whole ",
            "parts ",
            "whole ",
            "end Array"
        ]
    );
    assert_eq!(
        decoded(frame),
        Value::Array(vec![
            Value::Bulk(b"Hello world!".to_vec()),
            Value::Bulk(Vec::new())
        ])
    );
}

#[test]
fn attributes_belong_to_the_value_that_follows_them() {
    let ttl = |seconds| vec![(Value::Simple(b"ttl".to_vec()), Value::Int(seconds))];
    let with = |seconds, value| Value::Attributed {
        attributes: ttl(seconds),
        value: Box::new(value),
    };
    assert_eq!(
        decoded(b"*3\r\n:1\r\n:2\r\n|1\r\n+ttl\r\n:3600\r\n:3\r\n"),
        Value::Array(vec![
            Value::Int(1),
            Value::Int(2),
            with(3600, Value::Int(3))
        ]),
        "an attribute is no element"
    );
    assert_eq!(
        decoded(b"|1\r\n+ttl\r\n:1\r\n*1\r\n|1\r\n+ttl\r\n:2\r\n+x\r\n"),
        with(1, Value::Array(vec![with(2, Value::Simple(b"x".to_vec()))])),
        "of an aggregate, and inside it"
    );
    assert_eq!(
        decoded(b"%1\r\n|1\r\n+ttl\r\n:1\r\n+k\r\n|1\r\n+ttl\r\n:2\r\n+v\r\n"),
        Value::Map(vec![(
            with(1, Value::Simple(b"k".to_vec())),
            with(2, Value::Simple(b"v".to_vec()))
        )]),
        "of keys and of values"
    );
    let joined = [ttl(1), ttl(2)].concat();
    assert_eq!(
        decoded(b"|1\r\n+ttl\r\n:1\r\n|1\r\n+ttl\r\n:2\r\n_\r\n"),
        Value::Attributed {
            attributes: joined,
            value: Box::new(Value::Null)
        },
        "several are joined"
    );
    assert_eq!(
        decoded(b"|1\r\n|1\r\n+ttl\r\n:1\r\n+a\r\n+b\r\n_\r\n"),
        Value::Attributed {
            attributes: vec![(
                with(1, Value::Simple(b"a".to_vec())),
                Value::Simple(b"b".to_vec())
            )],
            value: Box::new(Value::Null)
        },
        "of an attribute's own key"
    );
    assert_eq!(
        decoded(b"*?\r\n|1\r\n+ttl\r\n:1\r\n$?\r\n;1\r\nx\r\n;0\r\n.\r\n"),
        Value::Array(vec![with(1, Value::Bulk(b"x".to_vec()))]),
        "of a streamed string in a streamed array"
    );
    assert_eq!(
        decoded(b"|0\r\n:1\r\n"),
        Value::Int(1),
        "none at all leave no trace"
    );
}

#[test]
fn errors_are_values_with_their_kind() {
    let expected = ServerError {
        kind: ErrorKind::NoScript,
        message: "NOSCRIPT No matching script.".into(),
    };
    assert_eq!(
        decoded(b"-NOSCRIPT No matching script.\r\n"),
        Value::Error(expected.clone())
    );
    assert_eq!(
        decoded(b"!28\r\nNOSCRIPT No matching script.\r\n"),
        Value::Error(expected)
    );
    let Value::Array(elements) = decoded(b"*2\r\n+OK\r\n-MOVED 3999 10.0.0.7:6379\r\n") else {
        unreachable!("an array")
    };
    let kind = elements[1].as_error().map(|error| error.kind.clone());
    assert_eq!(
        kind,
        Some(ErrorKind::Moved {
            slot: 3999,
            addr: "10.0.0.7:6379".into()
        })
    );
}
