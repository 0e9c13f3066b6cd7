//! The shell for tokio: ordinary commands of all tasks share one connection; blocking commands, leases and
//! subscriptions have their own.
//!
//! A future that is dropped never shifts a reply: what was not offered to a write is taken back, what was is answered to nobody.

mod aside;
mod asked;
mod client;
mod dedicated;
mod direct;
mod event_loop;
mod exchange;
mod gathering;
mod lease;
mod own;
mod park;
mod readiness;
mod replies;
mod runtime;
mod shared;
mod silence;
#[cfg(feature = "tokio")]
mod subscribe;
#[cfg(test)]
mod tests;
mod threads;

pub(crate) use aside::Board;
pub use client::Client;
pub use direct::{Begun, Pending};
pub use event_loop::{EventLoop, Task, Watch, enter};
pub(crate) use exchange::{Request, drive};
pub use lease::Lease;
pub use readiness::Readiness;
#[cfg(feature = "tokio")]
pub use subscribe::{Happening, Message, Subscription};
pub(crate) use threads::Threads;
