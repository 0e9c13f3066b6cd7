//! A name service of the laboratory's own, and a way to have a process ask it.

mod packet;
mod seclusion;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use packet::{Code, Question};
pub use seclusion::Seclusion;

/// Where resolvers ask; resolv.conf has no way to say otherwise.
const PORT: u16 = 53;
/// Addresses that are tried before giving up: each run has one of its own, and other laboratories theirs.
const ADDRESSES_MAX: u32 = 64;
/// How long the thread listens before it looks whether it is to stop.
const LISTEN: Duration = Duration::from_millis(50);
/// What UDP carries of DNS without being asked for more.
const PACKET_BYTES_MAX: usize = 512;

/// What the name service says of the one name that it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// It has these addresses.
    Addresses(Vec<Ipv4Addr>),
    /// There is no such name (NXDOMAIN).
    Unknown,
    /// The name server cannot find out (SERVFAIL).
    Failure,
    /// Nothing: questions are not answered.
    Nothing,
}

/// A name server on a loopback address of its own, which knows one name. Other names are unknown to it.
#[derive(Debug)]
pub struct NameServer {
    addr: Ipv4Addr,
    says: Arc<Mutex<Says>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Starts to answer for `name`.
    ///
    /// # Errors
    /// The port of name servers, 53, cannot be had: without root it cannot, where the host does not say otherwise
    /// (`net.ipv4.ip_unprivileged_port_start`), nor while another name server listens on every address.
    pub fn start(name: &str, says: Says) -> io::Result<Self> {
        let (addr, socket) = bind()?;
        socket.set_read_timeout(Some(LISTEN))?;
        let says = Arc::new(Mutex::new(says));
        let stop = Arc::new(AtomicBool::new(false));
        let (name, theirs, stopped) = (name.to_owned(), Arc::clone(&says), Arc::clone(&stop));
        let thread = thread::Builder::new()
            .name("lab-names".into())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    // Failures are silences, and those a resolver has to live with.
                    let _ = serve(&socket, &name, &theirs);
                }
            })?;
        Ok(Self {
            addr,
            says,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it answers, at port 53.
    pub fn addr(&self) -> Ipv4Addr {
        self.addr
    }

    /// Changes what it says. In force for every question that comes after this.
    pub fn say(&self, says: Says) {
        *lock(&self.says) = says;
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in there was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn lock(says: &Mutex<Says>) -> MutexGuard<'_, Says> {
    says.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A loopback address on which nobody answers for names yet: from 127.83.0.1 on, apart for each process.
fn bind() -> io::Result<(Ipv4Addr, UdpSocket)> {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let mut taken = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..ADDRESSES_MAX {
        let number = std::process::id()
            .wrapping_mul(ADDRESSES_MAX)
            .wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let [_, _, high, low] = number.to_be_bytes();
        let addr = Ipv4Addr::new(127, 83, high, low);
        match UdpSocket::bind((addr, PORT)) {
            Ok(socket) => return Ok((addr, socket)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => taken = error,
            Err(error) => return Err(error),
        }
    }
    Err(taken)
}

fn serve(socket: &UdpSocket, name: &str, says: &Mutex<Says>) -> io::Result<()> {
    let mut packet = [0; PACKET_BYTES_MAX];
    let (length, from): (usize, SocketAddr) = socket.recv_from(&mut packet)?;
    let Some(question) = Question::parse(&packet[..length]) else {
        return Ok(());
    };
    let (code, addresses) = match &*lock(says) {
        Says::Nothing => return Ok(()),
        Says::Failure => (Code::ServerFailure, Vec::new()),
        Says::Addresses(addresses) if question.name == name => (Code::Fine, addresses.clone()),
        Says::Addresses(_) | Says::Unknown => (Code::NoSuchName, Vec::new()),
    };
    socket.send_to(&question.answer(code, &addresses), from)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server's socket at a port that takes no root, and one to ask it by.
    fn sockets() -> (UdpSocket, UdpSocket) {
        let serving = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let asking = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        asking.connect(serving.local_addr().unwrap()).unwrap();
        for socket in [&serving, &asking] {
            socket
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
        }
        (serving, asking)
    }

    fn ask(socket: &UdpSocket, id: u8, label: &[u8]) {
        let mut packet = vec![0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend(label);
        packet.extend(b"\x04test\x00\x00\x01\x00\x01");
        socket.send(&packet).unwrap();
    }

    /// The next answer: which question's, its code, and its last four bytes.
    fn answer(socket: &UdpSocket) -> (u8, u8, [u8; 4]) {
        let mut packet = [0; PACKET_BYTES_MAX];
        let length = socket.recv(&mut packet).unwrap();
        let last = packet[length - 4..length].try_into().unwrap();
        (packet[1], packet[3] & 15, last)
    }

    #[test]
    fn the_answer_is_what_is_to_be_said_and_other_names_are_unknown() {
        let (serving, asking) = sockets();
        let elsewhere = Ipv4Addr::new(127, 0, 0, 2);
        let says = Mutex::new(Says::Addresses(vec![elsewhere]));
        for label in [&b"REDIS"[..], b"other"] {
            ask(&asking, 1, label);
            serve(&serving, "redis.test", &says).unwrap();
        }
        assert_eq!(answer(&asking), (1, 0, elsewhere.octets()));
        assert_eq!(answer(&asking).1, 3);
        for (said, code) in [(Says::Failure, 2), (Says::Unknown, 3)] {
            *lock(&says) = said;
            ask(&asking, 2, b"redis");
            serve(&serving, "redis.test", &says).unwrap();
            assert_eq!(answer(&asking).1, code);
        }
    }

    #[test]
    fn what_was_asked_in_a_silence_is_never_answered() {
        let (serving, asking) = sockets();
        for (id, says) in [(1, Says::Nothing), (2, Says::Unknown)] {
            ask(&asking, id, b"redis");
            serve(&serving, "redis.test", &Mutex::new(says)).unwrap();
        }
        assert_eq!(answer(&asking).0, 2);
    }
}
