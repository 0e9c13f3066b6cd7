use std::ops::Range;

use super::error::RingError;
use super::event::Record;
use super::frame::encode;
use super::ring_file::{RingContents, Seam, read_area};
use super::slot::{
    AREA_BYTES_MAX, AREA_BYTES_MIN, HEADER_BYTES, SLOT_BYTES, Slot, read_identity, write_identity,
};

/// Who writes a ring, and how large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingHeader {
    /// Bytes for records; [`AREA_BYTES_MIN`] to [`AREA_BYTES_MAX`]. The file is [`HEADER_BYTES`] longer.
    pub area_bytes: u64,
    /// The kernel's boot id: the moments in the records are of this boot.
    pub boot_id: [u8; 16],
    /// The writing process.
    pub process: u32,
    /// When it began, by the wall clock, in milliseconds since 1970.
    pub started_unix_ms: u64,
}

impl RingHeader {
    pub(super) fn check(&self) -> Result<(), RingError> {
        if (AREA_BYTES_MIN..=AREA_BYTES_MAX).contains(&self.area_bytes) {
            return Ok(());
        }
        Err(RingError::BadCapacity {
            bytes: self.area_bytes,
        })
    }
}

/// A bounded journal: the newest records overwrite the oldest.
///
/// It holds the whole file's bytes and does no I/O. [`append`](Self::append) puts a record into memory;
/// [`commit`](Self::commit) says which bytes of [`image`](Self::image) changed, in the order in which they are to be
/// written: records first, then the position, so that a process that dies in between leaves a file that reads well. A
/// new file is the whole image.
#[derive(Clone, Debug)]
pub struct Ring {
    image: Vec<u8>,
    scratch: Vec<u8>,
    written: u64,
    committed: Slot,
}

impl Ring {
    /// An empty ring.
    pub fn new(header: &RingHeader) -> Result<Self, RingError> {
        header.check()?;
        let mut image = vec![0; HEADER_BYTES + header.area_bytes as usize];
        write_identity(header, &mut image);
        let slots = [
            Slot {
                written: 0,
                turn: 0,
            },
            Slot {
                written: 0,
                turn: 1,
            },
        ];
        for slot in slots {
            slot.write(&mut image);
        }
        Ok(Self {
            image,
            scratch: Vec::new(),
            written: 0,
            committed: slots[1],
        })
    }

    /// Goes on with the file of a former process of the same boot. Who cannot is told why, and begins another file.
    pub fn resume(image: Vec<u8>, boot_id: [u8; 16]) -> Result<Self, RingError> {
        let header = read_identity(&image)?;
        if header.boot_id != boot_id {
            return Err(RingError::OtherBoot);
        }
        let [Some(newest), Some(_)] = Slot::read(&image) else {
            return Err(RingError::NotWhole);
        };
        if image.len() as u64 != HEADER_BYTES as u64 + header.area_bytes {
            return Err(RingError::NotWhole);
        }
        Ok(Self {
            image,
            scratch: Vec::new(),
            written: newest.written,
            committed: newest,
        })
    }

    /// Puts the record behind the newest one, over the oldest.
    pub fn append(&mut self, record: &Record) {
        self.scratch.clear();
        encode(record, &mut self.scratch);
        let span = self.written..self.written + self.scratch.len() as u64;
        let mut from = self.scratch.as_slice();
        for range in places(&span, self.area_bytes()) {
            let (piece, rest) = from.split_at(range.len());
            self.image[range].copy_from_slice(piece);
            from = rest;
        }
        self.written = span.end;
    }

    /// The bytes of the image that changed since the last call, to be written in this order; none if nothing was
    /// appended.
    pub fn commit(&mut self) -> Vec<Range<usize>> {
        if self.written == self.committed.written {
            return Vec::new();
        }
        let oldest = self.written.saturating_sub(self.area_bytes());
        let places = places(
            &(self.committed.written.max(oldest)..self.written),
            self.area_bytes(),
        );
        let mut changed: Vec<_> = places
            .into_iter()
            .filter(|place| !place.is_empty())
            .collect();
        let slot = Slot {
            written: self.written,
            turn: self.committed.turn + 1,
        };
        slot.write(&mut self.image);
        self.committed = slot;
        changed.push(slot.place()..slot.place() + SLOT_BYTES);
        changed
    }

    /// The file's bytes as they should be.
    pub fn image(&self) -> &[u8] {
        &self.image
    }

    /// Bytes of records that were appended in all, overwritten ones included.
    pub const fn written_bytes(&self) -> u64 {
        self.written
    }

    /// What it holds, the oldest first.
    pub fn contents(&self) -> RingContents {
        let area = &self.image[HEADER_BYTES..];
        read_area(area, area.len(), Seam::of(self.written, area.len() as u64))
    }

    fn area_bytes(&self) -> u64 {
        (self.image.len() - HEADER_BYTES) as u64
    }
}

/// Where a stretch of records, no longer than the area, stands in the file: in one piece and an empty one, or in two
/// around the end of the area.
fn places(span: &Range<u64>, area_bytes: u64) -> [Range<usize>; 2] {
    let start = HEADER_BYTES + (span.start % area_bytes) as usize;
    let len = (span.end - span.start) as usize;
    let first = len.min(HEADER_BYTES + area_bytes as usize - start);
    [
        start..start + first,
        HEADER_BYTES..HEADER_BYTES + len - first,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Event, RingFile};
    use crate::moment::Moment;

    const BOOT: [u8; 16] = [7; 16];
    const HEADER: RingHeader = RingHeader {
        area_bytes: AREA_BYTES_MIN,
        boot_id: BOOT,
        process: 42,
        started_unix_ms: 1_700_000_000_000,
    };

    fn lost(records: u64) -> Record {
        Record {
            at: Moment::from_nanos(records),
            wall_unix_ms: None,
            event: Event::Lost { records },
        }
    }

    fn numbers(contents: &RingContents) -> Vec<u64> {
        contents
            .records
            .iter()
            .map(|record| record.at.as_nanos())
            .collect()
    }

    #[test]
    fn the_newest_records_stay_when_the_ring_is_full() {
        let mut ring = Ring::new(&HEADER).unwrap();
        for number in 1..=5000 {
            ring.append(&lost(number));
        }
        let numbers = numbers(&ring.contents());
        assert!(numbers.len() > 400, "{}", numbers.len());
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        assert_eq!(numbers.last(), Some(&5000));
        assert_eq!(
            ring.contents().damaged_bytes,
            0,
            "the overwritten record is no damage"
        );
    }

    #[test]
    fn what_commit_names_is_all_that_a_file_needs() {
        let mut ring = Ring::new(&HEADER).unwrap();
        let mut file = ring.image().to_vec();
        for number in 1..=3000 {
            ring.append(&lost(number));
            if number % 7 == 0 || number % 1999 == 0 {
                for range in ring.commit() {
                    file[range.clone()].copy_from_slice(&ring.image()[range]);
                }
            }
        }
        ring.commit()
            .into_iter()
            .for_each(|range| file[range.clone()].copy_from_slice(&ring.image()[range]));
        assert_eq!(file, ring.image());
        assert!(ring.commit().is_empty());
        let opened = RingFile::open(&file).unwrap();
        assert_eq!(opened.header(), &HEADER);
        assert_eq!(opened.read(), ring.contents());
    }

    #[test]
    fn one_commit_over_more_than_the_whole_ring_is_enough() {
        let mut ring = Ring::new(&HEADER).unwrap();
        let mut file = ring.image().to_vec();
        (1..=5000).for_each(|number| ring.append(&lost(number)));
        for range in ring.commit() {
            file[range.clone()].copy_from_slice(&ring.image()[range]);
        }
        assert_eq!(RingFile::open(&file).unwrap().read(), ring.contents());
    }

    #[test]
    fn a_process_goes_on_where_another_of_the_same_boot_ended() {
        let mut ring = Ring::new(&HEADER).unwrap();
        (1..=3000).for_each(|number| ring.append(&lost(number)));
        ring.commit();
        let mut next = Ring::resume(ring.image().to_vec(), BOOT).unwrap();
        (3001..=3010).for_each(|number| next.append(&lost(number)));
        let numbers = numbers(&next.contents());
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        assert_eq!(numbers.last(), Some(&3010));
        assert_eq!(
            Ring::resume(ring.image().to_vec(), [8; 16]).unwrap_err(),
            RingError::OtherBoot
        );
        let cut = ring.image()[..ring.image().len() - 1].to_vec();
        assert_eq!(Ring::resume(cut, BOOT).unwrap_err(), RingError::NotWhole);
    }

    #[test]
    fn a_death_between_the_records_and_the_position_loses_nothing_that_was_written() {
        let mut ring = Ring::new(&HEADER).unwrap();
        (1..=3000).for_each(|number| ring.append(&lost(number)));
        ring.commit();
        let mut file = ring.image().to_vec();
        (3001..=3020).for_each(|number| ring.append(&lost(number)));
        let changed = ring.commit();
        for range in &changed[..changed.len() - 1] {
            file[range.clone()].copy_from_slice(&ring.image()[range.clone()]);
        }
        assert_eq!(
            RingFile::open(&file).unwrap().read().records,
            ring.contents().records
        );
    }

    #[test]
    fn a_ring_has_a_smallest_and_a_largest_size() {
        for area_bytes in [0, AREA_BYTES_MIN - 1, AREA_BYTES_MAX + 1, u64::MAX] {
            let header = RingHeader {
                area_bytes,
                ..HEADER
            };
            assert_eq!(
                Ring::new(&header).unwrap_err(),
                RingError::BadCapacity { bytes: area_bytes }
            );
        }
    }
}
