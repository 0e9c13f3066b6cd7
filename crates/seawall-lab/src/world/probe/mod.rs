//! The independent witness: asks the server every 5 ms and writes down whether it served.

mod line;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use seawall_model::Moment;
use watch::Watch;

use super::admin::encode;
use super::clock;
use super::timeline::Timeline;

/// How to be let in by a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The ACL user; none means the default user.
    pub user: Option<String>,
    /// The password; none means that none is sent.
    pub password: Option<String>,
}

impl Access {
    /// The AUTH command that lets in, if any is needed.
    pub(super) fn auth_words(&self) -> Option<Vec<&[u8]>> {
        let password = self.password.as_ref()?;
        let words = [Some("AUTH"), self.user.as_deref(), Some(password.as_str())];
        Some(words.into_iter().flatten().map(str::as_bytes).collect())
    }

    /// The bytes that go before the first command, and get one reply if there are any.
    fn into_greeting(self) -> Vec<u8> {
        self.auth_words()
            .map_or_else(Vec::new, |words| encode(&words))
    }
}

/// What a probe asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Question {
    /// PING.
    #[default]
    Ping,
    /// UNLINK of a key that does not exist: a write that changes nothing, for what refuses writes and answers PING.
    Write,
}

impl Question {
    const fn command(self) -> &'static [u8] {
        match self {
            Self::Ping => b"*1\r\n$4\r\nPING\r\n",
            Self::Write => b"*2\r\n$6\r\nUNLINK\r\n$17\r\nseawall-lab-probe\r\n",
        }
    }
}

/// A thread that sends PING to one address every 5 ms.
///
/// It keeps one connection. Losing it proves nothing: a fresh one is tried at once, and only if that is not answered
/// either, or an answer is 5 ms late, the server counts as not serving from its last answer on; it counts as serving
/// again from the moment of its next answer. While an answer is late a second connection is tried, so that a server
/// behind a healed partition is seen long before TCP resends what the first one had sent.
#[derive(Debug)]
pub struct Probe {
    seen: Arc<Mutex<Timeline>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Probe {
    /// Starts to ask `addr`: the server's own address, or a relay's where the scenario breaks only the way.
    ///
    /// Fails if the host has no thread to give; whether anything answers at `addr` is what is to be found out.
    pub fn start(addr: SocketAddr, access: Access) -> io::Result<Self> {
        Self::asking(Question::Ping, addr, access)
    }

    /// The same with a question of its own.
    pub fn asking(question: Question, addr: SocketAddr, access: Access) -> io::Result<Self> {
        let seen = Arc::new(Mutex::new(Timeline::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut watch = Watch::new(addr, access.into_greeting(), question, Arc::clone(&seen));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("lab-probe".into())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    watch.tick();
                }
            })?;
        Ok(Self {
            seen,
            stop,
            thread: Some(thread),
        })
    }

    /// Waits until the server has answered reads at least once; false if `limit` passed before.
    pub fn wait_until_serving(&self, limit: Duration) -> bool {
        let deadline = clock::now() + limit;
        while self.so_far().first_serving_after(Moment::ORIGIN).is_none() {
            if clock::now() > deadline {
                return false;
            }
            thread::sleep(watch::TICK);
        }
        true
    }

    /// What was seen so far.
    pub fn so_far(&self) -> Timeline {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Stops asking, and tells what was seen. Dropping the probe stops it too.
    pub fn finish(mut self) -> Timeline {
        self.end();
        self.so_far()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in there was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.end();
    }
}
