//! What a case has: a server, clients whose failures are written down, and what an operator can look at.

use std::any::Any;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use seawall_doctor::read::{self, Given};
use seawall_doctor::stamp::Stamp;
use seawall_doctor::{Facts, live, nearby};
use seawall_lab::world::{Server, ServerBinary};
use seawall_model::Target;

use crate::case::Trouble;
use crate::client::{Client, Log};

/// How long something may take to come about: far more than it takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a look may take: a server that stands still costs as much.
const LOOK: Duration = Duration::from_millis(500);

/// A server with a case on it.
pub struct Bed<'a> {
    binary: &'a ServerBinary,
    venv: Option<&'a Path>,
    server: Server,
    log: Log,
    kernel: String,
    facts: Facts,
    looked: bool,
    kept: Vec<Box<dyn Any>>,
}

impl<'a> Bed<'a> {
    pub(crate) fn new(
        binary: &'a ServerBinary,
        venv: Option<&'a Path>,
        config: &[(&str, &str)],
    ) -> Result<Self, Trouble> {
        Ok(Self {
            binary,
            venv,
            server: Server::start(binary, config)?,
            log: Log::default(),
            kernel: String::new(),
            facts: Facts::default(),
            looked: false,
            kept: Vec::new(),
        })
    }

    /// The virtual environment with the application's Python.
    pub(crate) fn venv(&self) -> Option<&Path> {
        self.venv
    }

    /// The server.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// What it runs.
    pub(crate) fn binary(&self) -> &'a ServerBinary {
        self.binary
    }

    /// Puts another server in its place, with its log: what was looked at before was looked at there.
    pub(crate) fn replace(&mut self, server: Server) -> Server {
        self.facts = Facts::default();
        std::mem::replace(&mut self.server, server)
    }

    /// The application's log.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// A client of the application.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.server.addr(), self.log.clone())
    }

    /// Keeps it until the doctor has been asked.
    pub(crate) fn keep(&mut self, kept: impl Any) {
        self.kept.push(Box::new(kept));
    }

    /// Adds what the kernel wrote.
    pub(crate) fn kernel(&mut self, text: &str) {
        self.kernel.push_str(text);
    }

    /// An operator looks at the server, with a user of his own.
    pub(crate) fn look(&mut self) {
        self.facts.add(looked(&self.server));
    }

    /// The first look of an operator who comes only now.
    pub(crate) fn look_at_last(&mut self) {
        self.facts = Facts::default();
        self.look();
    }

    /// What the host tells of itself and of the server's process, as the command shows it where the server runs on the same
    /// host. Nothing comes after it.
    pub(crate) fn look_at_host(&mut self) {
        let looks = &self.facts.looks;
        let latest = looks.iter().rev().find(|look| !look.info.is_empty());
        self.facts.add(nearby::host(latest, now()));
        self.looked = true;
    }

    /// Looks now and not once more when the case is over: for what is to be seen only while it lasts.
    pub(crate) fn look_now(&mut self) {
        self.look();
        self.looked = true;
    }

    /// The same as another user, or at another address.
    pub(crate) fn look_now_at(&mut self, url: &str) {
        self.look_at(url);
        self.looked = true;
    }

    fn look_at(&mut self, url: &str) {
        self.facts.add(looked_at(url));
    }

    /// Waits until it has come about.
    pub(crate) fn until(
        &self,
        what: &'static str,
        mut done: impl FnMut(&Self) -> Result<bool, Trouble>,
    ) -> Result<(), Trouble> {
        let began = Instant::now();
        while !done(self)? {
            if began.elapsed() > PATIENCE {
                return Err(Trouble::Late(what));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits until these words stand in the server's log.
    pub(crate) fn until_said(&self, words: &'static str) -> Result<(), Trouble> {
        self.until(words, |bed| {
            let log = std::fs::read(bed.server.log_path())?;
            Ok(String::from_utf8_lossy(&log).contains(words))
        })
    }

    /// Everything that an operator has.
    pub(crate) fn collected(mut self) -> Result<Facts, Trouble> {
        if !self.looked {
            self.look();
        }
        let given = Given { now: now() };
        self.facts.add(server_log(&self.server)?);
        let told = self.log.text();
        let texts = [("app.log", &told), ("kernel.log", &self.kernel)];
        for (name, text) in texts {
            if !text.is_empty() {
                self.facts.add(read::file(name, text.as_bytes(), given)?.1);
            }
        }
        Ok(std::mem::take(&mut self.facts))
    }
}

/// What an operator with a user of his own sees of a server.
pub(crate) fn looked(server: &Server) -> Facts {
    looked_at(&format!(
        "redis://seawall-lab:seawall-lab@{}",
        server.addr()
    ))
}

fn looked_at(url: &str) -> Facts {
    let target = Target::parse(url).expect("the case's URL is right");
    live::look(&target, LOOK, now()).unwrap_or_default()
}

/// The server's log.
pub(crate) fn server_log(server: &Server) -> Result<Facts, Trouble> {
    let log = File::open(server.log_path())?;
    // No further than it is long now: a server that fails again and again writes faster than anybody reads.
    let length = log.metadata()?.len();
    Ok(read::file("redis.log", log.take(length), Given { now: now() })?.1)
}

/// What the clock says.
pub(crate) fn now() -> Stamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Stamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
