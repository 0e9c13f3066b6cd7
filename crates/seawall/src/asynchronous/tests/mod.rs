//! What a runtime's only thread must still be able to do while a connection ends.

mod direct;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use rustix::net::Shutdown;
use seawall_wire::{Limits, Value};

use super::Client;
use crate::command::Cmd;
use crate::error::Error;

/// Answers greetings like Redis, and other commands by 0. When its first client has said that nothing more comes, it has
/// last words for it, as soon as `speaks` lets it.
fn peer(listener: &TcpListener, speaks: &Receiver<()>) {
    for number in 0.. {
        let Ok((stream, _)) = listener.accept() else {
            return;
        };
        let ended = converse(&stream);
        if number == 0 && ended.is_none() && speaks.recv().is_ok() {
            let _ = (&stream).write_all(b":42\r\n");
        }
    }
}

/// `None` once the client has said that nothing more comes.
fn converse(mut stream: &TcpStream) -> Option<()> {
    let (mut unread, mut bytes) = (Vec::new(), [0; 4096]);
    loop {
        let came = stream.read(&mut bytes).ok().filter(|came| *came > 0)?;
        unread.extend_from_slice(&bytes[..came]);
        while let Ok((Value::Array(words), length)) = Value::decode(&unread, &Limits::default()) {
            unread.drain(..length);
            let reply: &[u8] = match words.first().and_then(Value::as_bytes) {
                Some(b"HELLO") => b"%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n",
                Some(b"INFO") => b"$13\r\nrun_id:fake\r\n\r\n",
                Some(b"INCR" | b"BLPOP") => b":0\r\n",
                _ => b"+OK\r\n",
            };
            stream.write_all(reply).ok()?;
        }
    }
}

fn start() -> (SocketAddr, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address");
    let (speak, speaks) = mpsc::channel();
    thread::spawn(move || peer(&listener, &speaks));
    (addr, speak)
}

/// A client whose only connection, at rest, reads and cannot write.
async fn broken(addr: SocketAddr) -> Client {
    let url = format!("redis://{addr}/0?deadline=5s&ride_out=5s");
    let client = Client::open(&url).expect("the URL is right");
    let mut lease = client.lease().await.expect("the peer is well");
    let socket = lease.fd().expect("it is there");
    rustix::net::shutdown(socket, Shutdown::Write).expect("it is connected");
    drop(lease);
    assert_eq!(client.stats().idle, 1);
    client
}

/// The answer to a call on such a connection: its peer speaks when another task of the same thread lets it.
async fn last_words(speak: Sender<()>, call: impl Future<Output = Result<i64, Error>>) -> i64 {
    let other = tokio::spawn(async move {
        // After some rounds of all tasks the write has failed.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        speak.send(())
    });
    let answer = call.await.expect("an answer");
    other.await.expect("no panic").expect("the peer waits");
    answer
}

#[tokio::test]
async fn a_shared_connection_that_waits_for_last_words_holds_up_no_other_task() {
    let (addr, speak) = start();
    let client = broken(addr).await;
    assert_eq!(last_words(speak, client.incr("count")).await, 42);
}

#[tokio::test]
async fn a_connection_of_ones_own_that_waits_for_last_words_holds_up_no_other_task() {
    let (addr, speak) = start();
    let client = broken(addr).await;
    let pop = Cmd::new("BLPOP").arg("queue").arg(4);
    assert_eq!(last_words(speak, client.call(&pop)).await, 42);
}
