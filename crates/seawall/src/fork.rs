//! Which process this is: a child after a fork must not use its parent's sockets, locks or threads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// How many forks lie between this process and the one that first asked. Cheap: compared before any lock is taken.
pub(crate) fn generation() -> u64 {
    // Not a `Once`: a child that was forked while another thread was inside would wait for it for ever. Two threads at
    // once hook twice, and each fork then counts two.
    static HOOKED: AtomicBool = AtomicBool::new(false);
    if !HOOKED.load(Ordering::Acquire) {
        hook();
        HOOKED.store(true, Ordering::Release);
    }
    GENERATION.load(Ordering::Relaxed)
}

extern "C" fn in_child() {
    // Nothing but this store: a forked child of a threaded process may do little more.
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

#[expect(
    unsafe_code,
    reason = "pthread_atfork has no safe wrapper; asking getpid on every call would be a system call"
)]
fn hook() {
    // SAFETY: the handler only touches an atomic, which is allowed between fork and exec, and lives for ever.
    let refused = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    debug_assert_eq!(refused, 0, "pthread_atfork fails only without memory");
}
