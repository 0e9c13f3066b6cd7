//! TLS: the handshake.

use std::io;

use seawall_model::{Cause, Close, Moment};

use super::doubt::Doubt;
use super::{Attempt, Moved, Stage, Try};
use crate::link::handshake::DialError;
use crate::link::shared::Link;
use crate::net::stream::{Stream, close_of};
use crate::net::tls::{Secured, TlsStream, Trouble};

/// The part of a try that is kept for the doubt: a plain Redis answers within a round trip.
const DOUBT_SHARE: u32 = 4;

impl Attempt {
    /// How long a handshake is waited for. One that has not begun ends earlier where there is a doubt to be asked.
    pub(super) fn patience(&self, stream: &TlsStream, at: Try) -> Moment {
        if self.may_doubt && stream.opening().is_empty() {
            at.until.before(at.until.since(at.began) / DOUBT_SHARE)
        } else {
            at.until
        }
    }

    /// Moves the TLS handshake on.
    pub(super) fn secure(
        &mut self,
        link: &Link,
        mut stream: Box<TlsStream>,
        at: Try,
        now: Moment,
    ) -> Moved {
        let error = match stream.secure() {
            Ok(Secured::Yes) => {
                return self.begin_greeting(link, Stream::Tls(stream), at, now);
            }
            Ok(Secured::NotYet) if now < self.patience(&stream, at) => {
                return self.wait(Stage::Securing { stream, at });
            }
            Ok(Secured::NotYet) => silence(&stream, at, now),
            Err(error) => broken_off(&stream, &error),
        };
        let wordless = stream.opening().is_empty();
        stream.abort();
        let error = Self::placed(link, at, error);
        if wordless
            && self.may_doubt
            && let Some(doubt) = Doubt::of_tls(at, &error)
        {
            return Moved::To(Stage::Doubting { doubt, at });
        }
        self.elsewhere(link, at, error, now)
    }
}

/// Nothing, or not enough, came in answer to the greeting of TLS.
fn silence(stream: &TlsStream, at: Try, now: Moment) -> DialError {
    let ms = now.since(at.began).as_millis();
    let what = if stream.opening().is_empty() {
        "nothing came"
    } else {
        "it began, and broke off"
    };
    let detail = format!("connected, but the TLS handshake did not end in {ms} ms ({what})");
    DialError::new(Cause::ServerUnresponsive, detail)
}

/// The handshake ended badly: by what the peer is, by a certificate, or with the connection.
fn broken_off(stream: &TlsStream, error: &io::Error) -> DialError {
    if let Some(Trouble { cause, detail }) =
        Trouble::of_opening(stream.opening()).or_else(|| Trouble::of(error))
    {
        return DialError::new(cause, detail);
    }
    let close = close_of(error);
    let cause = match close {
        Close::Fin => Cause::ClosedByServer,
        _ => Cause::ConnectionReset,
    };
    // Redis has no words for this: under TLS, it closes at maxclients before the handshake.
    let detail = format!("{close} during the TLS handshake; a server at maxclients does so");
    DialError::new(cause, detail)
}
