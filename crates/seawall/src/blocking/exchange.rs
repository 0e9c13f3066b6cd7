//! One attempt on one connection: write, read, wait until.

use std::io;
use std::time::Duration;

use seawall_model::{Cause, Close, Moment, Provenance};
use seawall_wire::error::ServerError;

use super::ground::{self, Ground, Interest, Interrupted};
use super::park::Acquired;
use crate::clock;
use crate::error::Error;
use crate::link::call::{Again, Call};
use crate::link::connection::{Incoming, Loss};
use crate::link::ledger::{Ledger, Lent};
use crate::link::live::{Live, Step, wire_cause};
use crate::link::sink::{self, Sink};
use crate::net::stream::close_of;

/// While a reply is overdue, how often the thread looks up from its socket to see what the probe found.
const GLANCE: Duration = Duration::from_millis(10);

/// How often a wait without an end looks whether the endpoint has gone down.
const GLANCE_FOREVER: Duration = Duration::from_millis(100);

/// How long a call waits for the reason of its loss. A healthy server answers in one; without an answer the call goes
/// on as if there were no reason.
const EXAMINE_MAX: Duration = Duration::from_millis(100);

/// A write of more bytes than this takes long enough to look at the clock again after it. Less is copied within
/// microseconds.
const LARGE: u64 = 64 * 1024;

/// How an attempt ended, other than well.
enum End {
    /// The connection ended, or was found broken.
    Lost(Loss),
    /// It kept silent while a fresh one is answered, and the call may go elsewhere.
    Left { loss: Loss, at: Moment },
    /// The deadline came.
    Late,
    /// The endpoint went down under a wait without an end.
    Down,
    /// The caller's thread was called away.
    Interrupted,
}

impl From<Interrupted> for End {
    fn from(Interrupted: Interrupted) -> Self {
        Self::Interrupted
    }
}

/// How a call was brought to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It was answered.
    Answered,
    /// It was not sent: none is free for it alone, and there is one that many share.
    Shared,
}

/// Sends what `pack` writes on connection after connection until `replies` replies are in `sink` or the call is over.
///
/// `pack` is told how many replies were taken already and packs the rest, one request a reply.
pub(super) fn drive(
    call: &mut Call<'_>,
    ground: Option<&dyn Ground>,
    replies: usize,
    sink: &mut impl Sink,
    pack: &dyn Fn(&mut Live, usize, Moment),
) -> Result<Way, Error> {
    loop {
        let Acquired::Own(mut lent, now) = super::park::acquire(call, ground)? else {
            return Ok(Way::Shared);
        };
        if let Some(error) = call.overtaken() {
            call.link.give_back(lent.connection, lent.usage);
            return Err(error);
        }
        call.sending();
        sink.restart();
        let from = sink.taken();
        pack(&mut lent.connection, from, now);
        let again = match exchange(call, ground, &mut lent.connection, replies, sink, now) {
            Ok(None) => {
                let reply = call.reply(lent.established, now, sink.shows_writes());
                if call.heard(sink, from, reply) {
                    call.link
                        .answered_astray(lent.connection, lent.usage, reply);
                } else {
                    call.link.answered(lent.connection, lent.usage, reply);
                }
                return Ok(Way::Answered);
            }
            Ok(Some(error)) => match refusal(call, lent, error, now) {
                Some(error) => {
                    sink.refused(&error);
                    return Err(call.answered(error));
                }
                None => Again::At(now),
            },
            Err(end) => {
                let trail = if replies > 1 {
                    lent.connection.state.provenances()
                } else {
                    Vec::new()
                };
                match ended(call, ground, lent, &end) {
                    Again::Fail(error) => Again::Fail(error.with(|report| report.trail = trail)),
                    again @ Again::At(_) => again,
                }
            }
        };
        match again {
            Again::At(at) => ground::sleep(ground, at).map_err(|Interrupted| call.interrupted())?,
            Again::Fail(error) => return Err(error),
        }
    }
}

/// A single command was answered by an error: is it the answer, or the server's own trouble?
fn refusal(
    call: &mut Call<'_>,
    lent: Lent<Box<Live>>,
    error: ServerError,
    sent_at: Moment,
) -> Option<ServerError> {
    let reply = call.reply(lent.established, sent_at, true);
    let said = call.said(error, reply);
    if said.close {
        call.link.part(lent.connection, lent.usage);
    } else {
        call.link.give_back(lent.connection, lent.usage);
    }
    said.answer
}

/// The attempt ended badly: reports the connection's end and asks what comes next.
fn ended(
    call: &mut Call<'_>,
    ground: Option<&dyn Ground>,
    lent: Lent<Box<Live>>,
    end: &End,
) -> Again {
    let now = clock::now();
    let provenance = lent.connection.state.provenance();
    let server = lent.connection.server.clone();
    match *end {
        End::Lost(loss) => {
            let mut loss = loss.with(call.name);
            let connection = lent.connection.id;
            let why = call.link.wants_examination(&loss);
            call.link.bury_untold(lent, &loss);
            let examined = if why {
                examine(call, ground, &mut loss)
            } else {
                Ok(())
            };
            if call.link.is_inherited() {
                return Again::Fail(call.interrupted());
            }
            call.link.tell_lost(connection, &loss);
            match (call.lost(&loss, &server, provenance), examined) {
                (Again::At(_), Err(Interrupted)) => Again::Fail(call.interrupted()),
                (again, _) => again,
            }
        }
        End::Left { loss, at } => {
            let loss = loss.with(call.name);
            call.link.bury_alone(lent, &loss);
            call.left(&loss, &server, provenance);
            Again::At(at)
        }
        End::Late | End::Down => {
            let loss = lent.connection.state.loss(Close::Abandoned, now);
            let loss = loss.with(call.name);
            call.link.bury_alone(lent, &loss);
            Again::Fail(call.timed_out(&loss, &server, provenance))
        }
        End::Interrupted => {
            let loss = lent.connection.state.loss(Close::Abandoned, now);
            let loss = loss.with(call.name);
            call.link.bury_alone(lent, &loss);
            call.left(&loss, &server, provenance);
            Again::Fail(call.interrupted())
        }
    }
}

/// Exchanges bytes until the replies are in. `Some`: the only reply was an error.
fn exchange(
    call: &Call<'_>,
    ground: Option<&dyn Ground>,
    live: &mut Live,
    replies: usize,
    sink: &mut impl Sink,
    began: Moment,
) -> Result<Option<ServerError>, End> {
    let mut silent_since = began;
    let mut asked_at = None;
    let mut last_look = false;
    let mut now = began;
    loop {
        if live.wants_write() {
            let before = live.state.bytes_out();
            if let Err(_error) = live.write_some() {
                let close = ground::last_words(ground, live, now)?;
                return match take(live, replies, sink, now)? {
                    Taken::All => Ok(None),
                    Taken::Refusal(error) => Ok(Some(error)),
                    Taken::Owed => Err(End::Lost(live.state.loss(close, now))),
                };
            }
            // A peer that takes what we write is not silent, however long the value is.
            if live.state.bytes_out() > before {
                silent_since = now;
                asked_at = None;
            }
            if live.state.bytes_out() - before > LARGE {
                now = clock::now();
            }
        }
        let interest = if live.wants_write() {
            Interest::ReadOrWrite
        } else {
            Interest::Read
        };
        let until = next_look(call, silent_since, asked_at, now);
        let before = live.state.bytes_in();
        let (read, at) = read_by(live, ground, interest, now, until)?;
        now = at;
        let ended = match read {
            Ok(Step::Moved | Step::WouldBlock) => None,
            Err(error) => Some(close_of(&error)),
        };
        if live.state.bytes_in() > before {
            silent_since = now;
            asked_at = None;
        }
        match take(live, replies, sink, now)? {
            Taken::All => return Ok(None),
            Taken::Refusal(error) => return Ok(Some(error)),
            Taken::Owed => {}
        }
        if let Some(close) = ended {
            return Err(End::Lost(live.state.loss(close, now)));
        }
        if call.deadline.too_late_to_answer(now) {
            // Where it was this process that stood still (it was stopped, its host was), the reply may be there.
            if last_look || !live.has_news() {
                return Err(End::Late);
            }
            last_look = true;
            continue;
        }
        if now >= call.overdue_at(silent_since) && live.is_draining() {
            silent_since = now;
            asked_at = None;
        }
        if now >= call.overdue_at(silent_since) || call.deadline.ends_when_down() {
            overdue(call, live, &mut asked_at, silent_since, now)?;
        }
    }
}

/// Waits until the socket is ready, no longer than until `until`, and reads once. What time it is then comes back.
fn read_by(
    live: &mut Live,
    ground: Option<&dyn Ground>,
    interest: Interest,
    now: Moment,
    until: Moment,
) -> Result<(io::Result<Step>, Moment), Interrupted> {
    let may_block = ground.is_none_or(Ground::may_block);
    if may_block && interest == Interest::Read && live.is_patient(until.since(now)) {
        let (read, now) = live.read_patiently(clock::now);
        if let (Some(ground), Ok(Step::WouldBlock)) = (ground, &read) {
            ground.look_up()?;
        }
        return Ok((read, now));
    }
    let ready = ground::ready(ground, live.stream.fd(), interest, until)?;
    let now = clock::now();
    let read = if ready {
        live.read_some(now)
    } else {
        Ok(Step::WouldBlock)
    };
    Ok((read, now))
}

/// When the thread must look up from its socket at the latest.
fn next_look(
    call: &Call<'_>,
    silent_since: Moment,
    asked_at: Option<Moment>,
    now: Moment,
) -> Moment {
    let look = if call.deadline.ends_when_down() {
        now + GLANCE_FOREVER
    } else if asked_at.is_some() {
        now + GLANCE
    } else {
        call.overdue_at(silent_since)
    };
    look.min(call.deadline.answer_by())
}

/// The reply is overdue: has the tender ask the endpoint, and acts on what it found.
fn overdue(
    call: &Call<'_>,
    live: &Live,
    asked_at: &mut Option<Moment>,
    silent_since: Moment,
    now: Moment,
) -> Result<(), End> {
    let loss = || live.state.loss(Close::Abandoned, now);
    if call.deadline.ends_when_down() {
        let down = call.link.ledger().health.ends_waits();
        return if down { Err(End::Down) } else { Ok(()) };
    }
    if asked_at.is_none() {
        *asked_at = Some(now);
        let cause = loss().cause;
        call.link
            .decide(|ledger, now| ledger.overdue(now, silent_since, cause));
    }
    // What was sent later has been answered: it is this connection that is silent, not the server.
    let elsewhere = call.link.ledger().served_after(silent_since);
    // Its own reply may have come a moment ago, with the one that was sent later.
    if elsewhere && live.state.provenance() != Provenance::Replying && !live.has_news() {
        let loss = loss();
        if let Some(at) = call.may_leave(now, live.state.provenance(), loss.cause) {
            return Err(End::Left { loss, at });
        }
    }
    Ok(())
}

/// What the replies that came amount to.
enum Taken {
    /// More are owed.
    Owed,
    /// All that were waited for.
    All,
    /// The only one, and it is an error.
    Refusal(ServerError),
}

/// Takes whole replies.
fn take(live: &mut Live, replies: usize, sink: &mut impl Sink, now: Moment) -> Result<Taken, End> {
    let broken = |live: &Live, cause| {
        End::Lost(Loss {
            cause,
            ..live.state.loss(Close::Ours, now)
        })
    };
    loop {
        let incoming = match live.state.next_incoming() {
            Ok(Some(incoming)) => incoming,
            Ok(None) => return Ok(Taken::Owed),
            Err(error) => return Err(broken(live, wire_cause(&error))),
        };
        match incoming {
            Incoming::Push(_) => live.state.consume(incoming),
            Incoming::Unasked(_) => return Err(broken(live, Cause::ProtocolError)),
            Incoming::Reply(frame) => {
                let bytes = live.state.frame(frame);
                let limits = live.state.limits();
                let taken = match (replies == 1)
                    .then(|| sink::refusal(bytes, limits))
                    .flatten()
                {
                    Some(error) => Ok(Some(error)),
                    None => sink.take_frame(bytes, limits).map(|()| None),
                };
                let refusal = match taken {
                    Ok(refusal) => refusal,
                    Err(error) => return Err(broken(live, wire_cause(&error))),
                };
                live.state.consume(incoming);
                if let Some(error) = refusal {
                    return Ok(Taken::Refusal(error));
                }
                if sink.taken() == replies {
                    return Ok(Taken::All);
                }
            }
        }
    }
}

/// Waits for the tender to find out what the server says of itself, and names the loss anew.
pub(super) fn examine(
    call: &Call<'_>,
    ground: Option<&dyn Ground>,
    loss: &mut Loss,
) -> Result<(), Interrupted> {
    let asked = clock::now();
    let until = call.deadline.cap(asked + EXAMINE_MAX);
    call.link.decide(Ledger::examine);
    let mut waited = Ok(());
    while waited.is_ok() && !call.link.ledger().examined_since(asked) && clock::now() < until {
        waited = ground::sleep(ground, clock::now() + Duration::from_millis(1));
    }
    if waited.is_ok() {
        call.link.ledger().name_anew(asked, loss);
    }
    waited
}

/// The error for a reply that is not of the type that was asked for.
pub(super) fn wrong_type(call: &Call<'_>, wrong: &crate::reply::WrongType, name: &str) -> Error {
    call.note(Error::wrong_type(wrong, name, &call.link.name))
}
