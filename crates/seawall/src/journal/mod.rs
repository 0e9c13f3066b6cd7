//! What happened, kept: in memory, and on disk where a state directory is set.

pub use seawall_model::journal::{
    CommandName, ConnectionId, Event, HealthState, OutagePolicy, Record, Restarted, RetryRefusal,
    WriteGate,
};
