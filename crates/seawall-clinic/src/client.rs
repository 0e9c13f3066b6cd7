//! An application's client: it fails for real, and writes it down in redis-py's words.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seawall_wire::scan::{Scan, Scanner};
use seawall_wire::{Limits, Value, encode};

use crate::bed::now;

/// `socket_timeout`, unless a case says another.
const PATIENCE: Duration = Duration::from_millis(300);

/// The application's log, shared by its clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<String>>);

impl Log {
    /// A line of it, as Python's logging and redis-py's exception make it.
    pub(crate) fn exception(&self, class: &str, words: &str) {
        self.line(&format!("ERROR app redis.exceptions.{class}: {words}"));
    }

    /// The same with a traceback in between, as `logging.exception` writes it.
    fn traceback(&self, class: &str, words: &str, command: &str) {
        let frame = format!(
            "  File \"/app/.venv/lib/python3.12/site-packages/redis/commands/core.py\", line 2633, in {}",
            command.to_lowercase()
        );
        self.line(&format!(
            "ERROR app a call failed\nTraceback (most recent call last):\n{frame}\n    return self.execute_command(\nredis.exceptions.{class}: {words}"
        ));
    }

    /// Any line of it.
    pub(crate) fn line(&self, words: &str) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string does not fail.
        let _ = writeln!(log, "{} {words}", now());
    }

    /// What another process wrote.
    pub(crate) fn append(&self, text: &str) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.push_str(text);
    }

    pub(crate) fn text(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// One connection, dialled when it is needed. A failure is written down, and costs the connection.
pub(crate) struct Client {
    addr: SocketAddr,
    log: Log,
    patience: Duration,
    stream: Option<TcpStream>,
    unread: Vec<u8>,
    /// The command whose reply is waited for.
    asked: String,
}

impl Client {
    pub(crate) fn new(addr: SocketAddr, log: Log) -> Self {
        Self {
            addr,
            log,
            patience: PATIENCE,
            stream: None,
            unread: Vec::new(),
            asked: String::new(),
        }
    }

    /// `socket_timeout` and `socket_connect_timeout`.
    pub(crate) fn patience_ms(mut self, millis: u64) -> Self {
        self.patience = Duration::from_millis(millis);
        self
    }

    /// At another address.
    pub(crate) fn at(mut self, addr: SocketAddr) -> Self {
        self.addr = addr;
        self
    }

    /// A command and its reply; `None` where it failed, which is written down.
    pub(crate) fn call(&mut self, words: &[&str]) -> Option<Value> {
        self.send(&[words]).then(|| self.reply()).flatten()
    }

    /// Commands whose replies nobody reads yet. Whether they were taken.
    pub(crate) fn send(&mut self, commands: &[&[&str]]) -> bool {
        let mut bytes = Vec::new();
        if let [[name, ..]] = commands {
            (*name).clone_into(&mut self.asked);
        }
        for words in commands {
            encode::command(&mut bytes, *words);
        }
        self.send_bytes(&bytes)
    }

    /// Bytes that may be no command.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        if !self.connect() {
            return false;
        }
        let Some(stream) = &mut self.stream else {
            return false;
        };
        match stream.write_all(bytes) {
            Ok(()) => true,
            Err(error) => self.failed(&error, Doing::Writing),
        }
    }

    /// The next reply.
    pub(crate) fn reply(&mut self) -> Option<Value> {
        match self.read() {
            Ok(Value::Error(error)) => {
                self.refused(&error.message);
                None
            }
            Ok(value) => Some(value),
            Err(error) => {
                self.failed(&error, Doing::Reading);
                None
            }
        }
    }

    /// Waits for the other side of a handshake. Where it does not come, redis-py says that it could not connect.
    pub(crate) fn await_handshake(&mut self) {
        if let Err(error) = self.read() {
            self.failed(&error, Doing::Connecting);
        }
    }

    /// Waits until the server has closed the connection; what it still sent goes to nobody.
    pub(crate) fn read_to_its_end(&mut self) {
        while self.stream.is_some() {
            self.reply();
        }
    }

    /// Dials, if there is no connection.
    pub(crate) fn connect(&mut self) -> bool {
        if self.stream.is_some() {
            return true;
        }
        self.unread.clear();
        let dialled = TcpStream::connect_timeout(&self.addr, self.patience).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(self.patience))?;
            stream.set_write_timeout(Some(self.patience))?;
            Ok(stream)
        });
        match dialled {
            Ok(stream) => {
                self.stream = Some(stream);
                true
            }
            Err(error) => self.failed(&error, Doing::Connecting),
        }
    }

    /// Ends the connection.
    pub(crate) fn hang_up(&mut self) {
        self.stream = None;
    }

    fn read(&mut self) -> io::Result<Value> {
        let Some(stream) = &mut self.stream else {
            return Err(ErrorKind::NotConnected.into());
        };
        let limits = Limits::default();
        let mut scanner = Scanner::new(limits);
        loop {
            match scanner.scan(&self.unread).map_err(io::Error::other)? {
                Scan::Complete { len, .. } => {
                    let frame: Vec<u8> = self.unread.drain(..len).collect();
                    let (value, _) = Value::decode(&frame, &limits).map_err(io::Error::other)?;
                    return Ok(value);
                }
                Scan::Partial { .. } => {
                    let mut chunk = [0; 16 * 1024];
                    match stream.read(&mut chunk)? {
                        0 => return Err(ErrorKind::UnexpectedEof.into()),
                        count => self.unread.extend_from_slice(&chunk[..count]),
                    }
                }
            }
        }
    }

    /// What redis-py 8 makes of a socket's failure. Always false.
    fn failed(&mut self, error: &io::Error, doing: Doing) -> bool {
        self.stream = None;
        let (addr, errno) = (self.addr, error.raw_os_error().unwrap_or(0));
        let late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        let text = os_text(error);
        let (class, words) = match doing {
            Doing::Connecting if late => {
                ("TimeoutError", "Timeout connecting to server".to_owned())
            }
            Doing::Connecting => (
                "ConnectionError",
                format!("Error {errno} connecting to {addr}. {text}."),
            ),
            Doing::Writing if late => ("TimeoutError", "Timeout writing to socket".to_owned()),
            Doing::Writing => (
                "ConnectionError",
                format!("Error {errno} while writing to socket. {text}."),
            ),
            Doing::Reading if late => ("TimeoutError", "Timeout reading from socket".to_owned()),
            Doing::Reading if error.kind() == ErrorKind::UnexpectedEof => {
                ("ConnectionError", "Connection closed by server.".to_owned())
            }
            Doing::Reading => (
                "ConnectionError",
                format!("Error while reading from {addr} : ({errno}, '{text}')"),
            ),
        };
        if matches!(doing, Doing::Reading) && late && !self.asked.is_empty() {
            self.log.traceback(class, &words, &self.asked);
        } else {
            self.log.exception(class, &words);
        }
        false
    }

    /// What redis-py 8 makes of a server's refusal: it leaves the first word out where it has a class for it.
    fn refused(&mut self, message: &str) {
        let (word, rest) = message.split_once(' ').unwrap_or((message, ""));
        let class = match word {
            "LOADING" => "BusyLoadingError",
            "READONLY" => "ReadOnlyError",
            "OOM" => "OutOfMemoryError",
            "WRONGPASS" | "NOAUTH" => "AuthenticationError",
            "NOPERM" => "NoPermissionError",
            "CLUSTERDOWN" => "ClusterDownError",
            "ERR" if rest == "max number of clients reached" => "ConnectionError",
            "ERR" => "ResponseError",
            _ => return self.log.exception("ResponseError", message),
        };
        self.log.exception(class, rest);
    }
}

#[derive(Clone, Copy)]
enum Doing {
    Connecting,
    Writing,
    Reading,
}

/// `Connection refused`, without the number that Rust puts behind it.
fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_owned()
}
