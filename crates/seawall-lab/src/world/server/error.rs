use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::world::admin::AdminError;

/// Why something could not be done to a server.
#[derive(Debug, Error)]
pub enum ServerError {
    /// A directory, port, file or process could not be had from this host.
    #[error("the laboratory could not {what}: {source}")]
    Host {
        /// What was wanted.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The process ended by itself.
    #[error("{binary} on port {port} ended ({status}); its log ends: {log}")]
    Ended {
        /// Which binary.
        binary: String,
        /// Its port.
        port: u16,
        /// How it ended.
        status: String,
        /// The last lines of its log.
        log: String,
    },
    /// The server is down, and the wish needs a running one.
    #[error("the server on port {port} is down")]
    Down {
        /// Its port.
        port: u16,
    },
    /// The server is running, and the wish needs one that is down.
    #[error("the server on port {port} runs already")]
    Running {
        /// Its port.
        port: u16,
    },
    /// The server has no means to do what was wished.
    #[error("{binary} cannot {what}: Redis 7 and later and Valkey can")]
    TooOld {
        /// Which binary.
        binary: String,
        /// What was wished.
        what: &'static str,
    },
    /// Something did not come about in time.
    #[error("the server on port {port}: {what} did not come about within {limit:?}")]
    Late {
        /// Its port.
        port: u16,
        /// What was waited for.
        what: &'static str,
        /// How long.
        limit: Duration,
    },
    /// A command failed.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl ServerError {
    /// Names what was wanted of the host.
    pub(super) fn host(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Host { what, source }
    }
}
