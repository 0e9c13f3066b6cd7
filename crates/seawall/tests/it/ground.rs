//! What the tests stand on: servers, clients, and eyes on both.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use seawall::Event;
use seawall::blocking::Client;
use seawall_lab::world::{Relay, Server, ServerBinary, server_binary};

/// No test waits longer for what comes about on its own, and no call with a deadline of a second or two takes longer:
/// a guard against hanging, not a measure.
pub(crate) const GUARD: Duration = Duration::from_secs(10);

fn binary() -> &'static ServerBinary {
    static BINARY: OnceLock<ServerBinary> = OnceLock::new();
    BINARY.get_or_init(|| server_binary(None).expect("a server to test against"))
}

/// A server with the laboratory's settings.
pub(crate) fn server() -> Server {
    server_with(&[])
}

/// A server with settings of its own.
pub(crate) fn server_with(config: &[(&str, &str)]) -> Server {
    Server::start(binary(), config).expect("the server starts")
}

/// A relay in front of a server.
pub(crate) fn relay(server: &Server) -> Relay {
    Relay::start(server.addr()).expect("the relay starts")
}

/// The URL of an address, with options.
pub(crate) fn url(addr: SocketAddr, options: &str) -> String {
    format!("redis://{addr}/0?{options}")
}

/// A client of whatever listens there, with options as in a URL.
pub(crate) fn client(addr: SocketAddr, options: &str) -> Client {
    Client::open(&url(addr, options)).expect("the URL is right")
}

/// Waits for what comes about on its own.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < GUARD, "{what} did not come about");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Runs what has a deadline, and sees that it ends.
pub(crate) fn ends<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    let took = started.elapsed();
    assert!(took < GUARD, "{what} took {took:?}");
    result
}

/// Does something when a test fails, so that threads which wait for it end, and with them the test.
pub(crate) struct IfFailed<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for IfFailed<F> {
    fn drop(&mut self) {
        if thread::panicking() {
            (self.0)();
        }
    }
}

/// How often a command was asked of the server since its start, answered or refused.
pub(crate) fn asked(server: &Server, command: &str) -> u64 {
    let stats = server.info("commandstats").expect("the server tells");
    let Some(row) = stats.get(&format!("cmdstat_{command}")) else {
        return 0;
    };
    row.split(',')
        .filter_map(|field| field.split_once('='))
        .filter(|(name, _)| matches!(*name, "calls" | "rejected_calls"))
        .filter_map(|(_, count)| count.parse::<u64>().ok())
        .sum()
}

/// One number of INFO.
pub(crate) fn number(server: &Server, section: &str, field: &str) -> u64 {
    let info = server.info(section).expect("the server tells");
    info.get(field)
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("INFO {section} has no number {field}"))
}

/// What the server holds under a key, as its own laboratory connection sees it.
pub(crate) fn held(server: &Server, key: &str) -> Option<Vec<u8>> {
    let reply = server
        .command(&[b"GET", key.as_bytes()])
        .expect("the server answers");
    reply.as_bytes().map(<[u8]>::to_vec)
}

/// The events of a client, as text.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    /// A client that is listened to.
    pub(crate) fn client(&self, addr: SocketAddr, options: &str) -> Client {
        let heard = self.clone();
        Client::builder(&url(addr, options))
            .expect("the URL is right")
            .on_event(move |event: &Event<'_>| heard.lines().push(format!("{event:?}")))
            .build()
            .expect("the settings fit together")
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many events have all these words in them.
    pub(crate) fn count(&self, words: &[&str]) -> usize {
        self.lines()
            .iter()
            .filter(|line| words.iter().all(|word| line.contains(word)))
            .count()
    }

    /// Everything, for a failed assertion.
    pub(crate) fn all(&self) -> String {
        self.lines().join("\n")
    }
}
