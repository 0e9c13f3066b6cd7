//! What the lab asks a client to do: one file a kind of call.
//!
//! Each writing call has keys of its own, so that the server's state afterwards tells for this very call how often it
//! ran: no call can hide behind another, as they could on a shared counter. Values that are read name their key.

mod batch;
mod claim;
mod count;
mod exec;
mod pop;
mod push;
mod read;
mod store;

pub use batch::Batch;
pub use claim::Claim;
pub use count::Count;
pub use exec::Exec;
pub use pop::Pop;
pub use push::Push;
pub use read::{Range, Read, ReadMany};
pub use store::Store;

#[cfg(test)]
pub(crate) use read::expected_read;

use crate::contender::{Reply, Request, Words};
use crate::world::Value;
use std::time::Duration;

/// Whether a call changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It only reads: running it twice changes nothing.
    Read,
    /// It writes.
    Write,
}

/// What a reply says about the call that got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is the reply that this call must get.
    Fits,
    /// It is the reply to a second or later run of this call.
    Repeated,
    /// It is no reply to this call.
    Foreign,
}

/// A kind of call: what it sends, what must come back, and how to see afterwards whether it ran.
pub trait Work: Send + Sync {
    /// The command's name as people know it: `GET`, `SET NX`.
    fn name(&self) -> &'static str;

    /// Whether it writes.
    fn kind(&self) -> Kind;

    /// What the lab itself writes to the server before the run.
    fn prepare(&self, calls: &[u64]) -> Vec<Words>;

    /// What the contender is to run.
    fn request(&self, call: u64) -> Request;

    /// How long the command itself may block, beside the call's deadline.
    fn blocks_for(&self) -> Duration {
        Duration::ZERO
    }

    /// Judges a reply.
    fn fit(&self, call: u64, reply: &Reply) -> Fit;

    /// What the lab asks the server after the run; empty for reads.
    fn inspect(&self, call: u64) -> Vec<Words>;

    /// How often the call ran, from the answers to [`inspect`](Self::inspect) and the reply that it got, if any.
    fn times_run(&self, call: u64, state: &[Value], reply: Option<&Reply>) -> u64;
}

/// A command from its words.
fn words<const N: usize>(words: [&str; N]) -> Words {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// The number that counters of this call start from: different for each, so that a reply to another call's INCR is
/// recognised, and wide enough apart that no number of repeats reaches the next.
fn counter_start(call: u64) -> i64 {
    i64::try_from(call).unwrap_or(0) * 1000 + 1000
}

/// How often a counter that started at [`counter_start`] was raised.
fn times_raised(call: u64, state: Option<&Value>) -> u64 {
    let value = state
        .and_then(Value::as_integer)
        .unwrap_or_else(|| counter_start(call));
    u64::try_from(value - counter_start(call)).unwrap_or(0)
}

/// The length that the answer to LLEN gives.
fn length(state: Option<&Value>) -> u64 {
    state
        .and_then(Value::as_integer)
        .and_then(|length| u64::try_from(length).ok())
        .unwrap_or(0)
}
