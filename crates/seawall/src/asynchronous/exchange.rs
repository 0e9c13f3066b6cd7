//! One call over the shared connection: queue, wait for its fate, and go again where that is allowed.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use seawall_model::{Cause, Close, Moment, Provenance};
use seawall_wire::Value;
use tokio::time::timeout;

use super::park::{self, Acquired, sleep_until};
use super::shared::{Fate, Shared, Ticket};
use crate::clock;
use crate::error::Error;
use crate::link::call::{Again, Call};
use crate::link::connection::{Connection, Loss};
use crate::link::ledger::Refusal;
use crate::link::shared::Link;
use crate::link::sink::Sink;

/// While a reply is overdue, how often the task looks what the probe found.
const GLANCE: Duration = Duration::from_millis(10);

/// How long a call waits for the reason of its loss, as in the shell for threads.
const EXAMINE_MAX: Duration = Duration::from_millis(100);

/// Where the shared connection of a client stands.
#[derive(Default)]
pub(super) struct Board(RwLock<Option<Arc<Shared>>>);

impl Board {
    fn get(&self) -> Option<Arc<Shared>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn put(&self, shared: Arc<Shared>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(shared);
    }
}

/// How a request over the shared connection ended.
enum End {
    Answered(Vec<Value>),
    Lost {
        loss: Loss,
        suspect: bool,
        taken: Vec<Value>,
        trail: Vec<Provenance>,
    },
    /// Silent while others are answered, and the call may go elsewhere.
    Left(Loss, Provenance, Moment),
    Late(Loss, Provenance),
}

/// What a call sends over the shared connection.
pub(super) struct Request<'a> {
    /// How many replies it is owed.
    pub(super) replies: usize,
    /// It is one request (a transaction), not one for each reply.
    pub(super) whole: bool,
    /// Queues it, from the reply of this number on.
    pub(super) pack: &'a (dyn Fn(&mut Connection, usize, Moment) + Sync),
}

/// Sends the request until it is answered or the call is over.
pub(super) async fn drive(
    call: &mut Call<'_>,
    link: &Arc<Link>,
    board: &Board,
    request: &Request<'_>,
    sink: &mut impl Sink,
) -> Result<(), Error> {
    loop {
        sink.restart();
        let (shared, ticket, sent_at) = submit(call, link, board, request, sink.taken()).await?;
        let again = match wait(call, &shared, ticket, sent_at).await {
            End::Answered(mut values) => {
                let last = values.pop();
                match last {
                    Some(Value::Error(error)) if request.replies == 1 => {
                        let reply = call.reply(shared.established, sent_at, true);
                        let said = call.said(error, reply);
                        if said.close {
                            shared.abandon();
                        }
                        match said.answer {
                            Some(error) => return Err(call.answered(error)),
                            None => Again::At(sent_at),
                        }
                    }
                    last => {
                        call.reply(shared.established, sent_at, false);
                        for value in values.into_iter().chain(last) {
                            sink.take(value);
                        }
                        return Ok(());
                    }
                }
            }
            End::Lost {
                mut loss,
                suspect,
                taken,
                trail,
            } => {
                taken.into_iter().for_each(|value| sink.take(value));
                if loss.cause == Cause::OutputLimit && !suspect {
                    // Another's reply was too large; this call only shared its connection.
                    loss.cause = Cause::ClosedByServer;
                }
                let provenance = trail.first().copied().unwrap_or(Provenance::Written);
                match call.lost(&loss, &shared.server, provenance) {
                    Again::Fail(error) => Again::Fail(error.with(|report| report.trail = trail)),
                    again @ Again::At(_) => again,
                }
            }
            End::Left(loss, provenance, at) => {
                call.left(&loss, &shared.server, provenance);
                Again::At(at)
            }
            End::Late(loss, provenance) => {
                Again::Fail(call.timed_out(&loss, &shared.server, provenance))
            }
        };
        match again {
            Again::At(at) => sleep_until(at).await,
            Again::Fail(error) => return Err(error),
        }
    }
}

/// Finds the shared connection, or puts one up, and queues the request on it.
async fn submit(
    call: &mut Call<'_>,
    link: &Arc<Link>,
    board: &Board,
    request: &Request<'_>,
    from: usize,
) -> Result<(Arc<Shared>, Ticket, Moment), Error> {
    loop {
        let shared = match park::acquire(call).await? {
            Acquired::Own(lent) => {
                let established = lent.established;
                let shared = Shared::put_up(link, lent).map_err(|error| no_driver(call, &error))?;
                board.put(Arc::clone(&shared));
                link.decide(|ledger, now| ledger.shared_up(now, established));
                Some(shared)
            }
            Acquired::Shared => board.get(),
        };
        let now = clock::now();
        let submitted = shared.and_then(|shared| {
            let replies = request.replies - from;
            let pack = |connection: &mut Connection| (request.pack)(connection, from, now);
            let ticket = shared.submit(now, replies, request.whole, call.nature, pack)?;
            Some((shared, ticket))
        });
        match submitted {
            Some((shared, ticket)) => {
                call.sending();
                return Ok((shared, ticket, now));
            }
            // It ended a moment ago: its driver is about to say so.
            None if call.deadline.too_late_to_send(now) => return Err(call.nothing_came()),
            None => tokio::task::yield_now().await,
        }
    }
}

async fn wait(call: &Call<'_>, shared: &Shared, ticket: Ticket, sent_at: Moment) -> End {
    let Ticket { id, mut fate } = ticket;
    let mut asked = false;
    loop {
        let now = clock::now();
        let silent_since = sent_at.max(shared.last_heard());
        let overdue_at = call.overdue_at(silent_since);
        let look = if asked { now + GLANCE } else { overdue_at };
        let until = look.min(call.deadline.answer_by());
        match timeout(until.since(now), &mut fate).await {
            Ok(Ok(Fate::Answered(values))) => return End::Answered(values),
            Ok(Ok(Fate::Lost {
                loss,
                suspect,
                taken,
                trail,
            })) => {
                return End::Lost {
                    loss,
                    suspect,
                    taken,
                    trail,
                };
            }
            // The driver ended without a word: its runtime has shut down.
            Ok(Err(_)) => {
                return End::Lost {
                    loss: Loss::unknown(Close::Ours),
                    suspect: false,
                    taken: Vec::new(),
                    trail: Vec::new(),
                };
            }
            Err(_) => {}
        }
        let now = clock::now();
        let Some(loss) = shared.loss_if_abandoned(now) else {
            // It has ended; its driver tells as soon as it knows why.
            if call.deadline.too_late_to_answer(now) {
                return End::Late(Loss::unknown(Close::Ours), Provenance::Written);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        let provenance = shared.provenance(id);
        if call.deadline.too_late_to_answer(now) {
            // Silence for a whole deadline condemns the connection: what it still holds must not run later.
            if shared.last_heard() <= sent_at {
                shared.abandon();
            }
            return End::Late(loss, provenance);
        }
        if now < call.overdue_at(sent_at.max(shared.last_heard())) {
            asked = false;
            continue;
        }
        if !asked {
            asked = true;
            call.link
                .decide(|ledger, now| ledger.overdue(now, silent_since, loss.cause));
        }
        // What was sent later over another connection has been answered: this one is silent, not the server.
        let elsewhere = call.link.ledger().served_after(silent_since);
        if elsewhere && let Some(at) = call.may_leave(now, provenance, loss.cause) {
            shared.abandon();
            return End::Left(loss, provenance, at);
        }
    }
}

/// Waits for the tender to find out what the server says of itself, and names the loss anew.
pub(super) async fn examine(link: &Link, loss: &mut Loss) {
    let asked = clock::now();
    let until = asked + EXAMINE_MAX;
    link.decide(crate::link::ledger::Ledger::examine);
    while !link.ledger().examined_since(asked) && clock::now() < until {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    link.ledger().name_anew(asked, loss);
}

/// A connection could not be watched by the runtime.
pub(super) fn no_driver(call: &Call<'_>, error: &std::io::Error) -> Error {
    call.refused(Refusal {
        detail: format!("the runtime cannot watch the socket: {error}").into(),
        ..Refusal::of(Cause::LocalLimit)
    })
}
