//! The laboratory's own small client: blocking, RESP2, one connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A status, such as `OK`.
    Status(String),
    /// A number.
    Integer(i64),
    /// Bytes.
    Bulk(Vec<u8>),
    /// No value.
    Null,
    /// Several values.
    Array(Vec<Self>),
    /// An error inside an array (EXEC). A reply that is an error as a whole is [`AdminError::Refused`].
    Error(String),
}

/// Why a command of the laboratory failed.
#[derive(Debug, Error)]
pub enum AdminError {
    /// The server could not be reached, or the connection broke.
    #[error("no answer from {addr} to {command}")]
    Broken {
        /// Where it was sent.
        addr: SocketAddr,
        /// The command's name.
        command: String,
        /// What the socket said.
        source: io::Error,
    },
    /// The server did not answer in time.
    #[error("{addr} did not answer {command} within {limit:?}")]
    Silent {
        /// Where it was sent.
        addr: SocketAddr,
        /// The command's name.
        command: String,
        /// How long it was given.
        limit: Duration,
    },
    /// The server answered with an error.
    #[error("{addr} refused {command}: {message}")]
    Refused {
        /// Where it was sent.
        addr: SocketAddr,
        /// The command's name.
        command: String,
        /// The server's words.
        message: String,
    },
    /// The server answered with something that does not fit the command.
    #[error("{addr} answered {command} with {got}")]
    Unexpected {
        /// Where it was sent.
        addr: SocketAddr,
        /// The command's name.
        command: String,
        /// What it answered.
        got: String,
    },
}

impl Value {
    /// The number in it, if it is one (an integer, or bytes that spell one).
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Bulk(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// The bytes in it, if it is a status or a bulk string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Status(text) => Some(text.as_bytes()),
            Self::Bulk(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The values in it, if it is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }
}
