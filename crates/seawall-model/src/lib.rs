//! What every part of Seawall agrees on.
//!
//! [`Moment`] is the only time there is, [`Cause`] names why something failed, [`Provenance`] says how far a request
//! got, [`Close`] how a connection ended. [`Target`] says where to connect, [`Settings`] how to behave, and
//! [`journal`] how what happened is written down. Nothing here does I/O, reads a clock or knows a runtime: the engine,
//! the laboratory, the doctor and every door share these words.

mod cause;
mod endpoint;
pub mod journal;
mod moment;
mod provenance;
mod secret;
pub mod settings;
mod span;
mod suggest;
pub mod target;
mod words;

pub use cause::{Cause, Fault};
pub use endpoint::{DEFAULT_PORT, Endpoint, EndpointError, HOST_BYTES_MAX, UNIX_PATH_BYTES_MAX};
pub use moment::Moment;
pub use provenance::{Close, Provenance, Sent};
pub use secret::Secret;
pub use settings::{SettingError, Settings};
pub use span::{parse_seconds, parse_span, show_span};
pub use target::{Security, Target, TargetError};
