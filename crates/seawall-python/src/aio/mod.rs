//! The shell for asyncio: the engine's own tasks on the loop's own readiness, without a thread or a hop between.
//!
//! Everything happens on the loop's thread, inside one of three entries: a command that is begun, a socket that is ready,
//! a tick that was asked for. Each runs what is ready, then resolves the futures of what is done and resumes their tasks,
//! and at its end asks for a tick or a timer if one is needed. What other threads wake is run in a tick that a descriptor
//! calls for.
//!
//! What is asked for between two ticks goes out in one write. Where many tasks go on together and the server has nothing
//! else to do, what the first half of them asks for goes out before the second half goes on.

mod executor;
mod future;
mod job;
mod link;
mod poller;
mod running;
mod socket;

pub(crate) use executor::Executor;
pub(crate) use future::CallFuture;
pub(crate) use link::AsyncLink;
pub(crate) use poller::Poller;
pub(crate) use running::running_loop;
