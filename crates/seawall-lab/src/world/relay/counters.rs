use std::collections::BTreeMap;

/// What went through a relay since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted from clients. What [`Refuse`](super::Fault::Refuse) turned away is not seen here.
    pub accepted: u64,
    /// Accepted connections that the server refused, and that were reset for it.
    pub upstream_refused: u64,
    /// Connections that stand now, forgotten and swallowed ones included.
    pub live: u64,
    /// Bytes handed to the server.
    pub bytes_up: u64,
    /// Bytes handed to clients.
    pub bytes_down: u64,
    /// Connections that the relay reset towards the client.
    pub resets: u64,
    /// Connections that the relay closed in order towards the client as a fault.
    pub fins: u64,
    /// Connections that were swallowed.
    pub swallowed: u64,
    /// Replies that were cut inside.
    pub replies_cut: u64,
    /// Replies that were lost, by command.
    pub replies_lost: BTreeMap<String, u64>,
}
