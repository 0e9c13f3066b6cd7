//! Bytes of text, out of what they were put into: compressed, in another encoding, exported from the journal.

mod export;
mod utf16;

use std::cell::RefCell;
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

/// Enough to know what is in front: a byte-order mark, a magic number, the first field of an export.
const FRONT: u64 = 32;

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

/// The text in `input`. What breaks off is read as far as it goes, and `broken` says so.
pub(super) fn text<'a>(input: impl Read + 'a, broken: &Broken) -> io::Result<Box<dyn Read + 'a>> {
    let mut input: Box<dyn Read + 'a> = Box::new(Lenient::new(input, broken, "reading it"));
    for _ in 0..DEEP_MAX {
        let (front, rest) = peeked(input)?;
        let begins = |magic: &[u8]| front.starts_with(magic);
        if begins(b"\x1f\x8b") {
            let plain = MultiGzDecoder::new(rest);
            input = Box::new(Lenient::new(plain, broken, "its gzip"));
        } else if begins(b"\x28\xb5\x2f\xfd") || is_skippable(&front) {
            let plain = Frames::new(BufReader::new(rest));
            input = Box::new(Lenient::new(plain, broken, "its zstd"));
        } else {
            refuse(&front)?;
            return Ok(decoded(&front, rest));
        }
    }
    Err(unspoken("it is compressed again and again"))
}

/// What can be known without being read here: it is said how to.
fn refuse(front: &[u8]) -> io::Result<()> {
    let known: [(&[u8], &str); 6] = [
        (
            b"\xfd7zXZ\0",
            "it is compressed with xz: xz -dc FILE | seawall doctor -",
        ),
        (
            b"BZh",
            "it is compressed with bzip2: bzip2 -dc FILE | seawall doctor -",
        ),
        (
            b"\x04\x22\x4d\x18",
            "it is compressed with lz4: lz4 -dc FILE | seawall doctor -",
        ),
        (
            b"PK\x03\x04",
            "it is a zip archive: unzip it, and give its files",
        ),
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
    broken: Broken,
    what: &'static str,
}

impl<R> Lenient<R> {
    fn new(input: R, broken: &Broken, what: &'static str) -> Self {
        Self {
            input,
            came: false,
            broken: broken.clone(),
            what,
        }
    }
}

impl<R: Read> Read for Lenient<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.input.read(into) {
            Ok(count) => {
                self.came |= count > 0;
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) if self.came => {
                let mut words = self.broken.0.borrow_mut();
                words.get_or_insert_with(|| format!("{} broke off: {error}", self.what));
                Ok(0)
            }
            Err(error) => Err(error),
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
        use io::BufRead as _;
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
