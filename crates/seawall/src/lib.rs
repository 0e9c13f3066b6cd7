//! Seawall keeps an application answering when its Redis connections break, and says why they broke.
//!
//! ```no_run
//! use seawall::blocking::Client;
//!
//! let client = Client::open("redis://127.0.0.1:6379/0?deadline=500ms")?;
//! client.set("greeting", "hello")?;
//! let greeting: Option<String> = client.get("greeting")?;
//! # Ok::<(), seawall::Error>(())
//! ```
//!
//! A call is answered, or it ends by its deadline with an [`Error`] that says why ([`Cause`]), whether the command may
//! have run ([`Error::may_have_run`]), and what to do. What may have run is sent again only if running it twice
//! changes nothing.

pub mod asynchronous;
mod batch;
pub mod blocking;
mod builder;
mod clock;
mod command;
mod error;
mod events;
mod fork;
pub mod guard;
pub mod journal;
mod link;
mod log;
mod net;
mod pipeline;
mod reply;
mod stats;
mod tender;

pub use batch::Batch;
pub use builder::Builder;
pub use clock::now;
pub use command::{Arg, Cmd, Words};
pub use error::{ConnectionFacts, Error, Kind};
pub use events::{Event, Life};
pub use fork::{generation as fork_generation, keep_from_children};
pub use link::keys::{Credentials, Identity};
pub use pipeline::Pipeline;
pub use reply::{FromReply, WrongType};
pub use seawall_model::{Cause, Close, Endpoint, Fault, Moment, Provenance, Secret, Sent};
pub use seawall_wire::Value;
pub use stats::{ByCause, Histogram, OngoingTrouble, OutageCalls, PastOutage, Stats};
