use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use seawall_model::Cause;
use seawall_model::Target;
use seawall_model::settings::Settings;
use seawall_wire::Value;

use super::exchange::{self, Sink};
use super::lease::Lease;
use crate::builder::{Builder, bad_settings};
use crate::command::{Arg, Cmd, Nature};
use crate::error::{Error, Kind};
use crate::fork;
use crate::link::call::{Call, Conduct};
use crate::link::setup::Plan;
use crate::link::shared::Link;
use crate::pipeline::Pipeline;
use crate::reply::FromReply;
use crate::stats::Stats;
use crate::tender;

/// A client for threads: each call blocks the calling thread until it is answered or its deadline comes.
///
/// Cheap to clone; clones and threads share one pool. After a fork the child makes connections of its own.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    deadline: Option<Duration>,
}

struct Shared {
    plan: Plan,
    conduct: Conduct,
    current: ArcSwap<Generation>,
}

/// The link of one process; a forked child gets another.
struct Generation {
    number: u64,
    link: Arc<Link>,
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
        let target =
            Target::parse(url).map_err(|error| bad_settings(&error.to_string(), &error.hint()))?;
        let settings =
            Settings::from_target(&target).map_err(|error| bad_settings(&error.to_string(), ""))?;
        Ok(Builder::new(target, settings))
    }

    pub(crate) fn from_plan(plan: Plan) -> Result<Self, Error> {
        let number = fork::generation();
        let tender = tender::current().map_err(|error| no_tender(&error))?;
        let link = plan.open(tender);
        let conduct = plan.conduct();
        Ok(Self {
            shared: Arc::new(Shared {
                plan,
                conduct,
                current: ArcSwap::from_pointee(Generation { number, link }),
            }),
            deadline: None,
        })
    }

    /// The same client, with another deadline for the calls made through what is returned. Pool and health are shared.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            deadline: Some(deadline),
        }
    }

    /// Sends a command and reads its reply as `T`.
    pub fn call<T: FromReply>(&self, cmd: &Cmd) -> Result<T, Error> {
        let name = cmd.name();
        let nature = cmd.nature();
        let link = self.link()?;
        self.check(cmd, nature, &link)?;
        let mut call = Call::new(&link, &self.shared.conduct, &name, nature, self.deadline);
        let mut reply: Option<Value> = None;
        exchange::drive(&mut call, 1, &mut reply, &|live, _, now| {
            live.state.queue(now, 1, |out| cmd.pack(out));
        })?;
        T::from_reply(reply.unwrap_or(Value::Null))
            .map_err(|wrong| exchange::wrong_type(&call, &wrong, &name))
    }

    /// Sends the commands of a pipeline in one write, and gives each its own result, in order.
    ///
    /// If the connection ends in between, what was not answered is sent again where each of it may be; otherwise each
    /// unanswered command reports for itself whether it may have run.
    pub fn pipeline(&self, pipeline: &Pipeline) -> Result<Vec<Result<Value, Error>>, Error> {
        let link = self.link()?;
        for cmd in pipeline.commands() {
            self.check(cmd, cmd.nature(), &link)?;
        }
        if pipeline.commands().is_empty() {
            return Ok(Vec::new());
        }
        let mut call = Call::new(
            &link,
            &self.shared.conduct,
            "PIPELINE",
            pipeline.nature(),
            self.deadline,
        );
        let mut replies: Vec<Value> = Vec::with_capacity(pipeline.commands().len());
        let outcome = exchange::drive(
            &mut call,
            pipeline.commands().len(),
            &mut replies,
            &|live, taken, now| {
                for cmd in &pipeline.commands()[taken..] {
                    live.state.queue(now, 1, |out| cmd.pack(out));
                }
            },
        );
        Ok(pipeline.results(replies, outcome.err(), &call))
    }

    /// Runs the commands of a pipeline as one transaction (MULTI .. EXEC): all of them run, or none.
    ///
    /// The error of a transaction that ended in doubt says [`Error::may_have_run`] for all of it: what counts is EXEC.
    pub fn transaction(&self, pipeline: &Pipeline) -> Result<Vec<Result<Value, Error>>, Error> {
        let link = self.link()?;
        for cmd in pipeline.commands() {
            self.check(cmd, cmd.nature(), &link)?;
        }
        if pipeline.commands().is_empty() {
            return Ok(Vec::new());
        }
        let nature = pipeline.transaction_nature();
        let replies_due = pipeline.commands().len() + 2;
        let mut call = Call::new(&link, &self.shared.conduct, "EXEC", nature, self.deadline);
        let mut sink = Whole(Vec::with_capacity(replies_due));
        exchange::drive(&mut call, replies_due, &mut sink, &|live, _, now| {
            let replies = u32::try_from(replies_due).unwrap_or(u32::MAX);
            live.state
                .queue(now, replies, |out| pipeline.pack_transaction(out));
        })?;
        pipeline.transaction_results(sink.0, &call)
    }

    /// Borrows a raw connection from the pool: for WATCH, SUBSCRIBE, MONITOR, and whatever needs a connection's state.
    pub fn lease(&self) -> Result<Lease, Error> {
        let link = self.link()?;
        Lease::borrow(link, self.shared.conduct.clone(), self.deadline)
    }

    /// What happened so far, and how things stand.
    pub fn stats(&self) -> Stats {
        let link = self.shared.current.load();
        Stats::of(&link.link)
    }

    /// Closes the pool: what waits is refused, what rests is closed. Calls in flight end by themselves.
    pub fn close(&self) {
        let current = self.shared.current.load();
        if current.number == fork::generation() {
            current.link.decide(|ledger, _| ledger.close());
        }
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

    /// What must not go through a pooled connection is refused before anything is sent.
    fn check(&self, cmd: &Cmd, nature: Nature, link: &Link) -> Result<(), Error> {
        let _ = self;
        let why = if cmd.is_empty() {
            "the command has no name"
        } else if nature.session {
            "it changes what later commands on its connection mean; take a lease for it"
        } else {
            return Ok(());
        };
        Err(
            Error::new(Kind::Settings, Cause::BadSettings, &cmd.name(), &link.name).with(
                |report| {
                    report.detail = why.into();
                },
            ),
        )
    }

    /// The link of this process.
    fn link(&self) -> Result<Arc<Link>, Error> {
        let number = fork::generation();
        let current = self.shared.current.load();
        if current.number == number {
            return Ok(Arc::clone(&current.link));
        }
        // A forked child: the inherited link is let go of without a lock, a shutdown or a linger, which it would share
        // with its parent.
        let tender = tender::current().map_err(|error| no_tender(&error))?;
        let link = self.shared.plan.open(tender);
        let inherited = self.shared.current.swap(Arc::new(Generation {
            number,
            link: Arc::clone(&link),
        }));
        std::mem::forget(inherited);
        Ok(link)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.shared.current.load().link.name)
    }
}

/// Takes the replies of a transaction: all of them or none.
struct Whole(Vec<Value>);

impl Sink for Whole {
    fn take(&mut self, value: Value) {
        self.0.push(value);
    }
    fn taken(&self) -> usize {
        self.0.len()
    }
    fn restart(&mut self) {
        self.0.clear();
    }
}

fn no_tender(error: &std::io::Error) -> Error {
    Error::new(Kind::Refused, Cause::LocalLimit, "", "this process").with(|report| {
        report.detail = format!("the background thread could not be started: {error}").into();
    })
}
