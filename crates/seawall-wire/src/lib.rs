//! What Redis and Valkey speak: RESP2 and RESP3 in both directions, server errors, command facts and key slots.
//!
//! Everything here is pure: bytes in, values or boundaries out. There is no socket, no clock, no runtime and no
//! logging. From the ground up:
//!
//! - [`scan`] finds where a frame ends, without building or allocating anything, and goes on where it stopped when
//!   more bytes come. This is what a read loop and a proxy run.
//! - [`decode`] walks one whole frame and calls a [`Visitor`](decode::Visitor), so that a caller builds its own types
//!   straight from the buffer. [`Value`] is the owned tree made that way.
//! - [`encode`] writes commands and replies; [`request`] reads commands, as a server or a proxy must.
//! - [`error`] turns `-MOVED 3999 10.0.0.7:6379` into an enum, by the whole first word.
//! - [`slot`] tells the cluster slot of a key.
//!
//! Scanner and decoder run the same walk, so they cannot disagree on a length. What a peer may make us hold is set by
//! [`Limits`]; whatever breaks the protocol or a limit is a [`WireError`] that names the place.
//!
//! ```
//! use seawall_wire::scan::{FrameKind, Scan, Scanner};
//! use seawall_wire::{Limits, Value, encode};
//!
//! let limits = Limits::default();
//! let mut sent = Vec::new();
//! encode::command(&mut sent, ["GET", "greeting"]);
//! assert_eq!(sent, b"*2\r\n$3\r\nGET\r\n$8\r\ngreeting\r\n");
//!
//! // The reply arrives in two pieces; the scanner is asked after each.
//! let mut scanner = Scanner::new(limits);
//! let mut unread = b"$5\r\nhe".to_vec();
//! assert_eq!(scanner.scan(&unread)?, Scan::Partial { missing_at_least: 5 });
//! unread.extend_from_slice(b"llo\r\n+OK\r\n");
//! let Scan::Complete { len, kind } = scanner.scan(&unread)? else { unreachable!("five bytes were missing") };
//! assert_eq!((len, kind), (11, FrameKind::Reply));
//!
//! let (value, used) = Value::decode(&unread[..len], &limits)?;
//! assert_eq!((value, used), (Value::Bulk(b"hello".to_vec()), 11));
//! # Ok::<(), seawall_wire::WireError>(())
//! ```
#![forbid(unsafe_code)]

pub mod decode;
pub mod encode;
pub mod error;
mod examined;
pub mod facts;
mod foreign;
mod limits;
mod nesting;
mod number;
pub mod request;
pub mod scan;
pub mod slot;
mod token;
mod value;
mod walk;
mod wire_error;

pub use foreign::{Foreign, sniff_foreign};
pub use limits::Limits;
pub use value::Value;
pub use wire_error::WireError;
