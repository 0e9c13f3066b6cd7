//! Requests that are owed their replies by the shared connection, and what their callers are told.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_channel::oneshot;
use seawall_model::{Cause, Close, Moment, Provenance};
use seawall_policy::health::Answered;
use seawall_wire::Value;
use seawall_wire::facts::Access;

use super::direct::{Direct, Due, Standing, go_on};
use super::exchange::End;
use super::replies::Replies;
use super::shared::{Shared, Ticket};
use crate::link::connection::{Incoming, Loss};
use crate::link::live::{Live, wire_cause};
use crate::link::shared::Link;
use crate::stats::Histogram;

/// What a caller is told of its request.
pub(super) enum Fate {
    /// Its replies.
    Answered(Replies),
    /// The connection ended. Boxed: a call that goes well carries no room for it.
    Lost(Box<Lost>),
}

/// What the end of the connection is to one request.
pub(super) struct Lost {
    /// How it ended.
    pub(super) loss: Loss,
    /// It may be what the connection was closed for: its reply may be large, or nobody's else may.
    pub(super) suspect: bool,
    /// The connection, if it ended while an older request was owed its reply: this one was only taken along.
    pub(super) taken_along: Option<u64>,
    /// The replies that had come.
    pub(super) taken: Replies,
    /// How far each unanswered part of it got, oldest first.
    pub(super) trail: Vec<Provenance>,
}

/// Who is told of it.
pub(super) enum Caller {
    /// A task that waits.
    Task(oneshot::Sender<Fate>),
    /// A call without a task.
    Direct(Box<dyn Direct>),
    /// Nobody any more.
    Gone,
}

impl From<oneshot::Sender<Fate>> for Caller {
    fn from(task: oneshot::Sender<Fate>) -> Self {
        Self::Task(task)
    }
}

impl From<Box<dyn Direct>> for Caller {
    fn from(call: Box<dyn Direct>) -> Self {
        Self::Direct(call)
    }
}

impl Caller {
    /// Whether nobody waits any more.
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Self::Task(sender) => sender.is_canceled(),
            Self::Direct(_) => false,
            Self::Gone => true,
        }
    }
}

/// One whose replies have come.
pub(super) struct Replied {
    pub(super) id: u64,
    pub(super) caller: Caller,
    pub(super) replies: Replies,
    pub(super) sent_at: Moment,
}

/// Those whose replies have come.
pub(super) type Done = Vec<Replied>;

/// A request that is owed replies.
pub(super) struct Asked {
    pub(super) id: u64,
    /// How many parts stand before it on the connection, and stood there.
    pub(super) first: u64,
    pub(super) replies: usize,
    /// It stands on the connection as one request (a transaction), not as one for each reply.
    pub(super) whole: bool,
    /// Its reply may be of any size.
    pub(super) bulky: bool,
    pub(super) taken: Replies,
    pub(super) sent_at: Moment,
    pub(super) access: Access,
    /// It need not wait on a connection that is set aside.
    pub(super) leaves: bool,
    /// When somebody is to look what became of it, if its caller does not do so himself.
    pub(super) look_at: Moment,
    pub(super) caller: Caller,
}

impl Asked {
    /// As how many requests its unanswered part stands on the connection.
    pub(super) fn parts(&self) -> usize {
        if self.whole {
            1
        } else {
            self.replies - self.taken.len()
        }
    }

    /// The first of these, counted as [`first`](Self::first) is.
    pub(super) fn from(&self) -> u64 {
        if self.whole {
            self.first
        } else {
            self.first + self.taken.len() as u64
        }
    }

    /// A call without a task is to have one, which waits for what its caller would have been told.
    pub(super) fn move_to_task(&mut self, shared: &Arc<Shared>) -> Option<Due> {
        if !matches!(self.caller, Caller::Direct(_)) {
            return None;
        }
        let (caller, fate) = oneshot::channel();
        match std::mem::replace(&mut self.caller, Caller::Task(caller)) {
            Caller::Direct(call) => Some(Due {
                id: self.id,
                call,
                standing: Standing::Sent {
                    shared: Arc::clone(shared),
                    ticket: Ticket { id: self.id, fate },
                    sent_at: self.sent_at,
                },
            }),
            Caller::Task(_) | Caller::Gone => None,
        }
    }
}

/// Those who are owed replies by a connection that has ended.
pub(super) struct Mourners {
    pub(super) shared: Arc<Shared>,
    pub(super) connection: u64,
    pub(super) trail: Vec<Provenance>,
    pub(super) asked: VecDeque<Asked>,
}

impl Mourners {
    /// Those who listen to the link are told of what its peer ended; of the rest they were when it was closed.
    pub(super) fn tell_lost(&self, link: &Link, loss: &Loss) {
        if !matches!(loss.close, Close::Abandoned | Close::Ours) {
            link.tell_lost(self.connection, loss);
        }
    }

    /// They will be told only after a while: until then each may be given up, and its deadline may come.
    pub(super) fn have_tasks(&mut self) {
        for asked in &mut self.asked {
            if let Some(Due { id, call, standing }) = asked.move_to_task(&self.shared) {
                go_on(call, id, standing);
            }
        }
    }

    pub(super) fn tell(self, loss: &Loss) {
        let any_bulky = self.asked.iter().any(|asked| asked.bulky);
        // What was given up for its silence says something of the server, and that is every request's own trouble.
        let ended = !matches!(loss.close, Close::Abandoned | Close::Ours);
        // A reply that is too large is the oldest one's.
        let for_another = ended || loss.cause == Cause::ReplyTooLarge;
        self.tell_each(loss, any_bulky, |place| for_another && place > 0);
    }

    /// They leave a connection that lives on, for the writes before them.
    pub(super) fn tell_left(self, loss: &Loss) {
        self.tell_each(loss, true, |_| true);
    }

    fn tell_each(self, loss: &Loss, any_bulky: bool, was_anothers: impl Fn(usize) -> bool) {
        let mut trail = self.trail.into_iter();
        for (place, asked) in self.asked.into_iter().enumerate() {
            let trail = trail.by_ref().take(asked.parts()).collect();
            let lost = Box::new(Lost {
                loss: *loss,
                suspect: asked.bulky || !any_bulky,
                taken_along: was_anothers(place).then_some(self.connection),
                taken: asked.taken,
                trail,
            });
            match asked.caller {
                // A caller that has gone need not know.
                Caller::Task(caller) => drop(caller.send(Fate::Lost(lost))),
                Caller::Direct(call) => {
                    let end = End::Lost(lost);
                    go_on(
                        call,
                        asked.id,
                        Standing::ended(&self.shared, asked.sent_at, end),
                    );
                }
                Caller::Gone => {}
            }
        }
    }
}

/// How many calls were answered. Of one whose only reply is an error the call itself says what it is, and one whose caller
/// has gone was not: if its deadline came first, it has failed.
pub(super) fn answered_well(done: &Done) -> u64 {
    let well = done
        .iter()
        .filter(|replied| !replied.caller.is_gone() && !replied.replies.are_an_error());
    well.count() as u64
}

/// Takes whole replies and finds their callers.
pub(super) fn take(
    live: &mut Live,
    asked: &mut VecDeque<Asked>,
    done: &mut Done,
    proof: &mut Option<Answered>,
    established_at: Moment,
    now: Moment,
    used: &mut Histogram,
) -> Result<(), Cause> {
    loop {
        let incoming = match live.state.next_incoming() {
            Ok(None) => return Ok(()),
            Ok(Some(incoming)) => incoming,
            Err(error) => return Err(wire_cause(&error)),
        };
        let frame = match incoming {
            Incoming::Push(_) => {
                live.state.consume(incoming);
                continue;
            }
            Incoming::Unasked(_) => return Err(Cause::ProtocolError),
            Incoming::Reply(frame) => frame,
        };
        let value = match Value::decode(live.state.frame(frame), live.state.limits()) {
            Ok((value, _)) => value,
            Err(error) => return Err(wire_cause(&error)),
        };
        live.state.consume(incoming);
        let Some(front) = asked.front_mut() else {
            return Err(Cause::ProtocolError);
        };
        // An error may be about the server's own state: the call says so where it is understood.
        if !matches!(value, Value::Error(_)) {
            // Only all replies of a pipeline together show that its writes were taken.
            let last = front.taken.len() + 1 == front.replies;
            let refused = || front.taken.any_error();
            let write = last && front.access == Access::Write && !refused();
            let before = proof.is_some_and(|proof| proof.access == Access::Write);
            *proof = Some(Answered {
                established_at,
                sent_at: front.sent_at,
                access: if write || before {
                    Access::Write
                } else {
                    Access::Neither
                },
            });
        }
        front.taken.push(value);
        if front.taken.len() == front.replies
            && let Some(asked) = asked.pop_front()
        {
            used.note(now.since(asked.sent_at));
            done.push(Replied {
                id: asked.id,
                caller: asked.caller,
                replies: asked.taken,
                sent_at: asked.sent_at,
            });
        }
    }
}
