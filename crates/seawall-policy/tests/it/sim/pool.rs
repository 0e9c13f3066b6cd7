use super::Flaw;
use super::check::End;
use super::schedule::Carrying;
use super::world::{Ending, Event, World};
use seawall_model::{Cause, Moment, Sent};
use seawall_policy::ageing::{Checkout, LeftLike, Life};
use seawall_policy::dial::Dial;
use seawall_policy::health::{Admission, Answered};
use seawall_policy::park::Ticket;
use seawall_wire::error::Family;
use seawall_wire::facts::Access;
use std::time::Duration;

/// An established connection.
#[derive(Clone, Debug)]
pub(crate) struct Conn {
    pub(crate) established: Moment,
    pub(crate) last_used: Moment,
    /// The calls that wait for an answer on it, the oldest first.
    pub(crate) busy: Vec<usize>,
    /// It carries whatever comes.
    pub(crate) shared: bool,
    /// When something last came on it.
    pub(crate) heard: Moment,
    /// The peer ended it; nobody has looked yet.
    pub(crate) dead: Option<Cause>,
    /// Something between swallows what is sent over it.
    pub(crate) swallowed: bool,
}

impl Conn {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            established: now,
            last_used: now,
            busy: Vec::new(),
            shared: false,
            heard: now,
            dead: None,
            swallowed: false,
        }
    }

    /// Whether it carries others' calls, and takes more.
    fn carries_on(&self) -> bool {
        self.shared && !self.busy.is_empty()
    }

    fn life(&self) -> Life {
        Life {
            established: self.established,
            last_used: self.last_used,
            server_timeout: None,
        }
    }
}

/// How long the kernel resends into the void.
const VANISHED_AFTER: Duration = Duration::from_millis(600);

impl World {
    /// The server, or what is left of it, ends every connection.
    pub(crate) fn cut_all(&mut self, cause: Cause) {
        self.cut_trips(cause);
        let ids: Vec<_> = self.conns.keys().copied().collect();
        for id in ids {
            self.cut(id, cause);
        }
    }

    /// One connection ends at the server's side.
    pub(crate) fn cut(&mut self, id: u32, cause: Cause) {
        let latency = self.latency();
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        conn.dead = Some(cause);
        if let Some(&call) = conn.busy.first() {
            let hop = self.calls[call].hop(call, id);
            self.after(latency, Event::Comes(hop, Ending::Lost(cause)));
        }
    }

    pub(crate) fn swallow_idle(&mut self) {
        for conn in self.conns.values_mut().filter(|conn| conn.busy.is_empty()) {
            conn.swallowed = true;
        }
    }

    pub(crate) fn will_vanish(&mut self, id: u32) {
        self.after(VANISHED_AFTER, Event::Vanished(id));
    }

    /// The client learns that a connection is gone.
    pub(crate) fn connection_lost(&mut self, id: u32, cause: Cause) {
        let Some(conn) = self.conns.remove(&id) else {
            return;
        };
        self.note(10, u64::from(cause.number()));
        let change = if self.flaw == Flaw::JumpsToConclusions {
            let reply = Answered {
                established_at: conn.established,
                sent_at: self.now,
                access: Access::Neither,
            };
            self.health
                .server_said(self.now, Family::Unavailable, Cause::Loading, reply)
        } else {
            self.health
                .connection_failed(self.now, conn.established, cause)
        };
        self.changed(change);
        for (place, call) in conn.busy.into_iter().enumerate() {
            // The oldest is what it was lost with; the others only shared it.
            let taken_along = (place > 0).then_some(u64::from(id));
            self.attempt_lost(call, cause, taken_along);
        }
    }

    /// A shared connection has been silent for too long, and is given up.
    pub(crate) fn give_up(&mut self, id: u32) {
        let Some(conn) = self.conns.remove(&id) else {
            return;
        };
        for call in conn.busy {
            self.attempt_failed(call, Sent::Perhaps, Cause::ReplyTimeout, None);
        }
    }

    /// The one that is shared, or an idle connection that is fit for use.
    fn take_conn(&mut self) -> Option<u32> {
        if let Some((&id, _)) = self.conns.iter().find(|(_, conn)| conn.carries_on()) {
            return Some(id);
        }
        loop {
            let (&id, conn) = self
                .conns
                .iter_mut()
                .rev()
                .find(|(_, conn)| conn.busy.is_empty())?;
            conn.shared = self.carrying == Carrying::All;
            let checkout = self.ageing.checkout(self.now, conn.life(), LeftLike::Clean);
            match (checkout, conn.dead) {
                (Checkout::Use, _) | (Checkout::Peek, None) => return Some(id),
                (Checkout::Peek, Some(cause)) => self.connection_lost(id, cause),
                (Checkout::Retire(_), _) => {
                    self.conns.remove(&id);
                }
            }
        }
    }

    fn admission(&self, call: usize) -> Admission {
        let spec = self.calls[call].spec;
        let admission = self.health.admit(self.now, spec.access, spec.ride_out);
        let at_hand = self
            .conns
            .values()
            .any(|conn| (conn.busy.is_empty() || conn.carries_on()) && conn.dead.is_none());
        if admission != Admission::Send && at_hand {
            return self
                .health
                .admit_established(self.now, spec.access, spec.ride_out);
        }
        admission
    }

    /// Whoever waits is to be looked at, once what happens now has happened.
    pub(crate) fn settle(&mut self) {
        self.unsettled = true;
    }

    /// Serves who can be served, in order, refuses who must be, and dials for the rest.
    pub(crate) fn serve(&mut self) {
        let mut queue: Vec<Ticket> = std::iter::from_fn(|| self.parking.grant(self.now)).collect();
        if self.flaw == Flaw::LastComeFirstServed {
            queue.reverse();
        }
        let mut wanted = 0;
        for ticket in queue {
            let Some(&call) = self.waiters.get(&ticket) else {
                continue;
            };
            let deadline = self.calls[call].deadline.send_by();
            match self.admission(call) {
                Admission::Send => {
                    let conn = if wanted == 0 { self.take_conn() } else { None };
                    match conn {
                        // Looking at dead connections may have changed what is admitted.
                        Some(id) if self.admission(call) == Admission::Send => {
                            self.waiters.remove(&ticket);
                            self.check.served(self.now, ticket.number());
                            self.send(call, id);
                        }
                        _ => {
                            wanted += 1;
                            self.parking.offer_again(ticket, self.now, deadline);
                        }
                    }
                }
                Admission::Park { until } => {
                    self.parking
                        .offer_again(ticket, self.now, until.min(deadline));
                }
                Admission::Refuse { cause, .. } => {
                    self.stop_waiting(ticket);
                    self.end(call, End::Refused(cause));
                }
            }
        }
        self.plan_dials(wanted);
    }

    fn plan_dials(&mut self, wanted: usize) {
        let room = self.pool_max.saturating_sub(self.conns.len());
        let wanted = if self.flaw == Flaw::DialsAtWill {
            wanted
        } else {
            wanted.min(room)
        };
        for _ in self.dialling()..wanted {
            match self.dial_gate.want(self.now) {
                Dial::Go => self.dial(),
                Dial::Wait(_) | Dial::Full if self.flaw == Flaw::DialsAtWill => self.dial(),
                Dial::Wait(_) | Dial::Full => break,
            }
        }
    }

    fn dialling(&self) -> usize {
        self.dial_gate.under_way() as usize
    }

    pub(crate) fn stop_waiting(&mut self, ticket: Ticket) {
        self.parking.leave(ticket);
        self.waiters.remove(&ticket);
        self.check.waits_no_more(ticket.number());
    }

    /// Those whose wait is over ask again, in their old places.
    pub(crate) fn expire(&mut self) {
        self.expiry_at = Moment::NEVER;
        for ticket in self.parking.expire(self.now) {
            let Some(&call) = self.waiters.get(&ticket) else {
                continue;
            };
            let deadline = self.calls[call].deadline.send_by();
            if self.now >= deadline {
                self.stop_waiting(ticket);
                self.end(call, End::Late);
            } else {
                self.parking.offer_again(ticket, self.now, deadline);
            }
        }
        self.settle();
    }
}
