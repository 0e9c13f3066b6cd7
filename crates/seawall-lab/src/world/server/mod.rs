//! A real server process, and what can be done to it.

mod error;
mod home;
mod life;
mod loading;
mod saves;
mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use error::ServerError;
use home::{ADMIN_PASSWORD, ADMIN_USER, Home};
use saves::SavedSaves;
pub use tls::{Clients, Tls};

use super::admin::{Admin, AdminError, Value};
use super::find::ServerBinary;
use super::leash::Leashed;
use super::port::ReservedPort;
use super::probe::Access;

/// A server on a loopback port and in a directory of its own.
///
/// All methods take `&self`, so that a timeline breaks the server while an oracle asks it. Commands go over the
/// laboratory's own connection, as an ACL user of its own, opened when the server came up: a reached `maxclients` or a
/// changed password does not lock the laboratory out.
///
/// The process is killed and its directory removed when this is dropped, and also when the laboratory itself is killed.
/// The port stays reserved while the server is down, so that connecting to it is refused.
#[derive(Debug)]
pub struct Server {
    binary: ServerBinary,
    port: ReservedPort,
    tls_port: Option<ReservedPort>,
    // Before `home`: the process ends before its directory goes.
    process: Mutex<Option<Leashed>>,
    home: Home,
    admin: Mutex<Option<Admin>>,
    saves: Mutex<Option<SavedSaves>>,
}

impl Server {
    /// Starts a server and waits until it serves.
    ///
    /// `config` are lines of its settings file (`("save", "3600 1")`, values quoted as there), in force over the
    /// laboratory's: loopback only, `appendonly yes` with `appendfsync no` (SIGKILL loses nothing acknowledged), no
    /// snapshots, DEBUG allowed.
    pub fn start(binary: &ServerBinary, config: &[(&str, &str)]) -> Result<Self, ServerError> {
        Self::begin_at(binary, config, None)
    }

    /// Starts a server that speaks TLS on a second port, [`tls_addr`](Self::tls_addr). The laboratory itself goes on to
    /// use the plain one.
    ///
    /// Fails for a binary without TLS: see [`ServerBinary::speaks_tls`].
    pub fn start_with_tls(
        binary: &ServerBinary,
        config: &[(&str, &str)],
        tls: &Tls<'_>,
    ) -> Result<Self, ServerError> {
        let port = ReservedPort::new().map_err(ServerError::host("reserve a port"))?;
        let own = tls.config(port.addr().port());
        let mut all: Vec<(&str, &str)> = own
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        all.extend_from_slice(config);
        Self::begin_at(binary, &all, Some(port))
    }

    fn begin_at(
        binary: &ServerBinary,
        config: &[(&str, &str)],
        tls_port: Option<ReservedPort>,
    ) -> Result<Self, ServerError> {
        let port = ReservedPort::new().map_err(ServerError::host("reserve a port"))?;
        let home = Home::new(binary, port.addr().port(), config)
            .map_err(ServerError::host("make a directory"))?;
        let server = Self {
            binary: binary.clone(),
            port,
            tls_port,
            process: Mutex::new(None),
            home,
            admin: Mutex::new(None),
            saves: Mutex::new(None),
        };
        server.start_again()?;
        Ok(server)
    }

    /// The binary it runs.
    pub fn binary(&self) -> &ServerBinary {
        &self.binary
    }

    /// Its port, the same through every restart.
    pub fn port(&self) -> u16 {
        self.addr().port()
    }

    /// Its address.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// The address at which it speaks TLS, if it does.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls_port.as_ref().map(ReservedPort::addr)
    }

    /// Its process id; none while it is down.
    pub fn pid(&self) -> Option<u32> {
        self.process().as_mut().map(|leashed| leashed.child().id())
    }

    /// Its directory: data, settings, log.
    pub fn dir(&self) -> &Path {
        self.home.dir()
    }

    /// Its log, over all its lives.
    pub fn log_path(&self) -> PathBuf {
        self.home.log()
    }

    /// How the laboratory itself is let in, whatever a scenario does to passwords: for a [`Probe`](super::Probe).
    pub fn access(&self) -> Access {
        Access {
            user: Some(ADMIN_USER.into()),
            password: Some(ADMIN_PASSWORD.into()),
        }
    }

    /// Sends a command over the laboratory's own connection, in database 0, and waits up to 5 s for the reply.
    pub fn command(&self, words: &[&[u8]]) -> Result<Value, ServerError> {
        self.with_admin(|admin| admin.command(words))
    }

    /// Sends all commands at once; the first refusal is the error.
    pub fn pipeline(&self, commands: &[&[&[u8]]]) -> Result<Vec<Value>, ServerError> {
        self.with_admin(|admin| admin.pipeline(commands))
    }

    /// CONFIG SET: `maxclients`, `maxmemory`, `timeout`, `requirepass`, `client-output-buffer-limit`, ...
    pub fn config_set(&self, name: &str, value: &str) -> Result<(), ServerError> {
        self.command(&[b"CONFIG", b"SET", name.as_bytes(), value.as_bytes()])
            .map(drop)
    }

    /// CONFIG GET of one setting; none if the server does not know it.
    pub fn config_get(&self, name: &str) -> Result<Option<String>, ServerError> {
        let reply = self.command(&[b"CONFIG", b"GET", name.as_bytes()])?;
        let value = reply
            .as_array()
            .and_then(|pair| pair.get(1))
            .and_then(Value::as_bytes);
        Ok(value.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    }

    /// CLIENT KILL of every connection but the laboratory's own, a probe's included; how many there were.
    pub fn client_kill_all(&self) -> Result<u64, ServerError> {
        let mut killed = 0;
        for kind in ["normal", "pubsub"] {
            let reply = self.command(&[
                b"CLIENT",
                b"KILL",
                b"TYPE",
                kind.as_bytes(),
                b"SKIPME",
                b"yes",
            ])?;
            killed += reply
                .as_integer()
                .and_then(|count| u64::try_from(count).ok())
                .unwrap_or(0);
        }
        Ok(killed)
    }

    /// One section of INFO (or `all`) as its fields.
    pub fn info(&self, section: &str) -> Result<BTreeMap<String, String>, ServerError> {
        let reply = self.command(&[b"INFO", section.as_bytes()])?;
        let text = String::from_utf8_lossy(reply.as_bytes().unwrap_or_default()).into_owned();
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        Ok(fields
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    /// Makes the server deaf for `span` (DEBUG SLEEP); returns when the command is sent.
    pub fn debug_sleep(&self, span: Duration) -> Result<(), ServerError> {
        let seconds = format!("{:.6}", span.as_secs_f64());
        let mut deaf = Admin::connect(self.addr(), &self.access())?;
        Ok(deaf.send(&[b"DEBUG", b"SLEEP", seconds.as_bytes()])?)
    }

    /// Runs `work` on the connection; a connection that broke while it lay idle is replaced first, and one that broke
    /// under `work` is given up.
    fn with_admin<T>(
        &self,
        work: impl FnOnce(&mut Admin) -> Result<T, AdminError>,
    ) -> Result<T, ServerError> {
        let mut slot = self.admin();
        let mut admin = match slot.take().filter(|admin| !admin.is_stale()) {
            Some(admin) => admin,
            None => Admin::connect(self.addr(), &self.access())?,
        };
        let result = work(&mut admin);
        if matches!(result, Ok(_) | Err(AdminError::Refused { .. })) {
            *slot = Some(admin);
        }
        Ok(result?)
    }

    fn process(&self) -> MutexGuard<'_, Option<Leashed>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admin(&self) -> MutexGuard<'_, Option<Admin>> {
        self.admin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
