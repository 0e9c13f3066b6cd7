//! The client for tokio, against real servers.

mod calls;
mod cancelled;
mod demoted;
mod hasty;
mod held;
mod outage;
mod runtimes;
mod sizes;
mod subscribed;
mod taken_along;

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use seawall::asynchronous::Client;
use seawall_lab::world::Server;

use crate::ground::{GUARD, url};

/// A client of whatever listens there, with options as in a URL.
fn client(addr: SocketAddr, options: &str) -> Client {
    Client::open(&url(addr, options)).expect("the URL is right")
}

/// Awaits what ends by itself: a guard against hanging, not a measure.
async fn ends<T>(what: &str, work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let ended = tokio::time::timeout(GUARD, work).await;
    let ended = ended.unwrap_or_else(|_| panic!("{what} did not end"));
    // Where the runtime's threads are held up its timers are too.
    let took = started.elapsed();
    assert!(took < GUARD, "{what} took {took:?}");
    ended
}

/// Waits for what comes about on its own.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < GUARD, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Fills keys `value:0` .. with values that name their keys.
fn fill(server: &Server, keys: u64) {
    for number in 0..keys {
        let (key, value) = (key(number), value(number));
        server
            .command(&[b"SET", key.as_bytes(), value.as_bytes()])
            .expect("the server answers");
    }
}

fn key(number: u64) -> String {
    format!("value:{number}")
}

fn value(number: u64) -> String {
    // Some are long, so that replies come in several reads.
    let length = if number.is_multiple_of(7) { 40_000 } else { 8 };
    format!("{number}:{}", "x".repeat(length))
}

/// Numbers without a pattern, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
