//! The greeting: who are you, here is who we are.

use std::io::{self, ErrorKind};

use seawall_model::{Cause, Moment};
use seawall_wire::{Value, sniff_foreign};

use super::doubt::{Doubt, is_wordless_end};
use super::{Attempt, Moved, Stage, Try};
use crate::link::connection::{Connection, Incoming};
use crate::link::handshake::{DialError, Handshake, Next, Server};
use crate::link::live::{Live, Step, wire_cause};
use crate::link::shared::Link;
use crate::net::stream::{Stream, close_of};
use crate::net::tls::Trouble;

/// How often one greeting is read before others have their turn: a peer may say more than there is time to read.
const ROUNDS_MAX: u32 = 64;

impl Attempt {
    /// Begins to greet on a stream that is ready for it.
    pub(super) fn begin_greeting(
        &self,
        link: &Link,
        stream: Stream,
        at: Try,
        now: Moment,
    ) -> Moved {
        let mut login = link.dialer.login.clone();
        if let Some(identity) = &self.identity {
            login.user.clone_from(&identity.user);
            login.password = Some(identity.password.clone());
        }
        let curiosity = {
            let ledger = link.ledger();
            if ledger.refuses_setinfo() {
                login.leave_library_out();
            }
            ledger.curiosity(self.purpose)
        };
        let (handshake, bytes, replies) = Handshake::start(login, curiosity);
        let mut state = Connection::new(link.dialer.limits, now);
        state.queue(now, replies, |out| out.extend_from_slice(&bytes));
        let live = Live::new(Link::next_id(), stream, state);
        Moved::To(Stage::Greeting {
            live: Box::new(live),
            handshake: Box::new(handshake),
            at,
        })
    }

    /// Exchanges the greeting.
    pub(super) fn greet(
        &mut self,
        link: &Link,
        mut live: Box<Live>,
        mut handshake: Box<Handshake>,
        mut at: Try,
        now: Moment,
    ) -> Moved {
        let mut rounds = 0;
        loop {
            rounds += 1;
            if live.mute.is_none() && live.write_some().is_err() {
                live.fall_mute(now);
            }
            at.until = live.mute.map_or(at.until, |until| until.min(at.until));
            let ended = live.read_some(now);
            let error = match (take_replies(&mut live, &mut handshake, now), ended) {
                (Ok(Some(server)), _) if live.mute.is_none() => {
                    return Moved::Established(live, server, at);
                }
                (Ok(Some(_)), _) => broken_off(&live, &ErrorKind::ConnectionReset.into(), now),
                (Ok(None), Ok(Step::Moved)) if rounds < ROUNDS_MAX => continue,
                (Ok(None), Ok(_)) if now < at.until => {
                    return self.wait(Stage::Greeting {
                        live,
                        handshake,
                        at,
                    });
                }
                (Ok(None), Ok(_)) if live.mute.is_some() => {
                    broken_off(&live, &ErrorKind::ConnectionReset.into(), now)
                }
                (Ok(None), Ok(_)) => silence(&live, at),
                (Ok(None), Err(error)) => broken_off(&live, &error, now),
                (Err(error), _) => error,
            };
            let wordless = live.state.bytes_in() == 0 && is_wordless_end(error.cause);
            let plain = !live.stream.is_layered();
            live.stream.abort();
            if error.cause == Cause::AuthFailed
                && let Some(keys) = &link.dialer.keys
            {
                keys.forget();
            }
            let error = Self::placed(link, at, error);
            if wordless
                && plain
                && self.may_doubt
                && let Some(doubt) = Doubt::of_plain(at, &error)
            {
                return Moved::To(Stage::Doubting { doubt, at });
            }
            return self.elsewhere(link, at, error, now);
        }
    }
}

fn silence(live: &Live, at: Try) -> DialError {
    let ms = at.until.since(at.began).as_millis();
    let detail = format!(
        "connected, but the greeting was not answered in {ms} ms ({} bytes came)",
        live.state.bytes_in()
    );
    DialError::new(Cause::ServerUnresponsive, detail)
}

fn broken_off(live: &Live, error: &io::Error, now: Moment) -> DialError {
    if let Some(Trouble { cause, detail }) = Trouble::of(error) {
        // A server refuses our certificate only after our side of the handshake is done.
        return DialError::new(cause, detail);
    }
    let loss = live.state.loss(close_of(error), now);
    let detail = format!(
        "{} during the greeting, after {} bytes",
        loss.close, loss.bytes_in
    );
    DialError::new(loss.cause, detail)
}

/// Feeds the greeting's replies; `Some` once the connection may carry calls.
fn take_replies(
    live: &mut Live,
    handshake: &mut Handshake,
    now: Moment,
) -> Result<Option<Server>, DialError> {
    loop {
        let foreign = sniff_foreign(live.state.unread());
        let incoming = match live.state.next_incoming() {
            Ok(None) if foreign.is_none() => return Ok(None),
            Ok(Some(incoming)) if foreign.is_none() => incoming,
            Err(error) if foreign.is_none() => {
                return Err(DialError::new(wire_cause(&error), error.to_string()));
            }
            _ => {
                let what = foreign
                    .map(|foreign| foreign.to_string())
                    .unwrap_or_default();
                return Err(DialError::new(
                    Cause::NotRedis,
                    format!("what answers there is {what}"),
                ));
            }
        };
        match incoming {
            Incoming::Push(_) => live.state.consume(incoming),
            Incoming::Reply(frame) | Incoming::Unasked(frame) => {
                let (value, _) = Value::decode(live.state.frame(frame), live.state.limits())
                    .map_err(|error| DialError::new(wire_cause(&error), error.to_string()))?;
                live.state.consume(incoming);
                match handshake.handle(value)? {
                    Next::Await => {}
                    Next::Fallback { bytes, replies } => {
                        live.state
                            .queue(now, replies, |out| out.extend_from_slice(&bytes));
                    }
                    Next::Ready(server) => return Ok(Some(server)),
                }
            }
        }
    }
}
