//! Counts the bytes that are looked at, in tests only: that a resumed scan is linear is shown by counting, not by
//! timing.

#[cfg(test)]
thread_local! {
    static BYTES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Notes that `bytes` more bytes were looked at.
#[inline]
pub(crate) fn note(bytes: usize) {
    #[cfg(test)]
    BYTES.set(BYTES.get() + bytes);
    #[cfg(not(test))]
    let _ = bytes;
}

/// How many bytes this thread looked at since it was last asked.
#[cfg(test)]
pub(crate) fn take() -> usize {
    BYTES.take()
}
