//! Calls that begin without a task of their own, which is most of what a call costs beside its bytes.
//!
//! A command that may go over the shared connection at once is queued where it is asked for, and its reply goes straight
//! to its caller. As soon as one does not simply go well (an error, a lost connection, a reply that is overdue) it goes on
//! in a task, from where it stands, as every other call.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::Poll;

use futures_channel::oneshot;
use seawall_model::Moment;
use seawall_wire::Value;
use seawall_wire::error::ServerError;

use super::asked::Caller;
use super::client::Client;
use super::event_loop::{Task, current};
use super::exchange::{self, End, Request};
use super::runtime;
use super::shared::{NotTaken, Shared, Ticket, Waiter, Wanted};
use crate::clock;
use crate::command::{Cmd, Nature};
use crate::error::Error;
use crate::link::call::{Call, Course};
use crate::link::connection::Connection;
use crate::link::shared::Link;
use crate::link::sink::Word;

/// How a call ended: as [`Client::exchange`] has it.
type Outcome = Result<Value, (Error, Option<ServerError>)>;

/// A call that was begun.
pub enum Begun {
    /// It is under way, without a task.
    AtOnce(Pending),
    /// This task makes it.
    Task(Task),
}

/// A call that is under way without a task.
pub struct Pending {
    shared: Arc<Shared>,
    id: u64,
}

impl Pending {
    /// Its caller has gone, and is told no more: it is taken back if nothing of it was sent; else its reply goes to nobody.
    pub fn give_up(&self) {
        self.shared.forget(self.id);
    }
}

/// A call without a task, as its connection knows it.
pub(super) trait Direct: Send {
    /// Queues its request.
    fn pack(&self, connection: &mut Connection, now: Moment);

    /// All went well.
    fn answered(self: Box<Self>, value: Value);

    /// The task that goes on with it.
    fn task(self: Box<Self>, standing: Standing) -> Task;
}

/// How far a request has come.
pub(super) enum Standing {
    /// It is not on its way.
    Unsent,
    /// It is owed its reply.
    Sent {
        shared: Arc<Shared>,
        ticket: Ticket,
        sent_at: Moment,
    },
    /// It has ended.
    Ended {
        shared: Arc<Shared>,
        sent_at: Moment,
        end: End,
    },
}

/// A call without a task that is to have one.
pub(super) struct Due {
    pub(super) id: u64,
    pub(super) call: Box<dyn Direct>,
    pub(super) standing: Standing,
}

impl Standing {
    pub(super) fn ended(shared: &Arc<Shared>, sent_at: Moment, end: End) -> Self {
        Self::Ended {
            shared: Arc::clone(shared),
            sent_at,
            end,
        }
    }

    fn shared(&self) -> Option<Arc<Shared>> {
        match self {
            Self::Unsent => None,
            Self::Sent { shared, .. } | Self::Ended { shared, .. } => Some(Arc::clone(shared)),
        }
    }
}

/// Goes on with a call in a task of its own, which its caller can still give up. Where no loop is left to run it, it ends
/// without a word, as every task of that loop.
pub(super) fn go_on(call: Box<dyn Direct>, id: u64, standing: Standing) {
    let (Some(event_loop), Some(shared)) = (current(), standing.shared()) else {
        return;
    };
    let (ends, ended) = oneshot::channel();
    shared.moved().insert(id, ends);
    let task = call.task(standing);
    event_loop.spawn(Box::pin(async move {
        unless(ended, task).await;
        shared.moved().remove(&id);
    }));
}

/// Does the work, unless a word comes first.
async fn unless(word: oneshot::Receiver<()>, mut work: Task) {
    let mut word = pin!(word);
    poll_fn(|context| match word.as_mut().poll(context) {
        Poll::Ready(Ok(())) => Poll::Ready(()),
        _ => Pin::new(&mut work).poll(context),
    })
    .await;
}

/// What a connection does for calls without a task.
impl Shared {
    /// Queues the request of a call without a task, which is looked at when `look_at` has come.
    fn submit_direct(
        self: &Arc<Self>,
        now: Moment,
        nature: Nature,
        look_at: Moment,
        call: Box<dyn Direct>,
    ) -> Result<u64, (NotTaken, Box<dyn Direct>)> {
        let wanted = Wanted {
            replies: 1,
            whole: false,
            nature,
            now,
            look_at,
        };
        let id = self.queue(&wanted, call, |call, connection| call.pack(connection, now))?;
        if !self.looked_after.swap(true, Ordering::AcqRel) {
            runtime::spawn(Arc::clone(self).look_after());
        }
        Ok(id)
    }

    /// The caller of a call that began without a task has gone.
    fn forget(&self, id: u64) {
        let call = {
            let mut state = self.lock();
            let found = state.find(id).map(|(index, _)| index);
            found.and_then(|index| match &mut state.asked[index].caller {
                Caller::Task(_) | Caller::Gone => None,
                caller @ Caller::Direct(_) => Some(std::mem::replace(caller, Caller::Gone)),
            })
        };
        if call.is_some() {
            // What it held is let go of without the lock.
            self.retract(id);
            drop(call);
            self.left();
        } else if let Some(ends) = self.moved().remove(&id) {
            let _ = ends.send(());
        }
    }

    fn moved(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<()>>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives each call without a task one of its own, which watches it, when it is time to look what became of it.
    async fn look_after(self: Arc<Self>) {
        while let Some((due, next)) = self.take_due(clock::now()) {
            for Due { id, call, standing } in due {
                go_on(call, id, standing);
            }
            let rung = poll_fn(|context| self.looks.poll_rung(context));
            if next.is_never() {
                rung.await;
            } else {
                // Whether it was rung or the time has come: it looks.
                let _ = runtime::timeout(next.since(clock::now()), rung).await;
            }
        }
    }

    /// The calls without a task that are to be looked at now, and when the next ones are; `None` once it has ended.
    fn take_due(&self, now: Moment) -> Option<(Vec<Due>, Moment)> {
        let ourselves = self.ourselves.upgrade()?;
        let mut state = self.lock();
        state.lent.as_ref()?;
        let mut due = Vec::new();
        let mut next = Moment::NEVER;
        for asked in &mut state.asked {
            if !matches!(asked.caller, Caller::Direct(_)) {
                continue;
            }
            if now < asked.look_at {
                next = next.min(asked.look_at);
                continue;
            }
            due.extend(asked.move_to_task(&ourselves));
        }
        state.look_at = next;
        Some((due, next))
    }
}

/// One command, and who is told how it ended.
struct Command<F> {
    client: Client,
    link: Arc<Link>,
    cmd: Cmd,
    course: Course,
    told: F,
}

impl<F: FnOnce(Outcome) + Send + 'static> Direct for Command<F> {
    fn pack(&self, connection: &mut Connection, now: Moment) {
        self.cmd.queue_on(connection, now);
    }

    fn answered(self: Box<Self>, value: Value) {
        (self.told)(Ok(value));
    }

    fn task(self: Box<Self>, standing: Standing) -> Task {
        let course = match &standing {
            Standing::Unsent => self.course.unsent(),
            _ => self.course,
        };
        Box::pin(async move {
            let Self {
                client,
                link,
                cmd,
                told,
                ..
            } = *self;
            let name = cmd.name();
            let mut call = Call::resumed(&link, client.home.conduct(), &name, course);
            let request = Request {
                replies: 1,
                whole: false,
                pack: &|connection, _, now| cmd.queue_on(connection, now),
            };
            let mut sink = Word::default();
            let outcome = exchange::drive_on(
                &mut call,
                &link,
                &client.board,
                &request,
                &mut sink,
                standing,
            )
            .await;
            told(sink.outcome(outcome));
        })
    }
}

impl Client {
    /// Begins a command, inside of an event loop that was [entered](super::enter); `told` hears there how it ended. It
    /// must not do more than note that: its connection is being read.
    ///
    /// Where the call can go over the shared connection at once, it does, without a task. Otherwise the task that makes it
    /// comes back.
    pub fn begin(self, cmd: Cmd, told: impl FnOnce(Outcome) + Send + 'static) -> Begun {
        let nature = cmd.nature();
        let link = match self.home.link() {
            Ok(link) if nature.blocking.is_none() && !nature.session && !cmd.is_empty() => link,
            _ => return self.begin_task(cmd, told),
        };
        let name = cmd.name();
        let mut call = Call::new(&link, self.home.conduct(), &name, nature, self.term);
        call.share();
        let ask = call.ask();
        let (mut ledger, now) = link.ledger_at(call.asks_at());
        let serves = !call.deadline.too_late_to_send(now) && ledger.ask_shared(now, ask);
        drop(ledger);
        if !serves {
            return self.begin_task(cmd, told);
        }
        call.sending();
        let look_at = call.overdue_at(now).min(call.deadline.answer_by());
        let course = call.course();
        drop(call);
        let shared = self.board.get(nature);
        let command = Box::new(Command {
            client: self,
            link,
            cmd,
            course,
            told,
        });
        let Some(shared) = shared else {
            return Begun::Task(command.task(Standing::Unsent));
        };
        match shared.submit_direct(now, nature, look_at, command) {
            Ok(id) => Begun::AtOnce(Pending { shared, id }),
            Err((why, command)) => {
                if why == NotTaken::Full {
                    // It was counted, and comes again.
                    drop(Waiter(shared));
                }
                Begun::Task(command.task(Standing::Unsent))
            }
        }
    }

    fn begin_task(self, cmd: Cmd, told: impl FnOnce(Outcome) + Send + 'static) -> Begun {
        Begun::Task(Box::pin(async move { told(self.exchange(&cmd).await) }))
    }
}
