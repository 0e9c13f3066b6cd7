//! The world against real servers: what is done to them, and what a plain socket sees of it.

mod lifeline;
mod probe;
mod relay;
mod relay_replies;
mod server;
mod tls;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use seawall_lab::world::{Server, server_binary};

/// No test waits longer for anything: a guard against hanging, not a measure.
const GUARD: Duration = Duration::from_secs(20);

fn start(config: &[(&str, &str)]) -> Server {
    let binary = server_binary(None).expect("a server to test against");
    Server::start(&binary, config).expect("the server starts")
}

/// Waits for what comes about on its own.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < GUARD, "{what} did not come about");
        thread::sleep(Duration::from_millis(2));
    }
}

/// What a read of a client's socket says.
#[derive(Debug, PartialEq, Eq)]
enum Saw {
    Bytes(Vec<u8>),
    Fin,
    Reset,
    Silence,
    /// The kernel gave up resending.
    GaveUp,
}

/// What an application's socket would be.
struct Client {
    stream: TcpStream,
}

impl Client {
    fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&addr, GUARD).expect("a connection");
        stream
            .set_read_timeout(Some(GUARD))
            .expect("a timeout can be set");
        Self { stream }
    }

    fn send(&mut self, words: &str) {
        self.stream
            .write_all(format!("{words}\r\n").as_bytes())
            .expect("the request is taken");
    }

    /// One line of a reply.
    fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            self.stream
                .read_exact(&mut byte)
                .unwrap_or_else(|error| panic!("{error} after {line:?}"));
            line.push(byte[0]);
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).expect("a reply line is text")
    }

    fn ask(&mut self, words: &str) -> String {
        self.send(words);
        self.line()
    }

    /// What the next read says, within the guard.
    fn saw(&mut self) -> Saw {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => Saw::Fin,
            Ok(length) => Saw::Bytes(bytes[..length].to_vec()),
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionReset => Saw::Reset,
                io::ErrorKind::WouldBlock => Saw::Silence,
                io::ErrorKind::TimedOut => Saw::GaveUp,
                _ => panic!("{error}"),
            },
        }
    }

    /// What comes until the connection ends, and how it ends.
    fn saw_to_the_end(&mut self) -> (Vec<u8>, Saw) {
        let mut all = Vec::new();
        loop {
            match self.saw() {
                Saw::Bytes(bytes) => all.extend_from_slice(&bytes),
                end => return (all, end),
            }
        }
    }

    /// That nothing comes, not even an end, for long enough that on loopback it would have.
    fn hears_nothing(&mut self) {
        self.stream
            .set_read_timeout(Some(Duration::from_millis(60)))
            .expect("a timeout can be set");
        assert_eq!(self.saw(), Saw::Silence);
        self.stream
            .set_read_timeout(Some(GUARD))
            .expect("a timeout can be set");
    }
}
