//! The supervised way to one deployment, as one loop of asyncio holds it.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use seawall::asynchronous::{Begun, Client};
use seawall::blocking;
use seawall::{Batch, Cause, Cmd, Error, Kind};
use seawall_wire::Value;
use seawall_wire::error::ServerError;

use super::executor::{Core, Executor};
use super::future::{CallFuture, Waiter};
use crate::lease::Lease;
use crate::link::span;
use crate::reply::{self, Codec};
use crate::{attempts, events, many, pack, tally, trouble};

/// A call that is over, and the future that waits for it.
pub(super) struct Done {
    future: Py<CallFuture>,
    what: What,
}

enum What {
    Reply {
        outcome: Result<Value, (Error, Option<ServerError>)>,
        codec: Py<Codec>,
        decode: bool,
    },
    Many {
        outcome: Result<Vec<Value>, (Error, Option<ServerError>)>,
        codec: Py<Codec>,
        transaction: bool,
    },
    Lease(Result<Box<blocking::Lease>, Error>),
}

impl Done {
    pub(super) fn future(&self) -> &CallFuture {
        self.future.get()
    }

    /// Resolves the future: whom to wake, unless he has gone.
    pub(super) fn resolve(self, py: Python<'_>) -> Option<(Py<CallFuture>, Waiter)> {
        let outcome = match self.what {
            What::Reply {
                outcome: Ok(value),
                codec,
                decode,
            } => reply::of_value(py, value, codec.get(), decode),
            What::Reply {
                outcome: Err((error, _)),
                ..
            } if error.kind() == Kind::Settings && error.cause() == Cause::BadSettings => {
                Ok(py.NotImplemented().into_bound(py))
            }
            What::Reply {
                outcome: Err((error, refusal)),
                ..
            } => {
                let refusal = refusal.as_ref().map(|refusal| &*refusal.message);
                Err(trouble::of_error(py, &error, refusal))
            }
            What::Many {
                outcome: Ok(replies),
                codec,
                transaction,
            } => many::of_values(py, replies, codec.get(), transaction),
            What::Many {
                outcome: Err((error, refusal)),
                ..
            } => match refusal {
                // It was the only command.
                Some(refusal) => {
                    many::of_refusal(py, trouble::of_error(py, &error, Some(&refusal.message)))
                }
                None => Err(trouble::of_error(py, &error, None)),
            },
            What::Lease(Ok(lease)) => Lease::new(py, *lease)
                .and_then(|lease| Bound::new(py, lease))
                .map(Bound::into_any),
            What::Lease(Err(error)) => Err(trouble::of_error(py, &error, None)),
        };
        let waiter = self.future.get().resolve(py, outcome)?;
        Some((self.future, waiter))
    }
}

/// A pool, its endpoint's health and its journal, for the tasks of one loop.
#[pyclass(frozen, weakref, module = "seawall._ext")]
pub(crate) struct AsyncLink {
    client: Client,
    executor: Py<Executor>,
}

#[pymethods]
impl AsyncLink {
    /// A link for a URL, with settings by their names on top.
    #[new]
    fn new(
        py: Python<'_>,
        executor: Py<Executor>,
        url: &str,
        settings: Vec<(String, String)>,
    ) -> PyResult<Self> {
        let open = move || -> Result<Client, Error> {
            let mut builder = Client::builder(url)?.on_event_at(events::hear);
            for (name, value) in settings {
                builder = builder.set(&name, &value)?;
            }
            builder.build_async()
        };
        let client = open().map_err(|error| trouble::of_error(py, &error, None))?;
        Ok(Self { client, executor })
    }

    /// Begins one command: the future of its reply, which is `NotImplemented` for one that needs a connection of its own.
    #[pyo3(signature = (args, codec, decode, within))]
    pub(crate) fn execute<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        codec: Py<Codec>,
        decode: bool,
        within: Option<f64>,
    ) -> PyResult<Bound<'py, CallFuture>> {
        let mut cmd = Cmd::new("");
        pack::words(&mut cmd, args, codec.get())?;
        let client = self.client_for(within)?;
        self.begin(py, move |core, future| {
            let told = move |outcome| {
                core.finish(Done {
                    future,
                    what: What::Reply {
                        outcome,
                        codec,
                        decode,
                    },
                });
            };
            // Attempts are noted by tasks.
            if attempts::are_traced() {
                Begun::Task(Box::pin(async move { told(client.exchange(&cmd).await) }))
            } else {
                client.begin(cmd, told)
            }
        })
    }

    /// Begins the commands of a pipeline, `(arguments, options)` each, as `Link.execute_many` runs them: the future of
    /// what that returns. `NotImplemented` where they need a connection of their own.
    #[pyo3(signature = (commands, codec, transaction, within))]
    fn execute_many<'py>(
        &self,
        py: Python<'py>,
        commands: &Bound<'py, PyList>,
        codec: Py<Codec>,
        transaction: bool,
        within: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut batch = Batch::new();
        if !many::fill(&mut batch, &mut Cmd::new(""), commands, codec.get())? {
            return Ok(py.NotImplemented().into_bound(py));
        }
        let client = self.client_for(within)?;
        let begun = self.begin_task(py, move |core, future| async move {
            let outcome = if transaction {
                client.exchange_transaction(&batch).await
            } else {
                client.exchange_batch(&batch).await
            };
            core.finish(Done {
                future,
                what: What::Many {
                    outcome,
                    codec,
                    transaction,
                },
            });
        });
        begun.map(Bound::into_any)
    }

    /// Takes a connection from the pool, to be used alone: its future.
    #[pyo3(signature = (within))]
    fn lease<'py>(&self, py: Python<'py>, within: Option<f64>) -> PyResult<Bound<'py, CallFuture>> {
        let client = self.client_for(within)?;
        self.begin_task(py, move |core, future| async move {
            let lease = client.raw_lease().await.map(Box::new);
            core.finish(Done {
                future,
                what: What::Lease(lease),
            });
        })
    }

    /// What happened so far, and how things stand.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyDict>> {
        crate::link::stats_as_dict(py, &self.client.stats())
    }

    /// The same; `None` in a forked child that has not used it.
    fn stats_here<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Option<Bound<'py, pyo3::types::PyDict>>> {
        let stats = self.client.stats_here();
        stats
            .map(|stats| crate::link::stats_as_dict(py, &stats))
            .transpose()
    }

    /// The address and port with which a connection last came about.
    fn peer(&self) -> Option<(String, u16)> {
        self.client
            .peer()
            .map(|peer| (peer.ip().to_string(), peer.port()))
    }

    /// Has a server that turned us away asked again.
    fn look_again(&self) {
        self.client.look_again();
    }

    /// Closes what rests, and refuses what waits. Calls in flight end by themselves.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        Executor::enter(self.executor.bind(py), |_| self.client.close())
    }
}

impl Drop for AsyncLink {
    fn drop(&mut self) {
        tally::keep(self.client.stats_here());
    }
}

impl AsyncLink {
    fn client_for(&self, within: Option<f64>) -> PyResult<Client> {
        Ok(match within {
            None => self.client.clone(),
            Some(within) => self.client.until(seawall::now() + span(within)?),
        })
    }

    fn begin_task<'py, F>(
        &self,
        py: Python<'py>,
        task: impl FnOnce(Arc<Core>, Py<CallFuture>) -> F,
    ) -> PyResult<Bound<'py, CallFuture>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.begin(py, |core, future| Begun::Task(Box::pin(task(core, future))))
    }

    fn begin<'py>(
        &self,
        py: Python<'py>,
        call: impl FnOnce(Arc<Core>, Py<CallFuture>) -> Begun,
    ) -> PyResult<Bound<'py, CallFuture>> {
        let executor = self.executor.bind(py);
        let future = CallFuture::new(executor)?;
        let core = Arc::clone(executor.get().core());
        let told = future.clone().unbind();
        let work = Executor::begin(executor, future.get(), move || call(core, told))?;
        future.get().is_worked_on(work);
        events::look(py);
        Ok(future)
    }
}
