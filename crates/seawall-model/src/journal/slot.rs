//! The header of a ring in bytes: who wrote it, and how far.
//!
//! | at byte | bytes | meaning |
//! |---|---|---|
//! | 0, and again at 1536 | 64 | identity: magic, layout, size of the area, boot id, process, start; CRC-32 |
//! | 512 and 1024, by turns | 24 | position: bytes written in all, turn number, CRC-32 |
//! | 4096 | size of the area | records, the oldest overwritten by the newest |
//!
//! Each piece has a sector of its own, so that a torn write spoils one, and stands there twice, so that a damaged byte
//! spoils no more than one of two.

use super::error::RingError;
use super::ring::RingHeader;

/// Where the area of records begins, in bytes.
pub const HEADER_BYTES: usize = 4096;
/// The smallest area, in bytes: a few of the longest records.
pub const AREA_BYTES_MIN: u64 = 8 << 10;
/// The largest area, in bytes.
pub const AREA_BYTES_MAX: u64 = 1 << 30;

const MAGIC: &[u8; 8] = b"SEAWALLJ";
const LAYOUT: u16 = 1;
const IDENTITY_AT: [usize; 2] = [0, 1536];
const IDENTITY_BYTES: usize = 64;
const SLOT_AT: [usize; 2] = [512, 1024];
pub(super) const SLOT_BYTES: usize = 24;

/// How far the ring was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Bytes of records since it was made, those overwritten included.
    pub(super) written: u64,
    /// Counts up with each slot that is written.
    pub(super) turn: u64,
}

impl Slot {
    /// Where this slot stands.
    pub(super) const fn place(self) -> usize {
        SLOT_AT[(self.turn % 2) as usize]
    }

    pub(super) fn write(self, image: &mut [u8]) {
        let bytes = &mut image[self.place()..][..SLOT_BYTES];
        bytes[..8].copy_from_slice(&self.written.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.turn.to_le_bytes());
        seal(bytes);
    }

    /// The slots that are whole, the newer one first.
    pub(super) fn read(image: &[u8]) -> [Option<Self>; 2] {
        let mut slots = SLOT_AT.map(|at| {
            let bytes = unseal(image.get(at..at + SLOT_BYTES)?)?;
            let slot = Self {
                written: number(&bytes[..8]),
                turn: number(&bytes[8..16]),
            };
            (slot.place() == at).then_some(slot)
        });
        slots.sort_by_key(|slot| std::cmp::Reverse(slot.map(|slot| slot.turn)));
        slots
    }
}

pub(super) fn write_identity(header: &RingHeader, image: &mut [u8]) {
    let mut identity = [0; IDENTITY_BYTES];
    identity[..8].copy_from_slice(MAGIC);
    identity[8..10].copy_from_slice(&LAYOUT.to_le_bytes());
    identity[16..24].copy_from_slice(&header.area_bytes.to_le_bytes());
    identity[24..40].copy_from_slice(&header.boot_id);
    identity[40..44].copy_from_slice(&header.process.to_le_bytes());
    identity[44..52].copy_from_slice(&header.started_unix_ms.to_le_bytes());
    seal(&mut identity);
    for at in IDENTITY_AT {
        image[at..at + IDENTITY_BYTES].copy_from_slice(&identity);
    }
}

pub(super) fn read_identity(image: &[u8]) -> Result<RingHeader, RingError> {
    let copies = IDENTITY_AT.map(|at| image.get(at..at + IDENTITY_BYTES));
    if copies.iter().flatten().all(|copy| !copy.starts_with(MAGIC)) {
        return Err(RingError::NotAJournal);
    }
    let Some(identity) = copies
        .into_iter()
        .flatten()
        .filter(|copy| copy.starts_with(MAGIC))
        .find_map(unseal)
    else {
        return Err(RingError::HeaderDamaged);
    };
    let version = u16::from_le_bytes([identity[8], identity[9]]);
    if version != LAYOUT {
        return Err(RingError::UnknownLayout { version });
    }
    let mut boot_id = [0; 16];
    boot_id.copy_from_slice(&identity[24..40]);
    let header = RingHeader {
        area_bytes: number(&identity[16..24]),
        boot_id,
        process: number(&identity[40..44]) as u32,
        started_unix_ms: number(&identity[44..52]),
    };
    header.check()?;
    Ok(header)
}

/// Puts the checksum of all that stands before them into the last four bytes.
fn seal(bytes: &mut [u8]) {
    let (covered, crc) = bytes.split_at_mut(bytes.len() - 4);
    crc.copy_from_slice(&crc32fast::hash(covered).to_le_bytes());
}

/// The bytes, if their checksum is right.
fn unseal(bytes: &[u8]) -> Option<&[u8]> {
    let (covered, crc) = bytes.split_last_chunk::<4>()?;
    (crc32fast::hash(covered) == u32::from_le_bytes(*crc)).then_some(bytes)
}

/// A little-endian number of up to eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}
