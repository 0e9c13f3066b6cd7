//! The world against real servers: what is done to them, and what a plain socket sees of it.

mod lifeline;
mod server;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use seawall_lab::world::{Server, server_binary};

/// No test waits longer for anything: a guard against hanging, not a measure.
const GUARD: Duration = Duration::from_secs(20);

fn start(config: &[(&str, &str)]) -> Server {
    let binary = server_binary(None).expect("a server to test against");
    Server::start(&binary, config).expect("the server starts")
}

/// What an application's socket would be.
struct Client {
    stream: TcpStream,
}

impl Client {
    fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&addr, GUARD).expect("a connection");
        stream.set_read_timeout(Some(GUARD)).unwrap();
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
        String::from_utf8(line).unwrap()
    }

    fn ask(&mut self, words: &str) -> String {
        self.send(words);
        self.line()
    }
}
