//! A raw connection of the pool, as redis-py's own connection classes need it.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use rustix::net::{Shutdown, shutdown};
use seawall::blocking::{self, Patience};
use seawall::{Error, Provenance};
use seawall_wire::{Limits, WireError};

use crate::ground::Footing;
use crate::link::span;
use crate::reply::{self, Codec};
use crate::{attempts, events, trouble};

/// A raw connection: used by one thread at a time, closed by any.
#[pyclass(frozen, module = "seawall._ext")]
pub(crate) struct Lease {
    /// Empty while a call on it is under way, and after its end.
    own: Mutex<Option<blocking::Lease>>,
    /// The same socket, so that another thread can end a call that waits on it. It is let go of as soon as the
    /// connection is given up: as long as it is open, the peer sees no end.
    socket: Mutex<Option<OwnedFd>>,
    /// The number by which others poll it.
    number: i32,
    client_id: Option<u64>,
    /// Who made it: a forked child may drop what it inherited, and must not end its parent's call.
    generation: u64,
    closed: AtomicBool,
    /// How far the last request got when its connection was lost.
    provenance: Mutex<Provenance>,
    /// Why it was lost, if that was found behind replies that were still to be had: the next read's to tell.
    ended: Mutex<Option<Error>>,
}

impl Lease {
    pub(crate) fn new(py: Python<'_>, mut lease: blocking::Lease) -> PyResult<Self> {
        lease.count_calls();
        let socket = lease
            .fd()
            .map(|fd| (fd.as_raw_fd(), fd.try_clone_to_owned()));
        let Some((number, Ok(socket))) = socket else {
            Footing::here(py)?.run(py, || lease.abandon());
            return Err(PyRuntimeError::new_err(
                "the connection's descriptor cannot be copied: is the limit of open files reached?",
            ));
        };
        seawall::keep_from_children(socket.as_fd());
        Ok(Self {
            client_id: lease.client_id(),
            generation: seawall::fork_generation(),
            own: Mutex::new(Some(lease)),
            socket: Mutex::new(Some(socket)),
            number,
            closed: AtomicBool::new(false),
            provenance: Mutex::new(Provenance::Queued),
            ended: Mutex::new(None),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<blocking::Lease>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the connection while the interpreter, or what other greenlets there are, goes on.
    fn work<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut blocking::Lease) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let footing = Footing::here(py)?;
        let lease = self.lock().take();
        let Some(mut lease) = lease else {
            return Err(trouble::closed(py, self.closed.load(Ordering::Acquire)));
        };
        lease.stand_on(footing.ground());
        let (outcome, mut lease) = footing.run(py, move || (work(&mut lease), lease));
        *self.last_provenance() = match &outcome {
            Ok(_) => lease.provenance(),
            Err(error) => error.provenance(),
        };
        if self.closed.load(Ordering::Acquire) {
            // Closed meanwhile, by another thread.
            footing.run(py, || lease.close());
        }
        if !lease.is_open() {
            self.let_go();
        }
        *self.lock() = Some(lease);
        events::look(py);
        outcome.map_err(|error| footing.trouble(py, &error, None))
    }

    /// Does something with its socket, if that is open and no call on it is under way.
    pub(crate) fn on_socket<T>(&self, work: impl FnOnce(BorrowedFd<'_>) -> T) -> Option<T> {
        let own = self.lock();
        let open = own.as_ref().filter(|lease| lease.is_open());
        open.and_then(blocking::Lease::fd).map(work)
    }

    fn let_go(&self) {
        let socket = self
            .socket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(socket);
    }

    fn ended(&self) -> std::sync::MutexGuard<'_, Option<Error>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_provenance(&self) -> std::sync::MutexGuard<'_, Provenance> {
        self.provenance
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Lease {
    /// Writes packed commands, all of them.
    #[pyo3(signature = (packed, within))]
    fn send(
        &self,
        py: Python<'_>,
        packed: &Bound<'_, PyBytes>,
        within: Option<f64>,
    ) -> PyResult<()> {
        let patience = patience(within)?;
        let bytes = packed.as_bytes();
        self.work(py, |lease| lease.send_packed(bytes, patience))
    }

    /// Queues packed commands, and writes what the socket takes without waiting: whether that was all. The rest is
    /// written by `flush`.
    fn send_some(&self, py: Python<'_>, packed: &Bound<'_, PyBytes>) -> PyResult<bool> {
        let bytes = packed.as_bytes();
        self.work(py, |lease| {
            lease.queue_packed(bytes)?;
            lease.flush()
        })
    }

    /// Writes what is queued as far as the socket takes it without waiting: whether that was all.
    fn flush(&self, py: Python<'_>) -> PyResult<bool> {
        self.work(py, blocking::Lease::flush)
    }

    /// The reply has been overdue for so many seconds: has the endpoint looked at.
    fn overdue(&self, py: Python<'_>, since: f64) -> PyResult<()> {
        let silent = span(since)?;
        self.work(py, |lease| {
            let now = seawall::now();
            lease.overdue(seawall::Moment::from_nanos(
                now.as_nanos().saturating_sub(silent.as_nanos() as u64),
            ))
        })
    }

    /// How long a reader waits for what is owed by default, in seconds; `None` where that has no end.
    #[getter]
    fn patience(&self) -> Option<f64> {
        let lease = self.lock();
        let patience = lease
            .as_ref()
            .map_or(Some(std::time::Duration::ZERO), blocking::Lease::patience);
        patience.map(|patience| patience.as_secs_f64())
    }

    /// Whether the server may hold the reply back, by the word of the command.
    #[getter]
    fn held_back(&self) -> bool {
        self.lock()
            .as_ref()
            .is_some_and(blocking::Lease::is_held_back)
    }

    /// Whether the endpoint is down.
    #[getter]
    fn down(&self) -> bool {
        self.lock().as_ref().is_some_and(blocking::Lease::is_down)
    }

    /// Reads the next reply: `(value, is_push)`, or `None` if nothing came within `within` seconds. A negative `within`
    /// is the pool's own deadline, `None` waits until something comes or the endpoint goes down, not for new
    /// connections alone.
    #[pyo3(signature = (codec, decode, within))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        codec: &Bound<'py, Codec>,
        decode: bool,
        within: Option<f64>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let patience = patience(within)?;
        let codec = codec.get();
        let came = self.work(py, |lease| {
            lease.recv_frame(patience, |frame, limits| {
                let built = Python::try_attach(|py| {
                    let built = reply::build(py, frame, limits, codec, decode)?;
                    Ok(built.map(|built| (built.value.unbind(), built.push)))
                });
                // The interpreter is being taken down, and this is a finalizer's: it has it again after this.
                built.unwrap_or_else(|| Ok(Err(PyRuntimeError::new_err(GOING_DOWN))))
            })
        })?;
        match came {
            None => Ok(None),
            Some(Err(error)) => Err(error),
            Some(Ok((value, push))) => {
                let push = pyo3::types::PyBool::new(py, push).to_owned().into_any();
                PyTuple::new(py, [value.into_bound(py), push]).map(Some)
            }
        }
    }

    /// Reads up to `most` replies: waits for the first as `read` does, and takes those that came with it. Replies, then
    /// pushes; both empty if nothing came in time.
    #[pyo3(signature = (codec, decode, most, within))]
    fn read_many<'py>(
        &self,
        py: Python<'py>,
        codec: &Bound<'py, Codec>,
        decode: bool,
        most: usize,
        within: Option<f64>,
    ) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyList>)> {
        if let Some(error) = self.ended().take() {
            return Err(trouble::of_error(py, &error, None));
        }
        let first = patience(within)?;
        let (bytes, ends, error) = self.work(py, |lease| {
            let mut bytes = Vec::new();
            let mut ends = Vec::new();
            while ends.len() < most {
                let patience = if ends.is_empty() {
                    first
                } else {
                    Patience::For(std::time::Duration::ZERO)
                };
                let came = lease.recv_frame(patience, |frame, _| {
                    let room = bytes.try_reserve(frame.len());
                    room.map_err(|_| WireError::no_memory(bytes.len()))?;
                    bytes.extend_from_slice(frame);
                    Ok(())
                });
                match came {
                    Ok(Some(())) => ends.push(bytes.len()),
                    Ok(None) => break,
                    Err(error) if ends.is_empty() => return Err(error),
                    // What came whole before the end is still to be had.
                    Err(error) => return Ok((bytes, ends, Some(error))),
                }
            }
            Ok((bytes, ends, None))
        })?;
        if let Some(error) = error {
            *self.last_provenance() = error.provenance();
            *self.ended() = Some(error);
        }
        let codec = codec.get();
        let limits = Limits::default();
        let replies = PyList::empty(py);
        let pushes = PyList::empty(py);
        let mut start = 0;
        for end in ends {
            let built = reply::build(py, &bytes[start..end], &limits, codec, decode);
            let built = built.map_err(|error| trouble::unreadable(py, &error))??;
            if built.push { &pushes } else { &replies }.append(built.value)?;
            start = end;
        }
        Ok((replies, pushes))
    }

    /// Whether a read would find something within `within` seconds: bytes, or the end.
    fn can_read(&self, py: Python<'_>, within: f64) -> PyResult<bool> {
        let within = span(within)?;
        self.work(py, |lease| lease.can_read(within))
    }

    /// Raises if the connection has ended, or something unasked came on it.
    fn check(&self, py: Python<'_>) -> PyResult<()> {
        self.work(py, blocking::Lease::check)
    }

    /// Gives it up because its time is over: the exception to raise.
    fn late<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let error = self.work(py, |lease| Ok(lease.late()))?;
        *self.last_provenance() = error.provenance();
        Ok(trouble::of_error(py, &error, None)
            .into_value(py)
            .into_bound(py)
            .into_any())
    }

    /// From here on its user may want to begin again; this is the attempt of that number. `None`, unless replies to
    /// something before are owed yet: then whether keys are watched over it.
    fn begin(&self, attempt: u32) -> Option<bool> {
        let mut own = self.lock();
        let lease = own.as_mut()?;
        lease.begin(attempt);
        lease.owes().then(|| lease.is_watching())
    }

    /// After it was lost: whether all that was sent since `begin` may be sent again within `within` seconds, and after
    /// how many seconds; `None`: it may not.
    fn again(&self, py: Python<'_>, within: f64) -> PyResult<Option<f64>> {
        let until = seawall::now() + span(within)?;
        attempts::begin();
        let pause = self.work(py, |lease| Ok(lease.again(until)))?;
        attempts::end(py, None);
        Ok(pause.map(|pause| pause.as_secs_f64()))
    }

    /// After it was lost: whether all that was sent since `begin` has changed nothing, be it that it surely did not run,
    /// or that it only looked.
    #[getter]
    fn changed_nothing(&self) -> bool {
        self.lock()
            .as_ref()
            .is_some_and(blocking::Lease::changed_nothing)
    }

    /// Gives it back to the pool if it is fit for others, else closes it.
    fn release(&self, py: Python<'_>) -> PyResult<()> {
        let footing = Footing::here(py)?;
        self.closed.store(true, Ordering::Release);
        let lease = self.lock().take();
        if let Some(lease) = lease {
            self.let_go();
            footing.run(py, || drop(lease));
        }
        Ok(())
    }

    /// Closes it: what the kernel has not sent is thrown away. Ends a call of another thread that waits on it.
    fn abandon(&self, py: Python<'_>) -> PyResult<()> {
        let footing = Footing::here(py)?;
        self.closed.store(true, Ordering::Release);
        let lease = self.lock().take();
        match lease {
            Some(mut lease) => {
                footing.run(py, || lease.close());
                self.let_go();
                *self.lock() = Some(lease);
            }
            None if self.generation == seawall::fork_generation() => {
                let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(socket) = &*socket {
                    // It may have ended by itself.
                    let _ = shutdown(socket, Shutdown::Both);
                }
            }
            None => {}
        }
        Ok(())
    }

    /// The descriptor, for those who poll it.
    fn fileno(&self) -> i32 {
        if self.closed.load(Ordering::Acquire) {
            -1
        } else {
            self.number
        }
    }

    /// How far the oldest request got that is owed a reply, or the last one whose connection was lost.
    #[getter]
    fn provenance(&self) -> &'static str {
        trouble::provenance(*self.last_provenance())
    }

    /// Whether it is fit for another request.
    #[getter]
    fn clean(&self) -> bool {
        self.lock().as_ref().is_some_and(blocking::Lease::is_clean)
    }

    /// Whether what was sent on it changed what later commands mean.
    #[getter]
    fn tainted(&self) -> bool {
        self.lock()
            .as_ref()
            .is_some_and(blocking::Lease::is_tainted)
    }

    /// What the server called itself, and its version.
    #[getter]
    fn server(&self) -> (Option<String>, Option<String>) {
        let own = self.lock();
        own.as_ref().map_or((None, None), |lease| {
            let (product, version) = lease.server();
            (product.map(str::to_owned), version.map(str::to_owned))
        })
    }

    /// The id by which the server's log and CLIENT LIST know it.
    #[getter]
    fn client_id(&self) -> Option<u64> {
        self.client_id
    }
}

const GOING_DOWN: &str = "the interpreter is being taken down";

fn patience(within: Option<f64>) -> PyResult<Patience> {
    match within {
        None => Ok(Patience::Forever),
        Some(seconds) if seconds < 0.0 => Ok(Patience::Default),
        Some(seconds) => Ok(Patience::For(span(seconds)?)),
    }
}
