//! Peers that do what no Redis does: strangers, liars, and servers that break off where it hurts.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// A listener that serves each connection by a script, on a thread of its own.
pub(crate) struct Fake {
    addr: SocketAddr,
    accepted: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

impl Fake {
    /// Listens on a free loopback port; `serve` gets each connection and closes it by dropping it.
    pub(crate) fn start(serve: impl Fn(Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener
            .local_addr()
            .expect("a bound listener has an address");
        let accepted = Arc::new(AtomicUsize::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let (count, ends, serve) = (Arc::clone(&accepted), Arc::clone(&over), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ends.load(Ordering::Acquire) {
                    return;
                }
                let peer = Peer {
                    number: count.fetch_add(1, Ordering::AcqRel) + 1,
                    stream,
                    inbox: Vec::new(),
                };
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(peer));
            }
        });
        Self {
            addr,
            accepted,
            over,
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Acquire)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // The listener waits for somebody: us. If nobody can connect any more, it has ended already.
        let _ = TcpStream::connect(self.addr);
    }
}

/// One connection to a [`Fake`].
pub(crate) struct Peer {
    /// 1 for the first connection.
    pub(crate) number: usize,
    pub(crate) stream: TcpStream,
    inbox: Vec<u8>,
}

impl Peer {
    /// Writes bytes as they are. A client that has gone is no failure of the script.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// The next request that is not part of the greeting, which is answered as Redis would; `None` once the client has
    /// gone.
    pub(crate) fn call(&mut self) -> Option<Vec<String>> {
        loop {
            let words = self.request()?;
            let reply = match words[0].as_str() {
                "HELLO" => {
                    "%3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$2\r\nid\r\n:7\r\n$5\r\nproto\r\n:3\r\n"
                }
                "INFO" => "$13\r\nrun_id:fake\r\n\r\n",
                "PING" => "+PONG\r\n",
                "SELECT" | "CLIENT" | "AUTH" => "+OK\r\n",
                _ => return Some(words),
            };
            self.say(reply);
        }
    }

    /// The next request, whatever it is.
    pub(crate) fn request(&mut self) -> Option<Vec<String>> {
        let count: usize = self.line()?.strip_prefix('*')?.parse().ok()?;
        (0..count)
            .map(|_| {
                let length: usize = self.line()?.strip_prefix('$')?.parse().ok()?;
                let word = self.take(length + 2)?;
                Some(String::from_utf8_lossy(&word[..length]).into_owned())
            })
            .collect()
    }

    fn line(&mut self) -> Option<String> {
        let end = loop {
            if let Some(end) = self.inbox.windows(2).position(|pair| pair == b"\r\n") {
                break end;
            }
            self.more()?;
        };
        let line = self.take(end + 2)?;
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.inbox.len() < length {
            self.more()?;
        }
        Some(self.inbox.drain(..length).collect())
    }

    fn more(&mut self) -> Option<()> {
        let mut bytes = [0; 4096];
        let length = self
            .stream
            .read(&mut bytes)
            .ok()
            .filter(|length| *length > 0)?;
        self.inbox.extend_from_slice(&bytes[..length]);
        Some(())
    }
}
