use std::io::Write;

use bzip2::write::BzEncoder;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
use lzma_rust2::{XzOptions, XzWriter};
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

fn xz(text: &[u8]) -> Vec<u8> {
    let options = XzOptions::with_preset(1);
    let mut encoder = XzWriter::new(Vec::new(), options).expect("it is in memory");
    encoder.write_all(text).expect("it is in memory");
    encoder.finish().expect("it is in memory")
}

fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(text).expect("it is in memory");
    encoder.finish().expect("it is in memory")
}

fn lz4(text: &[u8]) -> Vec<u8> {
    let short = FrameInfo::new().block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(short, Vec::new());
    encoder.write_all(text).expect("it is in memory");
    encoder.finish().expect("it is in memory")
}

type Pack = fn(&[u8]) -> Vec<u8>;

const PACKERS: [Pack; 5] = [gzip, zstd, xz, bzip2, lz4];

/// A file of a zip archive, as it was written into a pipe: its lengths stand behind it.
fn zipped(name: &str, method: u16, flags: u16, body: &[u8], behind: bool) -> Vec<u8> {
    // What is in it is the same text, mostly.
    let plain = if body.is_empty() {
        &b""[..]
    } else {
        TEXT.as_bytes()
    };
    let sum = crc32fast::hash(plain).to_le_bytes();
    let length = u32::try_from(body.len())
        .expect("it is short")
        .to_le_bytes();
    let mut bytes = b"PK\x03\x04\x14\0".to_vec();
    let flags = flags | if behind { 8 } else { 0 };
    for word in [flags, method, 0, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(if behind { [0; 4] } else { sum });
    bytes.extend(if behind { [0; 4] } else { length });
    bytes.extend([0; 4]);
    bytes.extend(
        u16::try_from(name.len())
            .expect("it is short")
            .to_le_bytes(),
    );
    bytes.extend([0; 2]);
    bytes.extend(name.as_bytes());
    bytes.extend(body);
    if behind {
        bytes.extend(b"PK\x07\x08");
        bytes.extend(sum);
        bytes.extend(length);
        bytes.extend([0; 4]);
    }
    bytes
}

fn deflated(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).expect("it is in memory");
    encoder.finish().expect("it is in memory")
}

const DIRECTORY: &[u8] = b"PK\x01\x02..";

/// What stands in an archive, and what became of it.
fn walked(bytes: &[u8]) -> (Vec<String>, archive::Walked) {
    let mut files = Vec::new();
    let walked = zip::walk(bytes, 10, |name, file| {
        let mut text = Vec::new();
        let _ = file.read_to_end(&mut text);
        files.push(format!("{name}: {}", String::from_utf8_lossy(&text)));
    });
    (files, walked)
}

fn text<'a>(bytes: &'a [u8], broken: &Broken) -> io::Result<Box<dyn Read + 'a>> {
    match held(bytes, broken)? {
        Held::Text(text) => Ok(text),
        Held::Zip(files) | Held::Tar(files) => Ok(files),
    }
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
    text(bytes, &broken)
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
        xz(text),
        bzip2(text),
        lz4(text),
        gzip(&zstd(text)),
        bzip2(&xz(text)),
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
    for pack in PACKERS {
        assert_eq!(
            read(&[pack(text), pack(text)].concat()),
            (twice.clone(), None)
        );
    }
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
    for pack in PACKERS {
        let whole = pack(text.as_bytes());
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
        (&b"LPKSHHRH"[..], "journalctl --file"),
        (b"REDIS0011", "dump"),
    ] {
        let Err(error) = text(magic, &Broken::default()) else {
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

#[test]
fn the_files_of_a_zip_archive_are_read_one_after_the_other() {
    let text = TEXT.as_bytes();
    let body = deflated(text);
    let whole = [
        zipped("a/", 0, 0, b"", false),
        zipped("a/one.log", 8, 0, &body, false),
        zipped("two.log", 8, 0, &body, true),
        zipped("three.log", 0, 0, text, false),
        zipped("secret", 8, 1, b"12345", false),
        zipped("other", 14, 0, b"12345", false),
        DIRECTORY.to_vec(),
    ]
    .concat();
    let named =
        |names: &[&str]| -> Vec<_> { names.iter().map(|name| format!("{name}: {TEXT}")).collect() };
    let (files, end) = walked(&whole);
    assert_eq!(files, named(&["a/one.log", "two.log", "three.log"]));
    assert_eq!((end.files, end.closed, end.broken), (3, 2, None));
    // Cut in its third file.
    let cut = whole
        .windows(9)
        .position(|at| at == b"three.log")
        .expect("it is there");
    let (files, end) = walked(&whole[..cut + 12]);
    assert_eq!(files[..2], named(&["a/one.log", "two.log"]));
    assert_eq!(end.broken.as_deref(), Some("it breaks off"));
    let mut damaged = whole.clone();
    let mut all = whole.windows(TEXT.len());
    let at = all.rposition(|at| at == text).expect("it is stored");
    damaged[at] ^= 1;
    let (files, end) = walked(&damaged);
    let words = end.broken.expect("it is said");
    assert!(words.contains("three.log") && files.len() == 3, "{words}");
    let (files, end) = walked(&zipped("x", 0, 0, text, true));
    assert_eq!((files.len(), end.broken.is_some()), (0, true));
}

proptest! {
    #[test]
    fn no_bytes_behind_a_zips_front_make_it_panic(rest in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..200, byte in any::<u8>()) {
        walked(&[zip::BEGINS, &rest].concat());
        let mut bytes = zipped("two.log", 8, 0, &deflated(TEXT.as_bytes()), true);
        bytes.extend_from_slice(DIRECTORY);
        let at = at % bytes.len();
        bytes[at] = byte;
        walked(&bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(
        magic in prop::sample::select(vec![&b""[..], b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh9", b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18", b"\xff\xfe", b"__CURSOR=\n", b"\x50\x2a\x4d\x18"]),
        rest in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let bytes = [magic, &rest].concat();
        if let Ok(mut text) = text(&bytes[..], &Broken::default()) {
            let _ = text.read_to_end(&mut Vec::new());
        }
    }

    #[test]
    fn no_damage_to_an_archive_makes_it_panic(at in 0_usize..400, byte in any::<u8>(), pack in prop::sample::select(PACKERS.to_vec())) {
        let mut bytes = pack(TEXT.repeat(40).as_bytes());
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(mut text) = text(&bytes[..], &Broken::default()) {
            let _ = text.read_to_end(&mut Vec::new());
        }
    }
}
