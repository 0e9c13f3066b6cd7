//! The laboratory's world: real servers, ways to break them, and what lies between them and their clients.
//!
//! * [`find`] finds a Redis or Valkey server on this machine, or fetches one without root.
//! * [`certificates`] makes an authority, for servers that speak TLS.
//! * [`server`] runs it on a free loopback port, in a directory of its own, and breaks it.
//! * [`relay`] is the network between: it refuses, resets, swallows, delays, and loses replies on demand.
//! * [`probe`] asks the server every 5 ms and keeps the timeline that answers are judged by.
//! * [`names`] is a name service, and has a process ask it.
//! * [`admin`] is the laboratory's own small client, [`clock`] its only clock.
//!
//! Nothing here imitates Redis: every fault is done to a real process, a real socket, or the packets of one.

pub mod admin;
pub mod certificates;
pub mod clock;
pub mod find;
mod leash;
pub mod names;
mod port;
pub mod probe;
pub mod relay;
pub mod server;
pub mod timeline;
mod wheel;

pub use admin::{AdminError, Value};
pub use certificates::{Authority, Bearer, Certificate, Validity};
pub use find::{Flavour, NoServer, ServerBinary, Version, server_at, server_binary};
pub use names::{NameServer, Says, Seclusion};
pub use probe::{Access, Probe, Question};
pub use relay::{Counters, Fault, Lost, Relay};
pub use server::{Clients, Server, ServerError, Tls};
pub use timeline::{Interval, Serving, Timeline};
