//! Replies as servers sent them: `DEBUG PROTOCOL` of Redis 7.0.15 and Valkey 9.1.2, which agree byte for byte.

use seawall_wire::encode::{self, Protocol};
use seawall_wire::scan::{FrameKind, Scan, Scanner};
use seawall_wire::{Limits, Value};

fn bulk(text: &str) -> Value {
    Value::Bulk(text.as_bytes().to_vec())
}

#[expect(
    clippy::approx_constant,
    reason = "it is what the servers sent, not a circle"
)]
/// What was asked of `DEBUG PROTOCOL`, the value, and how it came in RESP3 and in RESP2.
fn samples() -> Vec<(&'static str, Value, &'static [u8], &'static [u8])> {
    let numbers = || vec![Value::Int(0), Value::Int(1), Value::Int(2)];
    let map = [(0, false), (1, true), (2, false)]
        .map(|(key, value)| (Value::Int(key), Value::Bool(value)));
    let popularity = Value::Array(vec![bulk("key:123"), Value::Int(90)]);
    vec![
        (
            "string",
            bulk("Hello World"),
            b"$11\r\nHello World\r\n",
            b"$11\r\nHello World\r\n",
        ),
        ("integer", Value::Int(12345), b":12345\r\n", b":12345\r\n"),
        (
            "double",
            Value::Double(3.141),
            b",3.141\r\n",
            b"$5\r\n3.141\r\n",
        ),
        ("null", Value::Null, b"_\r\n", b"$-1\r\n"),
        (
            "array",
            Value::Array(numbers()),
            b"*3\r\n:0\r\n:1\r\n:2\r\n",
            b"*3\r\n:0\r\n:1\r\n:2\r\n",
        ),
        (
            "set",
            Value::Set(numbers()),
            b"~3\r\n:0\r\n:1\r\n:2\r\n",
            b"*3\r\n:0\r\n:1\r\n:2\r\n",
        ),
        (
            "map",
            Value::Map(map.to_vec()),
            b"%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n",
            b"*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n",
        ),
        (
            "attrib",
            Value::Attributed {
                attributes: vec![(bulk("key-popularity"), popularity)],
                value: Box::new(bulk("Some real reply following the attribute")),
            },
            b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n\
              $39\r\nSome real reply following the attribute\r\n",
            b"$39\r\nSome real reply following the attribute\r\n",
        ),
        (
            "verbatim",
            Value::Verbatim {
                format: *b"txt",
                text: b"This is a verbatim\nstring".to_vec(),
            },
            b"=29\r\ntxt:This is a verbatim\nstring\r\n",
            b"$25\r\nThis is a verbatim\nstring\r\n",
        ),
        (
            "bignum",
            Value::BigNumber("1234567999999999999999999999999999999".into()),
            b"(1234567999999999999999999999999999999\r\n",
            b"$37\r\n1234567999999999999999999999999999999\r\n",
        ),
        ("true", Value::Bool(true), b"#t\r\n", b":1\r\n"),
        ("false", Value::Bool(false), b"#f\r\n", b":0\r\n"),
    ]
}

#[test]
fn what_servers_send_is_read_and_written_byte_for_byte() {
    for (name, value, three, two) in samples() {
        assert_eq!(
            Value::decode(three, &Limits::default()),
            Ok((value.clone(), three.len())),
            "{name}"
        );
        for (protocol, bytes) in [(Protocol::Resp3, three), (Protocol::Resp2, two)] {
            let mut out = Vec::new();
            encode::value(&mut out, &value, protocol);
            assert_eq!(
                out.escape_ascii().to_string(),
                bytes.escape_ascii().to_string(),
                "{name} in {protocol:?}"
            );
        }
    }
}

/// The kinds and lengths of all frames in `bytes`.
fn frames(bytes: &[u8]) -> Vec<(FrameKind, usize)> {
    let mut scanner = Scanner::new(Limits::default());
    let mut rest = bytes;
    let mut frames = Vec::new();
    while let Ok(Scan::Complete { len, kind }) = scanner.scan(rest) {
        frames.push((kind, len));
        rest = &rest[len..];
    }
    assert!(rest.is_empty(), "left: {}", rest.escape_ascii());
    frames
}

#[test]
fn a_push_before_a_reply_is_a_frame_of_its_own() {
    let push = b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n";
    let reply = b"$40\r\nSome real reply following the push reply\r\n";
    let found = frames(&[&push[..], reply].concat());
    assert_eq!(
        found,
        [
            (FrameKind::Push, push.len()),
            (FrameKind::Reply, reply.len())
        ]
    );
}

#[test]
fn an_attributed_reply_is_one_frame_of_its_values_kind() {
    assert_eq!(
        frames(b"|1\r\n+a\r\n>1\r\n:1\r\n|0\r\n$1\r\nx\r\n"),
        [(FrameKind::Reply, 27)]
    );
    assert_eq!(
        frames(b"|1\r\n+a\r\n:1\r\n-ERR no\r\n"),
        [(FrameKind::Error, 21)]
    );
    assert_eq!(
        frames(b"|1\r\n-a\r\n:1\r\n>1\r\n+x\r\n"),
        [(FrameKind::Push, 20)]
    );
    assert_eq!(
        frames(b"*1\r\n-ERR inside\r\n!3\r\nERR\r\n"),
        [(FrameKind::Reply, 17), (FrameKind::Error, 9)]
    );
}

#[test]
fn subscribing_inside_exec_puts_a_push_into_the_reply() {
    // MULTI, SUBSCRIBE c d, EXEC in RESP3: the first confirmation stands where the reply should, the second follows.
    let first = b"*1\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:3\r\n";
    let second = b">3\r\n$9\r\nsubscribe\r\n$1\r\nd\r\n:4\r\n";
    let found = frames(&[&first[..], second].concat());
    assert_eq!(
        found,
        [
            (FrameKind::Reply, first.len()),
            (FrameKind::Push, second.len())
        ]
    );
}

#[test]
fn the_greeting_of_a_server_is_read() {
    let hello = b"%7\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$7\r\nversion\r\n$5\r\n9.1.2\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n\
        :4\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*1\r\n%4\r\n$4\r\nname\r\n\
        $3\r\nlua\r\n$3\r\nver\r\n:1\r\n$4\r\npath\r\n$3\r\nlua\r\n$4\r\nargs\r\n*0\r\n";
    let (value, len) = Value::decode(hello, &Limits::default()).expect("well-formed");
    assert_eq!(len, hello.len());
    let Value::Map(pairs) = value else {
        unreachable!("{value:?}")
    };
    let id = pairs
        .iter()
        .find(|(key, _)| key.as_str() == Some("id"))
        .and_then(|(_, id)| id.as_int());
    assert_eq!(id, Some(4));
}
