use super::error::JournalError;
use super::event::Record;
use super::field::Unreadable;
use super::frame::{Frame, MARKER, frame};

/// Walks over the records in some bytes, whatever is between them.
///
/// Yields each record that can be read, and a [`JournalError`] for each stretch that cannot; records and fields of
/// newer writers are passed over and counted. Every step moves forward, so that no input keeps it for ever, and
/// nothing is allocated but for the records.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    unknown_records: u64,
    newer_bytes: u64,
    skipped_bytes: u64,
}

impl<'a> Reader<'a> {
    /// Reads from the first of `bytes`, which need not be where a record begins.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            unknown_records: 0,
            newer_bytes: 0,
            skipped_bytes: 0,
        }
    }

    /// Whole records of kinds, versions or words that are not known here, so far.
    pub const fn unknown_records(&self) -> u64 {
        self.unknown_records
    }

    /// Bytes of newer fields at the end of known records, so far.
    pub const fn newer_bytes(&self) -> u64 {
        self.newer_bytes
    }

    /// Bytes that were no record and no padding, so far.
    pub const fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes
    }

    /// Where the next look will be, in bytes from the beginning.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Passes over what is no record, up to the next one or the end.
    fn resynchronise(&mut self, cut: bool) -> JournalError {
        let at = self.at;
        let rest = &self.bytes[at..];
        let is_record =
            |&from: &usize| rest[from] == MARKER && matches!(frame(&rest[from..]), Frame::Whole(_));
        let next = (1..rest.len()).find(is_record);
        let bytes = next.unwrap_or(rest.len());
        self.at += bytes;
        self.skipped_bytes += bytes as u64;
        match next {
            None if cut => JournalError::Torn { at, bytes },
            _ => JournalError::Damaged { at, bytes },
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Record, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let padding = self.bytes[self.at..]
                .iter()
                .take_while(|byte| **byte == 0)
                .count();
            self.at += padding;
            let rest = &self.bytes[self.at..];
            if rest.is_empty() {
                return None;
            }
            let body = match frame(rest) {
                Frame::Whole(body) => body,
                Frame::Cut => return Some(Err(self.resynchronise(true))),
                Frame::Nothing => return Some(Err(self.resynchronise(false))),
            };
            let at = self.at;
            self.at += body.bytes;
            match body.read() {
                Ok((record, newer)) => {
                    self.newer_bytes += newer as u64;
                    return Some(Ok(record));
                }
                Err(Unreadable::Newer) => self.unknown_records += 1,
                Err(Unreadable::Malformed) => {
                    return Some(Err(JournalError::Malformed {
                        at,
                        kind: body.kind,
                    }));
                }
            }
        }
    }
}

impl std::iter::FusedIterator for Reader<'_> {}

#[cfg(test)]
mod tests {
    use super::super::frame::{FRAME_BYTES, encode, raw};
    use super::*;
    use crate::journal::Event;
    use crate::moment::Moment;

    fn lost(records: u64) -> Record {
        Record {
            at: Moment::from_nanos(records),
            wall_unix_ms: None,
            event: Event::Lost { records },
        }
    }

    fn encoded(records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for record in records {
            encode(record, &mut bytes);
        }
        bytes
    }

    #[test]
    fn records_of_newer_writers_are_passed_over_and_counted() {
        let mut bytes = raw(1, 250, &[1, 0, 9, 9]);
        bytes.extend(raw(2, 1, b"another layout"));
        encode(&lost(7), &mut bytes);
        // A HealthChanged whose state has a number that is not known here.
        bytes.extend(raw(1, 4, &[1, 0, 2, 2, b'/', b'x', 99, 0]));
        // A Lost with a field more than is known here.
        bytes.extend(raw(1, 11, &[8, 0, 8, 1, 2, 3]));
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.next(), Some(Ok(lost(7))));
        assert_eq!(reader.next(), Some(Ok(lost(8))));
        assert_eq!(reader.next(), None);
        assert_eq!(
            (
                reader.unknown_records(),
                reader.newer_bytes(),
                reader.skipped_bytes()
            ),
            (3, 3, 0)
        );
    }

    #[test]
    fn damage_costs_the_record_that_it_hits() {
        let mut bytes = encoded(&[lost(1), lost(2), lost(3)]);
        let len = bytes.len() / 3;
        bytes[len + FRAME_BYTES] ^= 1;
        let read: Vec<_> = Reader::new(&bytes).collect();
        assert_eq!(
            read,
            [
                Ok(lost(1)),
                Err(JournalError::Damaged {
                    at: len,
                    bytes: len
                }),
                Ok(lost(3))
            ]
        );
    }

    #[test]
    fn a_cut_record_is_told_from_a_damaged_one() {
        let bytes = encoded(&[lost(1), lost(2)]);
        let len = bytes.len() / 2;
        let read: Vec<_> = Reader::new(&bytes[..2 * len - 1]).collect();
        assert_eq!(
            read,
            [
                Ok(lost(1)),
                Err(JournalError::Torn {
                    at: len,
                    bytes: len - 1
                })
            ]
        );
    }

    #[test]
    fn padding_is_no_damage_and_fields_that_make_no_sense_are_named() {
        let mut bytes = vec![0; 100];
        bytes.extend(encoded(&[lost(1)]));
        bytes.extend([0; 7]);
        let at = bytes.len();
        bytes.extend(raw(1, 11, &[1, 0]));
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.next(), Some(Ok(lost(1))));
        assert_eq!(
            reader.next(),
            Some(Err(JournalError::Malformed { at, kind: 11 }))
        );
        assert_eq!(reader.next(), None);
        assert_eq!(reader.skipped_bytes(), 0);
    }
}
