//! The shell for asyncio: the engine's own tasks on the loop's own readiness, without a thread or a hop between.
//!
//! Everything happens on the loop's thread, inside one of three entries: a command that is begun, a socket that is ready,
//! a tick that was asked for. Each runs what is ready, then resolves the futures of what is done and resumes their tasks,
//! and at its end asks for a tick or a timer if one is needed. What other threads wake is run in a tick that a descriptor calls for.

mod executor;
mod future;
mod job;
mod link;
mod socket;

pub(crate) use executor::Executor;
pub(crate) use future::CallFuture;
pub(crate) use link::AsyncLink;
