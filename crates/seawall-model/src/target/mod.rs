//! Where to connect, as one URL says it.
//!
//! Taken are `redis://` and `rediss://` (TLS), the same for Valkey, and `unix://`, with what other clients call them.
//! The URL is read by hand and not by the `url` crate: that one drops line breaks in silence, has no opinion on what a
//! database or an option may be, and its errors cannot tell a password with a raw `/` from a wrong port. Here, no
//! error repeats a part of the URL that may belong to a password.

mod error;
mod parse;
mod scheme;
mod write;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use error::TargetError;

use crate::endpoint::Endpoint;
use crate::secret::Secret;

/// The longest URL that is read, in bytes.
pub const URL_BYTES_MAX: usize = 8192;

/// Whether the bytes on the wire are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// They are not: `redis://`, `unix://`.
    Plain,
    /// TLS: `rediss://`.
    Tls,
}

/// A parsed URL: where to connect, as whom, and the options that it carries.
///
/// Each option was checked against the [settings](crate::settings), so that
/// [`Settings::from_target`](crate::Settings::from_target) succeeds for every parsed target. `Debug` and `Display`
/// show a URL that is safe for logs: the password is `***`.
#[derive(Clone, PartialEq)]
pub struct Target {
    endpoint: Endpoint,
    security: Security,
    user: Option<Arc<str>>,
    password: Option<Secret>,
    db: Option<u32>,
    options: Vec<(&'static str, String)>,
    passed_over: Vec<(&'static str, String)>,
}

impl Target {
    /// The target without user, password, database and options.
    pub const fn new(endpoint: Endpoint, security: Security) -> Self {
        Self {
            endpoint,
            security,
            user: None,
            password: None,
            db: None,
            options: Vec::new(),
            passed_over: Vec::new(),
        }
    }

    /// Reads a URL. Spaces and line breaks around it are dropped, as secrets in files often end with one.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        parse::parse(url)
    }

    /// Where the server listens.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether TLS is spoken.
    pub const fn security(&self) -> Security {
        self.security
    }

    /// The ACL user, if one is named.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password, if there is one.
    pub const fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// The database, if one is named.
    pub const fn db(&self) -> Option<u32> {
        self.db
    }

    /// The options as they were written, in their order, under the names that were used; without user, password and
    /// database.
    pub fn options(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.options
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// Options of other clients that mean nothing here, for the library that they are meant for.
    pub fn passed_over(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.passed_over
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// The whole URL **with its password**, to be handed to another client. [`Display`](fmt::Display) is the one for
    /// everything that people see.
    pub fn reveal_url(&self) -> String {
        write::url(self, write::Password::Revealed)
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        Self::parse(url)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&write::url(self, write::Password::Masked))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}
