//! Which process this is: a child after a fork must not use its parent's sockets, locks or threads. Nor may it keep the
//! sockets open: to the server a connection lives as long as anybody holds it, though its owner closed it or died.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Descriptors beyond this are left to children as they are: 512 KiB of room, of which only what is used is touched.
const TABLE: usize = 65_536;

/// By descriptor: the number of the socket that it was when it became ours. What is not that socket any more is not ours.
static SOCKETS: [AtomicU64; TABLE] = [const { AtomicU64::new(0) }; TABLE];

/// No socket of ours has a descriptor from here on.
static END: AtomicUsize = AtomicUsize::new(0);

/// How many forks lie between this process and the one that first asked. Cheap: compared before any lock is taken.
pub fn generation() -> u64 {
    // Not a `Once`: a child that was forked while another thread was inside would wait for it for ever. Two threads at
    // once hook twice, and each fork then counts two.
    static HOOKED: AtomicBool = AtomicBool::new(false);
    if !HOOKED.load(Ordering::Acquire) {
        hook();
        HOOKED.store(true, Ordering::Release);
    }
    GENERATION.load(Ordering::Relaxed)
}

/// A socket is this process's alone. In a child its descriptor stays taken, so that whoever holds it there can close it,
/// and leads nowhere.
pub fn keep_from_children(socket: BorrowedFd<'_>) {
    let number = socket.as_raw_fd();
    let Some((place, slot)) = usize::try_from(number)
        .ok()
        .and_then(|place| Some((place, SOCKETS.get(place)?)))
    else {
        return;
    };
    if let Ok(stat) = rustix::fs::fstat(socket) {
        slot.store(stat.st_ino, Ordering::Relaxed);
        END.fetch_max(place + 1, Ordering::Relaxed);
    }
}

extern "C" fn in_child() {
    // Atomics and system calls, nothing else: a forked child of a threaded process may do little more.
    GENERATION.fetch_add(1, Ordering::Relaxed);
    let end = END.swap(0, Ordering::Relaxed).min(TABLE);
    if end > 0 {
        let_go(&SOCKETS[..end]);
    }
}

#[expect(
    unsafe_code,
    reason = "descriptors that others own are replaced in place, where nothing that allocates or locks may be called"
)]
fn let_go(sockets: &[AtomicU64]) {
    // SAFETY: a constant path, and each descriptor is one of ours or is refused by `fstat`; all of these calls are allowed
    // between fork and exec. `dup3` leaves the number taken, so that its owner closes what is his.
    unsafe {
        let nowhere = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        for (number, slot) in (0..).zip(sockets) {
            let ours = slot.load(Ordering::Relaxed);
            if ours == 0 {
                continue;
            }
            slot.store(0, Ordering::Relaxed);
            let mut stat: libc::stat = std::mem::zeroed();
            if libc::fstat(number, &raw mut stat) == 0
                && stat.st_ino == ours
                && stat.st_mode & libc::S_IFMT == libc::S_IFSOCK
                && nowhere >= 0
            {
                libc::dup3(nowhere, number, libc::O_CLOEXEC);
            }
        }
        if nowhere >= 0 {
            libc::close(nowhere);
        }
    }
}

#[expect(
    unsafe_code,
    reason = "pthread_atfork has no safe wrapper; asking getpid on every call would be a system call"
)]
fn hook() {
    // SAFETY: the handler does only what is allowed between fork and exec, and lives for ever.
    let refused = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    debug_assert_eq!(refused, 0, "pthread_atfork fails only without memory");
}
