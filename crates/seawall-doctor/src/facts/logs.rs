//! What lines of logs mean that several rules share: a server's, the kernel's.

use super::Peer;

/// What a line of a server's log means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// The process began.
    Started,
    /// It takes connections.
    Ready,
    /// It was told to end, by a signal of that name.
    Signalled(String),
    /// It was told to end, by SHUTDOWN or after the signal.
    ShuttingDown,
    /// It ends in order.
    Farewell,
    /// It crashed by that signal.
    Crashed(u32),
    /// The allocator gave it nothing.
    AllocationFailed,
    /// It closed a client over its output buffer limit.
    OutputLimit(Peer),
    /// It closed a client over its query buffer limit.
    QueryLimit(Peer),
    /// It closed a client to save memory (maxmemory-clients).
    Evicted(Peer),
    /// It could not accept a connection.
    AcceptFailed(String),
    /// The limit of open files made maxclients smaller.
    MaxclientsReduced(u64),
    /// It could not fork for a save.
    ForkFailed(String),
    /// A save in the background failed.
    SaveFailed,
    /// Writing or flushing the append-only file takes too long.
    FsyncSlow,
    /// The append-only file could not be written.
    AofFailed(String),
    /// Data was read from disk in so many milliseconds.
    Loaded(u64),
    /// A replica wanted more than the backlog holds: everything is sent anew.
    FullResync(String),
    /// The connection between replica and primary broke.
    ReplicationLost(String),
    /// A client spoke HTTP.
    SpokeHttp,
    /// A client did not speak TLS on the port of TLS.
    TlsMismatch(String),
}

/// A line of a server's log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerLine {
    /// The process.
    pub pid: Option<u32>,
    /// Whether that is a Sentinel.
    pub sentinel: bool,
    /// What it means.
    pub line: Line,
}

/// A line of the kernel's log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KernelLine {
    /// It killed a process for lack of memory.
    OomKilled {
        /// The process.
        pid: u32,
        /// Its name.
        name: String,
        /// Its cgroup had no more, not the host.
        cgroup: bool,
        /// That cgroup, where the kernel named it.
        group: Option<String>,
    },
    /// A port's queue of new connections was full.
    SynFlood {
        /// That port.
        port: u16,
    },
}
