//! The laboratory's own small client: blocking, RESP2, one connection.
//!
//! It reads replies with a few lines of its own and not with the project's codec: what judges a run should not share
//! the eyes of what is judged.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use thiserror::Error;

use super::probe::Access;

/// How long a reply may take. Generous: only a server that is frozen, or was asked for too much, takes so long.
const REPLY_LIMIT: Duration = Duration::from_secs(5);

/// Arrays nest this deep at most: EXEC over CLIENT LIST or COMMAND INFO stays far below.
const DEPTH_MAX: usize = 16;

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

/// Why a command of the laboratory failed.
#[derive(Debug, Error)]
pub enum AdminError {
    /// The server could not be reached, or the connection broke.
    #[error("no answer from {addr} to {command}: {source}")]
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

/// One connection to a server.
#[derive(Debug)]
pub struct Admin {
    addr: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Admin {
    /// Connects and logs in.
    pub fn connect(addr: SocketAddr, access: &Access) -> Result<Self, AdminError> {
        let stream = dial(addr).map_err(|source| AdminError::Broken {
            addr,
            command: "connect".into(),
            source,
        })?;
        let mut admin = Self {
            addr,
            stream: BufReader::new(stream),
        };
        if let Some(words) = access.auth_words() {
            admin.command(&words)?;
        }
        Ok(admin)
    }

    /// Sends one command and waits for its reply. After an error other than [`AdminError::Refused`] the connection is
    /// of no more use.
    pub fn command(&mut self, words: &[&[u8]]) -> Result<Value, AdminError> {
        self.pipeline(&[words])
            .map(|mut replies| replies.pop().unwrap_or(Value::Null))
    }

    /// Sends all commands at once, then reads all replies; the first refusal is the error.
    pub fn pipeline(&mut self, commands: &[&[&[u8]]]) -> Result<Vec<Value>, AdminError> {
        let bytes: Vec<u8> = commands.iter().flat_map(|words| encode(words)).collect();
        let first = commands.first().copied().unwrap_or_default();
        self.stream
            .get_mut()
            .write_all(&bytes)
            .map_err(|source| self.broken(first, source))?;
        let mut replies = Vec::with_capacity(commands.len());
        let mut refused = None;
        for words in commands {
            match self.read().map_err(|source| self.broken(words, source))? {
                Value::Error(message) if refused.is_none() => {
                    refused = Some(AdminError::Refused {
                        addr: self.addr,
                        command: name(words),
                        message,
                    });
                }
                value => replies.push(value),
            }
        }
        refused.map_or(Ok(replies), Err)
    }

    /// Sends a command whose reply nobody waits for.
    pub(super) fn send(&mut self, words: &[&[u8]]) -> Result<(), AdminError> {
        let bytes = encode(words);
        self.stream
            .get_mut()
            .write_all(&bytes)
            .map_err(|source| self.broken(words, source))
    }

    /// Whether the connection ended, or holds bytes that nobody asked for, while it lay idle.
    pub(super) fn is_stale(&self) -> bool {
        let socket = self.stream.get_ref();
        let mut byte = [0];
        let quiet = socket
            .set_nonblocking(true)
            .and_then(|()| socket.peek(&mut byte));
        let restored = socket.set_nonblocking(false);
        restored.is_err()
            || !matches!(quiet, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn broken(&self, words: &[&[u8]], source: io::Error) -> AdminError {
        let (addr, command) = (self.addr, name(words));
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AdminError::Silent {
                addr,
                command,
                limit: REPLY_LIMIT,
            },
            io::ErrorKind::InvalidData => AdminError::Unexpected {
                addr,
                command,
                got: source.to_string(),
            },
            _ => AdminError::Broken {
                addr,
                command,
                source,
            },
        }
    }

    fn read(&mut self) -> io::Result<Value> {
        read_value(&mut self.stream, DEPTH_MAX)
    }
}

fn dial(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, REPLY_LIMIT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(REPLY_LIMIT))?;
    stream.set_write_timeout(Some(REPLY_LIMIT))?;
    Ok(stream)
}

fn name(words: &[&[u8]]) -> String {
    words.first().map_or_else(String::new, |word| {
        String::from_utf8_lossy(word).to_ascii_uppercase()
    })
}

/// A command as an array of bulk strings.
pub(super) fn encode(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn read_value(stream: &mut impl BufRead, depth: usize) -> io::Result<Value> {
    let line = read_line(stream)?;
    let (kind, rest) = line.split_at_checked(1).ok_or_else(|| strange(&line))?;
    let number = || rest.parse::<i64>().map_err(|_| strange(&line));
    Ok(match kind {
        "+" => Value::Status(rest.into()),
        "-" => Value::Error(rest.into()),
        ":" => Value::Integer(number()?),
        "$" => match usize::try_from(number()?) {
            Ok(length) => Value::Bulk(read_bulk(stream, length)?),
            Err(_) => Value::Null,
        },
        "*" => match (usize::try_from(number()?), depth.checked_sub(1)) {
            (Ok(length), Some(depth)) => Value::Array(
                (0..length)
                    .map(|_| read_value(stream, depth))
                    .collect::<io::Result<_>>()?,
            ),
            (Ok(_), None) => return Err(strange("arrays nested too deeply")),
            (Err(_), _) => Value::Null,
        },
        _ => return Err(strange(&line)),
    })
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    match line.strip_suffix(b"\r\n") {
        Some(text) => Ok(String::from_utf8_lossy(text).into_owned()),
        None if line.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
        None => Err(strange(&String::from_utf8_lossy(&line))),
    }
}

fn read_bulk(stream: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let wanted = length as u64 + 2;
    if stream.by_ref().take(wanted).read_to_end(&mut bytes)? as u64 != wanted {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    bytes.truncate(length);
    Ok(bytes)
}

fn strange(words: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{words:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Value> {
        read_value(&mut io::Cursor::new(bytes), DEPTH_MAX)
    }

    #[test]
    fn every_kind_of_reply_is_read() {
        let values = read(b"*6\r\n+OK\r\n:-3\r\n$2\r\na\n\r\n$-1\r\n*-1\r\n-ERR no\r\n").unwrap();
        let expected = [
            Value::Status("OK".into()),
            Value::Integer(-3),
            Value::Bulk(b"a\n".to_vec()),
            Value::Null,
            Value::Null,
            Value::Error("ERR no".into()),
        ];
        assert_eq!(values.as_array(), Some(&expected[..]));
    }

    #[test]
    fn what_is_no_reply_is_an_error_and_what_is_cut_is_an_end() {
        assert_eq!(
            read(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        assert_eq!(read(b"").unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(
            read(b"$5\r\nab").unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
        assert_eq!(
            read(&b"*1\r\n".repeat(50)).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }

    #[test]
    fn commands_are_arrays_of_bulk_strings() {
        assert_eq!(
            encode(&[b"GET", b"k\r\n"]),
            b"*2\r\n$3\r\nGET\r\n$3\r\nk\r\n\r\n"
        );
    }
}
