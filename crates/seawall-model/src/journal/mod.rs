//! What happened to connections and endpoints, as records that survive the process.
//!
//! A [`Record`] is a moment and an [`Event`]. [`encode`] appends one to a buffer; [`Reader`] walks over bytes that may
//! be cut, overwritten or damaged anywhere and goes on at the next whole record. [`Ring`] is a bounded file of records
//! whose bytes a writer keeps in memory and puts on disk piece by piece, and [`RingFile`] reads one that was left by a
//! process that died at any moment.
//!
//! **No key and no value can be in a record**: its fields are numbers, words of fixed lists, addresses, and
//! [`CommandName`], which takes nothing that is not shaped like the name of a command.
//!
//! # A record in bytes
//! | bytes | meaning |
//! |---|---|
//! | 1 | `0xB5`, where a reader that lost its way looks for the next record |
//! | 1 | version of this layout: 1 |
//! | 1 | kind of event |
//! | 2 | length of the payload, little endian, at most [`PAYLOAD_BYTES_MAX`] |
//! | 4 | CRC-32 of the five bytes before it and the payload, little endian |
//! | n | payload: the moment, the wall clock's time if known, the event's fields in order |
//!
//! Numbers are varints (seven bits a byte, the lowest first), texts and addresses have a length before them, what may
//! be missing has a byte 0 or 1 before it. Zero bytes between records are padding.
//!
//! Newer writers may add kinds, words and, at the end of an event, fields: an older reader passes over them and counts
//! them. A field that is added later is optional, since older records end before it.

mod command;
mod error;
mod event;
mod field;
mod frame;
mod reader;
mod ring;
mod ring_file;
mod run_id;
mod slot;
mod words;

pub use command::{COMMAND_BYTES_MAX, CommandName};
pub use error::{JournalError, RingError};
pub use event::{ConnectionId, Event, Record};
pub use frame::{PAYLOAD_BYTES_MAX, RECORD_BYTES_MAX, encode};
pub use reader::Reader;
pub use ring::{Ring, RingHeader};
pub use ring_file::{RingContents, RingFile};
pub use run_id::run_id_hash;
pub use slot::{AREA_BYTES_MAX, AREA_BYTES_MIN, HEADER_BYTES};
pub use words::{HealthState, OutagePolicy, Restarted, RetryRefusal, WriteGate};
