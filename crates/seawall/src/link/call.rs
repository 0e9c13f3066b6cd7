//! One call on its way, in whatever shell: what to make of a refusal, a loss, a late reply, a server's error.
//!
//! The shell asks the ledger for a connection, exchanges bytes, and brings here whatever did not go well; the answer
//! is when to go again, or the error that ends the call.

use std::time::Duration;

use seawall_model::journal::{CommandName, RetryRefusal};
use seawall_model::{Cause, Moment, Provenance, Sent};
use seawall_policy::deadline::Deadline;
use seawall_policy::health::{Answered, State};
use seawall_policy::retry::{self, Attempted, ReplayAllowance, Verdict};
use seawall_wire::error::{Family, ServerError};
use seawall_wire::facts::{Access, Replay};

use super::cause;
use super::connection::Loss;
use super::handshake::Server;
use super::ledger::{Ask, Refusal, Use};
use super::recent::Writes;
use super::shared::Link;
use super::sink::Sink;
use crate::clock;
use crate::command::Nature;
use crate::error::{ConnectionFacts, Error, Kind};
use crate::events::{Event, refusal_of};
use crate::stats::Failed;
use crate::tender;

/// How a client treats its calls.
#[derive(Clone, Debug)]
pub(crate) struct Conduct {
    pub(crate) deadline: Duration,
    pub(crate) ride_out: Duration,
    pub(crate) overdue_after: Duration,
    pub(crate) allowance: ReplayAllowance,
    pub(crate) attempts_max: u32,
    /// Whether many calls at once may share a connection.
    pub(crate) shares: bool,
}

/// One call on its way.
pub(crate) struct Call<'a> {
    pub(crate) link: &'a Link,
    conduct: &'a Conduct,
    pub(crate) name: &'a str,
    pub(crate) nature: Nature,
    pub(crate) deadline: Deadline,
    started: Moment,
    /// How often it was sent.
    attempts: u32,
    /// How often of these it was taken along by a lost connection, and carried over.
    carried: u32,
    usage: Use,
    /// It may go over the shared connection, if that is up and none is free for it alone.
    shares: bool,
    asked: bool,
    /// Since when it has needed a connection.
    needs_since: Moment,
    first: Option<Cause>,
    /// Whether any attempt so far may have run.
    sent: Sent,
    said: Option<ServerError>,
    /// The number of its first sending among the writes of this client.
    left_as: Option<u64>,
    connection: Option<ConnectionFacts>,
    /// Why and when the last attempt failed.
    failed: Option<(Cause, Moment)>,
}

/// What to do after something went wrong.
pub(crate) enum Again {
    /// Ask for a connection again, not before this moment.
    At(Moment),
    /// The call is over.
    Fail(Error),
}

/// What a server's error means for the call.
pub(crate) struct Said {
    /// `Some`: it is the answer. `None`: it is about the server's own state, and the command did not run: ask again.
    pub(crate) answer: Option<ServerError>,
    /// The connection leads to the wrong server.
    pub(crate) close: bool,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Term {
    /// As long as calls usually may.
    #[default]
    Usual,
    /// This long, and a blocking command its own timeout besides.
    For(Duration),
    /// As long as calls usually may, but no longer than until then, whatever the command asks for.
    Until(Moment),
}

/// How far a call has come that went well so far: enough to go on with it elsewhere.
#[derive(Clone, Copy)]
pub(crate) struct Course {
    nature: Nature,
    deadline: Deadline,
    started: Moment,
    attempts: u32,
    left_as: Option<u64>,
}

impl Course {
    /// As it was before it was sent, but for what others were told of that.
    pub(crate) fn unsent(self) -> Self {
        Self {
            attempts: 0,
            ..self
        }
    }
}

impl<'a> Call<'a> {
    /// How far it has come.
    pub(crate) fn course(&self) -> Course {
        Course {
            nature: self.nature,
            deadline: self.deadline,
            started: self.started,
            attempts: self.attempts,
            left_as: self.left_as,
        }
    }

    /// A call over the shared connection, gone on with.
    pub(crate) fn resumed(
        link: &'a Link,
        conduct: &'a Conduct,
        name: &'a str,
        course: Course,
    ) -> Self {
        Self {
            link,
            conduct,
            name,
            nature: course.nature,
            deadline: course.deadline,
            started: course.started,
            attempts: course.attempts,
            carried: 0,
            usage: Use::Shared,
            shares: false,
            asked: true,
            needs_since: course.started,
            first: None,
            sent: Sent::No,
            said: None,
            left_as: course.left_as,
            connection: None,
            failed: None,
        }
    }

    pub(crate) fn new(
        link: &'a Link,
        conduct: &'a Conduct,
        name: &'a str,
        nature: Nature,
        term: Term,
    ) -> Self {
        let started = clock::now();
        let usual = |span| Deadline::blocking(started, span, nature.waits());
        let deadline = match term {
            Term::Usual => usual(conduct.deadline),
            Term::For(span) => usual(span),
            Term::Until(end) => usual(conduct.deadline).min(Deadline::at(end)),
        };
        let deadline = if tender::is_here() {
            deadline.min(Deadline::after(started, tender::LISTENER_MAX))
        } else {
            deadline
        };
        Self {
            link,
            conduct,
            name,
            nature,
            deadline,
            started,
            attempts: 0,
            carried: 0,
            usage: if nature.blocking.is_some() {
                Use::Apart
            } else {
                Use::Call
            },
            shares: false,
            asked: false,
            needs_since: started,
            first: None,
            sent: Sent::No,
            said: None,
            left_as: None,
            connection: None,
            failed: None,
        }
    }

    /// Whether it may go over the shared connection of a crowd.
    pub(crate) fn may_share(&self) -> bool {
        self.conduct.shares && self.nature.blocking.is_none() && !self.nature.bulky
    }

    /// It will take the shared connection where none is free for it alone.
    pub(crate) fn could_share(&mut self) {
        self.shares = true;
    }

    /// It goes over the shared connection.
    pub(crate) fn share(&mut self) {
        self.usage = Use::Shared;
    }

    /// What its reply proves about the endpoint.
    pub(crate) fn reply(
        &self,
        established_at: Moment,
        sent_at: Moment,
        shows_writes: bool,
    ) -> Answered {
        let access = match self.nature.access {
            // What a full memory does not bar shows nothing of the memory.
            Access::Write if !self.nature.grows && self.link.ledger().is_out_of_memory() => {
                Access::Neither
            }
            access => access,
        };
        Answered {
            established_at,
            sent_at,
            access: if shows_writes {
                access
            } else {
                Access::Neither
            },
        }
    }

    /// Several commands were answered over a connection, from the reply of this number on. Of errors about the server's
    /// own state the ledger hears as it would from a single command. Whether the connection leads to the wrong server
    /// comes back.
    pub(crate) fn heard(&self, sink: &impl Sink, from: usize, reply: Answered) -> bool {
        let mut heard: Vec<Cause> = Vec::new();
        sink.errors(from, &mut |error| {
            let family = error.kind.family();
            let cause = cause::of_server(&error.kind);
            let of_server = matches!(family, Family::Unavailable | Family::WritesRefused);
            // A thousand refused writes of one pipeline say it once.
            if of_server && !heard.contains(&cause) {
                heard.push(cause);
                self.link
                    .decide(|ledger, now| ledger.said(now, family, cause, reply));
            }
        });
        heard.contains(&Cause::ReadOnly)
    }

    /// When it asks the ledger: for the first time as it begins, since nothing lies between that takes time.
    pub(crate) fn asks_at(&self) -> Moment {
        if self.asked {
            clock::now()
        } else {
            self.started
        }
    }

    /// What it asks the ledger for.
    pub(crate) fn ask(&mut self) -> Ask {
        let first = !std::mem::replace(&mut self.asked, true);
        Ask {
            access: self.nature.access,
            grows: self.nature.grows,
            deadline: self.deadline.send_by(),
            ride_out: self.conduct.ride_out,
            usage: self.usage,
            shares: self.shares,
            first,
            since: self.needs_since,
        }
    }

    /// It is about to be sent.
    pub(crate) fn sending(&mut self) {
        self.attempts += 1;
        if self.nature.writes != Writes::Nothing && self.left_as.is_none() {
            self.left_as = Some(self.link.recent.leave(self.nature.writes));
        }
        if let Some((cause, at)) = self.failed.take() {
            self.link.ledger().counters.retried += 1;
            self.tell(&Event::Retried {
                command: CommandName::from(self.name).as_str(),
                cause,
                attempt: self.attempts,
                attempts_max: self.conduct.attempts_max + self.carried,
                waited: clock::now().since(at),
            });
        }
    }

    /// Whether another write to one of its keys has left this client since it was first sent.
    fn later_write_left(&self) -> bool {
        self.left_as
            .is_some_and(|number| self.link.recent.later(self.nature.writes, number))
    }

    /// Asked right before it is sent again: while it paused, a later write may have left, and then what may have run
    /// must not put the older value back.
    pub(crate) fn overtaken(&self) -> Option<Error> {
        let again = self.sent == Sent::Perhaps && self.nature.replay == Replay::Overwrite;
        if !again || !self.later_write_left() {
            return None;
        }
        let cause = self.first.unwrap_or(Cause::ReplyTimeout);
        self.not_again(cause, RetryRefusal::MayHaveRun);
        Some(self.ends(self.error(Kind::Lost, cause, clock::now())))
    }

    /// It was to get a connection to lend, and did: what becomes of that is no call.
    pub(crate) fn leased(&self) {
        self.link.ledger().counters.leased += 1;
    }

    /// When silence on its connection, lasting since `since`, becomes a question about the endpoint.
    pub(crate) fn overdue_at(&self, since: Moment) -> Moment {
        self.deadline.overdue_at(since, self.conduct.overdue_after)
    }

    /// How its client treats its calls.
    pub(crate) fn conduct(&self) -> &'a Conduct {
        self.conduct
    }

    /// Whether it has less time for its reply than calls usually have: its caller gave it less, or it was sent late.
    pub(crate) fn is_hasty(&self, sent_at: Moment) -> bool {
        let late = sent_at.since(self.started) > self.conduct.overdue_after;
        late || self.deadline.send_by() < self.started + self.conduct.deadline
    }

    /// Whether it could go elsewhere if its connection were given up now.
    pub(crate) fn could_leave(&self, provenance: Provenance) -> bool {
        let replay = self.nature.replay;
        let later = self.later_write_left();
        let free = self.sent == Sent::No && provenance.sent_if_aborted() == Sent::No;
        let tries_left = self.attempts - self.carried < self.conduct.attempts_max;
        free || (tries_left && retry::may_repeat(replay, self.conduct.allowance, later))
    }

    /// Its reply is overdue, and a fresh probe was answered since: whether this call may be sent again on another
    /// connection, and when.
    pub(crate) fn may_leave(
        &self,
        now: Moment,
        provenance: Provenance,
        cause: Cause,
    ) -> Option<Moment> {
        match self.verdict(now, provenance, cause, None) {
            Verdict::Park | Verdict::CarryOver => Some(now),
            Verdict::RetryAt(at) => Some(at),
            Verdict::GiveUp(_) => None,
        }
    }

    /// An attempt is over: what it may have done stays true, whatever becomes of the next one.
    fn over(&mut self, loss: &Loss, server: &Server, provenance: Provenance) {
        self.first.get_or_insert(loss.cause);
        self.needs_since = clock::now();
        self.failed = Some((loss.cause, self.needs_since));
        self.connection = Some(facts(loss, server));
        if provenance.sent_if_aborted() == Sent::Perhaps {
            self.sent = Sent::Perhaps;
        }
    }

    /// Its connection ended (or was given up) under it.
    pub(crate) fn lost(&mut self, loss: &Loss, server: &Server, provenance: Provenance) -> Again {
        self.lost_with(loss, server, provenance, None)
    }

    /// As [`lost`](Self::lost), for one that many shared: its number, if it was lost while an older request was owed its
    /// reply.
    pub(crate) fn lost_with(
        &mut self,
        loss: &Loss,
        server: &Server,
        provenance: Provenance,
        taken_along: Option<u64>,
    ) -> Again {
        let now = clock::now();
        self.over(loss, server, provenance);
        match self.verdict(now, provenance, loss.cause, taken_along) {
            Verdict::CarryOver => {
                self.carried += 1;
                Again::At(now)
            }
            Verdict::Park if now < self.deadline.send_by() => Again::At(now),
            Verdict::RetryAt(at) => {
                self.needs_since = at;
                Again::At(at)
            }
            Verdict::Park => {
                self.not_again(loss.cause, RetryRefusal::Deadline);
                Again::Fail(self.ends(self.lost_for_good(loss, provenance, now)))
            }
            Verdict::GiveUp(why) => {
                self.not_again(loss.cause, refusal_of(why));
                Again::Fail(self.ends(self.lost_for_good(loss, provenance, now)))
            }
        }
    }

    /// It was sent, failed, and is not sent again.
    fn not_again(&self, cause: Cause, why: RetryRefusal) {
        self.link.ledger().counters.retries_refused += 1;
        self.tell(&Event::RetryRefused {
            command: CommandName::from(self.name).as_str(),
            cause,
            why,
        });
    }

    /// It ends by this error.
    fn ends(&self, error: Error) -> Error {
        let how = if error.may_have_run() {
            Failed::MaybeRan
        } else if error.retry_after().is_some() {
            Failed::Refused
        } else {
            Failed::NotRun
        };
        self.link.ledger().counters.failed(error.cause(), how);
        error
    }

    fn tell(&self, event: &Event<'_>) {
        self.link.listeners.tell(&self.link.name, event);
    }

    /// It leaves a silent connection for another one.
    pub(crate) fn left(&mut self, loss: &Loss, server: &Server, provenance: Provenance) {
        self.over(loss, server, provenance);
    }

    /// The reply did not come by the deadline; its connection was given up.
    pub(crate) fn timed_out(
        &mut self,
        loss: &Loss,
        server: &Server,
        provenance: Provenance,
    ) -> Error {
        self.over(loss, server, provenance);
        let now = clock::now();
        let why = if now < self.deadline.send_by() {
            // A wait without an end was ended, since the endpoint went down.
            RetryRefusal::MayHaveRun
        } else {
            RetryRefusal::Deadline
        };
        self.not_again(loss.cause, why);
        let error = self.lost_for_good(loss, provenance, now);
        self.ends(error.with(|report| report.kind = Kind::TimedOut))
    }

    /// A borrower's connection ended: it is not for us to try again.
    pub(crate) fn given_up(
        &mut self,
        loss: &Loss,
        server: &Server,
        provenance: Provenance,
    ) -> Error {
        self.over(loss, server, provenance);
        self.attempts = 1;
        self.lost_for_good(loss, provenance, clock::now())
    }

    /// Its caller was called away from it, or finds himself in a forked child.
    pub(crate) fn interrupted(&self) -> Error {
        let kind = if self.sent == Sent::No {
            Kind::Refused
        } else {
            Kind::Lost
        };
        let error = self.error(kind, Cause::Cancelled, clock::now());
        if self.link.is_inherited() {
            return error.with(|report| {
                report.detail = "the process forked while the call was under way: \
                    it goes on in the parent, and ends here"
                    .into();
            });
        }
        self.ends(error)
    }

    /// As [`interrupted`](Self::interrupted), for one whose request may be on its way over a connection that goes on.
    pub(crate) fn called_away(&mut self) -> Error {
        if self.attempts > 0 {
            self.sent = Sent::Perhaps;
        }
        self.interrupted()
    }

    fn verdict(
        &self,
        now: Moment,
        provenance: Provenance,
        cause: Cause,
        taken_along: Option<u64>,
    ) -> Verdict {
        let attempted = Attempted {
            // What an earlier attempt may have done stays true for the next one.
            sent: match self.sent {
                Sent::Perhaps => Sent::Perhaps,
                Sent::No => provenance.sent_if_aborted(),
            },
            replay: self.nature.replay,
            allowance: self.conduct.allowance,
            later_write_left: self.later_write_left(),
            attempts: self.attempts - self.carried,
            attempts_max: self.conduct.attempts_max,
            carried: self.carried,
            taken_along,
            cause,
            now,
            deadline: self.deadline.send_by(),
        };
        let mut ledger = self.link.ledger();
        let ledger = &mut *ledger;
        retry::decide(&attempted, &mut ledger.budget, &mut ledger.backoff)
    }

    fn lost_for_good(&self, loss: &Loss, provenance: Provenance, now: Moment) -> Error {
        let behind = self.behind(loss.cause);
        let cause = behind.unwrap_or(loss.cause);
        let kind = if self.sent == Sent::No {
            Kind::Refused
        } else {
            Kind::Lost
        };
        self.error(kind, cause, now).with(|report| {
            report.also = behind.map(|_| loss.cause);
            report.provenance = provenance;
        })
    }

    /// What a probe found behind a symptom, if the endpoint is in an outage.
    fn behind(&self, symptom: Cause) -> Option<Cause> {
        // A forked child must not wait for its parent's locks.
        if !symptom.is_symptom() || self.link.is_inherited() {
            return None;
        }
        match self.link.ledger().health.state() {
            State::Suspect { cause, .. } | State::Down { cause, .. } => {
                Some(cause).filter(|cause| !cause.is_symptom())
            }
            State::Up => None,
        }
    }

    /// The ledger refused it.
    pub(crate) fn refused(&self, refusal: Refusal) -> Error {
        let now = clock::now();
        let settings = refusal.cause.fault() == seawall_model::Fault::Settings;
        let kind = if settings {
            Kind::Settings
        } else {
            Kind::Refused
        };
        let error = self.error(kind, refusal.cause, now).with(|report| {
            report.also = self.first.filter(|&first| first != refusal.cause);
            report.retry_after = refusal.retry_at.map(|at| at.since(now));
            let said = self.said.clone();
            let said = said.filter(|error| cause::of_server(&error.kind) == refusal.cause);
            report.server = said.or(refusal.server);
            if !refusal.detail.is_empty() {
                report.detail = refusal.detail;
            }
        });
        self.ends(error)
    }

    /// The server answered with an error.
    pub(crate) fn said(&mut self, error: ServerError, reply: Answered) -> Said {
        let family = error.kind.family();
        let cause = cause::of_server(&error.kind);
        match family {
            Family::Unavailable | Family::WritesRefused | Family::Credentials => {
                self.link
                    .decide(|ledger, now| ledger.said(now, family, cause, reply));
            }
            Family::Redirect | Family::Application => {}
        }
        let close = cause == Cause::ReadOnly;
        let ran_not = cause::surely_did_not_run(&error.kind, self.nature);
        if ran_not && self.goes_again(family, cause) {
            self.first.get_or_insert(cause);
            self.needs_since = clock::now();
            self.failed = Some((cause, self.needs_since));
            self.said = Some(error);
            return Said {
                answer: None,
                close,
            };
        }
        Said {
            answer: Some(error),
            close,
        }
    }

    /// Whether a command that the server refused for its own state goes back to admission.
    ///
    /// Admission must be able to hold it back, or it would be asked and refused without end: the closed gate holds
    /// writes alone (a server also refuses what only *could* write, and PING after a failed save), and where a probe
    /// finds the endpoint well (one slot of a cluster has no owner) nothing does, so that each try is counted and paid.
    fn goes_again(&self, family: Family, cause: Cause) -> bool {
        let now = clock::now();
        match family {
            Family::Unavailable => {
                self.verdict(now, Provenance::Queued, cause, None) == Verdict::Park
            }
            Family::WritesRefused => {
                let barred = self.nature.grows || !self.link.ledger().is_out_of_memory();
                self.nature.access == Access::Write && barred && now < self.deadline.send_by()
            }
            Family::Credentials | Family::Redirect | Family::Application => false,
        }
    }

    /// The error for a server's error that is the answer.
    pub(crate) fn answered(&self, error: ServerError) -> Error {
        let cause = cause::of_server(&error.kind);
        let surely_not = cause::surely_did_not_run(&error.kind, self.nature);
        let error = self
            .error(Kind::Server, cause, clock::now())
            .with(|report| {
                if !surely_not {
                    report.sent = Sent::Perhaps;
                }
                report.provenance = Provenance::Replying;
                report.connection = None;
                report.server = Some(cause::without_arguments(error));
            });
        if cause == Cause::CommandError {
            self.link.ledger().counters.answered += 1;
            return error;
        }
        self.ends(error)
    }

    fn error(&self, kind: Kind, cause: Cause, now: Moment) -> Error {
        Error::new(kind, cause, self.name, &self.link.name).with(|report| {
            report.attempts = self.attempts;
            report.sent = self.sent;
            report.elapsed = now.since(self.started);
            report.connection.clone_from(&self.connection);
        })
    }

    /// Adds what is known of the call to an error that was made of its replies.
    pub(crate) fn note(&self, error: Error) -> Error {
        error.with(|report| {
            report.attempts = self.attempts;
            report.elapsed = clock::now().since(self.started);
        })
    }

    /// It would wait on the thread that does what it would wait for.
    pub(crate) fn cannot_wait_here(&self) -> Error {
        self.nothing_came().with(|report| {
            report.detail = "a listener made the call on the thread that makes connections, \
                and there was none for it at once: call from a thread of your own"
                .into();
        })
    }

    /// The deadline came while it waited for a connection.
    pub(crate) fn nothing_came(&self) -> Error {
        let refusal = self
            .link
            .ledger()
            .why_nothing(clock::now(), self.nature.access);
        self.refused(refusal)
    }
}

fn facts(loss: &Loss, server: &Server) -> ConnectionFacts {
    ConnectionFacts {
        close: loss.close,
        idle: loss.idle,
        age: loss.age,
        bytes_in: loss.bytes_in,
        bytes_out: loss.bytes_out,
        in_flight: loss.owed,
        partial: loss.partial,
        client_id: server.client_id,
        run_id: server.run_id.clone(),
    }
}
