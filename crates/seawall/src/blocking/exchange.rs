//! One attempt on one connection: write, read, wait until.

use std::io;
use std::time::Duration;

use seawall_model::{Cause, Close, Moment, Provenance};
use seawall_policy::health::State;
use seawall_wire::Value;
use seawall_wire::error::ServerError;

use crate::clock;
use crate::error::Error;
use crate::link::call::{Again, Call};
use crate::link::connection::{Incoming, Loss};
use crate::link::ledger::{Ledger, Lent};
use crate::link::live::{Live, Step, wire_cause};
use crate::link::sink::Sink;
use crate::net::stream::close_of;
use crate::net::wait::{self, Interest};

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
}

/// Sends what `pack` writes on connection after connection until `replies` replies are in `sink` or the call is over.
///
/// `pack` is told how many replies were taken already and packs the rest, one request a reply.
pub(super) fn drive(
    call: &mut Call<'_>,
    replies: usize,
    sink: &mut impl Sink,
    pack: &dyn Fn(&mut Live, usize, Moment),
) -> Result<(), Error> {
    loop {
        let (mut lent, now) = super::park::acquire(call)?;
        if let Some(error) = call.overtaken() {
            call.link.give_back(lent.connection, lent.usage);
            return Err(error);
        }
        call.sending();
        sink.restart();
        pack(&mut lent.connection, sink.taken(), now);
        let again = match exchange(call, &mut lent.connection, replies, sink, now) {
            Ok(None) => {
                let reply = call.reply(lent.established, now, sink.shows_writes());
                call.link.answered(lent.connection, lent.usage, reply);
                return Ok(());
            }
            Ok(Some(error)) => match refusal(call, lent, error, now) {
                Some(error) => return Err(call.answered(error)),
                None => Again::At(now),
            },
            Err(end) => {
                let trail = if replies > 1 {
                    lent.connection.state.provenances()
                } else {
                    Vec::new()
                };
                match ended(call, lent, &end) {
                    Again::Fail(error) => Again::Fail(error.with(|report| report.trail = trail)),
                    again @ Again::At(_) => again,
                }
            }
        };
        match again {
            Again::At(at) => sleep_until(at),
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
        let usage = lent.usage;
        drop(lent);
        call.link.decide(|ledger, now| ledger.dropped(now, usage));
    } else {
        call.link.give_back(lent.connection, lent.usage);
    }
    said.answer
}

/// The attempt ended badly: reports the connection's end and asks what comes next.
fn ended(call: &mut Call<'_>, lent: Lent<Box<Live>>, end: &End) -> Again {
    let now = clock::now();
    let provenance = lent.connection.state.provenance();
    let server = lent.connection.server.clone();
    match *end {
        End::Lost(loss) => {
            let mut loss = loss.with(call.name);
            let connection = lent.connection.id;
            let why = call.link.wants_examination(&loss);
            call.link.bury_untold(lent, &loss);
            if why {
                examine(call, &mut loss);
            }
            call.link.tell_lost(connection, &loss);
            call.lost(&loss, &server, provenance)
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
    }
}

/// Exchanges bytes until the replies are in. `Some`: the only reply was an error.
fn exchange(
    call: &Call<'_>,
    live: &mut Live,
    replies: usize,
    sink: &mut impl Sink,
    began: Moment,
) -> Result<Option<ServerError>, End> {
    let mut silent_since = began;
    let mut asked_at = None;
    let mut now = began;
    loop {
        if live.wants_write() {
            let before = live.state.bytes_out();
            if let Err(_error) = live.write_some() {
                let close = live.read_last_words(now);
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
        let (read, at) = read_by(live, interest, now, until);
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
            return Err(End::Late);
        }
        if now >= call.overdue_at(silent_since) || call.deadline.ends_when_down() {
            overdue(call, live, &mut asked_at, silent_since, now)?;
        }
    }
}

/// Waits until the socket is ready, no longer than until `until`, and reads once. What time it is then comes back.
fn read_by(
    live: &mut Live,
    interest: Interest,
    now: Moment,
    until: Moment,
) -> (io::Result<Step>, Moment) {
    if interest == Interest::Read && live.is_patient(until.since(now)) {
        return live.read_patiently(clock::now);
    }
    let ready = wait::ready_at(live.stream.fd(), interest, now, until).unwrap_or(true);
    let now = clock::now();
    let read = if ready {
        live.read_some(now)
    } else {
        Ok(Step::WouldBlock)
    };
    (read, now)
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
        let down = matches!(call.link.ledger().health.state(), State::Down { .. });
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
    if elsewhere && live.state.provenance() != Provenance::Replying {
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
                let value = match Value::decode(live.state.frame(frame), live.state.limits()) {
                    Ok((value, _)) => value,
                    Err(error) => return Err(broken(live, wire_cause(&error))),
                };
                live.state.consume(incoming);
                if replies == 1
                    && let Value::Error(error) = value
                {
                    return Ok(Taken::Refusal(error));
                }
                sink.take(value);
                if sink.taken() == replies {
                    return Ok(Taken::All);
                }
            }
        }
    }
}

/// Waits for the tender to find out what the server says of itself, and names the loss anew.
fn examine(call: &Call<'_>, loss: &mut Loss) {
    let asked = clock::now();
    let until = call.deadline.cap(asked + EXAMINE_MAX);
    call.link.decide(Ledger::examine);
    while !call.link.ledger().examined_since(asked) && clock::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    call.link.ledger().name_anew(asked, loss);
}

fn sleep_until(at: Moment) {
    let rest = at.since(clock::now());
    if !rest.is_zero() {
        std::thread::sleep(rest);
    }
}

/// The error for a reply that is not of the type that was asked for.
pub(super) fn wrong_type(call: &Call<'_>, wrong: &crate::reply::WrongType, name: &str) -> Error {
    call.note(Error::wrong_type(wrong, name, &call.link.name))
}
