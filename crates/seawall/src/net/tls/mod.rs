//! TLS over a non-blocking TCP socket.
//!
//! rustls keeps the session and touches no socket; what goes to the kernel passes through a buffer of our own, so that
//! we know which records the kernel took whole. A request whose last byte lies in a record that it did not take whole
//! can never be decrypted at the other end: that is what [`write`](TlsStream::write) counts by.

mod setup;
#[cfg(test)]
mod tests;
mod track;
mod trouble;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use rustls::ClientConnection;

pub(crate) use setup::{TlsLine, TlsPlan, greeting};
use track::Track;
pub(crate) use trouble::Trouble;

/// Plain bytes in one record, the most that TLS allows.
const RECORD_PLAIN: usize = 16 * 1024;

/// Plain bytes that are sealed ahead of the kernel. Four full records to a system call; more would only be memory held
/// for a peer that does not read.
const CHUNK_PLAIN: usize = 4 * RECORD_PLAIN;

/// A buffer that grew above this is given back once it is empty.
const KEEP_MAX: usize = 20 * 1024;

/// The first bytes that a peer sent, kept to recognise one that speaks no TLS.
const OPENING_MAX: usize = 128;

/// A TLS session and its socket.
pub(crate) struct TlsStream {
    socket: TcpStream,
    session: ClientConnection,
    /// Records on their way to the kernel.
    sealed: Vec<u8>,
    /// Bytes of `sealed` that the kernel took.
    taken: usize,
    /// Records of the caller's bytes in `sealed`, in order; others (handshake, alerts, key updates) lie between.
    records: VecDeque<Record>,
    /// Decrypted bytes that nobody has read.
    unread: usize,
    track: Track,
    opening: Vec<u8>,
    failed: Option<rustls::Error>,
    /// The socket's own error, by its errno: the kernel tells it once, and readers may ask again.
    broken: Option<i32>,
    write_failed: Option<io::Error>,
}

/// One record of the caller's bytes.
#[derive(Debug)]
struct Record {
    /// Where it ends in the buffer.
    end: usize,
    /// Plain bytes in it.
    plain: usize,
}

/// Whether the handshake goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Secured {
    Yes,
    NotYet,
}

impl TlsStream {
    /// A session that has not said anything yet; [`secure`](Self::secure) begins it.
    pub(crate) fn new(socket: TcpStream, line: &TlsLine) -> Result<Self, rustls::Error> {
        Ok(Self {
            socket,
            session: line.session()?,
            sealed: Vec::with_capacity(1024),
            taken: 0,
            records: VecDeque::new(),
            unread: 0,
            track: Track::default(),
            opening: Vec::new(),
            failed: None,
            broken: None,
            write_failed: None,
        })
    }

    /// Moves the handshake on as far as it goes without waiting.
    ///
    /// Our last words of it may still wait to be sent: they leave with the first write.
    pub(crate) fn secure(&mut self) -> io::Result<Secured> {
        loop {
            self.collect();
            if !self.session.is_handshaking() {
                return Ok(Secured::Yes);
            }
            let blocked = match self.flush() {
                Err(error) if error.kind() != ErrorKind::WouldBlock => Some(error),
                _ => None,
            };
            match self.receive() {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return blocked.map_or(Ok(Secured::NotYet), Err);
                }
                Err(error) => return Err(error),
            }
            if let Some(error) = self.failed.clone() {
                // The peer is told why, as far as the socket takes it.
                let _ = self.flush();
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
        }
    }

    /// The first bytes that the peer sent.
    pub(crate) fn opening(&self) -> &[u8] {
        &self.opening
    }

    /// Seals and writes; says how many of `bytes` lie in records that the kernel took whole.
    ///
    /// The caller passes everything from its first byte that was not counted: what lies sealed already is not sealed
    /// again. At most one chunk is sealed ahead of the kernel.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(error) = self.write_failed.take() {
            return Err(error);
        }
        let mut accepted = 0;
        loop {
            if self.records.is_empty() {
                self.seal(&bytes[accepted..])?;
            }
            let flushed = self.flush();
            accepted += self.settle();
            match flushed {
                Ok(()) if accepted == bytes.len() => {
                    self.slim();
                    return Ok(accepted);
                }
                Ok(()) => {}
                Err(error) if accepted == 0 => return Err(error),
                Err(error) => {
                    if error.kind() != ErrorKind::WouldBlock {
                        self.write_failed = Some(error);
                    }
                    return Ok(accepted);
                }
            }
        }
    }

    /// Writes what lies sealed: also what the session itself has to say.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while self.taken < self.sealed.len() {
            match self.socket.write(&self.sealed[self.taken..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.taken += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether something lies sealed that the kernel has not taken.
    pub(crate) fn wants_write(&self) -> bool {
        self.taken < self.sealed.len()
    }

    /// Reads decrypted bytes; 0 is the peer's end, with `close_notify` or without: servers do not always send it, and
    /// whoever reads frames knows whether one was cut off.
    ///
    /// What it has decrypted and not handed out ([`has_unread`](Self::has_unread)) no socket announces: read on until
    /// there is none before waiting for the socket.
    pub(crate) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(room) {
                Ok(n) => {
                    self.unread = self.unread.saturating_sub(n);
                    return Ok(n);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
            }
            if let Some(error) = self.failed.clone() {
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
            self.receive()?;
            self.collect();
            if self.wants_write()
                && let Err(error) = self.flush()
                && error.kind() != ErrorKind::WouldBlock
            {
                // Not the reader's trouble: what came can still be read.
                self.write_failed = Some(error);
            }
        }
    }

    /// Whether decrypted bytes wait to be read.
    pub(crate) fn has_unread(&self) -> bool {
        self.unread > 0
    }

    /// Bytes that came of a record whose end did not.
    pub(crate) fn unfinished(&self) -> usize {
        self.track.unfinished()
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Ends the session in order: the peer is told (`close_notify`), as far as the socket takes it now.
    pub(crate) fn close(mut self) {
        self.session.send_close_notify();
        self.collect();
        let _ = self.flush();
    }

    /// Abandons the connection without a word: see [`Stream::abort`](super::stream::Stream::abort).
    pub(crate) fn abort(self) {
        super::stream::reset(&self.socket);
    }

    /// Reads the socket once, and decrypts.
    fn receive(&mut self) -> io::Result<usize> {
        if let Some(errno) = self.broken {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let mut tap = Tap {
            socket: &mut self.socket,
            track: &mut self.track,
            opening: self.session.is_handshaking().then_some(&mut self.opening),
        };
        let came = loop {
            match self.session.read_tls(&mut tap) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    if error.kind() != ErrorKind::WouldBlock {
                        self.broken = error.raw_os_error();
                    }
                    return Err(error);
                }
                Ok(came) => break came,
            }
        };
        let over = match self.session.process_new_packets() {
            Ok(state) => {
                self.unread = state.plaintext_bytes_to_read();
                state.peer_has_closed()
            }
            // What was decrypted before can still be read: the peer's last words.
            Err(error) => {
                self.failed = Some(error);
                true
            }
        };
        if over {
            // Nothing more is read from the socket: whoever waits for it is to find that out at once.
            let _ = self.socket.shutdown(Shutdown::Read);
        }
        Ok(came)
    }

    /// Seals the first chunk of `bytes`, one record after the other.
    fn seal(&mut self, bytes: &[u8]) -> io::Result<()> {
        let chunk = &bytes[..bytes.len().min(CHUNK_PLAIN)];
        for piece in chunk.chunks(RECORD_PLAIN) {
            let plain = self.session.writer().write(piece)?;
            if plain == 0 {
                return Err(ErrorKind::BrokenPipe.into());
            }
            self.collect();
            self.records.push_back(Record {
                end: self.sealed.len(),
                plain,
            });
            if plain < piece.len() {
                break;
            }
        }
        Ok(())
    }

    /// Moves what the session has to say behind what lies sealed already.
    fn collect(&mut self) {
        if self.taken == self.sealed.len() && self.records.is_empty() {
            self.sealed.clear();
            self.taken = 0;
        }
        while self.session.wants_write() {
            // A vector takes everything.
            let _ = self.session.write_tls(&mut self.sealed);
        }
    }

    /// Counts the plain bytes of the records that the kernel took whole, each once.
    fn settle(&mut self) -> usize {
        let mut plain = 0;
        while self
            .records
            .front()
            .is_some_and(|record| record.end <= self.taken)
        {
            plain += self.records.pop_front().map_or(0, |record| record.plain);
        }
        plain
    }

    fn slim(&mut self) {
        if self.sealed.capacity() > KEEP_MAX && !self.wants_write() && self.records.is_empty() {
            self.sealed = Vec::with_capacity(1024);
            self.taken = 0;
        }
    }
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

/// Reads the socket for rustls, and takes note.
struct Tap<'a> {
    socket: &'a mut TcpStream,
    track: &'a mut Track,
    opening: Option<&'a mut Vec<u8>>,
}

impl Read for Tap<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let n = self.socket.read(room)?;
        self.track.came(&room[..n]);
        if let Some(opening) = &mut self.opening {
            let space = OPENING_MAX - opening.len().min(OPENING_MAX);
            opening.extend_from_slice(&room[..n.min(space)]);
        }
        Ok(n)
    }
}
