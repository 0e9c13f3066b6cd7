//! The one place that prints.

use std::fmt::Display;
use std::io::{self, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What was asked for, to standard output. A reader that has gone (`| head`) is no failure.
pub(crate) fn out(text: impl Display) -> io::Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// The same for who goes on and on: `false` once the reader has gone.
pub(crate) fn out_while_read(text: impl Display) -> io::Result<bool> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        other => other.map(|()| true),
    }
}

/// Whether nobody reads standard output any more: who has nothing to say for a while would find out when it has.
pub(crate) fn reader_gone() -> bool {
    let out = io::stdout();
    let mut asked = [PollFd::new(&out, PollFlags::empty())];
    let now = Timespec::default();
    poll(&mut asked, Some(&now)).is_ok_and(|_| asked[0].revents().contains(PollFlags::ERR))
}

/// Many lines, to standard output; no more of them once the reader has gone.
pub(crate) fn out_all(lines: impl IntoIterator<Item = String>) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let write = || {
        for line in lines {
            writeln!(out, "{line}")?;
        }
        out.flush()
    };
    match write() {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// What somebody typed where a file was expected, without what may be a password: a URL in a wrong place.
pub(crate) fn safe(typed: &str) -> &str {
    if typed.contains("://") || typed.contains('@') {
        "(a URL)"
    } else {
        typed
    }
}

/// What goes on, and what went wrong, to standard error.
pub(crate) fn note(text: impl Display) {
    // Nothing can be done about a standard error that takes nothing.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A question, to standard error, without a line feed behind it.
pub(crate) fn ask(question: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(question.as_bytes());
    let _ = err.flush();
}

/// An error with its hint, as every command tells it.
pub(crate) fn fail(error: impl Display, hint: &str) {
    note(format_args!("seawall: {error}"));
    if !hint.is_empty() {
        note(format_args!("  hint: {hint}"));
    }
}
