//! The thread that writes journals to disk: one a process, and only where a state directory is set.
//!
//! A disk can be slow, full or gone, and a network file system can hang for minutes: neither a caller nor the tender
//! may wait for it. All signals are blocked here, so that one that a write brings about (SIGXFSZ, at a limit on the
//! size of files) does not end the process, and the application's handlers never run on this thread.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;

use super::memory::Memory;
use crate::fork;

/// What the thread is handed.
#[derive(Default)]
pub(super) struct Writer {
    news: Mutex<Vec<Arc<Memory>>>,
    bell: Condvar,
}

/// The writer of this process; started when first asked for, and anew in a forked child. `None` where no thread can be
/// had: journals are kept in memory then.
pub(super) fn current() -> Option<Arc<Writer>> {
    static CURRENT: ArcSwapOption<(u64, Arc<Writer>)> = ArcSwapOption::const_empty();
    let generation = fork::generation();
    let current = CURRENT.load_full();
    if let Some(current) = &current
        && current.0 == generation
    {
        return Some(Arc::clone(&current.1));
    }
    let started = match Writer::start() {
        Ok(writer) => Arc::new((generation, writer)),
        Err(error) => {
            tracing::warn!(%error, "journal.memory_only");
            return None;
        }
    };
    let before = CURRENT.compare_and_swap(&current, Some(Arc::clone(&started)));
    // Another thread was faster: its writer serves, ours has nothing to write and sleeps.
    let chosen = before
        .as_ref()
        .filter(|before| before.0 == generation)
        .unwrap_or(&started);
    Some(Arc::clone(&chosen.1))
}

impl Writer {
    fn start() -> std::io::Result<Arc<Self>> {
        let writer = Arc::new(Self::default());
        let thread = Arc::clone(&writer);
        std::thread::Builder::new()
            .name("seawall-journal".to_owned())
            .spawn(move || thread.run())?;
        Ok(writer)
    }

    /// Something was kept that is not on disk.
    pub(super) fn wants_writing(&self, memory: &Arc<Memory>) {
        if memory.is_news() {
            self.news().push(Arc::clone(memory));
            self.bell.notify_one();
        }
    }

    fn run(&self) {
        block_signals();
        loop {
            let mut news = self.news();
            while news.is_empty() {
                news = self.bell.wait(news).unwrap_or_else(PoisonError::into_inner);
            }
            let batch = std::mem::take(&mut *news);
            drop(news);
            for memory in batch {
                memory.bring_to_disk();
            }
        }
    }

    fn news(&self) -> MutexGuard<'_, Vec<Arc<Memory>>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    unsafe_code,
    reason = "a thread's signal mask has no safe wrapper, and a write past a limit must not end the process"
)]
fn block_signals() {
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset fills the whole set before it is read, and the mask concerns this thread alone.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut());
    }
}
