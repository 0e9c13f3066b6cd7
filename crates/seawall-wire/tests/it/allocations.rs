//! What is allocated, counted: nothing while scanning, one piece for a string, never more than the bytes justify.
#![expect(
    unsafe_code,
    reason = "an allocator that counts is the only way to see allocations"
)]

use crate::generate::{LIMITS, damaged, noise};
use proptest::prelude::*;
use seawall_wire::scan::{RequestScanner, Scanner};
use seawall_wire::{Limits, Value, request};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static PIECES: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(bytes: usize) {
    PIECES.set(PIECES.get() + 1);
    BYTES.set(BYTES.get() + bytes);
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches thread-local cells that need neither
// allocation nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// How many pieces and bytes `work` allocates on this thread.
fn allocated<T>(work: impl FnOnce() -> T) -> (usize, usize) {
    let (pieces, bytes) = (PIECES.get(), BYTES.get());
    let result = work();
    let grown = (PIECES.get() - pieces, BYTES.get() - bytes);
    drop(result);
    grown
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocated(|| vec![0_u8; 100]), (1, 100));
}

#[test]
fn a_string_costs_one_allocation_of_its_size_and_plain_values_none() {
    let limits = Limits::default();
    assert_eq!(
        allocated(|| Value::decode(b"$5\r\nhello\r\n", &limits)),
        (1, 5)
    );
    assert_eq!(allocated(|| Value::decode(b"+OK\r\n", &limits)), (1, 2));
    for frame in [
        &b":1\r\n"[..],
        b"_\r\n",
        b"$-1\r\n",
        b"#t\r\n",
        b",1.5\r\n",
        b"$0\r\n\r\n",
    ] {
        assert_eq!(
            allocated(|| Value::decode(frame, &limits)),
            (0, 0),
            "{}",
            frame.escape_ascii()
        );
    }
}

#[test]
fn an_array_costs_itself_its_strings_and_one_stack() {
    let (pieces, _) = allocated(|| {
        Value::decode(
            b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
            &Limits::default(),
        )
    });
    assert_eq!(pieces, 5);
}

#[test]
fn announced_elements_are_not_allocated_for_until_their_bytes_are_there() {
    for frame in [
        &b"*67000000\r\n:1\r\n"[..],
        b"%33000000\r\n",
        b"*2\r\n*60000000\r\n*1000000\r\n",
        b"$900000000\r\n",
    ] {
        let (_, bytes) = allocated(|| Value::decode(frame, &Limits::default()));
        assert!(bytes < 2000, "{bytes} bytes for {}", frame.escape_ascii());
    }
}

#[test]
fn nested_announcements_share_what_the_bytes_can_hold() {
    let mut frame = b"*1000\r\n".repeat(30);
    frame.extend_from_slice(&b":1\r\n".repeat(900));
    let (_, bytes) = allocated(|| Value::decode(&frame, &Limits::default()));
    // A third for what was announced, the rest for the innermost array, which grows as its elements come.
    assert!(
        bytes < frame.len() * 40,
        "{bytes} bytes for {}",
        frame.len()
    );
}

#[test]
fn requests_are_scanned_and_read_without_allocation() {
    let frame = b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n";
    let work = || {
        let scanned = RequestScanner::new(Limits::default()).scan(frame);
        (
            scanned,
            request::args(frame).map(|args| args.iter().map(<[u8]>::len).sum::<usize>()),
        )
    };
    assert_eq!(allocated(work), (0, 0));
}

proptest! {
    #[test]
    fn scanning_never_allocates(damaged in damaged(), noise in noise()) {
        for bytes in [damaged, noise] {
            for limits in LIMITS {
                let work = || (Scanner::new(limits).scan(&bytes), RequestScanner::new(limits).scan(&bytes));
                prop_assert_eq!(allocated(work), (0, 0));
            }
        }
    }

    #[test]
    fn whatever_comes_a_decoder_allocates_no_more_than_the_bytes_justify(damaged in damaged(), noise in noise()) {
        for bytes in [damaged, noise] {
            for limits in LIMITS {
                let (_, allocated) = allocated(|| Value::decode(&bytes, &limits));
                prop_assert!(allocated <= 64 * bytes.len() + 8192, "{allocated} bytes for {}", bytes.len());
            }
        }
    }
}
