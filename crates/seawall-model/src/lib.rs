//! What every part of Seawall agrees on.
//!
//! [`Moment`] is the only time there is, [`Cause`] names why something failed, [`Provenance`] says how far a request
//! got, [`Close`] how a connection ended. Nothing here does I/O, reads a clock or knows a runtime: the engine, the
//! laboratory, the doctor and every door share these words.

mod cause;
mod moment;
mod provenance;

pub use cause::{Cause, Fault};
pub use moment::Moment;
pub use provenance::{Close, Provenance, Sent};
