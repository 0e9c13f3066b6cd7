//! The shell for threads: the caller's own thread writes, reads and waits.

mod client;
mod exchange;
mod lease;
mod park;

pub use client::Client;
pub use lease::Lease;
