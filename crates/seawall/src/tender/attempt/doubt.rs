//! The doubt whether a port speaks what the URL says: TLS, or not.
//!
//! A plain Redis port does not answer a TLS greeting: it holds it for a request whose end has not come. A TLS port of
//! Redis resets a plain greeting without a word. Both look like a server in trouble, and are cured only by another
//! URL. So, as long as no connection ever came about, a port that came to a wordless end is asked once in the other
//! manner, and without a secret.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use seawall_model::{Cause, Moment};

use super::reach::connect_plainly;
use super::{Attempt, Moved, Stage, Try};
use crate::link::handshake::DialError;
use crate::link::shared::Link;
use crate::net::tls::{self, Trouble};

/// What is asked without TLS. Any Redis answers it, if only by a refusal.
const PING: &[u8] = b"PING\r\n";

/// A connection made to find out why another one came to nothing.
pub(super) struct Doubt {
    socket: TcpStream,
    question: Vec<u8>,
    asked: Asked,
    /// What an answer means.
    judge: fn(&[u8]) -> Option<Trouble>,
    /// How the attempt fails if nothing better is found out.
    otherwise: DialError,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    NotYet,
    Yes,
}

impl Doubt {
    /// TLS was spoken, and not a byte came: is it a port without TLS?
    pub(super) fn of_tls(at: Try, otherwise: &DialError) -> Option<Self> {
        Self::begin(at, PING.to_vec(), Trouble::of_opening, otherwise)
    }

    /// A plain greeting was closed, and not a byte came: is it a port with TLS?
    pub(super) fn of_plain(at: Try, otherwise: &DialError) -> Option<Self> {
        Self::begin(at, tls::greeting()?, Trouble::of_tls_port, otherwise)
    }

    fn begin(
        at: Try,
        question: Vec<u8>,
        judge: fn(&[u8]) -> Option<Trouble>,
        otherwise: &DialError,
    ) -> Option<Self> {
        let socket = connect_plainly(at.address?).ok()?.into();
        Some(Self {
            socket,
            question,
            asked: Asked::NotYet,
            judge,
            otherwise: otherwise.clone(),
        })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(super) fn has_asked(&self) -> bool {
        self.asked == Asked::Yes
    }

    /// Asks and listens. `None`: nothing has come yet. An error: the connection tells nothing.
    fn ask(&mut self) -> io::Result<Option<Trouble>> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        if self.asked == Asked::NotYet {
            match self.socket.write(&self.question) {
                // Less than a packet into an empty buffer: the kernel takes all of it.
                Ok(_) => self.asked = Asked::Yes,
                Err(error) if is_pending(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let mut answer = [0; 256];
        match self.socket.read(&mut answer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => (self.judge)(&answer[..n])
                .map(Some)
                .ok_or_else(|| io::ErrorKind::InvalidData.into()),
            Err(error) if is_pending(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Attempt {
    /// Moves the doubt on.
    pub(super) fn doubt(&mut self, link: &Link, mut doubt: Doubt, at: Try, now: Moment) -> Moved {
        self.may_doubt = false;
        let error = match doubt.ask() {
            Ok(Some(Trouble { cause, detail })) => {
                Self::placed(link, at, DialError::new(cause, detail))
            }
            Ok(None) if now < at.until => return self.wait(Stage::Doubting { doubt, at }),
            // The other manner does no better: what was seen stays as it was.
            Ok(None) | Err(_) => doubt.otherwise,
        };
        self.elsewhere(link, at, error, now)
    }
}

/// Whether an attempt that ended in this way, without a byte from the peer, is one to doubt.
pub(super) fn is_wordless_end(cause: Cause) -> bool {
    matches!(cause, Cause::ClosedByServer | Cause::ConnectionReset)
}

/// Not connected yet, or nothing to read yet.
fn is_pending(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected | io::ErrorKind::Interrupted
    )
}
