//! A session of ours against one of rustls' own, over a real socket pair whose buffers are real.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use seawall_lab::world::{Authority, Bearer, Validity};
use seawall_model::settings::Settings;
use seawall_model::{Cause, Endpoint};
use socket2::SockRef;

use super::*;

struct Papers {
    plan: TlsPlan,
    server: Arc<ServerConfig>,
}

/// Made once: keys cost time.
fn papers() -> &'static Papers {
    static PAPERS: OnceLock<Papers> = OnceLock::new();
    PAPERS.get_or_init(|| {
        let authority = Authority::new().expect("an authority");
        let signed = authority
            .sign("server", &["localhost"], Bearer::Server, Validity::Now)
            .expect("a certificate");
        let mut settings = Settings::default();
        settings
            .set_tls_ca_file(Some(authority.certificate().into()))
            .expect("a path");
        let endpoint = Endpoint::tcp("localhost", 6379).expect("an endpoint");
        let plan = TlsPlan::read(&settings, &endpoint).expect("its files");
        let chain = CertificateDer::from_pem_file(&signed.certificate).expect("PEM");
        let key = PrivateKeyDer::from_pem_file(&signed.key).expect("PEM");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .expect("a pair");
        let server = Arc::new(server);
        Papers { plan, server }
    })
}

/// The other end.
struct Peer {
    socket: TcpStream,
    session: ServerConnection,
    heard: Vec<u8>,
}

impl Peer {
    /// Reads and decrypts all that has come by now.
    fn hear(&mut self) {
        let mut bytes = [0; 16 * 1024];
        while let Ok(n) = self.socket.read(&mut bytes) {
            if n == 0 {
                return;
            }
            let mut rest = &bytes[..n];
            while !rest.is_empty() {
                self.session.read_tls(&mut rest).expect("room");
                let state = self.session.process_new_packets().expect("TLS");
                let mut plain = vec![0; state.plaintext_bytes_to_read()];
                self.session
                    .reader()
                    .read_exact(&mut plain)
                    .expect("what is there");
                self.heard.extend(plain);
            }
        }
    }

    /// Seals words without sending them.
    fn seal(&mut self, words: &[u8]) -> Vec<u8> {
        self.session.writer().write_all(words).expect("room");
        self.sealed()
    }

    fn sealed(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.session.wants_write() {
            self.session.write_tls(&mut bytes).expect("a vector");
        }
        bytes
    }

    fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("it is connected");
    }
}

/// Two ends of a session that has been secured, and everything that belongs to the handshake read.
fn pair() -> (TlsStream, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let socket =
        TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
    let (other, _) = listener.accept().expect("it connected");
    for socket in [&socket, &other] {
        socket.set_nonblocking(true).expect("it can");
        socket.set_nodelay(true).expect("it can");
    }
    let mut ours = TlsStream::new(socket, &papers().plan.line()).expect("a session");
    let mut peer = Peer {
        socket: other,
        session: ServerConnection::new(Arc::clone(&papers().server)).expect("a session"),
        heard: Vec::new(),
    };
    until("the handshake", || {
        let secured = ours.secure().expect("it goes well") == Secured::Yes;
        let _ = ours.flush();
        peer.hear();
        let sealed = peer.sealed();
        peer.send(&sealed);
        secured && !peer.session.is_handshaking()
    });
    // The tickets that follow it.
    std::thread::sleep(Duration::from_millis(5));
    assert!(matches!(read(&mut ours), Heard::Nothing));
    (ours, peer)
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(10), "no {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[derive(Debug, PartialEq)]
enum Heard {
    Bytes(Vec<u8>),
    End,
    Nothing,
    Failed(Option<Trouble>),
}

fn read(stream: &mut TlsStream) -> Heard {
    let mut room = [0; 7];
    match stream.read(&mut room) {
        Ok(0) => Heard::End,
        Ok(n) => Heard::Bytes(room[..n].to_vec()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Heard::Nothing,
        Err(error) => Heard::Failed(Trouble::of(&error)),
    }
}

fn readable(stream: &TlsStream, within: Duration) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(stream.fd(), PollFlags::IN)];
    let limit = Timespec {
        tv_sec: 0,
        tv_nsec: within.subsec_nanos().into(),
    };
    poll(&mut fds, Some(&limit)).expect("a wait") > 0
}

/// Reads until something other than silence is there.
fn next(stream: &mut TlsStream) -> Heard {
    let mut seen = Heard::Nothing;
    until("answer", || {
        seen = read(stream);
        seen != Heard::Nothing
    });
    seen
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// Writes until the kernel takes no more; how much it took in whole records.
fn fill(ours: &mut TlsStream, bytes: &[u8]) -> usize {
    let mut accepted = 0;
    loop {
        match ours.write(&bytes[accepted..]) {
            Ok(n) => accepted += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return accepted,
            Err(error) => panic!("{error}"),
        }
        assert!(accepted < bytes.len(), "the buffers never filled");
    }
}

#[test]
fn what_counts_as_accepted_is_exactly_what_the_peer_can_decrypt() {
    let (mut ours, mut peer) = pair();
    SockRef::from(&ours.fd())
        .set_send_buffer_size(16 * 1024)
        .expect("it can");
    SockRef::from(&peer.socket)
        .set_recv_buffer_size(16 * 1024)
        .expect("it can");
    let bytes = pattern(4_000_000);
    let mut accepted = fill(&mut ours, &bytes);
    assert!(accepted > 0 && ours.wants_write(), "a record was cut");
    // What the kernel took arrives while we write nothing.
    until("arrival", || {
        peer.hear();
        peer.heard.len() >= accepted
    });
    std::thread::sleep(Duration::from_millis(20));
    peer.hear();
    assert_eq!(peer.heard.len(), accepted, "a cut record tells nothing");
    // And it goes on where it stopped.
    until("the rest", || {
        match ours.write(&bytes[accepted..]) {
            Ok(n) => accepted += n,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        peer.hear();
        accepted == bytes.len()
    });
    until("arrival", || {
        peer.hear();
        peer.heard.len() == bytes.len()
    });
    assert!(peer.heard == bytes, "in order, and none of it twice");
    assert!(ours.sealed.capacity() <= KEEP_MAX, "memory was given back");
}

#[test]
fn an_aborted_session_leaves_the_peer_with_what_it_had_and_a_reset() {
    let (mut ours, mut peer) = pair();
    let bytes = pattern(8_000_000);
    let accepted = fill(&mut ours, &bytes);
    ours.abort();
    peer.socket.set_nonblocking(false).expect("it can");
    let mut rest = Vec::new();
    let error = peer.socket.read_to_end(&mut rest).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(
        rest.len() < accepted,
        "the kernel threw away what it had not sent"
    );
}

#[test]
fn decrypted_bytes_that_no_socket_announces_are_told() {
    let (mut ours, mut peer) = pair();
    let mut sealed = peer.seal(b"one two ");
    sealed.extend(peer.seal(b"three"));
    peer.send(&sealed);
    let mut heard = Vec::new();
    until("words", || {
        while let Heard::Bytes(bytes) = read(&mut ours) {
            heard.extend(bytes);
            assert_eq!(
                ours.has_unread(),
                heard.len() < 13,
                "{:?}",
                String::from_utf8_lossy(&heard)
            );
        }
        heard.len() == 13
    });
    assert_eq!(heard, b"one two three");
    assert!(!readable(&ours, Duration::ZERO));
}

#[test]
fn an_end_inside_a_record_is_told_from_one_between_records() {
    for (cut, unfinished) in [(0, false), (3, true), (20, true)] {
        let (mut ours, mut peer) = pair();
        let sealed = peer.seal(b"never said whole");
        peer.send(&sealed[..cut]);
        drop(peer);
        assert_eq!(next(&mut ours), Heard::End);
        assert_eq!(ours.unfinished(), cut);
        assert_eq!(ours.unfinished() > 0, unfinished);
    }
}

#[test]
fn an_end_without_a_word_and_one_with_close_notify_are_both_the_peers_end() {
    let (mut ours, peer) = pair();
    drop(peer);
    assert_eq!(next(&mut ours), Heard::End);
    assert_eq!(read(&mut ours), Heard::End, "and stays so");

    let (mut ours, mut peer) = pair();
    let mut sealed = peer.seal(b"bye");
    peer.session.send_close_notify();
    sealed.extend(peer.sealed());
    peer.send(&sealed);
    assert_eq!(next(&mut ours), Heard::Bytes(b"bye".to_vec()));
    assert!(
        readable(&ours, Duration::from_secs(1)),
        "though the peer's socket is open still, nobody waits for it in vain"
    );
    assert_eq!(read(&mut ours), Heard::End);
}

#[test]
fn words_before_a_fatal_alert_are_heard_and_the_alert_after_them() {
    let (mut ours, mut peer) = pair();
    let mut sealed = peer.seal(b"-ERR");
    // The peer meets nonsense, and says so.
    let mut nonsense = &[
        23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
    ][..];
    peer.session.read_tls(&mut nonsense).expect("room");
    assert!(peer.session.process_new_packets().is_err());
    sealed.extend(peer.sealed());
    peer.send(&sealed);
    assert_eq!(next(&mut ours), Heard::Bytes(b"-ERR".to_vec()));
    assert!(readable(&ours, Duration::from_secs(1)));
    let Heard::Failed(Some(trouble)) = read(&mut ours) else {
        panic!("no alert");
    };
    assert_eq!(trouble.cause, Cause::TlsHandshake);
    assert!(trouble.detail.contains("BadRecordMac"), "{trouble:?}");
    assert!(
        matches!(read(&mut ours), Heard::Failed(Some(_))),
        "and stays so"
    );
}

#[test]
fn a_key_update_is_answered_while_reading() {
    let (mut ours, mut peer) = pair();
    peer.session.refresh_traffic_keys().expect("TLS 1.3");
    let mut sealed = peer.sealed();
    sealed.extend(peer.seal(b"new keys"));
    peer.send(&sealed);
    let mut heard = Vec::new();
    until("words", || {
        if let Heard::Bytes(bytes) = read(&mut ours) {
            heard.extend(bytes);
        }
        heard == b"new keys"
    });
    assert!(!ours.wants_write(), "the answer has left");
    assert_eq!(ours.write(b"under new keys too").expect("room"), 18);
    until("words", || {
        peer.hear();
        peer.heard == b"under new keys too"
    });
}

#[test]
fn a_close_in_order_tells_the_peer() {
    let (ours, mut peer) = pair();
    ours.close();
    let mut bytes = Vec::new();
    until("the end", || {
        let mut room = [0; 64];
        match peer.socket.read(&mut room) {
            Ok(0) => true,
            Ok(n) => {
                bytes.extend_from_slice(&room[..n]);
                false
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    });
    peer.session.read_tls(&mut &bytes[..]).expect("room");
    let state = peer.session.process_new_packets().expect("TLS");
    assert!(state.peer_has_closed());
}

#[test]
fn a_second_session_resumes_the_first() {
    let line = papers().plan.line();
    let kinds: Vec<_> = (0..2)
        .map(|_| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let addr = listener.local_addr().expect("an address");
            let socket = TcpStream::connect(addr).expect("it listens");
            let (other, _) = listener.accept().expect("it connected");
            socket.set_nonblocking(true).expect("it can");
            other.set_nonblocking(true).expect("it can");
            let mut ours = TlsStream::new(socket, &line).expect("a session");
            let session = ServerConnection::new(Arc::clone(&papers().server)).expect("a session");
            let mut peer = Peer {
                socket: other,
                session,
                heard: Vec::new(),
            };
            until("a word", || {
                if ours.secure().expect("it goes well") == Secured::Yes {
                    let _ = ours.flush();
                    if let Heard::Bytes(_) = read(&mut ours) {
                        return true;
                    }
                }
                peer.hear();
                // Once the handshake is done, a word behind the tickets.
                let word = if peer.session.is_handshaking() {
                    peer.sealed()
                } else {
                    peer.seal(b"x")
                };
                peer.send(&word);
                false
            });
            ours.session.handshake_kind()
        })
        .collect();
    assert_eq!(
        kinds,
        [
            Some(rustls::HandshakeKind::Full),
            Some(rustls::HandshakeKind::Resumed)
        ]
    );
}
