//! What answers there is not Redis, or does not answer.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use seawall::blocking::Client;
use seawall::{Cause, Error, Kind};

use crate::fake::Fake;
use crate::ground::{client, ends};

/// The error of a call to something that says this to whatever it is told.
fn told(words: &'static [u8]) -> Error {
    let stranger = Fake::start(move |mut peer| {
        // What was sent is read, so that the words are not overtaken by a reset.
        let mut greeting = [0; 1024];
        let _ = peer.stream.read(&mut greeting);
        peer.say(words);
    });
    let client = client(stranger.addr(), "");
    ends("the call", || client.incr("count")).expect_err("a stranger")
}

#[test]
fn strangers_are_named() {
    for (words, name) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"[..],
            "an HTTP server",
        ),
        (b"\x15\x03\x01\x00\x02\x02\x46", "a TLS server"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "an SSH server"),
        (b"220 mail.example.com ESMTP\r\n", "a mail server"),
        (b"220 ProFTPD Server ready\r\n", "an FTP server"),
        (b"ERROR\r\nERROR\r\n", "a memcached server"),
        (b"AMQP\x00\x00\x09\x01", "an AMQP server"),
    ] {
        let error = told(words);
        assert_eq!(
            (error.kind(), error.cause()),
            (Kind::Settings, Cause::NotRedis),
            "{name}: {error}"
        );
        assert!(error.to_string().contains(name), "{error}");
        assert!(!error.may_have_run());
        assert!(error.hint().contains("port"), "{error}");
    }
}

#[test]
fn a_banner_that_comes_before_we_speak_is_recognised_too() {
    let stranger = Fake::start(|mut peer| {
        peer.say("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
        std::thread::sleep(Duration::from_secs(2));
    });
    let client = client(stranger.addr(), "");
    let error = ends("the call", || client.ping()).expect_err("a stranger");
    assert_eq!(error.cause(), Cause::NotRedis, "{error}");
}

#[test]
fn one_that_never_answers_the_greeting_is_unresponsive() {
    let silent = Fake::start(|mut peer| while peer.request().is_some() {});
    let client = client(silent.addr(), "deadline=4s&ride_out=100ms");
    let error = ends("the call", || client.incr("count")).expect_err("it is silent");
    assert_eq!(error.cause(), Cause::ServerUnresponsive, "{error}");
    assert!(!error.may_have_run());
    assert!(
        error.to_string().contains("greeting was not answered"),
        "{error}"
    );
}

#[test]
fn one_that_answers_half_a_greeting_is_unresponsive() {
    let half = Fake::start(|mut peer| {
        peer.say("%3\r\n$6\r\nserver\r\n$5\r\nre");
        while peer.request().is_some() {}
    });
    let client = client(half.addr(), "deadline=4s&ride_out=100ms");
    let error = ends("the call", || client.incr("count")).expect_err("it stops");
    assert_eq!(error.cause(), Cause::ServerUnresponsive, "{error}");
}

#[test]
fn one_that_hangs_up_at_once_is_told_with_what_was_seen() {
    let rude = Fake::start(drop);
    let client = client(rude.addr(), "deadline=400ms&ride_out=100ms");
    let error = ends("the call", || client.incr("count")).expect_err("it hangs up");
    let seen = [Cause::ClosedByServer, Cause::ConnectionReset];
    assert!(seen.contains(&error.cause()), "{error}");
    assert!(!error.may_have_run());
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address");
    drop(listener);
    let client = client(addr, "");
    let error = ends("the call", || client.incr("count")).expect_err("nobody is there");
    assert_eq!(
        (error.kind(), error.cause()),
        (Kind::Refused, Cause::ConnectionRefused)
    );
    assert!(error.retry_after().is_some(), "{error}");
}

#[test]
fn a_full_backlog_is_a_connect_that_times_out() {
    // Nobody accepts: once the backlog is full the kernel drops what comes.
    let listener = rustix_listener();
    let addr = listener.local_addr().expect("an address");
    let fillers: Vec<_> = (0..4)
        .filter_map(|_| {
            std::net::TcpStream::connect_timeout(&addr, Duration::from_millis(100)).ok()
        })
        .collect();
    let client = client(addr, "deadline=3s&ride_out=50ms&connect_timeout=300ms");
    let error = ends("the call", || client.incr("count")).expect_err("nobody accepts");
    assert_eq!(error.cause(), Cause::ConnectTimeout, "{error}");
    drop(fillers);
}

fn rustix_listener() -> TcpListener {
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )
    .expect("a socket");
    let any = std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0);
    rustix::net::bind(&socket, &any).expect("a free port");
    rustix::net::listen(&socket, 0).expect("it listens");
    TcpListener::from(socket)
}

#[test]
fn a_name_without_an_address_is_told_within_the_deadline() {
    let client = Client::open("redis://nonexistent.invalid:6379").expect("a good URL");
    let error = ends("the call", || client.incr("count")).expect_err("no such name");
    assert!(
        matches!(error.cause(), Cause::NameUnknown | Cause::NameService),
        "{error}"
    );
    assert!(!error.may_have_run());
    assert!(error.endpoint().contains("nonexistent.invalid"));
}

#[test]
fn a_socket_file_that_nobody_made_is_told_within_the_deadline() {
    let client = Client::open("unix:///nowhere/redis.sock").expect("a good URL");
    let error = ends("the call", || client.incr("count")).expect_err("no such file");
    assert_eq!(error.cause(), Cause::ConnectionRefused, "{error}");
}

#[test]
fn an_http_server_that_really_speaks_http_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // As small servers do: they read a line, find it wrong, answer and close with the rest unread.
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() && byte[0] != b'\n' {}
            let _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n<html>no</html>");
        }
    });
    let client = client(addr, "");
    for _ in 0..5 {
        let error = ends("the call", || client.ping()).expect_err("a stranger");
        assert_eq!(error.cause(), Cause::NotRedis, "{error}");
    }
}
