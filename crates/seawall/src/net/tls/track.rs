//! Where in a TLS record the incoming bytes stand, seen from outside.
//!
//! A connection that ends inside a record ended inside something that the peer was saying: rustls only says that it
//! ended.

/// Content type, version, length.
const HEADER: usize = 5;

/// Follows the lengths of incoming records.
#[derive(Debug, Default)]
pub(super) struct Track {
    header: [u8; HEADER],
    header_len: usize,
    /// Bytes of the current record that are still to come.
    missing: usize,
}

impl Track {
    /// These bytes came.
    pub(super) fn came(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.missing > 0 {
                let taken = self.missing.min(bytes.len());
                self.missing -= taken;
                bytes = &bytes[taken..];
            } else {
                let taken = (HEADER - self.header_len).min(bytes.len());
                self.header[self.header_len..self.header_len + taken]
                    .copy_from_slice(&bytes[..taken]);
                self.header_len += taken;
                bytes = &bytes[taken..];
                if self.header_len < HEADER {
                    return;
                }
                self.missing = u16::from_be_bytes([self.header[3], self.header[4]]).into();
            }
            if self.missing == 0 {
                self.header_len = 0;
            }
        }
    }

    /// Bytes that came of a record whose end did not.
    pub(super) fn unfinished(&self) -> usize {
        match self.header_len {
            HEADER => {
                let length = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
                HEADER + length - self.missing
            }
            begun => begun,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(length: u16) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        let mut bytes = vec![23, 3, 3, high, low];
        bytes.resize(HEADER + usize::from(length), 0xff);
        bytes
    }

    #[test]
    fn a_record_is_unfinished_until_its_last_byte() {
        let mut track = Track::default();
        let bytes = record(3);
        for (came, byte) in bytes.iter().enumerate() {
            assert_eq!(track.unfinished(), came);
            track.came(&[*byte]);
        }
        assert_eq!(track.unfinished(), 0);
        track.came(&record(0));
        assert_eq!(track.unfinished(), 0, "an empty record is whole");
    }

    proptest! {
        #[test]
        fn where_reads_end_changes_nothing(
            lengths in proptest::collection::vec(0..600_u16, 0..8),
            tail in 0..200_usize,
            steps in proptest::collection::vec(1..400_usize, 1..40),
        ) {
            let mut stream: Vec<u8> = lengths.iter().flat_map(|&length| record(length)).collect();
            stream.extend(record(300).into_iter().take(tail));
            let mut track = Track::default();
            let mut rest = &stream[..];
            for &step in steps.iter().cycle() {
                let taken = step.min(rest.len());
                track.came(&rest[..taken]);
                rest = &rest[taken..];
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(track.unfinished(), tail);
        }
    }
}
