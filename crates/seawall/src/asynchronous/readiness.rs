//! What an event loop has found out about a socket.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// One direction of a socket: whether the loop found it ready, and the task that waits for that.
#[derive(Debug, Default)]
pub struct Readiness {
    ready: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Readiness {
    /// The loop found it ready.
    pub fn found(&self) {
        self.ready.store(true, Ordering::Release);
        let waker = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether it was found ready. Once it was told, the next call waits for the loop to find it again.
    pub fn poll(&self, context: &Context<'_>) -> Poll<()> {
        if self.ready.swap(false, Ordering::AcqRel) {
            return Poll::Ready(());
        }
        let before = {
            let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            match &*waker {
                Some(same) if same.will_wake(context.waker()) => None,
                _ => waker.replace(context.waker().clone()),
            }
        };
        drop(before);
        if self.ready.swap(false, Ordering::AcqRel) {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}
