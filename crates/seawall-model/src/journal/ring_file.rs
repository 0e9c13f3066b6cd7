use super::error::{JournalError, RingError};
use super::event::Record;
use super::frame::RECORD_BYTES_MAX;
use super::reader::Reader;
use super::ring::RingHeader;
use super::slot::{HEADER_BYTES, Slot, read_identity};

/// The bytes of a ring, as some process left them: whole, cut at any byte, or damaged.
#[derive(Clone, Copy, Debug)]
pub struct RingFile<'a> {
    header: RingHeader,
    area: &'a [u8],
    seam: Seam,
}

/// What a ring holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RingContents {
    /// The records that could be read, by their moment; those of one moment as they were written.
    pub records: Vec<Record>,
    /// Bytes that could not be read.
    pub damaged_bytes: u64,
    /// Whole records of a newer writer that this version does not know, and records whose fields make no sense.
    pub unknown_records: u64,
}

/// Where the oldest record follows upon the newest.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seam {
    /// The ring has not come round yet, or nobody knows: it counts from its first byte.
    Start,
    /// Here, and so what is left of the overwritten record behind it is no damage.
    At(usize),
    /// Here, or somewhat later: one position is damaged, and the other may be older.
    Near(usize),
}

impl Seam {
    pub(super) const fn of(written: u64, area_bytes: u64) -> Self {
        if written <= area_bytes {
            Self::Start
        } else {
            Self::At((written % area_bytes) as usize)
        }
    }
}

impl<'a> RingFile<'a> {
    /// Reads the header. Where that fails on a file that was a journal, [`Reader`] still finds the records in it.
    pub fn open(bytes: &'a [u8]) -> Result<Self, RingError> {
        let header = read_identity(bytes)?;
        let area = bytes
            .get(HEADER_BYTES..)
            .ok_or(RingError::TooShort { bytes: bytes.len() })?;
        let area = &area[..area.len().min(header.area_bytes as usize)];
        let seam = match Slot::read(bytes) {
            [Some(newest), Some(_)] => Seam::of(newest.written, header.area_bytes),
            [Some(either), None] => Seam::Near((either.written % header.area_bytes) as usize),
            _ => Seam::Start,
        };
        Ok(Self { header, area, seam })
    }

    /// Who wrote it.
    pub const fn header(&self) -> &RingHeader {
        &self.header
    }

    /// Reads every record that can be read.
    pub fn read(&self) -> RingContents {
        read_area(self.area, self.header.area_bytes as usize, self.seam)
    }
}

/// Reads an area of this many bytes, of which the last may be missing.
pub(super) fn read_area(area: &[u8], area_bytes: usize, seam: Seam) -> RingContents {
    let place = match seam {
        Seam::Start => 0,
        Seam::At(place) | Seam::Near(place) => place.min(area.len()),
    };
    let (newer, older) = area.split_at(place);
    let mut contents = RingContents::default();
    if area.len() == area_bytes {
        // In the order in which it was written, so that the record around the area's end is in one piece.
        contents.read(&[older, newer].concat(), seam);
    } else {
        // What stood around the end is cut, and is not to be joined with bytes that did not follow it.
        contents.read(older, seam);
        contents.read(newer, Seam::Start);
    }
    // Where the position is older than the records, the newest stand first.
    contents.records.sort_by_key(|record| record.at);
    contents
}

impl RingContents {
    fn read(&mut self, bytes: &[u8], seam: Seam) {
        // What is left of the record that was overwritten is shorter than a record.
        let is_rest =
            |at: usize, bytes: usize| matches!(seam, Seam::At(_)) && at + bytes < RECORD_BYTES_MAX;
        let mut reader = Reader::new(bytes);
        for read in reader.by_ref() {
            match read {
                Ok(record) => self.records.push(record),
                Err(JournalError::Malformed { .. }) => self.unknown_records += 1,
                Err(JournalError::Damaged { at, bytes })
                    if self.records.is_empty() && is_rest(at, bytes) => {}
                Err(JournalError::Damaged { bytes, .. } | JournalError::Torn { bytes, .. }) => {
                    self.damaged_bytes += bytes as u64;
                }
            }
        }
        self.unknown_records += reader.unknown_records();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Event, encode};
    use crate::moment::Moment;

    #[test]
    fn a_record_that_lost_its_end_is_not_completed_by_what_stands_at_the_start() {
        let record = Record {
            at: Moment::ORIGIN,
            wall_unix_ms: None,
            event: Event::Lost { records: 7 },
        };
        let mut area = Vec::new();
        encode(&record, &mut area);
        area.rotate_right(1);
        let whole = read_area(&area, area.len(), Seam::At(1));
        assert_eq!(whole.records, [record]);
        let cut = read_area(&area, area.len() + 1, Seam::At(1));
        assert_eq!(cut.records, []);
        assert_eq!(cut.damaged_bytes, area.len() as u64);
    }
}
