//! The supervised way to one deployment, as Python holds it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use seawall::blocking::{Client, Frames};
use seawall::{Batch, Cause, Cmd, Error, Kind, Moment, Stats};
use seawall_wire::Limits;

use crate::ground::Footing;
use crate::identity::Provider;
use crate::lease::Lease;
use crate::reply::{self, Codec};
use crate::{attempts, events, many, pack, tally, trouble};

/// Buffers for one call.
struct Desk {
    cmd: Cmd,
    batch: Batch,
    frames: Frames,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            cmd: Cmd::new(""),
            batch: Batch::new(),
            frames: Frames::new(),
        }
    }
}

thread_local! {
    #[expect(clippy::vec_box, reason = "one is of 300 bytes, and is moved several times a call")]
    /// The buffers of calls that have ended. A call inside a call (a finalizer makes one), or of another greenlet
    /// meanwhile, has others.
    static DESKS: RefCell<Vec<Box<Desk>>> = const { RefCell::new(Vec::new()) };
}

/// As many buffers are kept for a thread: so many greenlets are usually under way at once on a busy one.
const DESKS_MAX: usize = 32;

/// The room of large calls is kept once a thread, up to this. A value of a megabyte finds it there; one of hundreds, of
/// which each thread of a process may have had one, must not be paid for until the thread ends.
const LARGE: usize = 4 * 1024 * 1024;

/// The room of the others.
const SMALL: usize = 64 * 1024;

fn desk() -> Box<Desk> {
    let desk = DESKS.with(|desks| desks.borrow_mut().pop());
    desk.unwrap_or_default()
}

fn put_back(desk: Box<Desk>) {
    DESKS.with(|desks| {
        let mut desks = desks.borrow_mut();
        let room = desk.cmd.room() + desk.batch.room() + desk.frames.room();
        let most = if desks.is_empty() { LARGE } else { SMALL };
        if room <= most && desks.len() < DESKS_MAX {
            desks.push(desk);
        }
    });
}

/// A pool, its endpoint's health and its journal; shared by everybody in the process who has the same settings.
#[pyclass(frozen, weakref, module = "seawall._ext")]
pub(crate) struct Link {
    client: Client,
    limits: Limits,
}

#[pymethods]
impl Link {
    /// A link for a URL, with settings by their names on top. `provider` says who logs in, if that changes.
    #[new]
    #[pyo3(signature = (url, settings, provider = None))]
    fn new(
        py: Python<'_>,
        url: &str,
        settings: Vec<(String, String)>,
        provider: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let open = move || -> Result<Client, Error> {
            let mut builder = Client::builder(url)?.on_event_at(events::hear);
            if let Some(provider) = provider {
                builder = builder.credentials(Arc::new(Provider(provider)));
            }
            for (name, value) in settings {
                builder = builder.set(&name, &value)?;
            }
            builder.build()
        };
        let client = py.detach(open);
        let client = client.map_err(|error| trouble::of_error(py, &error, None))?;
        Ok(Self {
            client: client.on(Footing::Thread.ground()),
            limits: Limits::default(),
        })
    }

    /// Runs one command and returns its reply; `NotImplemented` for one that needs a connection of its own.
    #[pyo3(signature = (args, codec, decode, within))]
    pub(crate) fn execute<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        codec: &Bound<'py, Codec>,
        decode: bool,
        within: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let codec = codec.get();
        let mut desk = desk();
        desk.cmd.clear();
        pack::words(&mut desk.cmd, args, codec)?;
        let name = desk.cmd.get(0).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"HIMPORT") {
            // What it prepares stays with one connection, and no server of the facts' knows it yet.
            put_back(desk);
            return Ok(py.NotImplemented().into_bound(py));
        }
        let within = within.map(span).transpose()?;
        attempts::begin();
        let footing = Footing::here(py)?;
        let client = self.client_on(&footing, within);
        let outcome = footing.run(py, || {
            let Desk { cmd, frames, .. } = &mut *desk;
            client.exchange(cmd, frames)
        });
        let answered = outcome.is_ok();
        let reply = match outcome {
            Ok(()) => self.reply(py, &mut desk.frames, codec, decode),
            Err(error) if error.kind() == Kind::Settings && error.cause() == Cause::BadSettings => {
                Ok(py.NotImplemented().into_bound(py))
            }
            Err(error) => {
                let refusal = desk.frames.refusal().map(|refusal| &*refusal.message);
                Err(footing.trouble(py, &error, refusal))
            }
        };
        put_back(desk);
        attempts::end(py, Some(answered));
        events::look(py);
        reply
    }

    /// Runs the commands of a pipeline, `(arguments, options)` each, in one write; with `transaction`, between MULTI and
    /// EXEC. Their replies come back, and whether an error stands among them; of a transaction that was refused, all
    /// replies behind that. `NotImplemented` where they need a connection of their own.
    #[pyo3(signature = (commands, codec, transaction, within))]
    fn execute_many<'py>(
        &self,
        py: Python<'py>,
        commands: &Bound<'py, PyList>,
        codec: &Bound<'py, Codec>,
        transaction: bool,
        within: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let codec = codec.get();
        let within = within.map(span).transpose()?;
        let mut desk = desk();
        let Desk { cmd, batch, .. } = &mut *desk;
        if !many::fill(batch, cmd, commands, codec)? {
            put_back(desk);
            return Ok(py.NotImplemented().into_bound(py));
        }
        attempts::begin();
        let footing = Footing::here(py)?;
        let client = self.client_on(&footing, within);
        let outcome = footing.run(py, || {
            let Desk { batch, frames, .. } = &mut *desk;
            if transaction {
                client.exchange_transaction(batch, frames)
            } else {
                client.exchange_batch(batch, frames)
            }
        });
        let frames = &desk.frames;
        let answered = outcome.is_ok();
        let replies = match outcome {
            Ok(()) if transaction => many::of_transaction(py, frames, &self.limits, codec),
            Ok(()) => many::of_batch(py, frames, &self.limits, codec),
            Err(error) => match frames.refusal() {
                // It was the only command.
                Some(refusal) => {
                    many::of_refusal(py, footing.trouble(py, &error, Some(&refusal.message)))
                }
                None => Err(footing.trouble(py, &error, None)),
            },
        };
        put_back(desk);
        attempts::end(py, Some(answered));
        events::look(py);
        replies
    }

    /// Takes a connection from the pool, to be used alone.
    #[pyo3(signature = (within))]
    fn lease(&self, py: Python<'_>, within: Option<f64>) -> PyResult<Lease> {
        let within = within.map(span).transpose()?;
        let footing = Footing::here(py)?;
        let client = self.client_on(&footing, within);
        let lease = footing.run(py, || client.lease());
        events::look(py);
        match lease {
            Ok(lease) => Lease::new(py, lease),
            Err(error) => Err(footing.trouble(py, &error, None)),
        }
    }

    /// What happened so far, and how things stand.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = py.detach(|| self.client.stats());
        stats_as_dict(py, &stats)
    }

    /// The same; `None` in a forked child that has not used it.
    fn stats_here<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let stats = py.detach(|| self.client.stats_here());
        stats.map(|stats| stats_as_dict(py, &stats)).transpose()
    }

    /// The address and port with which a connection last came about.
    fn peer(&self) -> Option<(String, u16)> {
        self.client
            .peer()
            .map(|peer| (peer.ip().to_string(), peer.port()))
    }

    /// Has a server that turned us away asked again.
    fn look_again(&self, py: Python<'_>) {
        py.detach(|| self.client.look_again());
    }

    /// A client that is not the engine's saw a request or dial fail that began `ago` seconds ago: has the endpoint
    /// looked at.
    fn report(&self, py: Python<'_>, cause: &str, ago: f64) -> PyResult<()> {
        let cause = Cause::from_name(cause).unwrap_or(Cause::ConnectionReset);
        let ago = span(ago)?.as_nanos() as u64;
        let since = Moment::from_nanos(seawall::now().as_nanos().saturating_sub(ago));
        Footing::here(py)?.run(py, || self.client.report(cause, since));
        events::look(py);
        Ok(())
    }

    /// Who logs in has changed: connections made until now carry no more calls.
    fn renew(&self, py: Python<'_>) -> PyResult<()> {
        Footing::here(py)?.run(py, || self.client.renew());
        Ok(())
    }

    /// Closes what rests, and refuses what waits. Calls in flight end by themselves.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        Footing::here(py)?.run(py, || self.client.close());
        Ok(())
    }
}

impl Link {
    /// The only reply, as redis-py makes it.
    fn reply<'py>(
        &self,
        py: Python<'py>,
        frames: &mut Frames,
        codec: &Codec,
        decode: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(value) = frames.take_value() {
            return reply::of_value(py, value, codec, decode);
        }
        let frame = frames.iter().next().unwrap_or(b"_\r\n");
        match reply::build(py, frame, &self.limits, codec, decode) {
            Ok(built) => built.map(|built| built.value),
            Err(error) => Err(trouble::unreadable(py, &error)),
        }
    }

    fn client_on(&self, footing: &Footing, within: Option<Duration>) -> Cow<'_, Client> {
        let mut client = Cow::Borrowed(&self.client);
        if let Footing::Greenlet(_) = footing {
            client = Cow::Owned(client.on(footing.ground()));
        }
        match within {
            None => client,
            Some(within) => Cow::Owned(client.until(seawall::now() + within)),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        tally::keep(self.client.stats_here());
    }
}

/// A span that Python gave in seconds.
pub(crate) fn span(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds.max(0.0))
        .map_err(|_| trouble::data_error(format!("a timeout of {seconds} s is no span of time")))
}

/// Statistics as Python shows them.
pub(crate) fn stats_as_dict<'py>(py: Python<'py>, stats: &Stats) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("endpoint", &*stats.endpoint)?;
    dict.set_item("state", stats.state.to_string())?;
    let outage = stats
        .outage
        .map(|trouble| (trouble.cause.name(), trouble.lasting));
    dict.set_item("cause", outage.map(|(cause, _)| cause))?;
    dict.set_item("lasting", outage.map(|(_, lasting)| lasting.as_secs_f64()))?;
    dict.set_item(
        "writes_refused",
        stats.writes_refused.map(|trouble| trouble.cause.name()),
    )?;
    dict.set_item("rejected", stats.rejected.map(Cause::name))?;
    for (name, count) in tally::singles(stats) {
        dict.set_item(name, count)?;
    }
    dict.set_item("journal_bytes", stats.journal_bytes)?;
    for (name, count) in [
        ("size", stats.size),
        ("idle", stats.idle),
        ("in_use", stats.in_use),
        ("dialling", stats.dialling),
        ("waiting", stats.waiting),
    ] {
        dict.set_item(name, count)?;
    }
    for (name, counts) in tally::by_cause(stats) {
        let by_cause = PyDict::new(py);
        for (cause, count) in counts.iter() {
            by_cause.set_item(cause.name(), count)?;
        }
        dict.set_item(name, by_cause)?;
    }
    for (name, counted) in tally::times(stats) {
        dict.set_item(name, tally::histogram_as_dict(py, counted)?)?;
    }
    dict.set_item("run_id", stats.run_id.as_deref())?;
    Ok(dict)
}
