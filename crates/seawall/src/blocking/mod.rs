//! The shell for threads: the caller's own thread writes, reads and waits.

mod client;
mod crowd;
mod exchange;
mod frames;
mod ground;
mod lease;
mod park;
mod patience;
mod rounds;
mod talk;

pub use client::Client;
pub use frames::Frames;
pub use ground::{Ground, Interest, Interrupted};
pub use lease::Lease;
pub use patience::Patience;
