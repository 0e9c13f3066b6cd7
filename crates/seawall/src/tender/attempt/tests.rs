//! Names and addresses: a name service that does as it is told, before real servers.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use seawall_lab::world::{Fault, Relay, Server as RealServer, server_binary};
use seawall_model::settings::Settings;
use seawall_model::{Cause, Target};

use crate::blocking::Client;
use crate::error::Kind;
use crate::events::{Callback, Event, Listener, Listeners};
use crate::link::home::Home;
use crate::link::setup::Plan;
use crate::tender::{Names, Tender};

/// What the name service does next.
#[derive(Clone, Debug)]
enum Says {
    Addresses(Vec<SocketAddr>),
    Fails(&'static str),
    /// Until the script is dropped.
    Hangs,
}

/// A name service that goes through a script, and stays at its last line.
#[derive(Clone)]
struct Script(Arc<Stage>);

struct Stage {
    lines: Mutex<VecDeque<Says>>,
    over: Mutex<bool>,
    ends: Condvar,
}

impl Script {
    fn new(lines: impl IntoIterator<Item = Says>) -> Self {
        Self(Arc::new(Stage {
            lines: Mutex::new(lines.into_iter().collect()),
            over: Mutex::new(false),
            ends: Condvar::new(),
        }))
    }

    fn hang(&self) -> io::Error {
        let mut over = self.0.over.lock().unwrap_or_else(PoisonError::into_inner);
        while !*over {
            over = self
                .0
                .ends
                .wait(over)
                .unwrap_or_else(PoisonError::into_inner);
        }
        io::Error::other("the script is over")
    }

    /// Lets go of what hangs.
    fn end(&self) {
        *self.0.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.ends.notify_all();
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

impl Names for Script {
    fn addresses(&self, host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!(host, "redis.example");
        let says = {
            let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
            match lines.len() {
                1 => lines.front().cloned(),
                _ => lines.pop_front(),
            }
        };
        match says {
            Some(Says::Addresses(addresses)) => Ok(addresses),
            Some(Says::Fails(words)) => Err(io::Error::other(format!(
                "failed to lookup address information: {words}"
            ))),
            Some(Says::Hangs) => Err(self.hang()),
            None => Ok(Vec::new()),
        }
    }
}

/// A client of `redis.example`, with a tender of its own: hanging lookups hold up nobody else's.
struct Scene {
    client: Client,
    home: Arc<Home>,
    script: Script,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Scene {
    fn new(options: &str, lines: impl IntoIterator<Item = Says>) -> Self {
        let url = format!("redis://redis.example:6379/0?{options}");
        let target = Target::parse(&url).expect("a URL");
        let settings = Settings::from_target(&target).expect("settings");
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let ears = Arc::clone(&heard);
        let listener: Arc<dyn Listener> = Arc::new(Callback(move |_: &str, event: &Event<'_>| {
            ears.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(format!("{event:?}"));
        }));
        let listeners = Listeners::new([listener]);
        let script = Script::new(lines);
        let plan = Plan::new(target, settings, listeners)
            .expect("no file is named")
            .with_names(Arc::new(script.clone()));
        let tender = Tender::start().expect("a thread");
        let home = Home::in_care_of(tender, plan);
        Self {
            client: Client::at(Arc::clone(&home)),
            home,
            script,
            heard,
        }
    }

    fn get(&self) -> Result<Option<String>, crate::Error> {
        self.client.get("key")
    }

    /// How many events have all these words in them.
    fn heard(&self, words: &[&str]) -> usize {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|line| words.iter().all(|word| line.contains(word)))
            .count()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.client.close();
        self.script.end();
    }
}

fn server(config: &[(&str, &str)]) -> RealServer {
    let binary = server_binary(None).expect("a server to test against");
    RealServer::start(&binary, config).expect("the server starts")
}

/// A port at which nobody listens, for as long as the socket is kept: bound, and never listened at.
fn nobody() -> (socket2::Socket, SocketAddr) {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).expect("a free port");
    let addr = socket.local_addr().expect("a bound socket has an address");
    (socket, addr.as_socket().expect("an IP address"))
}

/// Waits for what comes about on its own; a guard against hanging, not a measure.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(10), "no {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn behind_a_refusing_address_the_next_one_has_its_turn_and_the_first_is_tried_last_from_then_on() {
    let server = server(&[]);
    let (_kept, refusing) = nobody();
    let found = vec![refusing, server.addr()];
    let scene = Scene::new("", [Says::Addresses(found)]);
    assert_eq!(scene.get().expect("an answer"), None);
    server.client_kill_all().expect("they are killed");
    until("second connection", || {
        let _ = scene.get();
        scene.heard(&["Opened"]) == 2
    });
    assert_eq!(
        scene.heard(&["DialFailed"]),
        0,
        "no attempt came to nothing"
    );
    let link = scene.home.current();
    let mut order = [refusing, server.addr()];
    link.addresses().order(&mut order, crate::clock::now());
    assert_eq!(order, [server.addr(), refusing]);
}

#[test]
fn an_address_that_never_answers_leaves_time_for_the_next_one() {
    let server = server(&[]);
    let relay = Relay::start(server.addr()).expect("a relay");
    relay.set(Fault::BlackHole);
    let found = vec![relay.addr(), server.addr()];
    let scene = Scene::new(
        "deadline=5s&connect_timeout=400ms",
        [Says::Addresses(found)],
    );
    assert_eq!(scene.get().expect("an answer"), None);
    assert_eq!(scene.heard(&["DialFailed"]), 0);
}

#[test]
fn an_address_that_accepts_and_keeps_silent_leaves_time_for_the_next_one() {
    let server = server(&[]);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let found = vec![silent.local_addr().expect("an address"), server.addr()];
    let scene = Scene::new(
        "deadline=5s&connect_timeout=400ms",
        [Says::Addresses(found)],
    );
    assert_eq!(scene.get().expect("an answer"), None);
}

#[test]
fn of_several_failures_the_most_telling_is_told_with_their_number() {
    let (_kept, refusing) = nobody();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let silent = silent.local_addr().map(|addr| (silent, addr));
    let (_listens, silent) = silent.expect("an address");
    let found = vec![refusing, silent, refusing];
    let scene = Scene::new(
        "deadline=2s&ride_out=0ms&connect_timeout=300ms",
        [Says::Addresses(found)],
    );
    assert!(scene.get().is_err());
    let told = ["DialFailed", "ServerUnresponsive", "3 addresses were tried"];
    until("report", || scene.heard(&told) >= 1);
}

#[test]
fn what_the_server_itself_says_is_not_asked_of_its_other_addresses() {
    let strict = server(&[("requirepass", "secret")]);
    let open = server(&[]);
    let found = vec![strict.addr(), open.addr()];
    let scene = Scene::new("", [Says::Addresses(found)]);
    assert_eq!(
        scene.get().expect_err("no password").cause(),
        Cause::AuthRequired
    );
}

#[test]
fn while_the_name_service_fails_the_last_good_address_serves_and_that_is_told() {
    let server = server(&[]);
    let fails = Says::Fails("Temporary failure in name resolution");
    let scene = Scene::new("", [Says::Addresses(vec![server.addr()]), fails]);
    assert_eq!(scene.get().expect("an answer"), None);
    server.client_kill_all().expect("they are killed");
    until("word about it", || {
        assert_eq!(scene.get().expect("an answer"), None);
        scene.heard(&["NameStale", "NameService", &server.addr().to_string()]) > 0
    });
}

#[test]
fn while_a_lookup_hangs_the_last_good_address_serves_within_the_deadline() {
    let server = server(&[]);
    let good = Says::Addresses(vec![server.addr()]);
    let scene = Scene::new("deadline=5s&connect_timeout=400ms", [good, Says::Hangs]);
    assert_eq!(scene.get().expect("an answer"), None);
    server.client_kill_all().expect("they are killed");
    until("word about it", || {
        assert_eq!(scene.get().expect("an answer"), None);
        scene.heard(&["NameStale", "did not end"]) > 0
    });
}

#[test]
fn the_last_good_address_that_fails_too_is_told_with_the_reason_why_it_was_used() {
    let server = server(&[]);
    let fails = Says::Fails("Name or service not known");
    let good = Says::Addresses(vec![server.addr()]);
    let scene = Scene::new("ride_out=0ms", [good, fails]);
    assert_eq!(scene.get().expect("an answer"), None);
    server.kill9().expect("it is killed");
    until("report", || {
        let _ = scene.get();
        scene.heard(&["DialFailed", "ConnectionRefused", "its last good address"]) > 0
    });
}

#[test]
fn a_first_lookup_that_hangs_ends_as_a_silent_name_service_by_the_deadline() {
    let scene = Scene::new(
        "deadline=1s&ride_out=2s&connect_timeout=200ms",
        [Says::Hangs],
    );
    let error = scene.get().expect_err("no address");
    assert_eq!(error.cause(), Cause::NameService, "{error}");
    assert!(!error.may_have_run());
}

#[test]
fn more_lookups_than_may_hang_fail_at_once_with_that_as_their_reason() {
    let scene = Scene::new("ride_out=0ms&connect_timeout=50ms", [Says::Hangs]);
    until("refusal", || {
        let _ = scene.get();
        scene.heard(&["DialFailed", "NameService", "too many name lookups"]) > 0
    });
}

#[test]
fn an_unknown_name_is_a_mistake_in_the_settings_and_told_at_once() {
    for says in [
        Says::Fails("Name or service not known"),
        Says::Addresses(Vec::new()),
    ] {
        let scene = Scene::new("", [says]);
        let error = scene.get().expect_err("no address");
        assert_eq!(
            (error.cause(), error.kind()),
            (Cause::NameUnknown, Kind::Settings),
            "{error}"
        );
    }
}

#[test]
fn after_a_role_change_writes_follow_the_name_to_the_new_primary() {
    let (old, new) = (server(&[]), server(&[]));
    let lines = [
        Says::Addresses(vec![old.addr()]),
        Says::Addresses(vec![new.addr()]),
    ];
    let scene = Scene::new("deadline=5s&ride_out=5s", lines);
    scene.client.set("key", "first").expect("an answer");
    let port = new.port().to_string();
    old.command(&[b"REPLICAOF", b"127.0.0.1", port.as_bytes()])
        .expect("it obeys");
    scene.client.set("key", "second").expect("an answer");
    let held = new.command(&[b"GET", b"key"]).expect("an answer");
    assert_eq!(held.as_bytes(), Some(&b"second"[..]));
    assert_eq!(scene.heard(&["WritesRefused", "ReadOnly"]), 1);
    assert_eq!(scene.heard(&["OutageStarted"]), 0);
}
