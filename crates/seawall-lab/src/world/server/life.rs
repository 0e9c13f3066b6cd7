//! Births and deaths of the process.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{Server, ServerError};
use crate::world::admin::{Admin, AdminError};
use crate::world::clock;
use crate::world::leash::Leashed;

/// How long a server may take to start or to end before the laboratory gives up on it.
const LIFE_LIMIT: Duration = Duration::from_secs(30);

/// How often the laboratory looks whether something has come about.
const LOOK: Duration = Duration::from_millis(2);

/// A server that answers something else than PONG, and why that is (LOADING, say).
enum Answer {
    Pong,
    Refused(String),
    None,
}

impl Server {
    /// SIGTERM, as an operator or a supervisor stops a server; returns when the process has ended.
    ///
    /// A frozen server ends only after it thaws, and one whose saves are broken refuses to end: both are
    /// [`ServerError::Late`] after 30 s.
    pub fn sigterm(&self) -> Result<(), ServerError> {
        self.signal(Signal::TERM)?;
        self.wait_for("its end", LIFE_LIMIT, || self.has_ended())?;
        self.bury();
        Ok(())
    }

    /// SIGKILL; returns when the process has ended.
    pub fn kill9(&self) -> Result<(), ServerError> {
        self.signal(Signal::KILL)?;
        self.bury();
        Ok(())
    }

    /// SIGSTOP: the kernel goes on to accept connections and bytes, the process answers nothing. It has stopped when this
    /// returns.
    pub fn freeze(&self) -> Result<(), ServerError> {
        self.signal(Signal::STOP)?;
        self.wait_for("its stop", LIFE_LIMIT, || {
            Ok(self.has_ended()? || self.is_stopped())
        })
    }

    /// SIGCONT: it goes on where it was stopped, and runs what has piled up.
    pub fn thaw(&self) -> Result<(), ServerError> {
        self.signal(Signal::CONT)
    }

    /// Starts it again on its port with its data, and waits until it serves.
    pub fn start_again(&self) -> Result<(), ServerError> {
        self.begin_again()?;
        self.wait_until_serving(LIFE_LIMIT)
    }

    /// Starts it again and does not wait: for scenarios that watch it come up.
    pub fn begin_again(&self) -> Result<(), ServerError> {
        self.begin(&[])
    }

    /// [`sigterm`](Self::sigterm), then [`start_again`](Self::start_again).
    pub fn restart(&self) -> Result<(), ServerError> {
        self.sigterm()?;
        self.start_again()
    }

    /// Waits until it answers PING with PONG.
    pub fn wait_until_serving(&self, limit: Duration) -> Result<(), ServerError> {
        self.wait_for("a PONG", limit, || Ok(matches!(self.ask()?, Answer::Pong)))
    }

    /// Waits until it refuses PING with an error that begins with `word`.
    pub(super) fn wait_until_refusing(&self, word: &str) -> Result<(), ServerError> {
        let refuses =
            || Ok(matches!(self.ask()?, Answer::Refused(message) if message.starts_with(word)));
        self.wait_for("a refusal", LIFE_LIMIT, refuses)
    }

    /// Starts the process with settings beyond those in its file.
    pub(super) fn begin(&self, extra: &[String]) -> Result<(), ServerError> {
        let mut process = self.process();
        if process.is_some() {
            return Err(ServerError::Running { port: self.port() });
        }
        let mut args = vec![self.home.config().into_os_string()];
        args.extend(extra.iter().map(OsString::from));
        let args: Vec<&OsStr> = args.iter().map(OsString::as_os_str).collect();
        let log = self
            .home
            .open_log()
            .map_err(ServerError::host("open the server's log"))?;
        let leashed = Leashed::spawn(&self.binary.path, &args, self.dir(), log);
        *process = Some(leashed.map_err(ServerError::host("start the server"))?);
        Ok(())
    }

    /// Polls until `done`; an end of the process that nobody asked for ends the wait.
    pub(super) fn wait_for(
        &self,
        what: &'static str,
        limit: Duration,
        mut done: impl FnMut() -> Result<bool, ServerError>,
    ) -> Result<(), ServerError> {
        let deadline = clock::now() + limit;
        while !done()? {
            if clock::now() > deadline {
                return Err(ServerError::Late {
                    port: self.port(),
                    what,
                    limit,
                });
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Asks for PING on a fresh connection, and keeps the connection if it was answered.
    fn ask(&self) -> Result<Answer, ServerError> {
        if self.has_ended()? {
            return Err(self.ended_by_itself());
        }
        let Ok(mut admin) = Admin::connect(self.addr(), &self.access()) else {
            return Ok(Answer::None);
        };
        match admin.command(&[b"PING"]) {
            Ok(_) => {
                *self.admin() = Some(admin);
                Ok(Answer::Pong)
            }
            Err(AdminError::Refused { message, .. }) => Ok(Answer::Refused(message)),
            Err(_) => Ok(Answer::None),
        }
    }

    fn has_ended(&self) -> Result<bool, ServerError> {
        let mut process = self.process();
        let leashed = process
            .as_mut()
            .ok_or(ServerError::Down { port: self.port() })?;
        let status = leashed
            .child()
            .try_wait()
            .map_err(ServerError::host("watch the server"))?;
        Ok(status.is_some())
    }

    /// Reads the state letter behind the name in `/proc/PID/stat`: T for stopped.
    fn is_stopped(&self) -> bool {
        let stat = self
            .pid()
            .and_then(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok());
        stat.is_some_and(|stat| {
            stat.rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.starts_with('T'))
        })
    }

    fn ended_by_itself(&self) -> ServerError {
        let status = self
            .process()
            .as_mut()
            .and_then(|leashed| leashed.child().try_wait().ok().flatten());
        self.bury();
        ServerError::Ended {
            binary: self.binary.to_string(),
            port: self.port(),
            status: status.map_or_else(|| "no status".into(), |status| status.to_string()),
            log: self.home.log_tail(),
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), ServerError> {
        let pid = self
            .pid()
            .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let pid = pid.ok_or(ServerError::Down { port: self.port() })?;
        kill_process(pid, signal).map_err(|errno| ServerError::Host {
            what: "signal the server",
            source: errno.into(),
        })
    }

    /// Waits for the process's end and forgets it.
    fn bury(&self) {
        *self.process() = None;
        *self.admin() = None;
    }
}
