//! Many threads that call at once: one connection, each its own reply, and nobody left behind.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use seawall::blocking::{Client, Ground, Interest, Interrupted};
use seawall::{Cause, Cmd, Event, Kind, Moment};
use seawall_lab::world::{Fault, Lost};

use crate::ground::{client, ends, number, relay, server, until, url};

/// How many call at once.
const THREADS: usize = 32;

/// Calls until it is told to end, each thread on its own keys, and sees that each reply is its own.
fn crowd(client: &Client, calls: usize, tell: &(dyn Fn(&seawall::Error) + Sync)) {
    thread::scope(|scope| {
        for place in 0..THREADS {
            scope.spawn(move || {
                for call in 0..calls {
                    let value = format!("{place}-{call}");
                    let echo = Cmd::new("ECHO").arg(&value);
                    match client.call::<String>(&echo) {
                        Ok(reply) => assert_eq!(reply, value, "somebody else's reply"),
                        Err(error) => tell(&error),
                    }
                }
            });
        }
    });
}

fn no_error(error: &seawall::Error) {
    panic!("{error}");
}

#[test]
fn they_share_a_connection_and_each_has_its_own_reply() {
    let server = server();
    let client = client(server.addr(), "deadline=5s&pool_size=64");
    ends("the crowd", || crowd(&client, 1_000, &no_error));
    let connections = number(&server, "stats", "total_connections_received");
    // One is the laboratory's, and the first seven callers may have one of their own.
    assert!(connections <= 10, "{connections} connections");
    let stats = client.stats();
    assert_eq!(stats.answered, 1_000 * THREADS as u64, "{stats:?}");
}

#[test]
fn who_does_not_ask_again_is_not_waited_for() {
    let server = server();
    let client = client(server.addr(), "deadline=5s&pool_size=64");
    let over = AtomicBool::new(false);
    ends("those who ask at once", || {
        thread::scope(|scope| {
            // With these they are answered together, now and then.
            for _ in 0..4 {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        client.get::<Option<String>>("key").expect("an answer");
                        thread::sleep(Duration::from_millis(2));
                    }
                });
            }
            let busy = [(); 8].map(|()| {
                scope.spawn(|| {
                    for _ in 0..3_000 {
                        client.get::<Option<String>>("key").expect("an answer");
                    }
                })
            });
            for one in busy {
                one.join().expect("no panic");
            }
            over.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn a_pool_of_one_is_shared_by_nobody() {
    let server = server();
    let client = client(server.addr(), "deadline=5s&pool_size=1");
    ends("the crowd", || crowd(&client, 200, &no_error));
    assert_eq!(client.stats().dialled, 1);
}

#[test]
fn no_more_connections_than_the_pool_has_places() {
    let server = server();
    let client = client(server.addr(), "deadline=5s&pool_size=2");
    ends("the crowd", || crowd(&client, 1_000, &no_error));
    assert!(client.stats().dialled <= 2, "{:?}", client.stats());
}

#[test]
fn replies_that_are_lost_double_nothing_and_cost_reads_nothing() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "deadline=5s");
    relay.set(Fault::LoseReply {
        every: 400,
        then: Lost::Reset,
        only: None,
    });
    let (sure, doubtful) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = Mutex::new(BTreeMap::<&str, usize>::new());
    ends("the crowd", || {
        thread::scope(|scope| {
            for place in 0..THREADS {
                let (client, sure, doubtful, failed) = (&client, &sure, &doubtful, &failed);
                scope.spawn(move || {
                    let mine = format!("own-{place}");
                    client.set(&mine, place).expect("it is set");
                    for _ in 0..300 {
                        match client.incr("count") {
                            Ok(_) => sure.fetch_add(1, Ordering::Relaxed),
                            Err(error) if error.may_have_run() => {
                                doubtful.fetch_add(1, Ordering::Relaxed)
                            }
                            Err(_) => 0,
                        };
                        match client.get::<usize>(&mine) {
                            Ok(value) => assert_eq!(value, place, "somebody else's reply"),
                            Err(error) => {
                                let mut failed = failed.lock().expect("no panic");
                                *failed.entry(error.cause().name()).or_default() += 1;
                            }
                        }
                    }
                });
            }
        });
    });
    relay.clear();
    let ran: u64 = client.get("count").expect("an answer");
    let (sure, doubtful) = (
        sure.load(Ordering::Relaxed),
        doubtful.load(Ordering::Relaxed),
    );
    assert!(
        (sure..=sure + doubtful).contains(&ran),
        "{ran} ran, {sure} were answered, {doubtful} in doubt"
    );
    assert!(doubtful > 0, "nothing was lost");
    let failed = failed.into_inner().expect("no panic");
    assert!(failed.values().sum::<usize>() <= 32, "{failed:?}");
}

#[test]
fn a_server_that_stands_still_costs_each_no_more_than_its_deadline() {
    let server = server();
    let client = client(server.addr(), "deadline=1s");
    ends("a crowd to begin with", || crowd(&client, 200, &no_error));
    server.freeze().expect("it stands still");
    let failed = AtomicUsize::new(0);
    ends("the crowd", || {
        crowd(&client, 1, &|_| {
            failed.fetch_add(1, Ordering::Relaxed);
        });
    });
    assert_eq!(failed.load(Ordering::Relaxed), THREADS);
    server.thaw().expect("it goes on");
    until("an answer", || client.ping().is_ok());
    ends("a crowd afterwards", || crowd(&client, 200, &no_error));
}

#[test]
fn whose_own_time_is_up_leaves_the_connection_to_the_others() {
    let server = server();
    let client = client(server.addr(), "deadline=8s&ride_out=8s");
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    ends("all", || {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        client.incr("count").expect("it has the time");
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            until("a crowd", || answered.load(Ordering::Relaxed) > 2_000);
            server.freeze().expect("it stands still");
            let hasty = client.within(Duration::from_millis(300));
            let error = hasty.incr("count").expect_err("nobody answers");
            server.thaw().expect("it goes on");
            over.store(true, Ordering::Relaxed);
            assert_eq!(error.kind(), Kind::TimedOut, "{error}");
            assert!(error.may_have_run(), "{error}");
        });
    });
    let count: usize = client.get("count").expect("an answer");
    let answered = answered.load(Ordering::Relaxed);
    assert_eq!(count, answered + 1, "what was skipped ran");
}

/// A ground from which a thread is called away after a while.
#[derive(Debug, Default)]
struct CalledAway {
    looks: AtomicUsize,
}

impl Ground for CalledAway {
    fn ready(&self, _: BorrowedFd<'_>, _: Interest, _: Moment) -> Result<bool, Interrupted> {
        self.look_up().map(|()| true)
    }
    fn may_block(&self) -> bool {
        true
    }
    fn look_up(&self) -> Result<(), Interrupted> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        Err(Interrupted)
    }
    fn sleep(&self, _: Moment) -> Result<(), Interrupted> {
        self.look_up()
    }
}

fn echo(client: &Client) -> Result<String, seawall::Error> {
    client.call(&Cmd::new("ECHO").arg("mine"))
}

#[test]
fn whoever_is_called_away_leaves_the_others_to_their_replies() {
    let server = server();
    let client = client(server.addr(), "deadline=5s&ride_out=5s");
    ends("a crowd to begin with", || crowd(&client, 200, &no_error));
    for _ in 0..3 {
        let ground = Arc::new(CalledAway::default());
        let away = client.on(Arc::clone(&ground) as Arc<dyn Ground>);
        server.freeze().expect("it stands still");
        thread::scope(|scope| {
            let others: Vec<_> = (0..16).map(|_| scope.spawn(|| echo(&client))).collect();
            let mut gone = Vec::new();
            for _ in 0..16 {
                gone.push(scope.spawn(|| echo(&away)));
            }
            for gone in gone {
                let error = gone
                    .join()
                    .expect("no panic")
                    .expect_err("it was called away");
                assert_eq!(error.cause(), Cause::Cancelled, "{error}");
            }
            server.thaw().expect("it goes on");
            for other in others {
                let reply = other.join().expect("no panic");
                assert_eq!(reply.expect("an answer"), "mine");
            }
        });
        assert!(ground.looks.load(Ordering::Relaxed) > 0);
    }
    ends("a crowd afterwards", || crowd(&client, 200, &no_error));
}

#[test]
fn a_client_that_is_closed_ends_what_they_share() {
    let server = server();
    let client = client(server.addr(), "deadline=5s");
    ends("the crowd", || crowd(&client, 200, &no_error));
    client.close();
    until("no connection", || {
        number(&server, "clients", "connected_clients") <= 1
    });
    let error = client.ping().expect_err("it is closed");
    assert_eq!(error.cause(), Cause::ClientClosed);
}

#[test]
fn what_they_share_goes_with_the_client() {
    let server = server();
    let client = client(server.addr(), "deadline=5s");
    ends("the crowd", || crowd(&client, 200, &no_error));
    drop(client);
    until("no connection", || {
        number(&server, "clients", "connected_clients") <= 1
    });
}

#[test]
fn large_replies_have_connections_of_their_own() {
    let server = server();
    let client = client(server.addr(), "deadline=10s");
    let value = "x".repeat(1 << 20);
    client.set("large", &value).expect("it is set");
    ends("the crowd", || {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let reply: String = client.get("large").expect("an answer");
                        assert_eq!(reply.len(), value.len());
                    }
                });
            }
        });
    });
    assert!(client.stats().dialled > 5, "{:?}", client.stats());
}

#[test]
fn a_listener_may_call_the_client_that_it_listens_to() {
    let server = server();
    let relay = relay(&server);
    let own: Arc<OnceLock<Client>> = Arc::default();
    let called = Arc::new(Mutex::new(Vec::new()));
    let (client, heard) = (Arc::clone(&own), Arc::clone(&called));
    let listening = Client::builder(&url(relay.addr(), "deadline=30s&ride_out=5s"))
        .expect("the URL is right")
        .on_event(move |event| {
            if let (Event::Lost { .. }, Some(client)) = (event, client.get()) {
                let outcome = client.ping().map_err(|error| error.to_string());
                heard.lock().expect("no panic").push(outcome);
            }
        })
        .build()
        .expect("the settings fit together");
    let client = own.get_or_init(|| listening);
    // Whoever waits for what only this thread would do waits until the deadline.
    ends("the crowd", || {
        thread::scope(|scope| {
            let crowd = scope.spawn(|| crowd(client, 400, &|_| ()));
            while !crowd.is_finished() {
                relay.set(Fault::ResetAll);
                thread::sleep(std::time::Duration::from_millis(20));
            }
        });
    });
    let called = called.lock().expect("no panic");
    assert!(!called.is_empty(), "nothing was lost");
    let failed: Vec<_> = called.iter().filter(|outcome| outcome.is_err()).collect();
    assert!(
        failed.len() * 10 <= called.len(),
        "{failed:?} of {}",
        called.len()
    );
}
