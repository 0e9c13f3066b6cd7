use super::event::{Event, Record};
use super::field::{Cursor, Field, Unreadable};

/// The longest payload, in bytes. Today's longest record has about 350; a false marker costs a reader no more than
/// the checksum of this much.
pub const PAYLOAD_BYTES_MAX: usize = 1024;
/// The longest record, in bytes.
pub const RECORD_BYTES_MAX: usize = FRAME_BYTES + PAYLOAD_BYTES_MAX;

pub(super) const MARKER: u8 = 0xb5;
const VERSION: u8 = 1;
/// What the checksum covers besides the payload.
const COVERED: usize = 5;
/// What stands before a payload.
pub(super) const FRAME_BYTES: usize = COVERED + 4;

/// Appends the record to `out`.
pub fn encode(record: &Record, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[MARKER, VERSION, record.event.kind(), 0, 0, 0, 0, 0, 0]);
    record.at.put(out);
    record.wall_unix_ms.put(out);
    record.event.put(out);
    let payload = out.len() - start - FRAME_BYTES;
    debug_assert!(payload <= PAYLOAD_BYTES_MAX, "every field is bounded");
    out[start + 3..start + COVERED].copy_from_slice(&(payload as u16).to_le_bytes());
    let checksum = checksum(&out[start..]);
    out[start + COVERED..start + FRAME_BYTES].copy_from_slice(&checksum.to_le_bytes());
}

/// The checksum that belongs into this record.
fn checksum(record: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&record[..COVERED]);
    crc.update(&record[FRAME_BYTES..]);
    crc.finalize()
}

/// What stands at the beginning of some bytes.
pub(super) enum Frame<'a> {
    /// A whole record with the right checksum.
    Whole(Body<'a>),
    /// What may be the beginning of a record that goes on behind the end.
    Cut,
    /// No record.
    Nothing,
}

/// A record whose checksum is right.
pub(super) struct Body<'a> {
    pub(super) bytes: usize,
    pub(super) kind: u8,
    version: u8,
    payload: &'a [u8],
}

/// Looks for a record at the beginning of `bytes`.
pub(super) fn frame(bytes: &[u8]) -> Frame<'_> {
    if bytes.first() != Some(&MARKER) {
        return Frame::Nothing;
    }
    let Some(head) = bytes.first_chunk::<FRAME_BYTES>() else {
        return Frame::Cut;
    };
    let [_, version, kind, low, high, crc @ ..] = *head;
    let len = usize::from(u16::from_le_bytes([low, high]));
    if version == 0 || len > PAYLOAD_BYTES_MAX {
        return Frame::Nothing;
    }
    let Some(record) = bytes.get(..FRAME_BYTES + len) else {
        return Frame::Cut;
    };
    if checksum(record) != u32::from_le_bytes(crc) {
        return Frame::Nothing;
    }
    Frame::Whole(Body {
        bytes: record.len(),
        kind,
        version,
        payload: &record[FRAME_BYTES..],
    })
}

impl Body<'_> {
    /// Reads the fields; also says how many bytes of newer fields stand behind those that are known.
    pub(super) fn read(&self) -> Result<(Record, usize), Unreadable> {
        if self.version != VERSION {
            return Err(Unreadable::Newer);
        }
        let mut payload = Cursor(self.payload);
        let at = Field::take(&mut payload)?;
        let wall_unix_ms = Field::take(&mut payload)?;
        let event = Event::take(self.kind, &mut payload)?;
        Ok((
            Record {
                at,
                wall_unix_ms,
                event,
            },
            payload.0.len(),
        ))
    }
}

/// A whole record of any kind and payload, as a newer writer would make it.
#[cfg(test)]
pub(super) fn raw(version: u8, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut record = vec![MARKER, version, kind, payload.len() as u8, 0, 0, 0, 0, 0];
    record.extend_from_slice(payload);
    let crc = checksum(&record);
    record[COVERED..FRAME_BYTES].copy_from_slice(&crc.to_le_bytes());
    record
}
