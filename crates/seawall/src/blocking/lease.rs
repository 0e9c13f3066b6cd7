use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use seawall_model::journal::{CommandName, RetryRefusal};
use seawall_model::{Cause, Close, Fault, Moment, Provenance, Sent};
use seawall_policy::deadline::{Blocking as Hold, Deadline};
use seawall_policy::health::Answered;
use seawall_policy::retry::{self, Attempted, Verdict};
use seawall_wire::error::{ErrorKind, Family, ServerError};
use seawall_wire::facts::{Access, Blocking, Replay};
use seawall_wire::request;
use seawall_wire::scan::{RequestScan, RequestScanner};
use seawall_wire::{Limits, Value, WireError};

use super::ground::{self, Ground, Interest, Interrupted};
use super::patience::{GLANCE, OVERDUE, Patience};
use super::rounds::Rounds;
use super::talk::{Fate, Talk, Transaction};
use super::{exchange, park};
use crate::clock;
use crate::command::{Cmd, Nature, held_back};
use crate::error::{Error, Kind};
use crate::events::{Event, refusal_of};
use crate::fork;
use crate::link::call::{Call, Conduct, Term};
use crate::link::cause;
use crate::link::connection::{Incoming, Loss};
use crate::link::ledger::Lent;
use crate::link::live::{Live, Step, wire_cause};
use crate::link::shared::Link;
use crate::link::sink;
use crate::net::stream::close_of;

/// A raw connection, borrowed from the pool: what is sent is not retried, what comes is not sorted.
///
/// It goes back to the pool when it is dropped clean, and is closed if a reply is owed, something is unread, or a
/// command changed what later ones would mean (SELECT, WATCH, SUBSCRIBE, ..).
pub struct Lease {
    link: Arc<Link>,
    conduct: Conduct,
    lent: Option<Lent<Box<Live>>>,
    generation: u64,
    tainted: bool,
    transaction: Transaction,
    /// It watches keys, or did when a transaction was sent that was not answered yet.
    watches: bool,
    sent: Box<str>,
    ground: Option<Arc<dyn Ground>>,
    /// How long the server may hold back the replies that are owed, by the word of the commands.
    wait: Option<Blocking>,
    /// Since when a reply is owed.
    asked_at: Moment,
    talk: Talk,
    rounds: Rounds,
}

impl Lease {
    pub(super) fn borrow(
        link: Arc<Link>,
        conduct: Conduct,
        term: Term,
        ground: Option<Arc<dyn Ground>>,
    ) -> Result<Self, Error> {
        // It will carry what its borrower likes, for as long as he likes: apart from the calls, as for a write.
        let nature = Nature::lease();
        let lent = {
            let mut call = Call::new(&link, &conduct, "LEASE", nature, term);
            let lent = park::acquire_own(&mut call, ground.as_deref())?;
            call.leased();
            lent
        };
        Ok(Self::of(link, conduct, lent, ground))
    }

    /// Of a connection that was lent already.
    pub(crate) fn of(
        link: Arc<Link>,
        conduct: Conduct,
        lent: Lent<Box<Live>>,
        ground: Option<Arc<dyn Ground>>,
    ) -> Self {
        let generation = fork::generation();
        Self {
            link,
            conduct,
            lent: Some(lent),
            generation,
            tainted: false,
            transaction: Transaction::None,
            watches: false,
            sent: Box::default(),
            ground,
            wait: None,
            asked_at: Moment::NEVER,
            talk: Talk::begin(),
            rounds: Rounds::default(),
        }
    }

    /// From here on what is said over it counts as calls, each command or pipeline as one: for borrowers who are the
    /// application's clients themselves.
    pub fn count_calls(&mut self) {
        self.rounds.count();
    }

    /// From here on it waits on this ground: its borrower may take it to another kind of thread.
    pub fn stand_on(&mut self, ground: Arc<dyn Ground>) {
        self.ground = Some(ground);
    }

    /// Writes a command, all of it, within the deadline. Its reply is taken by [`recv`](Self::recv).
    pub fn send(&mut self, cmd: &Cmd) -> Result<(), Error> {
        self.enqueue(cmd.nature(), &cmd.name(), |out| cmd.pack(out))?;
        self.write_out(Patience::Default)
    }

    /// Writes requests that were packed already, one or several, all of them, within `patience`.
    ///
    /// Errors: what is no whole request is refused before anything is sent.
    pub fn send_packed(&mut self, requests: &[u8], patience: Patience) -> Result<(), Error> {
        self.queue_packed(requests)?;
        self.write_out(patience)
    }

    /// Queues requests that were packed already, for a shell that waits by itself: [`flush`](Self::flush) writes them.
    ///
    /// Errors: what is no whole request is refused before anything is queued.
    pub fn queue_packed(&mut self, requests: &[u8]) -> Result<(), Error> {
        let mut rest = requests;
        let mut scanner = RequestScanner::new(Limits::default());
        let mut queue = Vec::new();
        while !rest.is_empty() {
            let len = match scanner.scan(rest) {
                Ok(RequestScan::Complete { len, .. }) => len,
                Ok(RequestScan::Blank { len }) => {
                    rest = &rest[len..];
                    continue;
                }
                Ok(RequestScan::Partial { .. }) => return Err(self.unfit("its end is missing")),
                Err(error) => return Err(self.unfit(&error.to_string())),
            };
            let (request, behind) = rest.split_at(len);
            queue.push(request);
            rest = behind;
        }
        for request in queue {
            let args = request::args(request).map_err(|error| self.unfit(&error.to_string()))?;
            let words: Vec<&[u8]> = args.iter().collect();
            let name = words.first().map(|name| String::from_utf8_lossy(name));
            self.enqueue(Nature::of(&words), &name.unwrap_or_default(), |out| {
                out.extend_from_slice(request);
            })?;
        }
        Ok(())
    }

    /// Writes what is queued as far as the socket takes it without waiting: whether that was all.
    pub fn flush(&mut self) -> Result<bool, Error> {
        let live = self.live()?;
        match live.write_some() {
            Ok(Step::Moved) => Ok(true),
            Ok(Step::WouldBlock) => Ok(false),
            Err(_) => {
                let now = clock::now();
                live.fall_mute(now);
                let close = match live.read_some(now) {
                    Err(error) => close_of(&error),
                    Ok(_) => Close::Reset,
                };
                Err(self.lose(close, None))
            }
        }
    }

    /// The reply to what was sent is overdue: has the endpoint looked at.
    pub fn overdue(&mut self, since: Moment) -> Result<(), Error> {
        let cause = self
            .live()?
            .state
            .loss(Close::Abandoned, clock::now())
            .cause;
        self.link
            .decide(|ledger, now| ledger.overdue(now, since, cause));
        Ok(())
    }

    /// Whether the endpoint is down, and not only for new connections; a forked child does not ask, with its parent's locks.
    pub fn is_down(&self) -> bool {
        !self.link.is_inherited() && self.link.ledger().health.ends_waits()
    }

    /// How long a reader waits for what is owed by default: the client's deadline, and a blocking command's own timeout
    /// besides; `None` where that has no end.
    pub fn patience(&self) -> Option<Duration> {
        match self.wait {
            None => Some(self.conduct.deadline),
            Some(Blocking::For(span)) => Some(self.conduct.deadline.saturating_add(span)),
            Some(Blocking::Forever) => None,
        }
    }

    /// Whether the server may hold the reply back, by the word of the command.
    pub fn is_held_back(&self) -> bool {
        self.wait.is_some()
    }

    fn enqueue(
        &mut self,
        nature: Nature,
        name: &str,
        pack: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Error> {
        // What a forked child says over it changes nothing.
        if self.generation == fork::generation() {
            self.begin_or_end(nature, name);
        }
        self.link.recent.leave(nature.writes);
        self.sent = name.into();
        self.talk.replay = self.talk.replay.least(nature.replay);
        self.talk.script |= nature.script;
        let wait = self.wait;
        let live = self.live()?;
        let idle = live.state.owed() == 0;
        let now = clock::now();
        live.state.queue(now, 1, pack);
        self.asked_at = if idle { now } else { self.asked_at };
        self.wait = match (idle, nature.blocking) {
            (true, blocking) => blocking,
            (false, Some(Blocking::Forever)) => Some(Blocking::Forever),
            (false, Some(Blocking::For(more))) => match wait {
                Some(Blocking::For(before)) => Some(Blocking::For(before.saturating_add(more))),
                Some(Blocking::Forever) => Some(Blocking::Forever),
                None => Some(Blocking::For(more)),
            },
            (false, None) => wait,
        };
        self.rounds.asked(&self.link, name);
        Ok(())
    }

    fn write_out(&mut self, patience: Patience) -> Result<(), Error> {
        let until = match patience {
            Patience::Default => clock::now() + self.conduct.deadline,
            Patience::For(span) => clock::now() + span,
            Patience::Forever => Moment::NEVER,
        };
        let ground = self.ground.clone();
        loop {
            let live = self.live()?;
            match live.write_some() {
                Ok(Step::Moved) => return Ok(()),
                Ok(Step::WouldBlock) => {}
                Err(_) => {
                    return match ground::last_words(ground.as_deref(), live, clock::now()) {
                        Ok(close) => Err(self.lose(close, None)),
                        Err(Interrupted) => Err(self.interrupted()),
                    };
                }
            }
            if clock::now() >= until {
                return Err(self.late());
            }
            // Replies to what was sent before must be taken in meanwhile, or both sides wait for each other.
            let fd = live.stream.fd();
            if ground::ready(ground.as_deref(), fd, Interest::ReadOrWrite, until).is_err() {
                return Err(self.interrupted());
            }
            if let Err(error) = live.read_some(clock::now()) {
                return Err(self.lose(close_of(&error), None));
            }
        }
    }

    /// Reads the next reply or push, waiting no longer than the deadline, and for a blocking command its own timeout
    /// besides.
    pub fn recv(&mut self) -> Result<Value, Error> {
        self.recv_frame(Patience::Default, |frame, limits| {
            Value::decode(frame, limits).map(|(value, _)| value)
        })?
        .ok_or_else(|| self.late())
    }

    /// Reads the next reply or push, waiting `within` for its first byte; `None` if nothing came. The connection stays
    /// usable.
    pub fn recv_within(&mut self, within: Duration) -> Result<Option<Value>, Error> {
        self.recv_frame(Patience::For(within), |frame, limits| {
            Value::decode(frame, limits).map(|(value, _)| value)
        })
    }

    /// Reads the next reply or push as it came, and gives it to `take`; `None` if nothing came in time. The connection
    /// stays usable, unless what came cannot be read.
    pub fn recv_frame<T>(
        &mut self,
        patience: Patience,
        take: impl FnOnce(&[u8], &Limits) -> Result<T, WireError>,
    ) -> Result<Option<T>, Error> {
        let began = clock::now();
        let deadline = match (patience, self.wait) {
            (Patience::For(span), _) => Deadline::after(began, span),
            (Patience::Forever, _) => Deadline::blocking(began, Duration::ZERO, Hold::UntilDown),
            (Patience::Default, wait) => {
                Deadline::blocking(began, self.conduct.deadline, held_back(wait))
            }
        };
        let ground = self.ground.clone();
        let mut asked = false;
        let mut looked = false;
        loop {
            let live = self.live()?;
            match live.state.next_incoming() {
                Ok(Some(incoming)) => return self.take(incoming, take).map(Some),
                Ok(None) => {}
                Err(error) => return Err(self.lose(Close::Ours, Some(wire_cause(&error)))),
            }
            let now = clock::now();
            // What has come already is read even by who does not wait.
            if looked && deadline.too_late_to_answer(now) {
                return Ok(None);
            }
            if looked && deadline.ends_when_down() && self.is_down() {
                return Err(self.late());
            }
            looked = true;
            let owed = self.live()?.state.owed() > 0 && self.wait.is_none();
            let overdue = began + self.conduct.overdue_after;
            let look = if deadline.ends_when_down() {
                now + GLANCE
            } else if owed && !asked {
                overdue
            } else {
                Moment::NEVER
            };
            let until = look.min(deadline.answer_by());
            let live = self.live()?;
            let ready = if patience == Patience::For(Duration::ZERO) {
                // Who does not wait need not ask whether to wait.
                Ok(true)
            } else {
                ground::ready(ground.as_deref(), live.stream.fd(), Interest::Read, until)
            };
            match ready {
                Ok(true) => {
                    if let Err(error) = live.read_some(clock::now()) {
                        let waits = patience != Patience::For(Duration::ZERO);
                        return self.last_frame(close_of(&error), waits, take);
                    }
                }
                Ok(false) => {}
                Err(Interrupted) => return Err(self.interrupted()),
            }
            let now = clock::now();
            if owed && !asked && now >= overdue {
                // The reply is overdue: is it the server, or this connection?
                asked = true;
                self.overdue(began)?;
            }
        }
    }

    /// The connection ended; a whole reply that came before its end is still one. Who waits for replies anyway waits for
    /// the reason as well.
    fn last_frame<T>(
        &mut self,
        close: Close,
        waits: bool,
        take: impl FnOnce(&[u8], &Limits) -> Result<T, WireError>,
    ) -> Result<Option<T>, Error> {
        match self.live()?.state.next_incoming() {
            // The end is found again by the next read.
            Ok(Some(incoming)) => self.take(incoming, take).map(Some),
            Ok(None) | Err(_) => Err(self.lose_for(close, None, waits)),
        }
    }

    /// Whether a read would find bytes, in the buffer or in the socket, within `within`.
    pub fn can_read(&mut self, within: Duration) -> Result<bool, Error> {
        let until = clock::now() + within;
        let ground = self.ground.clone();
        loop {
            let live = self.live()?;
            if !live.state.unread().is_empty() {
                return Ok(true);
            }
            let fd = live.stream.fd();
            match ground::ready(ground.as_deref(), fd, Interest::Read, until) {
                Ok(true) if live.stream.is_layered() => {}
                Ok(ready) => return Ok(ready),
                Err(Interrupted) => return Err(self.interrupted()),
            }
            // Under TLS the socket may carry nothing that a read would find. An end is found again by the next read.
            if live.read_some(clock::now()).is_err() {
                return Ok(true);
            }
        }
    }

    /// Looks whether the connection is still fit for a new request: pushes are taken; if it has ended, or something
    /// unasked came, it is lost, and the error says how.
    pub fn check(&mut self) -> Result<(), Error> {
        match self.live()?.check(clock::now()) {
            Ok(()) => Ok(()),
            Err(loss) => Err(self.lose(loss.close, Some(loss.cause))),
        }
    }

    /// From here on the borrower may want to begin again, `attempts` of it included: see [`again`](Self::again).
    pub fn begin(&mut self, attempts: u32) {
        self.rounds.settle(&self.link);
        self.talk = Talk {
            attempts,
            ..Talk::begin()
        };
    }

    /// After the connection was lost: whether all that was sent since [`begin`](Self::begin) may be sent again over
    /// another one, and after which pause. Paid for from the retry budget. What a forked child began was not sent; what its
    /// parent began goes on there.
    pub fn again(&mut self, until: Moment) -> Option<Duration> {
        if self.link.is_inherited() {
            let untouched = self.talk.generation == fork::generation() && !self.is_tainted();
            return untouched.then_some(Duration::ZERO);
        }
        let (cause, sent) = self.talk.lost?;
        if cause.fault() == Fault::Settings {
            // No second try cures a wrong password.
            self.tell_again(cause, Err(RetryRefusal::NotRetryable));
            return None;
        }
        let now = clock::now();
        let attempted = Attempted {
            sent,
            replay: if self.is_tainted() {
                Replay::Never
            } else {
                self.talk.replay
            },
            allowance: self.conduct.allowance,
            // Others may have written since; whether they have is not kept for a borrower.
            later_write_left: true,
            attempts: self.talk.attempts,
            attempts_max: self.conduct.attempts_max,
            carried: 0,
            taken_along: None,
            cause,
            now,
            deadline: until,
        };
        let verdict = {
            let mut ledger = self.link.ledger();
            let ledger = &mut *ledger;
            retry::decide(&attempted, &mut ledger.budget, &mut ledger.backoff)
        };
        let outcome = match verdict {
            Verdict::Park | Verdict::CarryOver if now < until => Ok(Duration::ZERO),
            Verdict::Park | Verdict::CarryOver => Err(RetryRefusal::Deadline),
            Verdict::RetryAt(at) => Ok(at.since(now)),
            Verdict::GiveUp(why) => Err(refusal_of(why)),
        };
        match outcome {
            Ok(_) => self.rounds.again(),
            Err(_) => self.rounds.settle(&self.link),
        }
        self.tell_again(cause, outcome);
        outcome.ok()
    }

    /// What was decided of the borrower's next attempt is counted and told as a call's is.
    fn tell_again(&self, cause: Cause, outcome: Result<Duration, RetryRefusal>) {
        let name = CommandName::from(&*self.sent);
        let command = name.as_str();
        let event = match outcome {
            Ok(waited) => {
                self.link.ledger().counters.retried += 1;
                Event::Retried {
                    command,
                    cause,
                    attempt: self.talk.attempts + 1,
                    attempts_max: self.conduct.attempts_max,
                    waited,
                }
            }
            Err(why) => {
                self.link.ledger().counters.retries_refused += 1;
                Event::RetryRefused {
                    command,
                    cause,
                    why,
                }
            }
        };
        self.link.listeners.tell(&self.link.name, &event);
    }

    /// After it was lost: whether all that was sent since [`begin`](Self::begin) has changed nothing, be it that it
    /// surely did not run, or that it only looked.
    pub fn changed_nothing(&self) -> bool {
        self.talk.replay == Replay::Read || matches!(self.talk.lost, Some((_, Sent::No)))
    }

    /// Whether replies are owed on it.
    pub fn owes(&self) -> bool {
        let lent = self.lent.as_ref();
        lent.is_some_and(|lent| lent.connection.state.owed() > 0)
    }

    /// Whether keys are watched over it, as far as its borrower was told.
    pub fn is_watching(&self) -> bool {
        self.watches
    }

    /// Whether nothing is owed, half sent or unread on it.
    pub fn is_clean(&self) -> bool {
        let lent = self.lent.as_ref();
        lent.is_some_and(|lent| lent.connection.state.is_clean())
    }

    /// Whether it still has its connection.
    pub fn is_open(&self) -> bool {
        self.lent.is_some()
    }

    /// Whether what was sent on it changed what later commands mean, so that it cannot go back to the pool.
    pub fn is_tainted(&self) -> bool {
        self.tainted || self.transaction != Transaction::None
    }

    /// Follows a transaction: one that has ended leaves nothing behind, and the connection is as good as before.
    fn begin_or_end(&mut self, nature: Nature, name: &str) {
        use Transaction::{Ending, None, Queueing, Watching};
        let is = |word: &str| name.eq_ignore_ascii_case(word);
        self.transaction = match self.transaction {
            None | Watching if is("WATCH") => {
                self.watches = true;
                Watching
            }
            None | Watching if is("MULTI") => Queueing,
            Watching if is("UNWATCH") => Ending,
            Queueing if is("EXEC") || is("DISCARD") => Ending,
            before => {
                // What follows the end before its reply hides that reply.
                self.tainted |= nature.session || before == Ending;
                before
            }
        };
    }

    /// Everything that was sent is answered, by this last.
    fn answered_last(&mut self, refusal: Option<&ServerError>) {
        if self.transaction == Transaction::Ending {
            self.transaction = Transaction::None;
            self.watches = false;
            self.tainted |= refusal.is_some_and(|error| error.kind != ErrorKind::ExecAbort);
        }
    }

    /// How far the oldest unanswered command got.
    pub fn provenance(&self) -> Provenance {
        self.lent.as_ref().map_or(Provenance::Queued, |lent| {
            lent.connection.state.provenance()
        })
    }

    /// The id by which the server knows this connection, if it told.
    pub fn client_id(&self) -> Option<u64> {
        self.lent
            .as_ref()
            .and_then(|lent| lent.connection.server.client_id)
    }

    /// What the server called itself when the connection was made, `redis` or `valkey`, and its version, if it told.
    pub fn server(&self) -> (Option<&str>, Option<&str>) {
        self.lent.as_ref().map_or((None, None), |lent| {
            let server = &lent.connection.server;
            (server.product.as_deref(), server.version.as_deref())
        })
    }

    /// The socket, for those who poll it themselves; `None` once it is lost. It is non-blocking, and bytes may wait in
    /// the buffer while it is silent: ask [`can_read`](Self::can_read) first.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.lent.as_ref().map(|lent| lent.connection.stream.fd())
    }

    /// Gives the connection up: what the kernel has not sent yet is thrown away, so that it cannot run later.
    pub fn abandon(mut self) {
        self.close();
    }

    /// As [`abandon`](Self::abandon), for who still wants to ask whether it may [begin again](Self::again).
    pub fn close(&mut self) {
        if self.talk.lost.is_none() {
            self.talk.lost = Some(self.given_up());
            self.doubt_others();
        }
        self.release(Fate::Abandon);
    }

    /// What is still owed on it goes to nobody.
    fn given_up(&mut self) -> (Cause, Sent) {
        let cause = self.talk.given_up_for(self.owes());
        let sent = self.talk.sent_if_lost(self.provenance());
        self.rounds.lost(cause, sent);
        (cause, sent)
    }

    /// A server answers a blocking command when its time is over. One that is given up without that answer was on a path
    /// that is no more, and so may be what has been at rest since before the answer was due: kombu's BRPOP would go there
    /// next.
    fn doubt_others(&self) {
        let (Some(lent), Some(Blocking::For(span))) = (&self.lent, self.wait) else {
            return;
        };
        let waited = clock::now().since(self.asked_at);
        let late = lent.connection.state.owed() > 0 && waited > span.saturating_add(OVERDUE);
        if late && !self.link.is_inherited() {
            let overdue = waited.saturating_sub(span);
            self.link
                .decide(|ledger, now| ledger.distrust(now, overdue));
        }
    }

    fn take<T>(
        &mut self,
        incoming: Incoming,
        take: impl FnOnce(&[u8], &Limits) -> Result<T, WireError>,
    ) -> Result<T, Error> {
        let live = self.live()?;
        let frame = match incoming {
            Incoming::Reply(frame) | Incoming::Push(frame) | Incoming::Unasked(frame) => frame,
        };
        let bytes = live.state.frame(frame);
        let refusal = sink::refusal(bytes, live.state.limits());
        let taken = match take(bytes, live.state.limits()) {
            Ok(taken) => taken,
            // While it is still owed: its command ran.
            Err(error) => return Err(self.lose(Close::Ours, Some(wire_cause(&error)))),
        };
        live.state.consume(incoming);
        let established = live.state.established();
        let last = live.state.owed() == 0;
        if matches!(incoming, Incoming::Reply(_)) {
            self.talk.said = refusal.as_ref().map(|error| cause::of_server(&error.kind));
            match &refusal {
                Some(error) if error.kind.surely_did_not_run() && !self.talk.script => {
                    self.talk.refused = Some(cause::of_server(&error.kind));
                }
                _ => self.talk.answered = true,
            }
            if last {
                self.answered_last(refusal.as_ref());
                let script = self.talk.script;
                self.rounds.answered(&self.link, refusal.as_ref(), script);
            }
        }
        if let Some(error) = refusal {
            self.heard(&error, established);
        }
        Ok(taken)
    }

    /// The deadline came: the connection is given up.
    pub fn late(&mut self) -> Error {
        self.lose(Close::Abandoned, None)
            .with(|report| report.kind = Kind::TimedOut)
    }

    /// Its thread was called away in the middle of something.
    fn interrupted(&mut self) -> Error {
        self.lose(Close::Abandoned, Some(Cause::Cancelled))
    }

    /// The server answered with an error: if it is about its own state, the ledger hears of it.
    fn heard(&mut self, error: &ServerError, established_at: Moment) {
        // It leads to a replica: not for the next borrower.
        self.tainted |= error.kind == ErrorKind::ReadOnly;
        let family = error.kind.family();
        if matches!(family, Family::Unavailable | Family::WritesRefused) {
            let reply = Answered {
                established_at,
                sent_at: established_at,
                access: Access::Neither,
            };
            let cause = cause::of_server(&error.kind);
            self.link
                .decide(|ledger, now| ledger.said(now, family, cause, reply));
        }
    }

    fn unfit(&self, why: &str) -> Error {
        Error::new(
            Kind::Settings,
            Cause::BadSettings,
            &self.sent,
            &self.link.name,
        )
        .with(|report| {
            report.detail = format!("the packed command is no whole request: {why}").into();
        })
    }

    fn live(&mut self) -> Result<&mut Live, Error> {
        let why = if self.generation != fork::generation() {
            "the lease was taken before a fork; take another one in the child"
        } else if let Some(lent) = &mut self.lent {
            return Ok(&mut lent.connection);
        } else {
            "the lease's connection was lost before; take another one"
        };
        Err(gone(&self.sent, &self.link).with(|report| report.detail = why.into()))
    }

    /// The connection is gone: reports it and says what that proves.
    fn lose(&mut self, close: Close, cause: Option<Cause>) -> Error {
        self.lose_for(close, cause, false)
    }

    /// As [`lose`](Self::lose); with `examine` the server is asked for its reason, if it may have had one.
    fn lose_for(&mut self, close: Close, cause: Option<Cause>, examine: bool) -> Error {
        let now = clock::now();
        let Some(lent) = self.lent.take() else {
            return gone(&self.sent, &self.link);
        };
        let mut loss: Loss = lent.connection.state.loss(close, now).with(&self.sent);
        loss.cause = cause.unwrap_or(loss.cause);
        let provenance = lent.connection.state.provenance();
        let server = lent.connection.server.clone();
        let mut call = Call::new(
            &self.link,
            &self.conduct,
            &self.sent,
            Nature::lease(),
            Term::Usual,
        );
        let mut examined = Ok(());
        if close == Close::Abandoned {
            self.link.bury_alone(lent, &loss);
        } else if examine && self.link.wants_examination(&loss) {
            let connection = lent.connection.id;
            self.link.bury_untold(lent, &loss);
            examined = exchange::examine(&call, self.ground.as_deref(), &mut loss);
            if !self.link.is_inherited() {
                self.link.tell_lost(connection, &loss);
            }
        } else {
            self.link.bury(lent, &loss);
        }
        let mut error = call.given_up(&loss, &server, provenance);
        if examined.is_err() {
            error = call.interrupted();
        }
        let sent = self.talk.sent_if_lost(provenance);
        self.talk.lost = Some((loss.cause, sent));
        self.rounds.lost(loss.cause, sent);
        error
    }

    fn release(&mut self, fate: Fate) {
        let Some(lent) = self.lent.take() else { return };
        if self.generation != fork::generation() {
            // A forked child: the socket is the parent's too. Closing our copy is all that may be done.
            drop(lent);
            return;
        }
        match fate {
            Fate::Return if !self.is_tainted() => self.link.give_back(lent.connection, lent.usage),
            Fate::Return | Fate::Abandon => {
                let (usage, had_since) = (lent.usage, lent.connection.had_since);
                if lent.connection.is_settled() {
                    lent.connection.stream.close();
                } else {
                    lent.connection.stream.abort();
                }
                self.link
                    .decide(|ledger: &mut _, now: Moment| ledger.dropped(now, usage, had_since));
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.given_up();
        self.rounds.settle(&self.link);
        self.release(Fate::Return);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({}, {})", self.link.name, self.provenance())
    }
}

fn gone(sent: &str, link: &Link) -> Error {
    Error::new(Kind::Refused, Cause::ClientClosed, sent, &link.name)
}
