//! One call over the shared connection: queue, wait for its fate, and go again where that is allowed.

use std::sync::Arc;
use std::time::Duration;

use seawall_model::{Cause, Close, Moment, Provenance};
use seawall_wire::Value;

use super::aside::Board;
use super::asked::{Fate, Lost};
use super::direct::Standing;
use super::park::{self, Acquired, sleep_until};
use super::replies::Replies;
use super::runtime;
use super::shared::{NotTaken, Shared, Ticket, Waiter};
use super::silence::Patience;
use crate::clock;
use crate::error::Error;
use crate::link::call::{Again, Call};
use crate::link::connection::{Connection, Loss};
use crate::link::ledger::Refusal;
use crate::link::shared::Link;
use crate::link::sink::ValueSink;

/// While a reply is overdue, how often the task looks what the probe found.
const GLANCE: Duration = Duration::from_millis(10);

/// How long a call whose deadline has come waits for a reply that was read to be handed over, and for its connection to
/// be closed, to tell for sure how far it got.
const LAST_WORD: Duration = Duration::from_millis(50);

/// How long a call waits for the reason of its loss, as in the shell for threads.
const EXAMINE_MAX: Duration = Duration::from_millis(100);

/// How a request over the shared connection ended.
pub(super) enum End {
    Answered(Replies),
    Lost(Box<Lost>),
    Late(Box<Loss>, Provenance),
}

/// What a call sends over the shared connection.
pub(crate) struct Request<'a> {
    /// How many replies it is owed.
    pub(crate) replies: usize,
    /// It is one request (a transaction), not one for each reply.
    pub(crate) whole: bool,
    /// Queues it, from the reply of this number on.
    pub(crate) pack: &'a (dyn Fn(&mut Connection, usize, Moment) + Sync),
}

/// Sends the request until it is answered or the call is over.
pub(crate) async fn drive(
    call: &mut Call<'_>,
    link: &Arc<Link>,
    board: &Board,
    request: &Request<'_>,
    sink: &mut impl ValueSink,
) -> Result<(), Error> {
    drive_on(call, link, board, request, sink, Standing::Unsent).await
}

/// The same, of a request that has come so far.
pub(super) async fn drive_on(
    call: &mut Call<'_>,
    link: &Arc<Link>,
    board: &Board,
    request: &Request<'_>,
    sink: &mut impl ValueSink,
    mut standing: Standing,
) -> Result<(), Error> {
    loop {
        sink.restart();
        let from = sink.taken();
        let (shared, sent_at, end) = match std::mem::replace(&mut standing, Standing::Unsent) {
            Standing::Unsent => {
                let (shared, ticket, sent_at) = submit(call, link, board, request, from).await?;
                let end = wait(call, &shared, ticket, sent_at).await;
                (shared, sent_at, end)
            }
            Standing::Sent {
                shared,
                ticket,
                sent_at,
            } => {
                let end = wait(call, &shared, ticket, sent_at).await;
                (shared, sent_at, end)
            }
            Standing::Ended {
                shared,
                sent_at,
                end,
            } => (shared, sent_at, end),
        };
        let again = match end {
            End::Answered(Replies {
                first: Some(Value::Error(error)),
                ..
            }) if request.replies == 1 => {
                let reply = call.reply(shared.established, sent_at, true);
                let said = call.said(error, reply);
                if said.close {
                    shared.retire();
                }
                match said.answer {
                    Some(error) => {
                        sink.refused(&error);
                        return Err(call.answered(error));
                    }
                    None => Again::At(sent_at),
                }
            }
            End::Answered(replies) => {
                let reply = call.reply(shared.established, sent_at, false);
                for value in replies {
                    sink.take(value);
                }
                if call.heard(sink, from, reply) {
                    shared.retire();
                }
                return Ok(());
            }
            End::Lost(lost) => {
                let Lost {
                    mut loss,
                    suspect,
                    taken_along,
                    taken,
                    trail,
                } = *lost;
                for value in taken {
                    sink.take(value);
                }
                if loss.cause == Cause::OutputLimit && !suspect {
                    // Another's reply was too large; this call only shared its connection.
                    loss.cause = Cause::ClosedByServer;
                }
                let provenance = trail.first().copied().unwrap_or(Provenance::Written);
                let was_anothers = taken_along.is_some() && loss.cause == Cause::ReplyTooLarge;
                match call.lost_with(&loss, &shared.server, provenance, taken_along) {
                    Again::Fail(error) => Again::Fail(error.with(|report| {
                        report.trail = trail;
                        if was_anothers {
                            report.detail =
                                "it was another call's, which shared the connection".into();
                        }
                    })),
                    again @ Again::At(_) => again,
                }
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
    let mut waiter: Option<Waiter> = None;
    loop {
        let (acquired, mut now) = park::acquire(call).await?;
        match acquired {
            Acquired::Own(lent) => {
                let established = lent.established;
                let shared = Shared::put_up(link, lent, Patience::of(call.conduct()))
                    .map_err(|error| no_driver(call, &error))?;
                board.put(shared);
                link.decide(|ledger, now| ledger.shared_up(now, established));
                now = clock::now();
            }
            Acquired::Shared => {}
        }
        let shared = board.get(call.nature);
        if let Some(error) = call.overtaken() {
            return Err(error);
        }
        if let Some(shared) = shared {
            let replies = request.replies - from;
            let pack = |connection: &mut Connection| (request.pack)(connection, from, now);
            match shared.submit(now, replies, request.whole, call.nature, pack) {
                Ok(ticket) => {
                    call.sending();
                    return Ok((shared, ticket, now));
                }
                Err(NotTaken::Full) => {
                    let waits = Waiter(shared);
                    // Counted anew, and the next one has its turn only once this one is through.
                    drop(waiter.take());
                    // Whether there is room now or the time is up: it asks again.
                    let _ =
                        runtime::timeout(call.deadline.send_by().since(now), waits.turn()).await;
                    waiter = Some(waits);
                }
                // It ended a moment ago: its driver is about to say so.
                Err(NotTaken::Over) => {
                    drop(waiter.take());
                    runtime::yield_now().await;
                }
            }
        } else {
            runtime::yield_now().await;
        }
        now = clock::now();
        if call.deadline.too_late_to_send(now) {
            return Err(call.nothing_came());
        }
    }
}

/// A request under way. If its future is dropped it is taken back where that is possible; otherwise its reply goes to
/// nobody.
struct UnderWay<'a> {
    shared: &'a Shared,
    ticket: Ticket,
    over: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.shared.retract(self.ticket.id);
        }
        self.ticket.fate.close();
        self.shared.left();
    }
}

async fn wait(call: &Call<'_>, shared: &Shared, ticket: Ticket, sent_at: Moment) -> End {
    let mut request = UnderWay {
        shared,
        ticket,
        over: false,
    };
    let end = watch(call, &mut request, sent_at).await;
    request.over = true;
    end
}

/// Waits for the fate of a request, and looks up when it is overdue and at its deadline.
async fn watch(call: &Call<'_>, request: &mut UnderWay<'_>, sent_at: Moment) -> End {
    let shared = request.shared;
    let id = request.ticket.id;
    let mut asked = false;
    let mut watches = false;
    let mut now = sent_at;
    let mut silent_since = sent_at;
    loop {
        let look = match (asked, watches) {
            (false, _) => call.overdue_at(silent_since),
            (true, true) => now + GLANCE,
            (true, false) => call.overdue_at(now),
        };
        let until = look.min(call.deadline.answer_by());
        if let Ok(fate) = runtime::timeout(until.since(now), &mut request.ticket.fate).await {
            return ended(fate.ok());
        }
        now = clock::now();
        let Some(loss) = shared.loss_if_abandoned(now) else {
            // It has ended; its driver tells as soon as it knows why.
            let rest = call.deadline.answer_by().since(now);
            return match runtime::timeout(rest, &mut request.ticket.fate).await {
                Ok(fate) => ended(fate.ok()),
                Err(_) => End::Late(Box::new(shared.end()), Provenance::Written),
            };
        };
        if call.deadline.too_late_to_answer(now) {
            // Where it was this process that stood still, the reply may be there: its driver has had no time to read it.
            if shared.has_news() {
                shared.read_now();
            }
            if !shared.owes(id)
                && let Ok(fate) = runtime::timeout(LAST_WORD, &mut request.ticket.fate).await
            {
                return ended(fate.ok());
            }
            return late(call, request, Box::new(loss), sent_at).await;
        }
        shared.look(now);
        silent_since = sent_at.max(shared.last_moved());
        if now < call.overdue_at(silent_since) {
            asked = false;
            continue;
        }
        if !asked {
            asked = true;
            call.link
                .decide(|ledger, now| ledger.overdue(now, silent_since, loss.cause));
        }
        // What was sent later over another connection has been answered: this one is silent, not the server. Its end
        // tells every call on it how far it got, and that decides.
        let could_leave = call.could_leave(shared.provenance(id));
        watches = shared.watches(id, could_leave);
        // In this order: what is answered there may have been answered here a moment before.
        let wrote = call.link.ledger().wrote_after(silent_since);
        if (could_leave || shared.is_aside())
            && call.link.ledger().served_after(silent_since)
            && shared.is_silent_since(silent_since)
        {
            if shared.may_be_held(could_leave, wrote, silent_since, now) {
                shared.set_aside(now);
            } else {
                shared.abandon();
            }
        }
    }
}

/// The deadline has come.
async fn late(
    call: &Call<'_>,
    request: &mut UnderWay<'_>,
    loss: Box<Loss>,
    sent_at: Moment,
) -> End {
    let shared = request.shared;
    if shared.retract(request.ticket.id) {
        return End::Late(loss, Provenance::Queued);
    }
    let now = clock::now();
    shared.look(now);
    let vain = shared.is_vain(request.ticket.id, sent_at);
    if vain.is_some_and(|vain| vain.condemns(call, shared, sent_at, now)) {
        // How far the request got is final only when it is closed.
        shared.abandon();
        return match runtime::timeout(LAST_WORD, &mut request.ticket.fate).await {
            Ok(Ok(Fate::Lost(lost))) => {
                let provenance = lost.trail.first().copied();
                End::Late(
                    Box::new(lost.loss),
                    provenance.unwrap_or(Provenance::Written),
                )
            }
            Ok(Ok(Fate::Answered(values))) => End::Answered(values),
            _ => End::Late(loss, Provenance::Written),
        };
    }
    // The connection goes on with others' requests, and so does this one's: it may yet run.
    End::Late(loss, Provenance::Written)
}

fn ended(fate: Option<Fate>) -> End {
    match fate {
        Some(Fate::Answered(replies)) => End::Answered(replies),
        Some(Fate::Lost(lost)) => End::Lost(lost),
        // The driver ended without a word: its runtime has shut down.
        None => End::Lost(Box::new(Lost {
            loss: Loss::unknown(Close::Ours),
            suspect: false,
            taken_along: None,
            taken: Replies::default(),
            trail: Vec::new(),
        })),
    }
}

/// Waits for the tender to find out what the server says of itself, and names the loss anew.
pub(super) async fn examine(link: &Link, loss: &mut Loss) {
    let asked = clock::now();
    let until = asked + EXAMINE_MAX;
    link.decide(crate::link::ledger::Ledger::examine);
    while !link.ledger().examined_since(asked) && clock::now() < until {
        runtime::sleep(Duration::from_millis(1)).await;
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
