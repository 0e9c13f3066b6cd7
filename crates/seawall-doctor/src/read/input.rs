//! Bytes of text, out of what they were put into: compressed, in another encoding, exported from the journal.

pub(super) mod archive;
mod export;
pub(super) mod tar;
mod utf16;
pub(super) mod zip;

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::rc::Rc;

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

/// Enough to know what is in front: a byte-order mark, a magic number, the first field of an export, the first head of a tar.
const FRONT: u64 = 265;

/// So much memory the dictionary of xz may take: that of `xz -9` is 64 MiB.
const XZ_KB_MAX: u32 = 66 * 1024;

/// What breaks if the file itself cannot be read on.
const READING: &str = "reading it";

/// Compressed in a compressed file: more is somebody's joke.
const DEEP_MAX: usize = 3;

/// What ended a file before its end.
#[derive(Clone, Default)]
pub(super) struct Broken(Rc<RefCell<Option<String>>>);

impl Broken {
    /// What it was, if anything.
    pub(super) fn words(&self) -> Option<String> {
        self.0.borrow().clone()
    }
}

/// What a file holds.
pub(super) enum Held<'a> {
    /// Text.
    Text(Box<dyn Read + 'a>),
    /// Files of their own.
    Zip(Box<dyn Read + 'a>),
    /// The same.
    Tar(Box<dyn Read + 'a>),
}

/// What is in `input`. What breaks off is read as far as it goes, and `broken` says so.
pub(super) fn held<'a>(input: impl Read + 'a, broken: &Broken) -> io::Result<Held<'a>> {
    let mut input: Box<dyn Read + 'a> = Box::new(Lenient::new(input, broken, READING));
    for _ in 0..DEEP_MAX {
        let (front, rest) = peeked(input)?;
        if front.starts_with(zip::BEGINS) {
            return Ok(Held::Zip(Box::new(rest)));
        }
        if tar::begins(&front) {
            return Ok(Held::Tar(Box::new(rest)));
        }
        match unpacked(&front, rest) {
            Ok((plain, what)) => input = Box::new(Lenient::new(plain, broken, what)),
            Err(rest) => {
                refuse(&front)?;
                return Ok(Held::Text(decoded(&front, rest)));
            }
        }
    }
    Err(unspoken("it is compressed again and again"))
}

type Plain<'a> = (Box<dyn Read + 'a>, &'static str);

/// What is compressed in `rest`, by the bytes in front of it, and in what.
fn unpacked<'a>(front: &[u8], rest: Peeked<'a>) -> Result<Plain<'a>, Peeked<'a>> {
    let begins = |magic: &[u8]| front.starts_with(magic);
    Ok(if begins(b"\x1f\x8b") {
        (Box::new(MultiGzDecoder::new(rest)), "its gzip")
    } else if begins(b"\x28\xb5\x2f\xfd") || is_skippable(front) {
        (Box::new(Frames::new(BufReader::new(rest))), "its zstd")
    } else if begins(b"\xfd7zXZ\0") {
        let plain = XzReader::new_mem_limit(BufReader::new(rest), true, XZ_KB_MAX);
        (Box::new(plain), "its xz")
    } else if begins(b"BZh") {
        (Box::new(MultiBzDecoder::new(rest)), "its bzip2")
    } else if begins(b"\x04\x22\x4d\x18") || begins(b"\x02\x21\x4c\x18") {
        (Box::new(Lz4::new(BufReader::new(rest))), "its lz4")
    } else {
        return Err(rest);
    })
}

/// Whether a file that begins so is text as it stands there.
pub(super) fn is_plain(front: &[u8]) -> bool {
    let front = &front[..front.len().min(FRONT as usize)];
    let nothing: Box<dyn Read> = Box::new(io::empty());
    let marks: [&[u8]; 6] = [
        zip::BEGINS,
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xfe\xff",
        b"__CURSOR=",
        b"__REALTIME_TIMESTAMP=",
    ];
    !marks.iter().any(|mark| front.starts_with(mark))
        && !tar::begins(front)
        && unpacked(front, Cursor::new(Vec::new()).chain(nothing)).is_err()
        && refuse(front).is_ok()
}

/// What can be known without being read here: it is said how to.
fn refuse(front: &[u8]) -> io::Result<()> {
    let known: [(&[u8], &str); 2] = [
        (
            b"LPKSHHRH",
            "it is the journal's own file: journalctl --file FILE -o short-iso | seawall doctor -",
        ),
        (b"REDIS0", "it is a dump of Redis's data, and no log"),
    ];
    match known.iter().find(|(magic, _)| front.starts_with(magic)) {
        Some((_, words)) => Err(unspoken(words)),
        None => Ok(()),
    }
}

fn unspoken(words: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, words.to_owned())
}

/// Text as UTF-8, a line a record.
fn decoded<'a>(front: &[u8], rest: Peeked<'a>) -> Box<dyn Read + 'a> {
    if let Some(after) = front.strip_prefix(b"\xef\xbb\xbf") {
        let (_, rest) = rest.into_inner();
        return Box::new(Cursor::new(after.to_vec()).chain(rest));
    }
    if front.starts_with(b"\xff\xfe") || front.starts_with(b"\xfe\xff") {
        return Box::new(utf16::Utf16::new(rest));
    }
    if front.starts_with(b"__CURSOR=") || front.starts_with(b"__REALTIME_TIMESTAMP=") {
        return Box::new(export::Lines::new(BufReader::new(rest)));
    }
    Box::new(rest)
}

type Peeked<'a> = Chain<Cursor<Vec<u8>>, Box<dyn Read + 'a>>;

fn peeked<'a>(mut input: Box<dyn Read + 'a>) -> io::Result<(Vec<u8>, Peeked<'a>)> {
    let mut front = Vec::new();
    input.by_ref().take(FRONT).read_to_end(&mut front)?;
    let rest = Cursor::new(front.clone()).chain(input);
    Ok((front, rest))
}

/// Ends where something breaks, once anything came: what came is not lost to what did not.
struct Lenient<R> {
    input: R,
    came: bool,
    ended: bool,
    broken: Broken,
    what: &'static str,
}

impl<R> Lenient<R> {
    fn new(input: R, broken: &Broken, what: &'static str) -> Self {
        Self {
            input,
            came: false,
            ended: false,
            broken: broken.clone(),
            what,
        }
    }
}

impl<R: Read> Read for Lenient<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Who is asked again may be in no state to answer.
        if self.ended {
            return Ok(0);
        }
        match self.input.read(into) {
            Ok(count) => {
                self.came |= count > 0;
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.ended = true;
                let kind = error.kind();
                let packed = self.what != READING;
                let words = match kind {
                    io::ErrorKind::UnexpectedEof if packed => format!("{} broke off", self.what),
                    io::ErrorKind::OutOfMemory => {
                        format!("{} wants more memory than any log's", self.what)
                    }
                    _ => format!("{} broke off: {error}", self.what),
                };
                if self.came {
                    self.broken.0.borrow_mut().get_or_insert(words);
                    return Ok(0);
                }
                Err(if packed {
                    io::Error::new(kind, words)
                } else {
                    error
                })
            }
        }
    }
}

/// The frames of lz4, one after the other.
struct Lz4<R: Read>(FrameDecoder<R>);

impl<R: BufRead> Lz4<R> {
    fn new(input: R) -> Self {
        Self(FrameDecoder::new(input))
    }
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.0.read(into)?;
            // It stops between frames, too.
            if count > 0 || into.is_empty() || self.0.get_mut().fill_buf()?.is_empty() {
                return Ok(count);
            }
        }
    }
}

/// The frames of zstd, one after the other, as `zstd -c a b` and rotated logs have them.
struct Frames<R: Read> {
    at: At<R>,
}

enum At<R: Read> {
    Between(BufReader<R>),
    Inside(Box<StreamingDecoder<BufReader<R>, ruzstd::decoding::FrameDecoder>>),
    End,
}

impl<R: Read> Frames<R> {
    fn new(input: BufReader<R>) -> Self {
        Self {
            at: At::Between(input),
        }
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.at, At::End) {
                At::End => return Ok(0),
                At::Between(mut input) => {
                    if input.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    if is_skippable(input.buffer()) {
                        skip(&mut input)?;
                        self.at = At::Between(input);
                        continue;
                    }
                    let decoder =
                        StreamingDecoder::new(input).map_err(|error| frame_error(&error))?;
                    self.at = At::Inside(Box::new(decoder));
                }
                At::Inside(mut decoder) => {
                    let count = decoder.read(into)?;
                    if count > 0 {
                        self.at = At::Inside(decoder);
                        return Ok(count);
                    }
                    let ended = &decoder.decoder;
                    let told = ended.get_checksum_from_data();
                    if told.is_some() && told != ended.get_calculated_checksum() {
                        return Err(io::Error::other("its checksum is another one"));
                    }
                    self.at = At::Between(decoder.into_inner());
                }
            }
        }
    }
}

fn frame_error(error: &FrameDecoderError) -> io::Error {
    let kind = match error {
        FrameDecoderError::ReadFrameHeaderError(
            ReadFrameHeaderError::MagicNumberReadError(_)
            | ReadFrameHeaderError::FrameDescriptorReadError(_),
        ) => io::ErrorKind::UnexpectedEof,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error.to_string())
}

/// A frame that holds no data: `pzstd` writes them.
fn is_skippable(front: &[u8]) -> bool {
    matches!(front, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

fn skip(input: &mut impl Read) -> io::Result<()> {
    let mut head = [0; 8];
    input.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    io::copy(&mut input.take(u64::from(length)), &mut io::sink())?;
    Ok(())
}

#[cfg(test)]
mod tests;
