//! One task of a loop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use seawall::asynchronous::Task;

use super::executor::Core;

/// A task, and where it waits to be run.
pub(crate) struct Job {
    pub(super) number: u64,
    core: Weak<Core>,
    task: Mutex<Option<Task>>,
    queued: AtomicBool,
    given_up: AtomicBool,
}

impl Job {
    pub(super) fn new(number: u64, core: &Arc<Core>, task: Task) -> Arc<Self> {
        Arc::new(Self {
            number,
            core: Arc::downgrade(core),
            task: Mutex::new(Some(task)),
            queued: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Task>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs it as far as it goes; whether it has ended.
    pub(super) fn run(self: &Arc<Self>) -> bool {
        self.queued.store(false, Ordering::Release);
        // Outside of its lock while it runs: it may call Python, which may come back here.
        let Some(mut task) = self.lock().take() else {
            return true;
        };
        let waker = Waker::from(Arc::clone(self));
        match task.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(()) => true,
            // Given up in the middle of this, by what it called.
            Poll::Pending if self.given_up.load(Ordering::Acquire) => true,
            Poll::Pending => {
                *self.lock() = Some(task);
                false
            }
        }
    }

    /// Drops the task, where it stands.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
        let task = self.lock().take();
        drop(task);
    }
}

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel)
            && let Some(core) = self.core.upgrade()
        {
            core.enqueue(self);
        }
    }
}
