//! The laboratory against real servers.

mod world;
