//! Writes that a server holds back while it answers reads: CLIENT PAUSE WRITE, a failover.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use seawall::asynchronous::Client;
use seawall::{Cmd, Error, Value};
use seawall_lab::world::{Fault, Lost, Relay};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::{client, ends, until};
use crate::ground::{relay, server};

/// What tasks that call without end have come to so far.
#[derive(Default)]
struct Told {
    well: AtomicUsize,
    failed: Mutex<Vec<String>>,
}

impl Told {
    fn well(&self) -> usize {
        self.well.load(Ordering::Relaxed)
    }

    fn note<T>(&self, outcome: Result<T, Error>) {
        match outcome {
            Ok(_) => {
                self.well.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => self
                .failed
                .lock()
                .expect("no panic")
                .push(error.to_string()),
        }
    }

    fn check(&self, name: &str) {
        let failed = self.failed.lock().expect("no panic");
        assert!(failed.is_empty(), "{name}: {failed:?}");
    }
}

fn call_on(client: &Client, tasks: usize, cmd: &Cmd, told: &Arc<Told>) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        let (client, cmd, told) = (client.clone(), cmd.clone(), Arc::clone(told));
        running.spawn(async move {
            loop {
                told.note(client.call::<Value>(&cmd).await);
                sleep(Duration::from_millis(2)).await;
            }
        });
    }
    running
}

/// Tasks that read, add and write, a pause of writes in the middle, and what became of them.
async fn pause(millis: &str, deadline: &str) {
    let server = server();
    let client = client(server.addr(), deadline);
    let (reads, adds, writes) = <(Arc<Told>, Arc<Told>, Arc<Told>)>::default();
    let _reading = call_on(&client, 5, &Cmd::new("GET").arg("a"), &reads);
    let _adding = call_on(&client, 5, &Cmd::new("INCR").arg("n"), &adds);
    let _writing = call_on(&client, 5, &Cmd::new("SET").arg("a").arg("b"), &writes);
    until("calls", || adds.well() > 50 && writes.well() > 50).await;
    let pause = [&b"CLIENT"[..], b"PAUSE", millis.as_bytes(), b"WRITE"];
    server.command(&pause).expect("it pauses");
    let began = Instant::now();
    let length = Duration::from_millis(millis.parse().expect("a number"));
    sleep(length / 2).await;
    let before = reads.well();
    until("reads in the middle of it", || reads.well() > before + 50).await;
    assert!(began.elapsed() < length, "they came after it");
    sleep(length.saturating_sub(began.elapsed())).await;
    let (added, wrote) = (adds.well(), writes.well());
    until("writes after it", || {
        adds.well() > added + 50 && writes.well() > wrote + 50
    })
    .await;
    for (name, told) in [("GET", &reads), ("INCR", &adds), ("SET", &writes)] {
        told.check(name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_wait_for_the_end_of_a_pause_and_reads_do_not() {
    ends("a pause of 2 s", pause("2000", "deadline=8s&ride_out=8s")).await;
}

/// As they come from users, who do not wait for one another: something is always on its way, and a server that says nothing
/// acknowledges late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_keep_coming_wait_for_the_end_of_a_pause_and_reads_do_not() {
    let server = server();
    let client = client(server.addr(), "deadline=8s&ride_out=8s");
    let (reads, writes) = <(Arc<Told>, Arc<Told>)>::default();
    let users = |every: u64, cmd: Cmd, told: &Arc<Told>| {
        let (client, told) = (client.clone(), Arc::clone(told));
        tokio::spawn(async move {
            let mut calls = JoinSet::new();
            loop {
                let (client, cmd, told) = (client.clone(), cmd.clone(), Arc::clone(&told));
                calls.spawn(async move { told.note(client.call::<Value>(&cmd).await) });
                sleep(Duration::from_millis(every)).await;
            }
        })
    };
    let users = [
        users(2, Cmd::new("GET").arg("a"), &reads),
        users(20, Cmd::new("INCR").arg("n"), &writes),
        users(20, Cmd::new("SET").arg("a").arg("b"), &writes),
        users(50, Cmd::new("PUBLISH").arg("news").arg("none"), &writes),
        users(50, Cmd::new("PFCOUNT").arg("h"), &writes),
    ];
    until("calls", || writes.well() > 50).await;
    let pause = [&b"CLIENT"[..], b"PAUSE", b"4000", b"WRITE"];
    server.command(&pause).expect("it pauses");
    sleep(Duration::from_secs(2)).await;
    let (before, wrote) = (reads.well(), writes.well());
    sleep(Duration::from_millis(1500)).await;
    assert!(reads.well() > before + 50, "reads in the middle of it");
    assert_eq!(writes.well(), wrote, "it holds them back");
    until("writes after it", || writes.well() > wrote + 200).await;
    for user in users {
        user.abort();
    }
    for (name, told) in [("reads", &reads), ("writes", &writes)] {
        told.check(name);
    }
}

/// A write that a proxy acknowledges and swallows, while reads go on over another connection.
async fn swallowed(
    client: &Client,
    relay: &Relay,
    reads: &Told,
) -> JoinHandle<Result<Value, Error>> {
    until("calls", || reads.well() > 50).await;
    relay.set(Fault::lose_reply(1, Lost::Silence, &["SET"]));
    let other = client.clone();
    let set = Cmd::new("SET").arg("a").arg("older");
    let swallowed = tokio::spawn(async move { other.call(&set).await });
    until("a lost reply", || !relay.counters().replies_lost.is_empty()).await;
    relay.clear();
    swallowed
}

async fn more(reads: &Told) {
    let before = reads.well();
    until("reads", || reads.well() > before + 50).await;
}

/// A write that nobody answers while others are answered elsewhere is no write that is held back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_was_swallowed_is_found_by_the_next_one() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "deadline=20s&ride_out=20s");
    let reads = Arc::new(Told::default());
    let _reading = call_on(&client, 4, &Cmd::new("GET").arg("a"), &reads);
    let swallowed = swallowed(&client, &relay, &reads).await;
    more(&reads).await;
    assert!(!swallowed.is_finished(), "nothing has shown it yet");
    let began = Instant::now();
    let other = ends("another write", client.incr("n")).await;
    other.expect("it is answered");
    let outcome = ends("the swallowed write", swallowed).await;
    outcome.expect("no panic").expect("it went again");
    assert!(began.elapsed() < Duration::from_secs(5), "by its deadline");
    reads.check("reads");
}

/// It may still be on its way to the server, and would run after the newer one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_its_caller_gave_up_is_taken_back_once_a_newer_one_was_answered() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "deadline=20s&ride_out=20s");
    let reads = Arc::new(Told::default());
    let _reading = call_on(&client, 4, &Cmd::new("GET").arg("a"), &reads);
    let older = swallowed(&client, &relay, &reads).await;
    let other = client.clone();
    let adds = tokio::spawn(async move { other.incr("n").await });
    more(&reads).await;
    assert!(!adds.is_finished(), "it waits behind the older one");
    older.abort();
    assert!(older.await.is_err(), "its caller has gone");
    let newer = Cmd::new("SET").arg("a").arg("newer");
    let newer = ends("the newer one", client.call::<Value>(&newer)).await;
    newer.expect("it is answered");
    // At once, and not after the 250 ms in which a server that lets go would answer.
    let told = timeout(Duration::from_millis(150), adds).await;
    let error = told.expect("at once").expect("no panic");
    let error = error.expect_err("nobody answered it");
    assert!(error.may_have_run(), "{error}");
}

/// Callers with little time give their writes up; those of others wait on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_are_given_up_in_a_pause_leave_the_others_in_no_doubt() {
    let server = server();
    let client = client(server.addr(), "deadline=8s&ride_out=8s");
    let (reads, adds) = <(Arc<Told>, Arc<Told>)>::default();
    let _reading = call_on(&client, 5, &Cmd::new("GET").arg("a"), &reads);
    let _adding = call_on(&client, 5, &Cmd::new("INCR").arg("n"), &adds);
    until("calls", || adds.well() > 50).await;
    let pause = [&b"CLIENT"[..], b"PAUSE", b"2000", b"WRITE"];
    server.command(&pause).expect("it pauses");
    let before = adds.well();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1800) {
        let _ = timeout(Duration::from_millis(100), client.incr("other")).await;
    }
    until("writes after it", || adds.well() > before + 50).await;
    adds.check("INCR");
    reads.check("GET");
}
