//! Unix sockets, and names that nobody has.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use seawall::blocking::Client;
use seawall::{Cause, Cmd, Error, Kind};
use seawall_lab::world::Server;

use crate::ground::{asked, ends, held, server_with, until};

/// A directory of a test's own, removed when this is dropped. Short: a socket's path has 107 bytes at most.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sw-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("it can be made");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn at(path: &std::path::Path, options: &str) -> Client {
    Client::open(&format!("unix://{}?{options}", path.display())).expect("the URL is right")
}

fn refused(path: &std::path::Path) -> Error {
    ends("the call", || at(path, "ride_out=0ms").incr("count")).expect_err("nobody is there")
}

fn server_at(path: &std::path::Path) -> Server {
    server_with(&[("unixsocket", &path.display().to_string())])
}

#[test]
fn a_unix_socket_carries_calls_and_large_values() {
    let dir = Dir::new("carries");
    let path = dir.file("redis.sock");
    let server = server_at(&path);
    let client = at(&path, "deadline=5s");
    client.set("key", "value").expect("an answer");
    assert_eq!(held(&server, "key").as_deref(), Some(&b"value"[..]));
    let big = vec![b'x'; 8_000_000];
    client.set("big", &big).expect("an answer");
    let back: Vec<u8> = client.get("big").expect("an answer");
    assert_eq!(back.len(), big.len());
}

#[test]
fn a_server_behind_a_unix_socket_comes_back_at_the_same_path() {
    let dir = Dir::new("returns");
    let path = dir.file("redis.sock");
    let server = server_at(&path);
    let client = at(&path, "deadline=2s");
    client.set("key", "value").expect("an answer");
    server.kill9().expect("it is killed");
    let error = ends("the call", || client.incr("count")).expect_err("nobody listens");
    assert_eq!(error.cause(), Cause::ConnectionRefused, "{error}");
    server.start_again().expect("it starts");
    until("an answer", || client.get::<String>("key").is_ok());
}

#[test]
fn a_path_that_nobody_made_is_refused_as_a_closed_port_is() {
    let dir = Dir::new("missing");
    let error = refused(&dir.file("nobody.sock"));
    assert_eq!(error.cause(), Cause::ConnectionRefused, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("nobody.sock") && text.contains("unixsocket"),
        "{text}"
    );
    assert!(!text.contains("port"), "{text}");
}

#[test]
fn a_socket_file_whose_server_has_gone_is_refused() {
    let dir = Dir::new("left");
    let path = dir.file("left.sock");
    drop(UnixListener::bind(&path).expect("a free path"));
    assert!(path.exists(), "a listener leaves its file behind");
    assert_eq!(refused(&path).cause(), Cause::ConnectionRefused);
}

#[test]
fn a_path_that_is_no_socket_is_a_mistake_in_the_settings() {
    let dir = Dir::new("other");
    let file = dir.file("dump.rdb");
    fs::write(&file, "REDIS0010").expect("it can be written");
    for path in [&file, &dir.0] {
        let error = refused(path);
        assert_eq!(
            (error.cause(), error.kind()),
            (Cause::BadSettings, Kind::Settings),
            "{error}"
        );
        assert!(error.to_string().contains("is no socket"), "{error}");
    }
}

#[test]
fn a_socket_that_this_user_may_not_connect_to_is_told_as_forbidden() {
    let dir = Dir::new("forbidden");
    let path = dir.file("redis.sock");
    let _listener = UnixListener::bind(&path).expect("a free path");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("it is ours");
    // Root may connect to everything: then there is nothing to be refused.
    if std::os::unix::net::UnixStream::connect(&path).is_ok() {
        return;
    }
    let error = refused(&path);
    assert_eq!(error.cause(), Cause::ConnectForbidden, "{error}");
    assert!(error.to_string().contains("unixsocketperm"), "{error}");
}

#[test]
fn a_socket_whose_backlog_is_full_is_told_as_a_server_that_does_not_answer() {
    let dir = Dir::new("full");
    let path = dir.file("redis.sock");
    let listener = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
    let listener = listener.expect("a socket");
    let to = socket2::SockAddr::unix(&path).expect("a short path");
    listener.bind(&to).expect("a free path");
    listener.listen(0).expect("it can");
    let mut waiting = Vec::new();
    loop {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let socket = socket.expect("a socket");
        socket.set_nonblocking(true).expect("it can");
        match socket.connect(&to) {
            Ok(()) => waiting.push(socket),
            Err(_) => break,
        }
        assert!(waiting.len() < 64, "the backlog never filled");
    }
    let error = refused(&path);
    assert_eq!(error.cause(), Cause::ServerUnresponsive, "{error}");
}

#[test]
fn an_unknown_host_is_told_within_the_deadline_and_nothing_is_sent() {
    // Reserved for this by RFC 6761: no name service knows it. Which of the two it is says the machine's own.
    let client = Client::open("redis://nobody.invalid:6379/0?deadline=3s").expect("a URL");
    let error = ends("the call", || client.incr("count")).expect_err("nobody is there");
    assert!(
        matches!(error.cause(), Cause::NameUnknown | Cause::NameService),
        "{error}"
    );
    assert!(!error.may_have_run());
}

#[test]
fn a_name_with_several_addresses_is_answered_by_whichever_serves() {
    // `localhost` is ::1 and 127.0.0.1 on most machines; the server listens on the second alone.
    let server = server_with(&[]);
    let url = format!("redis://localhost:{}/0", server.port());
    let client = Client::open(&url).expect("a URL");
    client
        .call::<()>(&Cmd::new("SET").arg("key").arg("value"))
        .expect("an answer");
    assert_eq!(asked(&server, "set"), 1);
}
