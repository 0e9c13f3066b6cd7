use super::slot::HEADER_BYTES;

/// A place in a journal where no record could be read. The reader goes on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Bytes that are no record: overwritten or damaged.
    #[error("{bytes} bytes at byte {at} of the journal are not a record")]
    Damaged {
        /// Where they begin.
        at: usize,
        /// How many were passed over.
        bytes: usize,
    },
    /// The end cuts a record.
    #[error("the journal ends inside a record that begins at byte {at}")]
    Torn {
        /// Where the record begins.
        at: usize,
        /// How many of its bytes are there.
        bytes: usize,
    },
    /// The checksum is right, but the fields are not those of this kind: a writer's mistake.
    #[error("the record of kind {kind} at byte {at} of the journal has fields that make no sense")]
    Malformed {
        /// Where the record begins.
        at: usize,
        /// Its kind.
        kind: u8,
    },
}

/// Why a file is no journal, or cannot be written on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// It ends inside its header.
    #[error("the journal has {bytes} bytes, its header alone has {HEADER_BYTES}")]
    TooShort {
        /// Its length.
        bytes: usize,
    },
    /// It does not begin like a journal.
    #[error("the file is not a journal of Seawall")]
    NotAJournal,
    /// A layout that this version does not know.
    #[error("the journal has layout {version}, this version reads layout 1")]
    UnknownLayout {
        /// Its layout's number.
        version: u16,
    },
    /// Both copies of the header are damaged.
    #[error("both copies of the journal's header are damaged")]
    HeaderDamaged,
    /// Asked for more or less than a ring may have.
    #[error("a journal of {bytes} bytes cannot be made")]
    BadCapacity {
        /// The size asked for, header excluded.
        bytes: u64,
    },
    /// It was written before the host was last started: its moments mean nothing now.
    #[error("the journal was written before the host was last started")]
    OtherBoot,
    /// It is shorter than its header says, or its write positions are damaged: it can be read, but not written on.
    #[error("the journal is not whole: begin another")]
    NotWhole,
}

impl RingError {
    /// What to do, in one line.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => {
                "the writer died while it made the file: there is nothing in it"
            }
            Self::NotAJournal => "journals are the *.journal files in the state directory",
            Self::UnknownLayout { .. } => "read it with the version that wrote it, or a newer one",
            Self::HeaderDamaged => "its records can still be read one by one",
            Self::BadCapacity { .. } => "set journal_bytes between 16KiB and 1GiB",
            Self::OtherBoot | Self::NotWhole => "keep it for the doctor, and begin another file",
        }
    }
}
