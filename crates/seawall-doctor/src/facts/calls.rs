//! How calls failed, as applications' logs and journals tell.

/// How a call failed, as its client told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// Nothing listened.
    Refused,
    /// No connection in time.
    ConnectTimeout,
    /// Reset.
    Reset,
    /// Closed in order.
    Closed,
    /// No reply in time.
    ReadTimeout,
    /// A write failed.
    WriteFailed,
    /// No connection was free in the client's pool.
    PoolExhausted,
    /// The host's name has no address.
    NameUnknown,
    /// The server said that it has no room.
    MaxClients,
    /// The server said LOADING.
    Loading,
    /// The server said READONLY.
    ReadOnly,
    /// The server said OOM.
    OutOfMemory,
    /// The server said MISCONF.
    SaveFailed,
    /// The server said NOAUTH or WRONGPASS.
    Auth,
    /// The server said NOPERM, or a socket's permissions refused.
    Denied,
    /// The cluster is down, or its redirections do not end.
    Cluster,
    /// The server said BUSY: a script runs.
    Busy,
    /// This host has no port left to connect from.
    NoLocalPort,
    /// There is no way to the server's host.
    Unreachable,
    /// TLS failed.
    Tls,
    /// What came was no reply: two readers of one connection, or another protocol.
    Protocol,
    /// The client had no connection, and gave the call up.
    NotConnected,
    /// What a rule listens for, and nobody else knows.
    Other,
}

impl Failure {
    /// What it is, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Refused => "connection refused",
            Self::ConnectTimeout => "no connection in time",
            Self::Reset => "reset",
            Self::Closed => "closed by the server",
            Self::ReadTimeout => "no reply in time",
            Self::WriteFailed => "write failed",
            Self::PoolExhausted => "pool exhausted",
            Self::NameUnknown => "name unknown",
            Self::MaxClients => "maxclients",
            Self::Loading => "LOADING",
            Self::ReadOnly => "READONLY",
            Self::OutOfMemory => "OOM",
            Self::SaveFailed => "MISCONF",
            Self::Auth => "refused login",
            Self::Denied => "NOPERM",
            Self::Cluster => "cluster down",
            Self::Busy => "BUSY",
            Self::NoLocalPort => "no local port left",
            Self::Unreachable => "host unreachable",
            Self::Tls => "TLS failed",
            Self::Protocol => "no reply of Redis's",
            Self::NotConnected => "not connected",
            Self::Other => "another error",
        }
    }
}

/// A connection by the number that its server gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// `CLIENT ID`.
    pub id: u64,
    /// The server's run id, hashed: every process counts anew.
    pub run: Option<u64>,
}

/// A line of an application's log that tells of a failed call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientLine {
    /// How it failed.
    pub failure: Failure,
    /// The server, as the text names it.
    pub server: Option<String>,
    /// The client's own address: the one by which the server knows the connection.
    pub local: Option<String>,
    /// For how many milliseconds the connection had rested before.
    pub idle: Option<u64>,
    /// The command that failed, in upper case.
    pub command: Option<String>,
    /// The process, worker or container that told it.
    pub process: Option<String>,
    /// The connection, as the server knows it.
    pub connection: Option<Connection>,
}

impl ClientLine {
    /// A failure of which nothing more is known.
    pub fn new(failure: Failure) -> Self {
        Self {
            failure,
            server: None,
            local: None,
            idle: None,
            command: None,
            process: None,
            connection: None,
        }
    }
}
