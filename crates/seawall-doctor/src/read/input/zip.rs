//! A zip archive, file by file as they stand in it: a pipe has no end to look at first, and what breaks off has none.

use std::io::{self, BufRead, Read};

use flate2::bufread::DeflateDecoder;

use super::archive::Walked;

pub(in crate::read) const BEGINS: &[u8] = b"PK\x03\x04";

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Bits of a file's flags: it is encrypted; its length stands behind it.
const ENCRYPTED: u16 = 1;
const LENGTH_BEHIND: u16 = 8;

/// What stands in front of each file.
struct Head {
    flags: u16,
    method: u16,
    /// Of what it unpacks to, unless that stands behind the file.
    checksum: u32,
    length: u64,
    name: String,
}

/// Shows each file of an archive, `files_max` of them at most.
pub(in crate::read) fn walk(
    mut input: impl BufRead,
    files_max: usize,
    mut each: impl FnMut(&str, &mut dyn Read),
) -> Walked {
    Walked::of(|walked| steps(&mut input, files_max, walked, &mut each))
}

fn steps(
    input: &mut impl BufRead,
    files_max: usize,
    walked: &mut Walked,
    each: &mut impl FnMut(&str, &mut dyn Read),
) -> io::Result<()> {
    while let Some(head) = head(input)? {
        walked.room(files_max)?;
        let behind = head.flags & LENGTH_BEHIND != 0;
        let mut sum = None;
        if head.flags & ENCRYPTED != 0 || !matches!(head.method, STORED | DEFLATED) {
            walked.closed += 1;
            walked.why = match head.flags & ENCRYPTED {
                0 => "they are compressed in another way than deflate",
                _ => "they are encrypted",
            };
            if behind {
                return Err(io::Error::other(
                    "what stands behind such a file cannot be found",
                ));
            }
            skip(input, head.length)?;
        } else if head.method == STORED && behind {
            return Err(io::Error::other("a file in it does not tell where it ends"));
        } else if head.method == STORED {
            let mut file = Summed::new(input.by_ref().take(head.length));
            if !head.name.ends_with('/') {
                walked.files += 1;
                each(&head.name, &mut file);
            }
            sum = Some(file.rest()?);
            if file.input.limit() > 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        } else {
            let mut file = Summed::new(DeflateDecoder::new(&mut *input));
            walked.files += 1;
            each(&head.name, &mut file);
            sum = Some(file.rest()?);
        }
        let told = if behind {
            descriptor(input)?
        } else {
            head.checksum
        };
        if sum.is_some_and(|sum| sum != told) {
            let words = format!("the checksum of {} is another one", head.name);
            return Err(io::Error::new(io::ErrorKind::InvalidData, words));
        }
    }
    Ok(())
}

/// Adds up what is read.
struct Summed<R> {
    input: R,
    sum: crc32fast::Hasher,
}

impl<R: Read> Summed<R> {
    fn new(input: R) -> Self {
        let sum = crc32fast::Hasher::new();
        Self { input, sum }
    }

    /// Of all: whoever was shown it may have looked at its front only, or have met what is broken.
    fn rest(&mut self) -> io::Result<u32> {
        io::copy(self, &mut io::sink())?;
        Ok(self.sum.clone().finalize())
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        self.sum.update(&into[..count]);
        Ok(count)
    }
}

/// The next file's; `None` where what is behind all files begins.
fn head(input: &mut impl Read) -> io::Result<Option<Head>> {
    let mut mark = [0; 4];
    input.read_exact(&mut mark)?;
    if mark != BEGINS {
        let is_end = mark.starts_with(b"PK");
        return if is_end {
            Ok(None)
        } else {
            Err(io::Error::other("something else stands between its files"))
        };
    }
    let mut fixed = [0; 26];
    input.read_exact(&mut fixed)?;
    let short = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
    let long =
        |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let mut name = vec![0; usize::from(short(22))];
    input.read_exact(&mut name)?;
    let mut extra = vec![0; usize::from(short(24))];
    input.read_exact(&mut extra)?;
    let length = match long(14) {
        u32::MAX => length_64(&extra, long(18) == u32::MAX).unwrap_or(u64::from(u32::MAX)),
        length => u64::from(length),
    };
    Ok(Some(Head {
        flags: short(2),
        method: short(4),
        checksum: long(10),
        length,
        name: String::from_utf8_lossy(&name).into_owned(),
    }))
}

/// The packed length of a file beyond 4 GiB, behind the plain one where that is as long.
fn length_64(mut extra: &[u8], plain_too: bool) -> Option<u64> {
    while let [a, b, c, d, rest @ ..] = extra {
        let (value, next) = rest.split_at_checked(usize::from(u16::from_le_bytes([*c, *d])))?;
        if u16::from_le_bytes([*a, *b]) == 1 {
            let at = if plain_too { 8 } else { 0 };
            return Some(u64::from_le_bytes(value.get(at..at + 8)?.try_into().ok()?));
        }
        extra = next;
    }
    None
}

/// What stands behind a file whose head could not tell its length, with or without a mark, of 4 or of 8 bytes a length: its
/// checksum.
fn descriptor(input: &mut impl BufRead) -> io::Result<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    if bytes == *b"PK\x07\x08" {
        input.read_exact(&mut bytes)?;
    }
    // Behind the checksum: two lengths, and then the next mark, which tells how long they were.
    input.read_exact(&mut [0; 8])?;
    let next = input.fill_buf()?;
    if !next.starts_with(b"PK") {
        input.read_exact(&mut [0; 8])?;
    }
    Ok(u32::from_le_bytes(bytes))
}

fn skip(input: &mut impl Read, length: u64) -> io::Result<()> {
    let skipped = io::copy(&mut input.take(length), &mut io::sink())?;
    if skipped < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}
