//! Event loops of others, that this shell can run on besides tokio's.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use seawall_model::Moment;

/// A task for an event loop.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An event loop that a door brings along: an interpreter's own, say.
///
/// All of it may be called from any thread, and wakers are woken from any thread. Futures of this shell find the loop
/// they run on by [`enter`]: whoever polls them enters it first.
pub trait EventLoop: fmt::Debug + Send + Sync {
    /// Runs a task to its end, unless the loop ends first; then the task is dropped.
    fn spawn(&self, task: Task);

    /// Watches a socket until what comes back is dropped.
    fn watch(&self, socket: OwnedFd) -> io::Result<Box<dyn Watch>>;

    /// Wakes `waker` once, at `at` or a little later; gives the timer's number.
    fn wake_at(&self, at: Moment, waker: &Waker) -> u64;

    /// The timer is not needed any more. It may have rung.
    fn forget(&self, at: Moment, number: u64);

    /// Whether others are about to ask for something: what is to be written can wait for them, and its task is run right
    /// after them.
    fn gathers(&self) -> bool {
        false
    }
}

/// A socket that an event loop watches for one task.
pub trait Watch: Send + Sync {
    /// Whether there is something to read, or the end. Once it was told, the next call waits for the loop to find it
    /// again.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether there is room to write. Asked only after a write found none.
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// A read found something, and may have left some of it. A loop that tells of each thing only once is to say anew
    /// that there is something to read.
    fn may_hold_more(&self) {}
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<dyn EventLoop>>> = const { RefCell::new(None) };
}

/// Does something on an event loop: what is polled inside runs on it, with its timers and sockets.
pub fn enter<T>(event_loop: &Arc<dyn EventLoop>, work: impl FnOnce() -> T) -> T {
    struct Left(Option<Arc<dyn EventLoop>>);
    impl Drop for Left {
        fn drop(&mut self) {
            CURRENT.with(|current| *current.borrow_mut() = self.0.take());
        }
    }
    let outer = CURRENT.with(|current| current.borrow_mut().replace(Arc::clone(event_loop)));
    let _left = Left(outer);
    work()
}

/// The loop that this thread has entered.
pub(super) fn current() -> Option<Arc<dyn EventLoop>> {
    CURRENT.with(|current| current.borrow().clone())
}
