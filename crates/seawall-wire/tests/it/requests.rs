//! Requests as servers and proxies read them.

use crate::generate::{LIMITS, cuts};
use proptest::collection::vec;
use proptest::prelude::*;
use seawall_wire::scan::{RequestForm, RequestScan, RequestScanner};
use seawall_wire::{Limits, WireError, encode, request};

fn scan(bytes: &[u8]) -> Result<RequestScan, WireError> {
    RequestScanner::new(Limits::default()).scan(bytes)
}

/// Everything a read loop finds that gets `bytes` up to each of `ends` in turn.
fn read_loop(
    bytes: &[u8],
    ends: &[usize],
    limits: Limits,
) -> (Vec<RequestScan>, Result<RequestScan, WireError>) {
    let mut scanner = RequestScanner::new(limits);
    let mut found = Vec::new();
    let mut start = 0;
    let mut last = Ok(RequestScan::Partial {
        missing_at_least: 0,
    });
    for &end in ends {
        loop {
            last = scanner.scan(&bytes[start..end]);
            match last {
                Ok(RequestScan::Complete { len, .. } | RequestScan::Blank { len }) => start += len,
                Ok(RequestScan::Partial { .. }) => break,
                Err(_) => return (found, last),
            }
            found.extend(last);
        }
    }
    (found, last)
}

fn request_bytes() -> impl Strategy<Value = Vec<u8>> {
    let array = vec(vec(any::<u8>(), 0..9), 1..5).prop_map(|args| {
        let mut out = Vec::new();
        encode::command(&mut out, args);
        out
    });
    prop_oneof![
        4 => array,
        2 => "[a-z\"' \\\\]{0,12}\r?\n".prop_map(String::into_bytes),
        1 => "\r?\n|\\*0\r\n|\\*-1\r\n|  \r\n".prop_map(String::into_bytes),
        1 => "[*$][0-9]{0,9}\r\n".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn requests_are_found_however_they_are_cut(
        requests in vec(request_bytes(), 1..5),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        cuts in cuts(),
    ) {
        let mut bytes = requests.concat();
        if let Some((place, byte)) = damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        let each: Vec<usize> = (0..=bytes.len()).collect();
        for limits in LIMITS {
            let whole = read_loop(&bytes, &[bytes.len()], limits);
            prop_assert_eq!(&read_loop(&bytes, &ends, limits), &whole);
            prop_assert_eq!(&read_loop(&bytes, &each, limits), &whole);
        }
    }

    #[test]
    fn what_is_missing_of_a_request_is_never_overstated(args in vec(vec(any::<u8>(), 0..20), 1..6)) {
        let mut frame = Vec::new();
        encode::command(&mut frame, args);
        let mut scanner = RequestScanner::new(Limits::default());
        for have in 0..frame.len() {
            let found = scanner.scan(&frame[..have]);
            let Ok(RequestScan::Partial { missing_at_least }) = found else {
                return Err(TestCaseError::fail(format!("{found:?} after {have} of {} bytes", frame.len())));
            };
            prop_assert!((1..=(frame.len() - have) as u64).contains(&missing_at_least), "{missing_at_least} after {have}");
        }
    }
}

#[test]
fn lines_are_requests_and_empty_lines_are_none() {
    let inline = |len| {
        Ok(RequestScan::Complete {
            len,
            form: RequestForm::Inline,
        })
    };
    assert_eq!(scan(b"PING\r\nPING\r\n"), inline(6));
    assert_eq!(scan(b"PING\n"), inline(5));
    assert_eq!(
        scan(b"PING\r"),
        Ok(RequestScan::Partial {
            missing_at_least: 1
        })
    );
    for blank in [&b"\r\n"[..], b"\n", b" \t \r\n", b"*0\r\n", b"*-1\r\n"] {
        assert_eq!(
            scan(blank),
            Ok(RequestScan::Blank { len: blank.len() }),
            "{}",
            blank.escape_ascii()
        );
    }
}

#[test]
fn inline_arguments_are_unquoted() {
    let args = request::args(b"SET 'my key' \"\\x00\\\"\"\r\n").expect("balanced");
    assert_eq!(args.name(), Some(&b"SET"[..]));
    assert_eq!(
        (&args).into_iter().collect::<Vec<_>>(),
        [&b"SET"[..], b"my key", b"\0\""]
    );
    let error = request::args(b"SET \"my key\r\n").expect_err("an open quote");
    assert_eq!(error, WireError::UnbalancedQuotes { offset: 4 });
}

#[test]
fn arrays_of_anything_but_strings_are_refused() {
    for (bytes, error) in [
        (
            &b"*1\r\n:1\r\n"[..],
            WireError::BadType {
                byte: b':',
                offset: 4,
            },
        ),
        (
            b"*2\r\n$1\r\na\r\n*0\r\n",
            WireError::BadType {
                byte: b'*',
                offset: 11,
            },
        ),
        (
            b"*1\r\n$-1\r\n",
            WireError::BadLength {
                marker: b'$',
                offset: 4,
            },
        ),
        (
            b"*1\r\n$?\r\n",
            WireError::BadLength {
                marker: b'$',
                offset: 4,
            },
        ),
        (
            b"*?\r\n",
            WireError::BadLength {
                marker: b'*',
                offset: 0,
            },
        ),
        (
            b"*1x\r\n",
            WireError::BadLength {
                marker: b'*',
                offset: 0,
            },
        ),
        (b"*1\r\n$1\r\nab\r\n", WireError::MissingCrLf { offset: 9 }),
        (
            b"*99999999\r\n",
            WireError::TooManyElements {
                offset: 0,
                limit: 64 << 20,
            },
        ),
        (
            b"*1\r\n$1073741824\r\n",
            WireError::FrameTooLarge {
                offset: 4,
                limit: 1 << 30,
            },
        ),
    ] {
        assert_eq!(scan(bytes), Err(error), "{}", bytes.escape_ascii());
    }
}

#[test]
fn lines_without_end_are_refused_at_the_limit() {
    let limits = Limits {
        line_bytes_max: 8,
        ..Limits::default()
    };
    let too_long = Err(WireError::LineTooLong {
        offset: 0,
        limit: 8,
    });
    let scan = |bytes: &[u8]| RequestScanner::new(limits).scan(bytes);
    assert_eq!(
        scan(b"12345678\r\n"),
        Ok(RequestScan::Complete {
            len: 10,
            form: RequestForm::Inline
        })
    );
    assert_eq!(scan(b"123456789\n"), too_long);
    assert_eq!(scan(b"1234567890"), too_long);
}

#[test]
fn requests_longer_than_a_frame_may_be_are_refused_as_soon_as_that_is_sure() {
    let limits = Limits {
        frame_bytes_max: 20,
        ..Limits::default()
    };
    let scan = |bytes: &[u8]| RequestScanner::new(limits).scan(bytes);
    let too_large = |offset| Err(WireError::FrameTooLarge { offset, limit: 20 });
    assert_eq!(scan(b"*1\r\n$10\r\n"), too_large(4), "announced");
    assert_eq!(
        scan(b"*2\r\n$1\r\n"),
        Ok(RequestScan::Partial {
            missing_at_least: 9
        })
    );
    assert_eq!(
        scan(b"*4\r\n"),
        too_large(0),
        "no argument takes less than 6 bytes"
    );
    assert_eq!(
        scan(b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        Ok(RequestScan::Complete {
            len: 18,
            form: RequestForm::Array { args: 2 }
        })
    );
    assert_eq!(
        scan(b"PING abcdefghijklmno"),
        too_large(0),
        "twenty bytes and no end"
    );
    assert_eq!(scan(b"PING abcdefghijklmno\r\n"), too_large(0));
}
