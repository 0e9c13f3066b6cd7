//! What a contender in Rust needs besides the client that it stands for.
//!
//! [`Inbox`] reads the lab's orders, [`Outbox`] writes answers from any thread: those that come while one write is on
//! its way share the next, so that ten thousand answers a second cost a few hundred writes.

use super::{Answer, Malformed, Order};
use std::io::{self, BufRead, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Why the next order could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// Standard input could not be read.
    #[error("cannot read the lab's orders: {0}")]
    Read(#[from] io::Error),
    /// The line is not part of the protocol.
    #[error("line {line} of the lab's orders: {problem}")]
    Malformed {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        problem: Malformed,
    },
}

/// The orders of the lab, one after the other.
pub struct Inbox<R> {
    source: R,
    line: Vec<u8>,
    lines_read: u64,
}

impl<R: BufRead> Inbox<R> {
    /// Reads orders from `source`, usually locked standard input.
    pub const fn new(source: R) -> Self {
        Self {
            source,
            line: Vec::new(),
            lines_read: 0,
        }
    }

    /// The next order; waits for it. `None` at the end of the input: the lab is gone, and the contender should be.
    ///
    /// # Errors
    /// [`InboxError`]; after a malformed line the next one can still be read.
    pub fn next_order(&mut self) -> Result<Option<Order>, InboxError> {
        self.line.clear();
        if self.source.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        self.lines_read += 1;
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        match Order::parse(line) {
            Ok(order) => Ok(Some(order)),
            Err(problem) => Err(InboxError::Malformed {
                line: self.lines_read,
                problem,
            }),
        }
    }
}

/// Where a contender's threads leave their answers.
#[derive(Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

struct Waiting {
    bytes: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Closing,
    Broken,
}

/// The thread behind an [`Outbox`]; joined by [`Writer::finish`].
pub struct Writer {
    shared: Arc<Shared>,
    thread: JoinHandle<io::Result<()>>,
}

impl Outbox {
    /// Starts the thread that writes to `sink`, usually standard output.
    pub fn start(mut sink: impl Write + Send + 'static) -> (Self, Writer) {
        let waiting = Mutex::new(Waiting {
            bytes: Vec::new(),
            state: State::Open,
        });
        let shared = Arc::new(Shared {
            waiting,
            changed: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let result = theirs.carry(&mut sink);
            if result.is_err() {
                theirs.lock().state = State::Broken;
            }
            result
        });
        (
            Self {
                shared: Arc::clone(&shared),
            },
            Writer { shared, thread },
        )
    }

    /// Leaves an answer to be written. Never waits for the lab. Once the lab is gone, answers are dropped.
    pub fn say(&self, answer: &Answer) {
        let mut waiting = self.shared.lock();
        if waiting.state == State::Broken {
            return;
        }
        let was_empty = waiting.bytes.is_empty();
        answer.format_into(&mut waiting.bytes);
        drop(waiting);
        if was_empty {
            self.shared.changed.notify_one();
        }
    }
}

impl Writer {
    /// Writes what is left and ends the thread.
    ///
    /// # Errors
    /// The lab no longer reads.
    pub fn finish(self) -> io::Result<()> {
        self.shared.lock().state = State::Closing;
        self.shared.changed.notify_one();
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the writer panicked")))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry(&self, sink: &mut impl Write) -> io::Result<()> {
        let mut batch = Vec::new();
        loop {
            let mut waiting = self.lock();
            while waiting.bytes.is_empty() && waiting.state == State::Open {
                waiting = self
                    .changed
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let state = waiting.state;
            batch.clear();
            std::mem::swap(&mut batch, &mut waiting.bytes);
            drop(waiting);
            sink.write_all(&batch)?;
            sink.flush()?;
            if state != State::Open {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Reply;
    use std::sync::mpsc;

    #[test]
    fn orders_are_read_one_by_one_until_the_lab_is_gone() {
        let mut inbox = Inbox::new(&b"call 1 5 cmd GET a\nnonsense\nstop\n"[..]);
        assert!(matches!(inbox.next_order(), Ok(Some(Order::Call(call))) if call.id == 1));
        assert!(matches!(
            inbox.next_order(),
            Err(InboxError::Malformed { line: 2, .. })
        ));
        assert!(matches!(inbox.next_order(), Ok(Some(Order::Stop))));
        assert!(matches!(inbox.next_order(), Ok(None)));
    }

    struct Chunks(mpsc::Sender<Vec<u8>>);

    impl Write for Chunks {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_answer_is_written_once_whichever_thread_gave_it() {
        let (sender, receiver) = mpsc::channel();
        let (outbox, writer) = Outbox::start(Chunks(sender));
        let threads: Vec<_> = (0..4_u64)
            .map(|thread| {
                let outbox = outbox.clone();
                std::thread::spawn(move || {
                    for call in 0..250 {
                        outbox.say(&Answer::Ok {
                            id: thread * 250 + call,
                            reply: Reply::Nil,
                        });
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        outbox.say(&Answer::Bye);
        writer.finish().unwrap();
        let written = receiver.iter().flatten().collect::<Vec<u8>>();
        let mut ids: Vec<u64> = written
            .split(|&b| b == b'\n')
            .filter_map(|line| match Answer::parse(line) {
                Ok(Answer::Ok { id, .. }) => Some(id),
                _ => None,
            })
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..1000).collect::<Vec<_>>());
        assert!(written.ends_with(b"bye\n"));
    }

    #[test]
    fn answers_to_a_lab_that_is_gone_are_dropped() {
        let (sender, receiver) = mpsc::channel();
        drop(receiver);
        let (outbox, writer) = Outbox::start(Chunks(sender));
        outbox.say(&Answer::Bye);
        assert!(writer.finish().is_err());
        outbox.say(&Answer::Bye);
    }
}
