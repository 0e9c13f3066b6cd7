//! What this shell needs of whatever runs it: tokio, or an event loop that a door brought along.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_channel::oneshot;
use seawall_model::Moment;

use super::event_loop::{EventLoop, Task, Watch, current};
use crate::clock;
use crate::link::live::{Live, Step};

/// Runs a task beside this one.
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    match current() {
        Some(event_loop) => event_loop.spawn(Box::pin(task) as Task),
        #[cfg(feature = "tokio")]
        None => drop(tokio::spawn(task)),
        #[cfg(not(feature = "tokio"))]
        None => no_loop(),
    }
}

#[cfg(not(feature = "tokio"))]
#[expect(
    clippy::panic,
    reason = "the caller's mistake, as with every runtime, and never an application's"
)]
fn no_loop() -> ! {
    panic!("no event loop was entered: see seawall::asynchronous::enter")
}

/// Whether others are about to ask for something, after whom this task is run again if it is awake.
pub(super) fn gathers() -> bool {
    current().is_some_and(|event_loop| event_loop.gathers())
}

/// The time was over first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Elapsed;

/// Waits for `work` no longer than `span`.
pub(super) async fn timeout<T>(
    span: Duration,
    work: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    match current() {
        #[cfg(feature = "tokio")]
        None => tokio::time::timeout(span, work).await.map_err(|_| Elapsed),
        #[cfg(not(feature = "tokio"))]
        None => no_loop(),
        Some(event_loop) => {
            let mut work = pin!(work);
            let mut alarm = Alarm::new(event_loop, clock::now() + span);
            poll_fn(|context| {
                if let Poll::Ready(done) = work.as_mut().poll(context) {
                    return Poll::Ready(Ok(done));
                }
                alarm.poll(context).map(|()| Err(Elapsed))
            })
            .await
        }
    }
}

/// Sleeps.
pub(super) async fn sleep(span: Duration) {
    match current() {
        #[cfg(feature = "tokio")]
        None => tokio::time::sleep(span).await,
        #[cfg(not(feature = "tokio"))]
        None => no_loop(),
        Some(event_loop) => {
            let mut alarm = Alarm::new(event_loop, clock::now() + span);
            poll_fn(|context| alarm.poll(context)).await;
        }
    }
}

/// Lets the other tasks that are ready run first.
pub(super) async fn yield_now() {
    #[cfg(feature = "tokio")]
    if current().is_none() {
        return tokio::task::yield_now().await;
    }
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// One timer of an event loop.
struct Alarm {
    event_loop: Arc<dyn EventLoop>,
    at: Moment,
    set: Option<u64>,
}

impl Alarm {
    fn new(event_loop: Arc<dyn EventLoop>, at: Moment) -> Self {
        Self {
            event_loop,
            at,
            set: None,
        }
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.set.is_none() {
            // The waker of a task of these loops is always the same one: to set it once is enough.
            self.set = Some(self.event_loop.wake_at(self.at, context.waker()));
            return Poll::Pending;
        }
        if clock::now() < self.at {
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(number) = self.set {
            self.event_loop.forget(self.at, number);
        }
    }
}

/// A socket that the runtime watches for one task.
pub(super) enum Watched {
    #[cfg(feature = "tokio")]
    Tokio(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>),
    #[cfg(feature = "tokio")]
    Bare(tokio::io::unix::AsyncFd<Bare>),
    Loop(Box<dyn Watch>),
}

impl Watched {
    /// Watches the socket of a connection.
    pub(super) fn new(live: &Live) -> io::Result<Self> {
        // A descriptor of its own for the same socket: the runtime must hold one for as long as it watches. It is let go
        // of before the connection's, whose close is the one that counts.
        let socket = live.stream.fd().try_clone_to_owned()?;
        crate::fork::keep_from_children(std::os::fd::AsFd::as_fd(&socket));
        match current() {
            Some(event_loop) => event_loop.watch(socket).map(Self::Loop),
            #[cfg(feature = "tokio")]
            None => watch_in_tokio(socket),
            #[cfg(not(feature = "tokio"))]
            None => no_loop(),
        }
    }

    /// As [`new`](Self::new), for a connection that is let go of only after the watch: whoever has many connections of
    /// his own does not need twice as many descriptors.
    pub(super) fn bare(live: &Live) -> io::Result<Self> {
        #[cfg(feature = "tokio")]
        if current().is_none() {
            return watch_bare(live);
        }
        Self::new(live)
    }

    /// Waits for something to read, or for the end.
    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(watched) => watched.poll_read_ready(context).map_ok(drop),
            #[cfg(feature = "tokio")]
            Self::Bare(watched) => watched.poll_read_ready(context).map_ok(drop),
            Self::Loop(watched) => watched.poll_readable(context),
        }
    }

    /// Waits for room to write.
    pub(super) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(watched) => watched.poll_write_ready(context).map_ok(drop),
            #[cfg(feature = "tokio")]
            Self::Bare(watched) => watched.poll_write_ready(context).map_ok(drop),
            Self::Loop(watched) => watched.poll_writable(context),
        }
    }

    /// Reads what has come, once, and marks the socket as empty where it is. The mark is set first and the socket asked
    /// after it: what comes in between is found by that read, or by the next wait.
    pub(super) fn read(&self, live: &mut Live, now: Moment) -> io::Result<Step> {
        let step = live.read_some(now)?;
        let moved = matches!(step, Step::Moved);
        if let Self::Loop(watched) = self
            && moved
        {
            watched.may_hold_more();
        }
        if moved || matches!(self, Self::Loop(_)) {
            return Ok(step);
        }
        self.is_drained();
        live.read_some(now)
    }

    /// Writes what is queued, and marks the socket as full where it is, as [`read`](Self::read) does.
    pub(super) fn write(&self, live: &mut Live) -> io::Result<Step> {
        match live.write_some()? {
            Step::Moved => Ok(Step::Moved),
            Step::WouldBlock => {
                self.is_full();
                live.write_some()
            }
        }
    }

    /// A read found nothing: the next wait is for something new.
    fn is_drained(&self) {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(watched) => not_ready(watched, tokio::io::Interest::READABLE),
            #[cfg(feature = "tokio")]
            Self::Bare(watched) => not_ready(watched, tokio::io::Interest::READABLE),
            Self::Loop(_) => {}
        }
    }

    /// A write found no room: the next wait is for new room.
    fn is_full(&self) {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(watched) => not_ready(watched, tokio::io::Interest::WRITABLE),
            #[cfg(feature = "tokio")]
            Self::Bare(watched) => not_ready(watched, tokio::io::Interest::WRITABLE),
            Self::Loop(_) => {}
        }
    }
}

#[cfg(feature = "tokio")]
fn not_ready<T: std::os::fd::AsRawFd>(
    watched: &tokio::io::unix::AsyncFd<T>,
    interest: tokio::io::Interest,
) {
    let _ = watched.try_io(interest, |_| -> io::Result<()> {
        Err(io::ErrorKind::WouldBlock.into())
    });
}

#[cfg(feature = "tokio")]
#[expect(
    unsafe_code,
    reason = "the runtime trusts its caller that a watched descriptor stays open, and says so this way"
)]
fn watch_in_tokio(socket: std::os::fd::OwnedFd) -> io::Result<Watched> {
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    // SAFETY: an `OwnedFd` keeps the descriptor open until the watch, which owns it, is dropped.
    let watched =
        unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE | Interest::WRITABLE) };
    watched.map(Watched::Tokio).map_err(Into::into)
}

/// The descriptor of a connection that is closed only after the watch has ended.
#[cfg(feature = "tokio")]
pub(super) struct Bare(std::os::fd::RawFd);

#[cfg(feature = "tokio")]
impl std::os::fd::AsRawFd for Bare {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0
    }
}

#[cfg(feature = "tokio")]
#[expect(
    unsafe_code,
    reason = "the runtime trusts its caller that a watched descriptor stays open, and says so this way"
)]
fn watch_bare(live: &Live) -> io::Result<Watched> {
    use std::os::fd::AsRawFd;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    let socket = Bare(live.stream.fd().as_raw_fd());
    // SAFETY: `Own`, the only caller, drops the watch before it lets go of the connection, wherever it does so.
    let watched =
        unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE | Interest::WRITABLE) };
    watched.map(Watched::Bare).map_err(Into::into)
}

/// Wakes one task, which is told once however often it was rung.
#[derive(Default)]
pub(super) struct Bell(Mutex<(bool, Option<Waker>)>);

impl Bell {
    /// Rings.
    pub(super) fn ring(&self) {
        let waker = {
            let mut bell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            bell.0 = true;
            bell.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until it was rung.
    pub(super) fn poll_rung(&self, context: &Context<'_>) -> Poll<()> {
        let mut bell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut bell.0) {
            return Poll::Ready(());
        }
        match &mut bell.1 {
            Some(waker) => waker.clone_from(context.waker()),
            empty => *empty = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

/// Gives several tasks their turn, one at a time, in the order in which they came.
#[derive(Default)]
pub(super) struct Turns(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    /// Nobody waited when a turn was given.
    spare: bool,
    waiting: VecDeque<oneshot::Sender<()>>,
}

impl Turns {
    /// Gives one turn: to the first who waits, or to the next who comes.
    pub(super) fn next(&self) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(first) = queue.waiting.pop_front() {
            // Who has gone leaves it to the one behind.
            if first.send(()).is_ok() {
                return;
            }
        }
        queue.spare = true;
    }

    /// Waits for a turn. Dropped before it came, it leaves the queue; afterwards the turn is lost.
    pub(super) async fn turn(&self) {
        let turn = {
            let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if std::mem::take(&mut queue.spare) {
                return;
            }
            let (sender, turn) = oneshot::channel();
            queue.waiting.push_back(sender);
            turn
        };
        // The queue is never dropped before those who wait in it.
        let _ = turn.await;
    }
}

/// What a task that watches a socket was woken by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// There is something to read, or the end.
    Readable,
    /// The bell.
    Rung,
    /// There is room to write.
    Writable,
    /// The moment has come.
    Late,
}

/// Waits for the first of these: something to read, the bell (if there is one), room to write (if `blocked`), the moment
/// `until` (if there is one).
pub(super) async fn first_of(
    watched: &Watched,
    bell: Option<&Bell>,
    blocked: bool,
    until: Option<Moment>,
) -> io::Result<Woken> {
    let late = async {
        match until {
            Some(until) => sleep(until.since(clock::now())).await,
            None => std::future::pending().await,
        }
    };
    let mut late = pin!(late);
    poll_fn(|context| {
        if let Poll::Ready(ready) = watched.poll_readable(context) {
            return Poll::Ready(ready.map(|()| Woken::Readable));
        }
        if bell.is_some_and(|bell| bell.poll_rung(context).is_ready()) {
            return Poll::Ready(Ok(Woken::Rung));
        }
        if blocked && let Poll::Ready(ready) = watched.poll_writable(context) {
            return Poll::Ready(ready.map(|()| Woken::Writable));
        }
        if until.is_some() && Pin::new(&mut late).as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(Woken::Late));
        }
        Poll::Pending
    })
    .await
}
