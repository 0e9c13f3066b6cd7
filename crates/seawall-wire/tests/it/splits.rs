//! How the bytes were cut never changes what is found.

use crate::generate::{LIMITS, cuts, damaged, frame, noise};
use proptest::prelude::*;
use proptest::sample::Index;
use seawall_wire::scan::{FrameKind, Scan, Scanner};
use seawall_wire::{Limits, WireError, decode};

struct Nothing;
impl decode::Visitor<'_> for Nothing {}

/// What a read loop sees that gets `bytes` up to each of `ends` in turn: the frames, then what is left.
fn read_loop(
    bytes: &[u8],
    ends: &[usize],
    limits: Limits,
) -> (Vec<(usize, FrameKind)>, Result<Scan, WireError>) {
    let mut scanner = Scanner::new(limits);
    let mut frames = Vec::new();
    let mut start = 0;
    let mut last = Ok(Scan::Partial {
        missing_at_least: 0,
    });
    for &end in ends {
        loop {
            last = scanner.scan(&bytes[start..end]);
            let Ok(Scan::Complete { len, kind }) = last else {
                break;
            };
            frames.push((len, kind));
            start += len;
        }
        if last.is_err() {
            break;
        }
    }
    (frames, last)
}

fn ends(bytes: &[u8], cuts: &[Index]) -> Vec<usize> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    ends
}

fn same_however_cut(bytes: &[u8], cuts: &[Index], limits: Limits) {
    let whole = read_loop(bytes, &[bytes.len()], limits);
    assert_eq!(
        read_loop(bytes, &ends(bytes, cuts), limits),
        whole,
        "cut at {:?}",
        ends(bytes, cuts)
    );
    let each: Vec<usize> = (0..=bytes.len()).collect();
    assert_eq!(read_loop(bytes, &each, limits), whole, "byte by byte");
}

fn scanner_and_decoder_agree(bytes: &[u8], limits: Limits) {
    let decoded = decode::visit(bytes, &limits, &mut Nothing);
    match Scanner::new(limits).scan(bytes) {
        Ok(Scan::Complete { len, .. }) => assert_eq!(decoded, Ok(len)),
        Ok(Scan::Partial { missing_at_least }) => {
            assert_eq!(
                decoded,
                Err(WireError::Incomplete {
                    offset: bytes.len() as u64,
                    missing_at_least
                })
            );
        }
        Err(error) => assert_eq!(decoded, Err(error)),
    }
}

proptest! {
    #[test]
    fn well_formed_frames_are_found_however_they_are_cut(frames in prop::collection::vec(frame(), 1..4), cuts in cuts()) {
        let bytes = frames.concat();
        let (found, rest) = read_loop(&bytes, &ends(&bytes, &cuts), Limits::default());
        let lens: Vec<usize> = found.iter().map(|(len, _)| *len).collect();
        prop_assert_eq!(lens, frames.iter().map(Vec::len).collect::<Vec<_>>());
        prop_assert_eq!(rest, Ok(Scan::Partial { missing_at_least: 3 }));
        for limits in LIMITS {
            same_however_cut(&bytes, &cuts, limits);
        }
    }

    #[test]
    fn damaged_frames_fail_at_the_same_place_however_they_are_cut(bytes in damaged(), cuts in cuts()) {
        for limits in LIMITS {
            same_however_cut(&bytes, &cuts, limits);
        }
    }

    #[test]
    fn noise_is_judged_the_same_however_it_is_cut(bytes in noise(), cuts in cuts()) {
        for limits in LIMITS {
            same_however_cut(&bytes, &cuts, limits);
        }
    }

    #[test]
    fn scanner_and_decoder_agree_on_everything(frame in frame(), damaged in damaged(), noise in noise()) {
        for bytes in [frame, damaged, noise] {
            for limits in LIMITS {
                scanner_and_decoder_agree(&bytes, limits);
            }
        }
    }

    #[test]
    fn what_is_missing_is_never_overstated_and_never_nothing(frame in frame()) {
        let mut scanner = Scanner::new(Limits::default());
        for have in 0..frame.len() {
            let found = scanner.scan(&frame[..have]);
            let Ok(Scan::Partial { missing_at_least }) = found else {
                return Err(TestCaseError::fail(format!("{found:?} after {have} of {} bytes", frame.len())));
            };
            prop_assert!((1..=(frame.len() - have) as u64).contains(&missing_at_least), "{missing_at_least} after {have}");
        }
    }

    #[test]
    fn a_limit_on_bytes_takes_frames_of_that_length_and_none_longer(frame in frame(), cuts in cuts()) {
        let limits = |frame_bytes_max| Limits { frame_bytes_max, ..Limits::default() };
        let len = frame.len() as u64;
        let taken = Scanner::new(limits(len)).scan(&frame);
        let is_whole = matches!(taken, Ok(Scan::Complete { .. }));
        prop_assert!(is_whole, "{:?}", taken);
        let refused = Scanner::new(limits(len - 1)).scan(&frame);
        let is_refused = matches!(refused, Err(WireError::FrameTooLarge { limit, .. }) if limit == len - 1);
        prop_assert!(is_refused, "{:?}", refused);
        same_however_cut(&frame, &cuts, limits(len - 1));
        scanner_and_decoder_agree(&frame, limits(len - 1));
    }
}

#[test]
fn inside_a_string_at_the_end_of_a_frame_the_missing_bytes_are_exact() {
    let frame = b"*2\r\n:1\r\n$100\r\n";
    let mut scanner = Scanner::new(Limits::default());
    assert_eq!(
        scanner.scan(frame),
        Ok(Scan::Partial {
            missing_at_least: 102
        })
    );
    assert_eq!(
        scanner.scan(&[&frame[..], &[b'x'; 60]].concat()),
        Ok(Scan::Partial {
            missing_at_least: 42
        })
    );
}

#[test]
fn a_scanner_that_is_reset_begins_anew() {
    let mut scanner = Scanner::new(Limits::default());
    assert!(matches!(
        scanner.scan(b"*2\r\n%1\r\n$5\r\nhe"),
        Ok(Scan::Partial { .. })
    ));
    scanner.reset();
    assert_eq!(
        scanner.scan(b"+OK\r\n"),
        Ok(Scan::Complete {
            len: 5,
            kind: FrameKind::Reply
        })
    );
}
