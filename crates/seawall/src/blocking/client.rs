use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use seawall_model::{Cause, Moment};
use seawall_wire::Value;

use super::crowd::Crowd;
use super::exchange::{self, Way};
use super::frames::Frames;
use super::ground::Ground;
use super::lease::Lease;
use crate::batch::Batch;
use crate::builder::Builder;
use crate::command::{Arg, Cmd};
use crate::error::Error;
use crate::journal::Record;
use crate::link::call::{Call, Term};
use crate::link::home::Home;
use crate::link::ledger::Ledger;
use crate::link::sink::{Whole, Word};
use crate::pipeline::Pipeline;
use crate::reply::FromReply;
use crate::stats::Stats;

/// A client for threads: each call blocks the calling thread until it is answered or its deadline comes.
///
/// Cheap to clone; clones and threads share one pool. Eight calls at once and more to a server of the same host share a
/// connection: their requests go out in one write. After a fork the child makes connections of its own.
#[derive(Clone)]
pub struct Client {
    home: Arc<Home>,
    crowd: Arc<Crowd>,
    term: Term,
    ground: Option<Arc<dyn Ground>>,
}

impl Client {
    /// A client for a URL: `redis://[user:password@]host[:port][/db][?option=value]`, `unix:///path`.
    ///
    /// Nothing is dialled yet. Errors are about the URL and its options alone.
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::builder(url)?.build()
    }

    /// A client whose settings begin with the URL's.
    pub fn builder(url: &str) -> Result<Builder, Error> {
        Builder::parse(url)
    }

    pub(crate) fn at(home: Arc<Home>) -> Self {
        Self {
            home,
            crowd: Arc::default(),
            term: Term::Usual,
            ground: None,
        }
    }

    /// The same client, whose calls wait on this ground. Pool and health are shared.
    #[must_use]
    pub fn on(&self, ground: Arc<dyn Ground>) -> Self {
        Self {
            ground: Some(ground),
            ..self.clone()
        }
    }

    /// The same client, whose calls end at `end` at the latest: blocking commands too, whatever their own timeout says.
    /// Pool and health are shared.
    #[must_use]
    pub fn until(&self, end: Moment) -> Self {
        Self {
            term: Term::Until(end),
            ..self.clone()
        }
    }

    /// The same client, with another deadline for the calls made through what is returned. Pool and health are shared.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        Self {
            term: Term::For(deadline),
            ..self.clone()
        }
    }

    /// Sends a command and reads its reply as `T`.
    pub fn call<T: FromReply>(&self, cmd: &Cmd) -> Result<T, Error> {
        let name = cmd.name();
        let nature = cmd.nature();
        let link = self.home.link()?;
        cmd.refuse_session(nature, &link.name)?;
        let mut call = Call::new(&link, self.home.conduct(), &name, nature, self.term);
        let ground = self.ground();
        let under_way = self.crowd.begin(&mut call, ground, cmd);
        let mut reply: Option<Value> = None;
        let way = if under_way.shares {
            Way::Shared
        } else {
            exchange::drive(&mut call, ground, 1, &mut reply, &|live, _, now| {
                cmd.queue_on(&mut live.state, now);
            })?
        };
        if way == Way::Shared {
            let mut word = Word::default();
            self.crowd.share(&mut call, &link, ground, cmd, &mut word)?;
            reply = word.reply;
        }
        T::from_reply(reply.unwrap_or(Value::Null))
            .map_err(|wrong| exchange::wrong_type(&call, &wrong, &name))
    }

    /// Sends a command, and leaves its reply in `frames` as it came. An error reply is an error here too, and is found
    /// word for word in [`Frames::refusal`].
    pub fn exchange(&self, cmd: &Cmd, frames: &mut Frames) -> Result<(), Error> {
        let name = cmd.name();
        let nature = cmd.nature();
        let link = self.home.link()?;
        cmd.refuse_session(nature, &link.name)?;
        frames.begin(false);
        let mut call = Call::new(&link, self.home.conduct(), &name, nature, self.term);
        let ground = self.ground();
        let under_way = self.crowd.begin(&mut call, ground, cmd);
        if !under_way.shares {
            let way = exchange::drive(&mut call, ground, 1, frames, &|live, _, now| {
                cmd.queue_on(&mut live.state, now);
            });
            if !matches!(way, Ok(Way::Shared)) {
                self.crowd.heard(frames.size());
                return way.map(drop);
            }
        }
        let mut word = Word::default();
        let outcome = self.crowd.share(&mut call, &link, ground, cmd, &mut word);
        frames.hold(word.reply, word.refusal);
        outcome
    }

    /// Sends the commands of a batch in one write, and leaves their replies in `frames` as they came, errors among them.
    /// A single command's error is an error here too, as in [`exchange`](Self::exchange).
    ///
    /// If the connection ends in between, what was not answered is sent again where all of the batch may be; otherwise
    /// the error says whether it may have run. To be asked only for one that [is plain](Batch::is_plain).
    pub fn exchange_batch(&self, batch: &Batch, frames: &mut Frames) -> Result<(), Error> {
        frames.begin(false);
        let link = self.home.link()?;
        batch.refuse_session(&link.name)?;
        let (nature, name) = (batch.nature(), batch.name());
        let mut call = Call::new(&link, self.home.conduct(), name, nature, self.term);
        exchange::drive(
            &mut call,
            self.ground(),
            batch.len(),
            frames,
            &|live, taken, now| {
                for command in batch.from(taken) {
                    let pack = |out: &mut Vec<u8>| out.extend_from_slice(command);
                    live.state.queue(now, 1, pack);
                }
            },
        )
        .map(drop)
    }

    /// Runs the commands of a batch as one transaction, and leaves the replies to MULTI, to each of them and to EXEC in
    /// `frames`. Never sent again if it may have run.
    pub fn exchange_transaction(&self, batch: &Batch, frames: &mut Frames) -> Result<(), Error> {
        frames.begin(true);
        let link = self.home.link()?;
        batch.refuse_session(&link.name)?;
        let nature = batch.nature().in_transaction();
        let replies = batch.len() + 2;
        let mut call = Call::new(&link, self.home.conduct(), "EXEC", nature, self.term);
        exchange::drive(
            &mut call,
            self.ground(),
            replies,
            frames,
            &|live, _, now| {
                let replies = u32::try_from(replies).unwrap_or(u32::MAX);
                live.state
                    .queue(now, replies, |out| batch.pack_transaction(out));
            },
        )
        .map(drop)
    }

    fn ground(&self) -> Option<&dyn Ground> {
        self.ground.as_deref()
    }

    /// Sends the commands of a pipeline in one write, and gives each its own result, in order.
    ///
    /// If the connection ends in between, what was not answered is sent again where each of it may be; otherwise each
    /// unanswered command reports for itself whether it may have run.
    pub fn pipeline(&self, pipeline: &Pipeline) -> Result<Vec<Result<Value, Error>>, Error> {
        let link = self.home.link()?;
        for cmd in pipeline.commands() {
            cmd.refuse_session(cmd.nature(), &link.name)?;
        }
        if pipeline.commands().is_empty() {
            return Ok(Vec::new());
        }
        let (nature, name) = (pipeline.nature(), pipeline.name());
        let mut call = Call::new(&link, self.home.conduct(), &name, nature, self.term);
        let mut replies: Vec<Value> = Vec::with_capacity(pipeline.commands().len());
        let outcome = exchange::drive(
            &mut call,
            self.ground(),
            pipeline.commands().len(),
            &mut replies,
            &|live, taken, now| {
                for cmd in &pipeline.commands()[taken..] {
                    cmd.queue_on(&mut live.state, now);
                }
            },
        );
        Ok(pipeline.results(replies, outcome.err(), &call))
    }

    /// Runs the commands of a pipeline as one transaction (MULTI .. EXEC): all of them run, or none.
    ///
    /// The error of a transaction that ended in doubt says [`Error::may_have_run`] for all of it: what counts is EXEC.
    pub fn transaction(&self, pipeline: &Pipeline) -> Result<Vec<Result<Value, Error>>, Error> {
        let link = self.home.link()?;
        for cmd in pipeline.commands() {
            cmd.refuse_session(cmd.nature(), &link.name)?;
        }
        if pipeline.commands().is_empty() {
            return Ok(Vec::new());
        }
        let nature = pipeline.transaction_nature();
        let replies_due = pipeline.commands().len() + 2;
        let mut call = Call::new(&link, self.home.conduct(), "EXEC", nature, self.term);
        let mut sink = Whole(Vec::with_capacity(replies_due));
        exchange::drive(
            &mut call,
            self.ground(),
            replies_due,
            &mut sink,
            &|live, _, now| {
                let replies = u32::try_from(replies_due).unwrap_or(u32::MAX);
                live.state
                    .queue(now, replies, |out| pipeline.pack_transaction(out));
            },
        )?;
        pipeline.transaction_results(sink.0, &call)
    }

    /// Borrows a raw connection from the pool: for WATCH, SUBSCRIBE, MONITOR, and whatever needs a connection's state.
    pub fn lease(&self) -> Result<Lease, Error> {
        let link = self.home.link()?;
        Lease::borrow(
            link,
            self.home.conduct().clone(),
            self.term,
            self.ground.clone(),
        )
    }

    /// What happened so far, and how things stand.
    pub fn stats(&self) -> Stats {
        Stats::of(&self.home.current())
    }

    /// The same, if the client was used in this process: a forked child that has not yet used it has counted nothing,
    /// and makes no link to say so.
    pub fn stats_here(&self) -> Option<Stats> {
        self.home.used_here().map(|link| Stats::of(&link))
    }

    /// The address with which a connection last came about; none before the first, and of a Unix socket.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.home.used_here()?.peer()
    }

    /// Whoever looks at [`Stats::rejected`] may ask for another look at the server that turned us away: a dial, at most
    /// one a second, whose outcome is seen the next time. Without a call nobody else would notice that it is cured.
    pub fn look_again(&self) {
        if let Some(link) = self.home.used_here() {
            link.decide(Ledger::look_again);
        }
    }

    /// What the journal holds in memory, the oldest first: connections, outages, retries, and never a key or a value.
    /// With `state_dir` set it is also in a file, for [`journal::read`](crate::journal::read).
    pub fn journal(&self) -> Vec<Record> {
        self.home.current().journal.records()
    }

    /// Something that is not ours (another client of the same server) saw a request or dial of `since` fail: has the
    /// endpoint looked at, as after a failure of our own. A probe decides; one alone declares no outage.
    pub fn report(&self, cause: Cause, since: Moment) {
        let link = self.home.current();
        link.decide(|ledger, now| ledger.overdue(now, since, cause));
    }

    /// Who logs in has changed: connections made until now carry no more calls, and the source of
    /// [credentials](crate::Builder::credentials) is asked anew.
    pub fn renew(&self) {
        self.home.current().renew();
    }

    /// Closes the pool: what waits is refused, what rests is closed. Calls in flight end by themselves.
    pub fn close(&self) {
        self.home.close();
        self.crowd.close();
    }

    /// SET without conditions.
    pub fn set(&self, key: impl Arg, value: impl Arg) -> Result<(), Error> {
        self.call(&Cmd::new("SET").arg(key).arg(value))
    }

    /// GET.
    pub fn get<T: FromReply>(&self, key: impl Arg) -> Result<T, Error> {
        self.call(&Cmd::new("GET").arg(key))
    }

    /// DEL; how many keys there were.
    pub fn del(&self, key: impl Arg) -> Result<i64, Error> {
        self.call(&Cmd::new("DEL").arg(key))
    }

    /// INCR; the new number.
    pub fn incr(&self, key: impl Arg) -> Result<i64, Error> {
        self.call(&Cmd::new("INCR").arg(key))
    }

    /// PING: whether the server answers a call, by way of the pool.
    pub fn ping(&self) -> Result<(), Error> {
        self.call(&Cmd::new("PING"))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.home.name())
    }
}
