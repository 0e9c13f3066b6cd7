//! A server of our own, on a port that was free a moment ago, without persistence.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::resp::{Connection, Reply};
use crate::task;

/// A running server; dropping it ends it.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

/// How often a start is tried: another process may take the port between our look and the server's bind.
const STARTS: usize = 3;
/// How often the new server is asked, each 20 ms after the last.
const ASKS: usize = 500;

impl Server {
    /// Starts a server binary with these further arguments, and waits until it answers.
    pub(crate) fn start(binary: &Path, arguments: &[&str]) -> task::Result<Self> {
        for _ in 0..STARTS {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let child = Command::new(binary)
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
                .args(["--save", "", "--appendonly", "no"])
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .map_err(|error| format!("{}: {error}", binary.display()))?;
            let mut server = Self { child, port };
            if server.answers()? {
                return Ok(server);
            }
        }
        Err(format!("{}: it does not come up", binary.display()).into())
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> task::Result<Connection> {
        Ok(Connection::open(self.port)?)
    }

    /// Whether it came up; false if it ended.
    fn answers(&mut self) -> task::Result<bool> {
        for _ in 0..ASKS {
            if self.child.try_wait()?.is_some() {
                return Ok(false);
            }
            let pong = Connection::open(self.port).and_then(|mut to| to.call(&["PING"]));
            if pong.is_ok_and(|reply| reply == Reply::Text(b"PONG".to_vec())) {
                return Ok(true);
            }
            sleep(Duration::from_millis(20));
        }
        Ok(false)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is left to do about a child that cannot be ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
