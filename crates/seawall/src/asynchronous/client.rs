use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "tokio")]
use seawall_model::Cause;
use seawall_model::Moment;
use seawall_wire::Value;
use seawall_wire::error::ServerError;

use super::aside::Board;
use super::dedicated;
use super::exchange::{self, Request};
use super::lease::Lease;
use super::park::acquire_own;
#[cfg(feature = "tokio")]
use super::subscribe::Subscription;
use crate::batch::Batch;
use crate::blocking;
use crate::builder::Builder;
use crate::command::{Arg, Cmd, Nature};
use crate::error::Error;
#[cfg(feature = "tokio")]
use crate::error::Kind;
use crate::journal::Record;
use crate::link::call::{Call, Term};
use crate::link::home::Home;
use crate::link::ledger::Ledger;
use crate::link::shared::Link;
use crate::link::sink::{Many, ValueSink, Whole, Word};
use crate::pipeline::Pipeline;
use crate::reply::FromReply;
use crate::stats::Stats;

/// A batch of more bytes than this has a connection of its own: nobody else's call is to stand behind it.
const SHARED_MAX: usize = 256 * 1024;

/// A client for tokio: ordinary commands of all tasks share one connection, so that many calls go out in one write;
/// blocking commands and leases have connections of their own.
///
/// Cheap to clone. A future may be dropped at any point: no other call notices. The shared connection is driven on the
/// runtime of the call that made it; when that runtime ends, the next call makes another.
#[derive(Clone)]
pub struct Client {
    pub(super) home: Arc<Home>,
    pub(super) board: Arc<Board>,
    pub(super) term: Term,
}

impl Client {
    /// A client for a URL, as in [`blocking::Client::open`](crate::blocking::Client::open).
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::builder(url)?.build_async()
    }

    /// A client whose settings begin with the URL's.
    pub fn builder(url: &str) -> Result<Builder, Error> {
        Builder::parse(url)
    }

    pub(crate) fn at(home: Arc<Home>) -> Self {
        Self {
            home,
            board: Arc::default(),
            term: Term::Usual,
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

    /// The same client, with another deadline for the calls made through what is returned.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        Self {
            term: Term::For(deadline),
            ..self.clone()
        }
    }

    /// Sends a command and reads its reply as `T`.
    pub async fn call<T: FromReply>(&self, cmd: &Cmd) -> Result<T, Error> {
        let name = cmd.name();
        let nature = cmd.nature();
        let link = self.home.link()?;
        cmd.refuse_session(nature, &link.name)?;
        let mut call = Call::new(&link, self.home.conduct(), &name, nature, self.term);
        let request = Request {
            replies: 1,
            whole: false,
            pack: &|connection, _, now| cmd.queue_on(connection, now),
        };
        let mut reply: Option<Value> = None;
        self.drive(&mut call, &link, &request, &mut reply).await?;
        let value = reply.unwrap_or(Value::Null);
        T::from_reply(value).map_err(|wrong| Error::wrong_type(&wrong, &name, &link.name))
    }

    /// Sends a command and returns its reply as it is. Unlike an [`Error`], which may be logged, the refusal that comes
    /// with it quotes the server word for word.
    pub async fn exchange(&self, cmd: &Cmd) -> Result<Value, (Error, Option<ServerError>)> {
        let name = cmd.name();
        let nature = cmd.nature();
        let link = self.home.link().map_err(|error| (error, None))?;
        cmd.refuse_session(nature, &link.name)
            .map_err(|error| (error, None))?;
        let mut call = Call::new(&link, self.home.conduct(), &name, nature, self.term);
        let request = Request {
            replies: 1,
            whole: false,
            pack: &|connection, _, now| cmd.queue_on(connection, now),
        };
        let mut sink = Word::default();
        let outcome = self.drive(&mut call, &link, &request, &mut sink).await;
        sink.outcome(outcome)
    }

    /// Sends the commands of a batch in one write and returns their replies as they are, errors among them. A single
    /// command's refusal comes as it does from [`exchange`](Self::exchange).
    ///
    /// If the connection ends in between, what was not answered is sent again where all of the batch may be; otherwise
    /// the error says whether it may have run. To be asked only for one that [is plain](Batch::is_plain).
    pub async fn exchange_batch(
        &self,
        batch: &Batch,
    ) -> Result<Vec<Value>, (Error, Option<ServerError>)> {
        let nature = batch.nature();
        let request = Request {
            replies: batch.len(),
            whole: false,
            pack: &|connection, from, now| {
                for command in batch.from(from) {
                    connection.queue(now, 1, |out| out.extend_from_slice(command));
                }
            },
        };
        self.exchange_many(batch, batch.name(), nature, &request)
            .await
    }

    /// Runs the commands of a batch as one transaction, and returns the replies to MULTI, to each of them and to EXEC.
    /// Never sent again if it may have run.
    pub async fn exchange_transaction(
        &self,
        batch: &Batch,
    ) -> Result<Vec<Value>, (Error, Option<ServerError>)> {
        let nature = batch.nature().in_transaction();
        let replies = batch.len() + 2;
        let request = Request {
            replies,
            whole: true,
            pack: &|connection, _, now| {
                let replies = u32::try_from(replies).unwrap_or(u32::MAX);
                connection.queue(now, replies, |out| batch.pack_transaction(out));
            },
        };
        self.exchange_many(batch, "EXEC", nature, &request).await
    }

    async fn exchange_many(
        &self,
        batch: &Batch,
        name: &str,
        nature: Nature,
        request: &Request<'_>,
    ) -> Result<Vec<Value>, (Error, Option<ServerError>)> {
        let link = self.home.link().map_err(|error| (error, None))?;
        batch
            .refuse_session(&link.name)
            .map_err(|error| (error, None))?;
        let nature = if batch.bytes() > SHARED_MAX {
            nature.apart()
        } else {
            nature
        };
        let mut call = Call::new(&link, self.home.conduct(), name, nature, self.term);
        let mut sink = Many {
            replies: Vec::with_capacity(request.replies),
            whole: request.whole,
            ..Many::default()
        };
        match self.drive(&mut call, &link, request, &mut sink).await {
            Ok(()) => Ok(sink.replies),
            Err(error) => Err((error, sink.refusal)),
        }
    }

    /// Borrows a raw connection for a shell of the caller's own, which waits for its socket by itself.
    pub async fn raw_lease(&self) -> Result<blocking::Lease, Error> {
        let link = self.home.link()?;
        let conduct = self.home.conduct().clone();
        let lent = {
            let mut call = Call::new(&link, &conduct, "LEASE", Nature::lease(), self.term);
            let lent = acquire_own(&mut call).await?;
            call.leased();
            lent
        };
        Ok(blocking::Lease::of(link, conduct, lent, None))
    }

    /// Sends the commands of a pipeline in one write, and gives each its own result, in order.
    ///
    /// If the connection ends in between, what was not answered is sent again where each of it may be; otherwise each
    /// unanswered command reports for itself whether it may have run.
    pub async fn pipeline(&self, pipeline: &Pipeline) -> Result<Vec<Result<Value, Error>>, Error> {
        let link = self.home.link()?;
        for cmd in pipeline.commands() {
            cmd.refuse_session(cmd.nature(), &link.name)?;
        }
        if pipeline.is_empty() {
            return Ok(Vec::new());
        }
        let (nature, name) = (pipeline.nature(), pipeline.name());
        let mut call = Call::new(&link, self.home.conduct(), &name, nature, self.term);
        let request = Request {
            replies: pipeline.len(),
            whole: false,
            pack: &|connection, from, now| {
                for cmd in &pipeline.commands()[from..] {
                    cmd.queue_on(connection, now);
                }
            },
        };
        let mut replies: Vec<Value> = Vec::with_capacity(pipeline.len());
        let outcome = self.drive(&mut call, &link, &request, &mut replies).await;
        Ok(pipeline.results(replies, outcome.err(), &call))
    }

    /// Runs the commands of a pipeline as one transaction (MULTI .. EXEC): all of them run, or none.
    pub async fn transaction(
        &self,
        pipeline: &Pipeline,
    ) -> Result<Vec<Result<Value, Error>>, Error> {
        let link = self.home.link()?;
        for cmd in pipeline.commands() {
            cmd.refuse_session(cmd.nature(), &link.name)?;
        }
        if pipeline.is_empty() {
            return Ok(Vec::new());
        }
        let nature = pipeline.transaction_nature();
        let mut call = Call::new(&link, self.home.conduct(), "EXEC", nature, self.term);
        let replies = pipeline.len() + 2;
        let request = Request {
            replies,
            whole: true,
            pack: &|connection, _, now| {
                let replies = u32::try_from(replies).unwrap_or(u32::MAX);
                connection.queue(now, replies, |out| pipeline.pack_transaction(out));
            },
        };
        let mut sink = Whole(Vec::with_capacity(replies));
        self.drive(&mut call, &link, &request, &mut sink).await?;
        pipeline.transaction_results(sink.0, &call)
    }

    /// Borrows a raw connection: for WATCH, MONITOR, and whatever needs a connection's state.
    pub async fn lease(&self) -> Result<Lease, Error> {
        let link = self.home.link()?;
        Lease::borrow(link, self.home.conduct().clone(), self.term).await
    }

    /// Subscribes to channels, on a connection of its own that is made again when it is lost.
    ///
    /// The channels are chosen once, here: none at all is refused ([`Cause::BadSettings`]), since nothing could ever come.
    #[cfg(feature = "tokio")]
    pub async fn subscribe<C: Arg>(
        &self,
        channels: impl IntoIterator<Item = C>,
    ) -> Result<Subscription, Error> {
        let names: Vec<Vec<u8>> = channels
            .into_iter()
            .map(|channel| channel.bytes().into_owned())
            .collect();
        if names.is_empty() {
            let endpoint = self.home.name();
            let error = Error::new(Kind::Settings, Cause::BadSettings, "SUBSCRIBE", &endpoint);
            return Err(error.with(|report| {
                report.detail = "no channel is named, and nothing would ever come".into();
            }));
        }
        let lease = self.lease().await?;
        Subscription::start(self.clone(), lease, names).await
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

    /// Closes the pool: what waits is refused, what rests is closed. Calls in flight end by themselves.
    pub fn close(&self) {
        self.home.close();
        self.board.closing();
    }

    /// Sends a request: over the shared connection, unless it would hold up everybody else's.
    async fn drive(
        &self,
        call: &mut Call<'_>,
        link: &Arc<Link>,
        request: &Request<'_>,
        sink: &mut impl ValueSink,
    ) -> Result<(), Error> {
        if call.nature.blocking.is_some() {
            // Boxed: it is the larger one, and would make every call's future as large.
            Box::pin(dedicated::drive(call, link, request, sink)).await
        } else {
            call.share();
            exchange::drive(call, link, &self.board, request, sink).await
        }
    }

    /// The error that says so, once it is closed.
    #[cfg(feature = "tokio")]
    pub(super) fn closed(&self) -> Option<Error> {
        let closed = self.home.current().ledger().is_closed();
        closed.then(|| Error::new(Kind::Refused, Cause::ClientClosed, "", &self.home.name()))
    }

    /// SET without conditions.
    pub async fn set(&self, key: impl Arg, value: impl Arg) -> Result<(), Error> {
        self.call(&Cmd::new("SET").arg(key).arg(value)).await
    }

    /// GET.
    pub async fn get<T: FromReply>(&self, key: impl Arg) -> Result<T, Error> {
        self.call(&Cmd::new("GET").arg(key)).await
    }

    /// DEL; how many keys there were.
    pub async fn del(&self, key: impl Arg) -> Result<i64, Error> {
        self.call(&Cmd::new("DEL").arg(key)).await
    }

    /// INCR; the new number.
    pub async fn incr(&self, key: impl Arg) -> Result<i64, Error> {
        self.call(&Cmd::new("INCR").arg(key)).await
    }

    /// PING: whether the server answers a call.
    pub async fn ping(&self) -> Result<(), Error> {
        self.call(&Cmd::new("PING")).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.home.name())
    }
}
