//! TLS over a socket whose every wait has an end.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{AlertDescription as Alert, CertificateError, ClientConnection, Error};
use seawall_wire::{Foreign, sniff_foreign};

use super::conversation::WORDLESS;
use super::dial::Wire;
use super::trust::Plan;
use crate::facts::{Reach, TlsTrouble, span};

/// The first bytes that a peer sent, kept to recognise one that speaks no TLS.
const OPENING_MAX: usize = 128;

/// A TLS session and its socket.
pub(super) struct TlsWire {
    socket: TcpStream,
    session: ClientConnection,
    opening: Vec<u8>,
    until: Instant,
}

/// How a handshake failed.
#[derive(Debug)]
pub(super) enum Unsecured {
    /// Nothing came, or not enough.
    Silent,
    /// The connection ended, or what came was no TLS.
    Failed(Reach),
}

impl TlsWire {
    /// Agrees on TLS, by the end of `until`.
    pub(super) fn secure(
        socket: TcpStream,
        plan: &Plan,
        until: Instant,
    ) -> Result<Self, Unsecured> {
        let session = ClientConnection::new(Arc::clone(&plan.config), plan.name.clone());
        let session = session
            .map_err(|error| Unsecured::Failed(Reach::Tls(TlsTrouble::Other(error.to_string()))))?;
        let mut wire = Self {
            socket,
            session,
            opening: Vec::new(),
            until,
        };
        while wire.session.is_handshaking() {
            if let Err(error) = wire.flush().and_then(|()| wire.receive()) {
                return Err(wire.unsecured(&error));
            }
        }
        match wire.flush() {
            Ok(()) => Ok(wire),
            Err(error) => Err(wire.unsecured(&error)),
        }
    }

    fn unsecured(&self, error: &io::Error) -> Unsecured {
        if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
            return Unsecured::Silent;
        }
        Unsecured::Failed(match sniff_foreign(&self.opening) {
            Some(foreign) if foreign != Foreign::Tls => Reach::NotRedis(foreign.to_string()),
            // Every reply of Redis's begins with a character above 0x20, every record of TLS with one far below.
            _ if self.opening.first().is_some_and(|first| *first >= 0x20) => {
                Reach::Tls(TlsTrouble::PlainPort)
            }
            _ => match trouble(error) {
                Some(trouble) => Reach::Tls(trouble),
                None => Reach::TurnedAway(format!("{WORDLESS} ({})", error.kind())),
            },
        })
    }

    /// Whether what came at first was TLS.
    fn is_tls(&self) -> bool {
        sniff_foreign(&self.opening) == Some(Foreign::Tls)
    }

    fn receive(&mut self) -> io::Result<()> {
        self.patience()?;
        let mut chunk = [0; 16 * 1024];
        let count = self.socket.read(&mut chunk)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut came = &chunk[..count];
        let room = OPENING_MAX.saturating_sub(self.opening.len());
        self.opening.extend_from_slice(&came[..count.min(room)]);
        while !came.is_empty() {
            self.session.read_tls(&mut came)?;
            let processed = self.session.process_new_packets();
            if let Err(error) = processed {
                // The peer is told why, as far as the socket takes it.
                let _ = self.flush();
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
        }
        Ok(())
    }

    fn patience(&self) -> io::Result<()> {
        let rest = self.until.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.socket.set_read_timeout(Some(rest))?;
        self.socket.set_write_timeout(Some(rest))
    }
}

impl Read for TlsWire {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Servers do not always say that they close.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            match self.receive() {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => other?,
            }
            self.flush()?;
        }
    }
}

impl Write for TlsWire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.session.writer().write(bytes)?;
        self.flush()?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.patience()?;
            self.session.write_tls(&mut self.socket)?;
        }
        Ok(())
    }
}

impl Wire for TlsWire {
    fn wait(&mut self, span: Duration) -> io::Result<()> {
        self.until = Instant::now() + span;
        Ok(())
    }
}

/// Whether a port answers the first words of TLS in TLS.
pub(super) fn speaks_tls(socket: TcpStream, host: &str, until: Instant) -> bool {
    let Some(plan) = Plan::to_anybody(host) else {
        return false;
    };
    let Ok(session) = ClientConnection::new(Arc::clone(&plan.config), plan.name) else {
        return false;
    };
    let mut wire = TlsWire {
        socket,
        session,
        opening: Vec::new(),
        until,
    };
    let _ = wire.flush().and_then(|()| wire.receive());
    wire.is_tls()
}

/// What is wrong, where the session says so; `None` where it is the socket's own trouble.
pub(super) fn trouble(error: &io::Error) -> Option<TlsTrouble> {
    let error: &Error = error.get_ref()?.downcast_ref()?;
    Some(match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::NoCertificatesPresented => TlsTrouble::Certificate("there is none".to_owned()),
        Error::AlertReceived(alert) => of_alert(*alert),
        other => TlsTrouble::Other(other.to_string()),
    })
}

fn of_certificate(error: &CertificateError) -> TlsTrouble {
    use CertificateError as E;
    match error {
        E::UnknownIssuer | E::BadSignature => TlsTrouble::UnknownAuthority,
        E::ExpiredContext { time, not_after } => {
            let ago = time.as_secs().saturating_sub(not_after.as_secs());
            TlsTrouble::OutOfDate(format!("expired {} ago", span(ago)))
        }
        E::Expired => TlsTrouble::OutOfDate("expired".to_owned()),
        E::NotValidYetContext { time, not_before } => {
            let ahead = not_before.as_secs().saturating_sub(time.as_secs());
            TlsTrouble::OutOfDate(format!("is not valid before {} from now", span(ahead)))
        }
        E::NotValidYet => TlsTrouble::OutOfDate("is not valid yet".to_owned()),
        E::NotValidForNameContext {
            expected,
            presented,
        } => {
            let names: Vec<_> = presented.iter().map(|name| bare(name)).collect();
            let names = if names.is_empty() {
                "no host at all".to_owned()
            } else {
                names.join(", ")
            };
            TlsTrouble::WrongName(format!("{names}, not for {}", expected.to_str()))
        }
        E::NotValidForName => TlsTrouble::WrongName("another name".to_owned()),
        other => TlsTrouble::Certificate(other.to_string()),
    }
}

/// `DnsName("a.example")` without the words in which rustls wraps it.
fn bare(name: &str) -> &str {
    let inside = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(name).trim_matches('"')
}

fn of_alert(alert: Alert) -> TlsTrouble {
    match alert {
        Alert::CertificateRequired | Alert::NoCertificate => TlsTrouble::OursMissing,
        Alert::UnknownCA
        | Alert::DecryptError
        | Alert::CertificateExpired
        | Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateUnknown
        | Alert::AccessDenied => TlsTrouble::OursRefused(format!("{alert:?}")),
        Alert::ProtocolVersion => TlsTrouble::Other(
            "the server takes neither TLS 1.2 nor 1.3 (tls-protocols of its settings)".to_owned(),
        ),
        other => TlsTrouble::Other(format!("the server gave up with the alert {other:?}")),
    }
}
