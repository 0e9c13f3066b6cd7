use super::Flaw;
use super::check::End;
use super::schedule::CallAt;
use super::server::{Meets, Word};
use super::world::{Ending, Event, Hop, World};
use seawall_model::{Cause, Moment, Sent};
use seawall_policy::budget::{Budget, BudgetSettings};
use seawall_policy::deadline::{Blocking, Deadline};
use seawall_policy::health::Answered;
use seawall_policy::park::{Offer, Ticket};
use seawall_policy::retry::{ATTEMPTS_MAX, Attempted, Verdict, Why, decide, may_repeat};
use seawall_wire::error::Family;
use seawall_wire::facts::{Access, Replay};
use std::time::Duration;

/// A call under way.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) spec: CallAt,
    pub(crate) deadline: Deadline,
    attempts: u32,
    /// How many of these were lost for another's sake.
    carried: u32,
    /// Its last write's number among all that left.
    own_write: u64,
    /// An attempt of it may have run.
    may_have_run: bool,
    sent_at: Moment,
    conn: Option<u32>,
    ticket: Option<Ticket>,
    end: Option<End>,
}

impl Call {
    pub(crate) fn new(spec: CallAt) -> Self {
        Self {
            spec,
            deadline: Deadline::NEVER,
            attempts: 0,
            carried: 0,
            own_write: 0,
            may_have_run: false,
            sent_at: Moment::ORIGIN,
            conn: None,
            ticket: None,
            end: None,
        }
    }

    /// Its present attempt.
    pub(crate) fn hop(&self, call: usize, conn: u32) -> Hop {
        Hop {
            call,
            attempt: self.attempts,
            conn,
        }
    }
}

/// After which an attempt is given up although the call has more time: a reply that is this late is lost.
const ATTEMPT_LIMIT: Duration = Duration::from_millis(400);

impl World {
    pub(crate) fn call_begins(&mut self, call: usize) {
        let spec = self.calls[call].spec;
        let deadline = Deadline::blocking(self.now, spec.span, spec.blocking);
        self.calls[call].deadline = deadline;
        self.budget.call(self.now);
        self.check.call_began(self.now, call, deadline.answer_by());
        if self.flaw != Flaw::ForgetsDeadlines {
            self.at(deadline.answer_by(), Event::DeadlineOf(call));
        }
        self.ask(call);
    }

    /// The call wants to be sent: it queues up, and is served at once if nothing is in its way.
    pub(crate) fn ask(&mut self, call: usize) {
        if self.calls[call].end.is_some() {
            return;
        }
        let send_by = self.calls[call].deadline.send_by();
        match self.parking.offer(self.now, send_by) {
            Offer::Full { .. } => self.end(call, End::Refused(Offer::FULL)),
            Offer::Parked(ticket) => {
                self.waiters.insert(ticket, call);
                self.calls[call].ticket = Some(ticket);
                self.check
                    .waits(self.now, ticket.number(), self.calls[call].spec.access);
                self.settle();
            }
        }
    }

    pub(crate) fn send(&mut self, call: usize, id: u32) {
        let spec = self.calls[call].spec;
        let overtaken = self.later_write_left(call);
        let looks = self.flaw != Flaw::LooksForLaterWritesOnce && self.flaw != Flaw::ResendsWrites;
        self.calls[call].ticket = None;
        if looks
            && self.calls[call].may_have_run
            && !may_repeat(spec.replay, spec.allowance, overtaken)
        {
            self.end(call, End::MayHaveRun);
            return;
        }
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        conn.busy.push(call);
        let (dead, swallowed) = (conn.dead, conn.swallowed);
        let this = &mut self.calls[call];
        this.attempts += 1;
        this.conn = Some(id);
        this.sent_at = self.now;
        let hop = this.hop(call, id);
        let overdue = this
            .deadline
            .overdue_at(self.now, self.health.settings().overdue_after);
        if let Some(cause) = dead {
            // The write itself fails: what the kernel did not take cannot run.
            let latency = self.latency();
            self.after(latency, Event::Comes(hop, Ending::Lost(cause)));
            return;
        }
        self.check.sent(self.now, call);
        self.note(11, call as u64);
        if spec.access == Access::Write {
            self.writes += 1;
            self.last_write.insert(spec.key, self.writes);
            self.calls[call].own_write = self.writes;
            self.health.write_sent(self.now);
        }
        self.at(overdue, Event::Overdue(hop));
        if spec.blocking == Blocking::No {
            self.after(ATTEMPT_LIMIT, Event::AttemptOver(hop));
        }
        if swallowed {
            self.will_vanish(id);
            return;
        }
        let latency = self.latency();
        self.after(latency, Event::Arrives(hop));
    }

    pub(crate) fn request_arrives(&mut self, hop: Hop) {
        match self.server.meets(self.now) {
            // It waits in the kernel, at one end or the other, and runs then even if the client gave up.
            Meets::Void(until) | Meets::Sleeper(until) => self.at(until, Event::Arrives(hop)),
            Meets::Nobody => {
                self.check.arrived(hop.call, false);
                self.cut(hop.conn, Cause::ConnectionReset);
            }
            Meets::Server => {
                let spec = self.calls[hop.call].spec;
                let word = self.server.request(self.now, spec.access);
                let runs = matches!(word, Word::Runs | Word::RunsInVain);
                self.check.arrived(hop.call, runs);
                let held = match spec.blocking {
                    Blocking::No => Duration::ZERO,
                    Blocking::For(timeout) => self.rng.up_to(timeout),
                    Blocking::UntilDown => self.rng.up_to(Duration::from_millis(800)),
                };
                let takes = self.server.takes(self.now) + held + self.latency();
                self.after(takes, Event::Comes(hop, word.into()));
            }
        }
    }

    /// Whether this is the attempt that the call waits for.
    fn is_current(&self, hop: Hop) -> bool {
        let call = &self.calls[hop.call];
        call.end.is_none() && call.conn == Some(hop.conn) && call.attempts == hop.attempt
    }

    pub(crate) fn request_ends(&mut self, hop: Hop, ending: Ending) {
        let cut = self
            .conns
            .get(&hop.conn)
            .is_some_and(|conn| conn.dead.is_some());
        if !self.is_current(hop) || cut && !matches!(ending, Ending::Lost(_)) {
            return;
        }
        let reply = self.answered_by(hop);
        match ending {
            Ending::Lost(cause) => {
                self.connection_lost(hop.conn, cause);
                return;
            }
            Ending::Reply => {
                self.give_back(hop);
                self.end(hop.call, End::Answered);
                let answers = if self.flaw == Flaw::CarriesForFree {
                    1_000
                } else {
                    1
                };
                self.budget.answered(self.now, answers);
                let change = self.health.replied(self.now, reply);
                self.changed(change);
            }
            Ending::Unavailable(cause) => {
                self.give_back(hop);
                let change = self
                    .health
                    .server_said(self.now, Family::Unavailable, cause, reply);
                self.changed(change);
                self.attempt_failed(hop.call, Sent::No, cause, None);
            }
            Ending::WritesRefused(cause) => {
                self.give_back(hop);
                let change = self
                    .health
                    .server_said(self.now, Family::WritesRefused, cause, reply);
                self.changed(change);
                self.attempt_failed(hop.call, Sent::No, cause, None);
            }
        }
        self.settle();
    }

    fn answered_by(&self, hop: Hop) -> Answered {
        let established_at = self
            .conns
            .get(&hop.conn)
            .map_or(Moment::ORIGIN, |conn| conn.established);
        let call = &self.calls[hop.call];
        Answered {
            established_at,
            sent_at: call.sent_at,
            access: call.spec.access,
        }
    }

    fn give_back(&mut self, hop: Hop) {
        self.calls[hop.call].conn = None;
        if let Some(conn) = self.conns.get_mut(&hop.conn) {
            conn.busy.retain(|call| *call != hop.call);
            conn.last_used = self.now;
            conn.heard = self.now;
        }
    }

    pub(crate) fn reply_overdue(&mut self, hop: Hop) {
        if self.is_current(hop) {
            let sent_at = self.calls[hop.call].sent_at;
            let change = self
                .health
                .reply_overdue(self.now, sent_at, Cause::ReplyTimeout);
            self.changed(change);
        }
    }

    pub(crate) fn attempt_over(&mut self, hop: Hop) {
        if self.is_current(hop) && self.has_been_silent(hop.call) {
            self.give_up(hop.conn);
            self.settle();
        }
    }

    /// Whether nothing came on its connection since it was sent: then it is not the call alone that waits.
    fn has_been_silent(&self, call: usize) -> bool {
        let Call { conn, sent_at, .. } = self.calls[call];
        let conn = conn.and_then(|id| self.conns.get(&id));
        conn.is_none_or(|conn| conn.heard <= sent_at)
    }

    /// Its connection is gone.
    pub(crate) fn attempt_lost(&mut self, call: usize, cause: Cause, taken_along: Option<u64>) {
        let written = self.calls[call].sent_at == self.now;
        let sent = if written { Sent::No } else { Sent::Perhaps };
        self.attempt_failed(call, sent, cause, taken_along);
    }

    pub(crate) fn attempt_failed(
        &mut self,
        call: usize,
        sent: Sent,
        cause: Cause,
        taken_along: Option<u64>,
    ) {
        let later_write_left = self.later_write_left(call);
        let this = &mut self.calls[call];
        this.conn = None;
        this.may_have_run |= sent == Sent::Perhaps;
        let replay = if self.flaw == Flaw::ResendsWrites {
            Replay::Read
        } else {
            this.spec.replay
        };
        let attempt = Attempted {
            sent: if this.may_have_run {
                Sent::Perhaps
            } else {
                sent
            },
            replay,
            allowance: this.spec.allowance,
            later_write_left,
            attempts: this.attempts - this.carried,
            carried: this.carried,
            taken_along,
            attempts_max: ATTEMPTS_MAX,
            cause,
            now: self.now,
            deadline: this.deadline.send_by(),
        };
        let verdict = if self.flaw == Flaw::RetriesForFree {
            let mut endless = Budget::new(BudgetSettings {
                share_percent: 100,
                floor_per_second: 1_000,
            });
            decide(&attempt, &mut endless, &mut self.backoff)
        } else {
            decide(&attempt, &mut self.budget, &mut self.backoff)
        };
        match verdict {
            Verdict::Park => self.ask(call),
            Verdict::RetryAt(at) => {
                self.retries += 1;
                self.note(21, call as u64);
                if self.flaw != Flaw::RetriesForFree {
                    self.check.retry_paid(self.now, call);
                }
                self.at(at, Event::Again(call));
            }
            Verdict::CarryOver => {
                self.calls[call].carried += 1;
                self.carried += 1;
                self.note(23, call as u64);
                if self.flaw != Flaw::RetriesForFree {
                    let loss = taken_along.unwrap_or_default();
                    self.check.carried_over(self.now, call, loss);
                }
                self.ask(call);
            }
            Verdict::GiveUp(Why::MayHaveRun) => self.end(call, End::MayHaveRun),
            Verdict::GiveUp(Why::Deadline) => self.end(call, End::Late),
            Verdict::GiveUp(_) => self.end(call, End::Failed),
        }
    }

    fn later_write_left(&self, call: usize) -> bool {
        let this = &self.calls[call];
        self.last_write
            .get(&this.spec.key)
            .is_some_and(|last| *last > this.own_write)
    }

    pub(crate) fn deadline_of(&mut self, call: usize) {
        if self.calls[call].end.is_some() {
            return;
        }
        if let Some(ticket) = self.calls[call].ticket {
            self.stop_waiting(ticket);
        }
        self.abandon(call);
        self.end(call, End::Late);
        self.settle();
    }

    /// Waits without an end of their own end with the endpoint.
    pub(crate) fn end_those_who_wait_for_ever(&mut self) {
        for call in 0..self.calls.len() {
            let this = &self.calls[call];
            if this.conn.is_some() && this.deadline.ends_when_down() && this.end.is_none() {
                self.abandon(call);
                self.end(call, End::MayHaveRun);
            }
        }
    }

    fn abandon(&mut self, call: usize) {
        let silent = self.has_been_silent(call);
        let Some(id) = self.calls[call].conn.take() else {
            return;
        };
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        conn.busy.retain(|other| *other != call);
        // Where it is shared and goes on, the reply goes to nobody.
        if silent || !conn.shared {
            self.give_up(id);
        }
    }

    pub(crate) fn end(&mut self, call: usize, end: End) {
        self.calls[call].end = Some(end);
        self.calls[call].ticket = None;
        self.check.ended(self.now, call, end);
        let what = if end == End::Answered { 20 } else { 22 };
        self.note(what, call as u64);
    }
}
