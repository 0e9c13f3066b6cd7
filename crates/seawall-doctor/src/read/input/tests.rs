use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;

const TEXT: &str = "9:M 23 Nov 2026 02:58:11.042 * Ready to accept connections\n";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).expect("it is in memory");
    encoder.finish().expect("it is in memory")
}

fn zstd(text: &[u8]) -> Vec<u8> {
    compress_to_vec(text, CompressionLevel::Fastest)
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
    units
        .flat_map(|unit| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        })
        .collect()
}

/// What was read, and what broke.
fn read(bytes: &[u8]) -> (String, Option<String>) {
    let broken = Broken::default();
    let mut all = Vec::new();
    super::text(bytes, &broken)
        .expect("it can be read")
        .read_to_end(&mut all)
        .expect("nothing breaks through");
    (String::from_utf8_lossy(&all).into_owned(), broken.words())
}

#[test]
fn the_text_comes_out_of_whatever_it_was_put_into() {
    let text = TEXT.as_bytes();
    let mut skippable = vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    skippable.extend(zstd(text));
    for bytes in [
        text.to_vec(),
        gzip(text),
        zstd(text),
        gzip(&zstd(text)),
        skippable,
        utf16(TEXT, false),
        utf16(TEXT, true),
        gzip(&utf16(TEXT, true)),
        [b"\xef\xbb\xbf", text].concat(),
    ] {
        assert_eq!(read(&bytes), (TEXT.to_owned(), None));
    }
    assert_eq!(read(&utf16("\u{1f600}\u{e9}", true)).0, "\u{1f600}\u{e9}");
    let twice = TEXT.repeat(2);
    assert_eq!(read(&[gzip(text), gzip(text)].concat()).0, twice);
    assert_eq!(read(&[zstd(text), zstd(text)].concat()).0, twice);
}

#[test]
fn what_breaks_off_is_read_as_far_as_it_goes_and_said() {
    // Bytes that do not compress, so that half of the file is half of the text.
    let mut text = String::new();
    let mut state = 4711_u64;
    for _ in 0..600_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        text.push(char::from(b' ' + (state >> 33) as u8 % 95));
    }
    for whole in [gzip(text.as_bytes()), zstd(text.as_bytes())] {
        let (front, words) = read(&whole[..whole.len() / 2]);
        assert!(
            text.starts_with(&front) && front.len() > 1_000,
            "{}",
            front.len()
        );
        assert!(words.expect("it is said").contains("broke off"));
    }
}

#[test]
fn what_is_not_read_here_is_named_with_the_way_to_it() {
    for (magic, word) in [
        (&b"\xfd7zXZ\0"[..], "xz -dc"),
        (b"BZh91AY", "bzip2 -dc"),
        (b"PK\x03\x04", "unzip"),
        (b"LPKSHHRH", "journalctl --file"),
        (b"REDIS0011", "dump"),
    ] {
        let Err(error) = super::text(magic, &Broken::default()) else {
            panic!("{word} was read")
        };
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_journals_export_is_a_line_a_record() {
    let mut bytes = b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795402691042000\n_HOSTNAME=db 1\nSYSLOG_IDENTIFIER=redis-server\n_PID=9\n".to_vec();
    bytes.extend(format!("MESSAGE={TEXT}\n").as_bytes());
    bytes.extend(b"__CURSOR=s=2\n__REALTIME_TIMESTAMP=1795402692042000\n_COMM=app\nMESSAGE\n");
    bytes.extend(3_u64.to_le_bytes());
    bytes.extend(b"a\nb\n");
    let expected =
        format!("1795402691.042000 db1 redis-server[9]: {TEXT}1795402692.042000 host app: a b\n");
    assert_eq!(read(&bytes).0, expected);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        magic in prop::sample::select(vec![&b""[..], b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"\xff\xfe", b"__CURSOR=\n", b"\x50\x2a\x4d\x18"]),
        rest in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let bytes = [magic, &rest].concat();
        if let Ok(mut text) = super::text(&bytes[..], &Broken::default()) {
            let _ = text.read_to_end(&mut Vec::new());
        }
    }

    #[test]
    fn no_damage_to_an_archive_makes_it_panic(at in 0_usize..400, byte in any::<u8>(), pack in any::<bool>()) {
        let text = TEXT.repeat(40);
        let mut bytes = if pack { gzip(text.as_bytes()) } else { zstd(text.as_bytes()) };
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(mut text) = super::text(&bytes[..], &Broken::default()) {
            let _ = text.read_to_end(&mut Vec::new());
        }
    }
}
