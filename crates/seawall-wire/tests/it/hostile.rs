//! What no server sends: absurd lengths, endless nesting, lines without end.

use crate::generate::{damaged, noise};
use proptest::prelude::*;
use seawall_wire::scan::{Scan, Scanner};
use seawall_wire::{Limits, Value, WireError};

fn refused(bytes: &[u8], limits: &Limits) -> WireError {
    let scanned = Scanner::new(*limits)
        .scan(bytes)
        .expect_err("the scanner takes it");
    let decoded = Value::decode(bytes, limits).expect_err("the decoder takes it");
    assert_eq!(scanned, decoded, "{}", bytes.escape_ascii());
    scanned
}

fn nested(opening: &str, depth: usize, core: &str) -> Vec<u8> {
    (opening.repeat(depth) + core).into_bytes()
}

#[test]
fn lengths_that_are_none_are_refused_at_their_marker() {
    let limits = Limits::default();
    for marker in "$*%~>|!=".chars() {
        for length in [
            "",
            "+1",
            "-2",
            "-10",
            "01x",
            "1 ",
            "99999999999999999999",
            "9223372036854775808",
            "\n",
        ] {
            let error = refused(format!("{marker}{length}\r\n").as_bytes(), &limits);
            assert_eq!(
                error,
                WireError::BadLength {
                    marker: marker as u8,
                    offset: 0
                },
                "{marker}{length:?}"
            );
        }
    }
    for marker in "%~>|!=".chars() {
        let error = refused(format!("{marker}-1\r\n").as_bytes(), &limits);
        assert_eq!(
            error,
            WireError::BadLength {
                marker: marker as u8,
                offset: 0
            },
            "only RESP2 nulls are negative"
        );
    }
}

#[test]
fn announced_sizes_beyond_a_limit_are_refused_at_once() {
    let limits = Limits::default();
    let too_large = |offset| WireError::FrameTooLarge {
        offset,
        limit: 1 << 30,
    };
    assert_eq!(refused(b"$9223372036854775807\r\n", &limits), too_large(0));
    assert_eq!(refused(b"$1073741824\r\n", &limits), too_large(0));
    assert_eq!(refused(b"*1\r\n!1073741824\r\n", &limits), too_large(4));
    assert_eq!(refused(b"$?\r\n;1073741824\r\n", &limits), too_large(4));
    let many = WireError::TooManyElements {
        offset: 0,
        limit: 64 << 20,
    };
    assert_eq!(refused(b"*1000000000\r\n", &limits), many);
    assert_eq!(refused(b"*9223372036854775807\r\n", &limits), many);
    assert_eq!(refused(b"%9223372036854775807\r\n", &limits), many);
    assert_eq!(
        refused(b"|33554433\r\n", &limits),
        many,
        "a pair is two elements"
    );
    let few_bytes = Limits {
        frame_bytes_max: 3000,
        ..limits
    };
    let error = refused(b"*1000\r\n", &few_bytes);
    assert_eq!(
        error,
        WireError::FrameTooLarge {
            offset: 0,
            limit: 3000
        },
        "no element takes less than 3 bytes"
    );
}

#[test]
fn elements_are_counted_over_all_levels_and_in_streams() {
    let limits = Limits {
        elements_max: 4,
        ..Limits::default()
    };
    assert!(Value::decode(b"*2\r\n*2\r\n:1\r\n:2\r\n:3\r\n", &limits).is_ok());
    let nested = refused(b"*2\r\n*3\r\n", &limits);
    assert_eq!(
        nested,
        WireError::TooManyElements {
            offset: 4,
            limit: 4
        }
    );
    assert!(Value::decode(b"*?\r\n_\r\n_\r\n_\r\n_\r\n.\r\n", &limits).is_ok());
    let streamed = refused(b"*?\r\n_\r\n_\r\n_\r\n_\r\n_\r\n", &limits);
    assert_eq!(
        streamed,
        WireError::TooManyElements {
            offset: 16,
            limit: 4
        }
    );
}

#[test]
fn nesting_is_followed_to_the_limit_and_refused_beyond() {
    for opening in [
        "*1\r\n",
        "~1\r\n",
        "*?\r\n",
        "%1\r\n_\r\n",
        "|1\r\n",
        ">1\r\n",
    ] {
        for (depth_max, depth) in [(0, 0), (1, 1), (32, 32), (64, 64), (255, 64)] {
            let limits = Limits {
                depth_max,
                ..Limits::default()
            };
            let deepest = Scanner::new(limits).scan(&nested(opening, depth, ""));
            assert!(
                matches!(deepest, Ok(Scan::Partial { .. })),
                "{opening:?} to {depth}: {deepest:?}"
            );
            let offset = (opening.len() * depth) as u64;
            let error = refused(&nested(opening, depth + 1, ""), &limits);
            assert_eq!(
                error,
                WireError::TooDeep {
                    offset,
                    limit: limits.depth()
                },
                "{opening:?}"
            );
        }
    }
    let limits = Limits {
        depth_max: 64,
        ..Limits::default()
    };
    let (mut value, len) =
        Value::decode(&nested("*1\r\n", 64, ":7\r\n"), &limits).expect("64 levels");
    assert_eq!(len, 64 * 4 + 4);
    for _ in 0..64 {
        let Value::Array(mut elements) = value else {
            unreachable!("{value:?}")
        };
        value = elements.pop().expect("one element");
    }
    assert_eq!(value, Value::Int(7));
}

#[test]
fn a_million_attributes_in_a_row_build_no_tower() {
    let frame = nested("|0\r\n", 1_000_000, "+OK\r\n");
    let (value, len) = Value::decode(&frame, &Limits::default()).expect("well-formed");
    assert_eq!((value, len), (Value::Simple(b"OK".to_vec()), frame.len()));
    let frame = nested("|1\r\n:1\r\n:2\r\n", 1000, "+OK\r\n");
    let (value, _) = Value::decode(&frame, &Limits::default()).expect("well-formed");
    let Value::Attributed { attributes, value } = value else {
        unreachable!("{value:?}")
    };
    assert_eq!((attributes.len(), value.is_ok()), (1000, true));
}

#[test]
fn lines_are_limited_and_the_longest_that_may_be_is_taken() {
    let limits = Limits {
        line_bytes_max: 8,
        ..Limits::default()
    };
    for marker in ["+", "-", ",", "("] {
        let longest = format!("{marker}12345678\r\n");
        assert!(matches!(
            Scanner::new(limits).scan(longest.as_bytes()),
            Ok(Scan::Complete { len: 11, .. })
        ));
        let error = refused(format!("{marker}123456789\r\n").as_bytes(), &limits);
        assert_eq!(
            error,
            WireError::LineTooLong {
                offset: 0,
                limit: 8
            }
        );
        assert_eq!(
            refused(format!("{marker}1234567890").as_bytes(), &limits),
            error,
            "without waiting for its end"
        );
    }
}

#[test]
fn strings_must_end_with_their_line_end() {
    let limits = Limits::default();
    assert_eq!(
        refused(b"$5\r\nhelloxx", &limits),
        WireError::MissingCrLf { offset: 9 }
    );
    assert_eq!(
        refused(b"$5\r\nhello\rx", &limits),
        WireError::MissingCrLf { offset: 9 }
    );
    assert_eq!(
        refused(b"*1\r\n=5\r\ntxt:a__", &limits),
        WireError::MissingCrLf { offset: 13 }
    );
    assert_eq!(
        refused(b"$?\r\n;1\r\nabc", &limits),
        WireError::MissingCrLf { offset: 9 }
    );
}

#[test]
fn parts_of_streams_have_their_place() {
    let limits = Limits::default();
    let misplaced = |byte, offset| WireError::StreamMisplaced { byte, offset };
    for (bytes, byte, offset) in [
        (&b".\r\n"[..], b'.', 0),
        (b"*1\r\n.\r\n", b'.', 4),
        (b"*?\r\n*1\r\n.\r\n", b'.', 8),
        (b";3\r\nabc\r\n", b';', 0),
        (b"*?\r\n;0\r\n", b';', 4),
        (b"$?\r\n+x\r\n", b'+', 4),
        (b"$?\r\n.\r\n", b'.', 4),
        (b"$?\r\n;?\r\n", b';', 4),
        (b"%?\r\n+key\r\n.\r\n", b'.', 10),
        (b"*?\r\n|0\r\n.\r\n", b'.', 8),
        (b">?\r\n", b'>', 0),
        (b"|?\r\n", b'|', 0),
        (b"!?\r\n", b'!', 0),
        (b"=?\r\n", b'=', 0),
        (b".x", b'.', 0),
    ] {
        assert_eq!(
            refused(bytes, &limits),
            misplaced(byte, offset),
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn values_that_are_none_are_refused() {
    let limits = Limits::default();
    for (bytes, marker) in [
        (":\r\n", ':'),
        (":1.5\r\n", ':'),
        (",\r\n", ','),
        (",abc\r\n", ','),
        ("(\r\n", '('),
        ("(1e5\r\n", '('),
    ]
    .into_iter()
    .chain([
        ("#\r\n", '#'),
        ("#true\r\n", '#'),
        ("#x\r\n", '#'),
        ("_x\r\n", '_'),
        ("_\n", '_'),
    ]) {
        assert_eq!(
            refused(bytes.as_bytes(), &limits),
            WireError::BadNumber {
                marker: marker as u8,
                offset: 0
            },
            "{bytes:?}"
        );
    }
    assert_eq!(
        refused(b"=3\r\ntxt\r\n", &limits),
        WireError::BadLength {
            marker: b'=',
            offset: 0
        }
    );
    assert_eq!(
        refused(b"=6\r\ntxt;ab\r\n", &limits),
        WireError::BadVerbatim { offset: 0 }
    );
}

#[test]
fn other_protocols_fail_at_their_first_byte() {
    for bytes in [
        &b"HTTP/1.1 200 OK\r\n"[..],
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"SSH-2.0-x\r\n",
        b"220 mx ESMTP\r\n",
    ] {
        let error = refused(bytes, &Limits::default());
        assert_eq!(
            error,
            WireError::BadType {
                byte: bytes[0],
                offset: 0
            }
        );
        assert!(seawall_wire::sniff_foreign(bytes).is_some());
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Value::decode(&bytes, &Limits::default());
        let _ = seawall_wire::request::args(&bytes).map(|args| args.iter().count());
        let _ = seawall_wire::sniff_foreign(&bytes);
        let _ = seawall_wire::slot::key_slot(&bytes);
        let _ = seawall_wire::error::ServerError::parse(&bytes);
    }

    #[test]
    fn damaged_frames_and_noise_never_panic(damaged in damaged(), noise in noise()) {
        for bytes in [damaged, noise] {
            let _ = Value::decode(&bytes, &Limits::default());
            let _ = seawall_wire::request::args(&bytes).map(|args| args.iter().count());
        }
    }
}
