use super::{Ability, Answer, Order};
use crate::world::clock;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A longer line than this is no answer: the longest honest one is an array of a few hundred values.
const LINE_BYTES_MAX: usize = 1 << 20;
/// How much of the contender's standard error is kept, from its end, to be shown if it dies.
const COMPLAINT_BYTES_MAX: usize = 16 * 1024;

/// How long to wait for the end of its standard error, once it has ended or been given up.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Why a contender could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// Its program could not be started.
    #[error("cannot start `{program}`: {source}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// Its pipes failed.
    #[error("the pipe to the contender failed: {0}")]
    Pipe(#[from] io::Error),
    /// It ended before it said `ready`.
    #[error("the contender ended before it was ready ({how}){complaint}")]
    Ended {
        /// How it ended.
        how: String,
        /// The end of its standard error, if it wrote any.
        complaint: String,
    },
    /// It did not say `ready` in time.
    #[error("the contender did not say `ready` within {limit:?}{complaint}")]
    NotReady {
        /// How long it was given.
        limit: Duration,
        /// The end of its standard error, if it wrote any.
        complaint: String,
    },
    /// It was asked for a subscription, and did not say that it stands.
    #[error("the contender did not say `subscribed`: {how}{complaint}")]
    NotSubscribed {
        /// What came instead.
        how: String,
        /// The end of its standard error, if it wrote any.
        complaint: String,
    },
    /// What it said instead of `ready`.
    #[error("the contender did not say `ready` first but: {0}")]
    NoGreeting(String),
}

/// Whether a contender can still be talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pipe {
    /// More may come.
    Open,
    /// Its standard output has ended.
    Closed,
}

/// A running contender and the bytes on their way to and from it. Nothing here ever waits for it, except
/// [`greet`](Self::greet) and [`end`](Self::end), which have limits. Dropping it kills it.
pub(crate) struct Contestant {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    to_write: Vec<u8>,
    written: usize,
    unread: Vec<u8>,
    complaint: Complaint,
}

/// What a contender says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) can: Vec<Ability>,
}

/// What one line of the contender was.
pub(crate) type Heard = Result<Answer, String>;

impl Contestant {
    /// Starts the program.
    pub(crate) fn start(command: &[impl AsRef<OsStr>]) -> Result<Self, ChildError> {
        let (program, arguments) = command.split_first().ok_or_else(|| ChildError::Start {
            program: String::new(),
            source: io::Error::from(io::ErrorKind::InvalidInput),
        })?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| ChildError::Start {
                program: program.as_ref().to_string_lossy().into_owned(),
                source,
            })?;
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let stdin = child.stdin.take().ok_or_else(gone)?;
        let stdout = child.stdout.take().ok_or_else(gone)?;
        let complaint = Complaint::listen(child.stderr.take().ok_or_else(gone)?);
        never_wait(&stdin)?;
        never_wait(&stdout)?;
        Ok(Self {
            child,
            stdin: Some(stdin),
            stdout,
            to_write: Vec::new(),
            written: 0,
            unread: Vec::new(),
            complaint,
        })
    }

    /// Says hello and waits for `ready`.
    pub(crate) fn greet(&mut self, hello: &Order, limit: Duration) -> Result<Greeting, ChildError> {
        hello.format_into(&mut self.to_write);
        let give_up = clock::now() + limit;
        loop {
            self.write()?;
            let mut first = None;
            let pipe = self.read(|heard| first = first.take().or(Some(heard)))?;
            match first {
                Some(Ok(Answer::Ready { name, version, can })) => {
                    return Ok(Greeting { name, version, can });
                }
                Some(Ok(other)) => return Err(ChildError::NoGreeting(format!("{other:?}"))),
                Some(Err(problem)) => return Err(ChildError::NoGreeting(problem)),
                None if pipe == Pipe::Closed => {
                    let how = self.end(Duration::from_millis(200));
                    return Err(ChildError::Ended {
                        how,
                        complaint: self.complaint(),
                    });
                }
                None if clock::now() >= give_up => {
                    return Err(ChildError::NotReady {
                        limit,
                        complaint: self.complaint(),
                    });
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Leaves lines to be written by [`write`](Self::write).
    pub(crate) fn queue(&mut self, lines: &[u8]) {
        self.to_write.extend_from_slice(lines);
    }

    /// Writes as much as the pipe takes. A contender that no longer reads is noticed by its silence, not here.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        let Some(stdin) = &mut self.stdin else {
            return Ok(());
        };
        while self.written < self.to_write.len() {
            match stdin.write(&self.to_write[self.written..]) {
                Ok(taken) => self.written += taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    self.stdin = None;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.to_write.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads what has come, and hands over each whole line.
    pub(crate) fn read(&mut self, mut hear: impl FnMut(Heard)) -> io::Result<Pipe> {
        let mut chunk = [0_u8; 16 * 1024];
        loop {
            match self.stdout.read(&mut chunk) {
                Ok(0) => {
                    if !self.unread.is_empty() {
                        hear(Err("the last line has no end".to_owned()));
                        self.unread.clear();
                    }
                    return Ok(Pipe::Closed);
                }
                Ok(count) => {
                    self.unread.extend_from_slice(&chunk[..count]);
                    self.split_lines(&mut hear);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Pipe::Open),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn split_lines(&mut self, hear: &mut impl FnMut(Heard)) {
        let mut from = 0;
        while let Some(length) = self.unread[from..].iter().position(|&byte| byte == b'\n') {
            let line = &self.unread[from..from + length];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            hear(Answer::parse(line).map_err(|problem| {
                let shown = String::from_utf8_lossy(&line[..line.len().min(120)]);
                format!("`{shown}`: {problem}")
            }));
            from += length + 1;
        }
        self.unread.drain(..from);
        if self.unread.len() > LINE_BYTES_MAX {
            hear(Err(format!("a line longer than {LINE_BYTES_MAX} bytes")));
            self.unread.clear();
        }
    }

    /// Closes its input, waits up to `limit` for it to go, then kills it. Says how it ended.
    pub(crate) fn end(&mut self, limit: Duration) -> String {
        self.stdin = None;
        let give_up = clock::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return describe(status),
                Ok(None) if clock::now() < give_up => std::thread::sleep(Duration::from_millis(2)),
                Ok(None) => {
                    self.kill();
                    return "killed: it did not exit at the end of its input".to_owned();
                }
                Err(error) => return format!("cannot be waited for: {error}"),
            }
        }
    }

    /// The end of what it wrote to its standard error, ready to be appended to a message; empty if nothing.
    pub(crate) fn complaint(&self) -> String {
        self.complaint.text()
    }

    fn kill(&mut self) {
        // It may be gone already, which is what we want.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        self.kill();
    }
}

fn describe(status: ExitStatus) -> String {
    status.to_string()
}

fn never_wait(pipe: impl AsFd) -> io::Result<()> {
    let flags = fcntl_getfl(&pipe)?;
    Ok(fcntl_setfl(&pipe, flags | OFlags::NONBLOCK)?)
}

/// Keeps the end of what a child wrote, and keeps its pipe from filling.
pub(crate) struct Complaint {
    kept: Arc<Mutex<Vec<u8>>>,
    // Ends with the pipe: detached when dropped, since a grandchild may hold the other end.
    listener: JoinHandle<()>,
}

impl Complaint {
    pub(crate) fn listen(mut pipe: impl Read + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let ours = Arc::clone(&kept);
        let listener = std::thread::spawn(move || {
            let mut chunk = [0_u8; 1024];
            while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                let mut kept = ours.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&chunk[..count]);
                let excess = kept.len().saturating_sub(COMPLAINT_BYTES_MAX);
                kept.drain(..excess);
            }
        });
        Self { kept, listener }
    }

    /// The last three lines, ready to be appended to a message; empty if nothing was written.
    pub(crate) fn text(&self) -> String {
        match self.last_lines(3) {
            last if last.is_empty() => last,
            last => format!("; its last words: {last}"),
        }
    }

    /// The same, after the first exception of a Python traceback, where it is not among them.
    pub(crate) fn text_after_first_exception(&self) -> String {
        let all = self.last_lines(usize::MAX);
        let first = first_exception(all.split(BETWEEN));
        let text = self.text();
        match first {
            Some(first) if !text.contains(first) => format!("; it failed by: {first}{text}"),
            _ => text,
        }
    }

    /// So many lines, or fewer.
    pub(crate) fn last_lines(&self, most: usize) -> String {
        // The last words may still be on their way.
        let give_up = clock::now() + LAST_WORDS;
        while !self.listener.is_finished() && clock::now() < give_up {
            std::thread::sleep(Duration::from_millis(1));
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        let all: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        all[all.len().saturating_sub(most)..].join(BETWEEN)
    }
}

/// What stands between lines in a message.
const BETWEEN: &str = " / ";

/// The line behind the first Python traceback: all of that is indented.
fn first_exception<'a>(lines: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut behind =
        lines.skip_while(|line| !line.starts_with("Traceback (most recent call last)"));
    behind.next()?;
    behind.find(|line| !line.starts_with(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::{Reply, Settings};

    fn shell(script: &str) -> Contestant {
        Contestant::start(&["sh", "-c", script]).unwrap()
    }

    #[test]
    fn the_exception_that_came_first_is_found_before_those_that_it_brought_about() {
        let told = "Booting worker\nTraceback (most recent call last):\n  File \"app.py\", line 1\n    import shop\n\
            ModuleNotFoundError: No module named 'shop'\nWorker exiting\nTraceback (most recent call last):\n  \
            File \"arbiter.py\", line 683\ngunicorn.errors.HaltServer: 3\n";
        let first = first_exception(told.lines());
        assert_eq!(first, Some("ModuleNotFoundError: No module named 'shop'"));
        assert_eq!(first_exception("no traceback\n".lines()), None);
    }

    fn hello() -> Order {
        Order::Hello(Settings {
            url: "redis://127.0.0.1:1".into(),
            deadline_ms: 1000,
            workers: 1,
            scenario: "steady".into(),
            seed: 1,
        })
    }

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn a_contender_may_be_a_shell_script() {
        let mut shell = shell(
            "read hello; echo ready sh 1; while read word id rest; do [ $word = call ] && echo ok $id nil; \
             [ $word = stop ] && echo bye && exit; done",
        );
        assert_eq!(
            shell.greet(&hello(), PATIENCE).unwrap(),
            Greeting {
                name: "sh".into(),
                version: "1".into(),
                can: vec![],
            }
        );
        shell.queue(b"call 1 1000 cmd GET a\ncall 2 1000 cmd GET b\nstop\n");
        let mut heard = Vec::new();
        while shell.read(|line| heard.push(line)).unwrap() == Pipe::Open {
            shell.write().unwrap();
        }
        let answers: Vec<_> = heard.into_iter().map(Result::unwrap).collect();
        let ok = |id| Answer::Ok {
            id,
            reply: Reply::Nil,
        };
        assert_eq!(answers, [ok(1), ok(2), Answer::Bye]);
        assert!(shell.end(PATIENCE).contains('0'));
    }

    #[test]
    fn one_that_dies_at_once_is_reported_with_its_last_words() {
        let mut shell = shell("echo no module named redis >&2; exit 3");
        let error = shell.greet(&hello(), PATIENCE).unwrap_err();
        assert!(matches!(error, ChildError::Ended { .. }), "{error}");
        assert!(error.to_string().contains('3'), "{error}");
    }

    #[test]
    fn one_that_does_not_exist_is_named() {
        let error = Contestant::start(&["/nowhere/contender"]).err().unwrap();
        assert!(error.to_string().contains("/nowhere/contender"), "{error}");
    }

    #[test]
    fn one_that_stays_after_its_input_ended_is_killed() {
        let mut shell = shell("exec sleep 600");
        assert!(shell.end(Duration::from_millis(5)).starts_with("killed"));
    }

    #[test]
    fn nonsense_is_told_with_the_line() {
        let mut shell = shell("read hello; echo hallo");
        let error = shell.greet(&hello(), PATIENCE).unwrap_err();
        assert!(error.to_string().contains("hallo"), "{error}");
    }
}
