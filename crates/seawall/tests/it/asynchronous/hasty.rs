//! Calls with less time than their client gives, beside others on one connection.

use std::time::Duration;

use seawall::asynchronous::Client;
use seawall::{Cmd, Kind};
use seawall_lab::world::{Fault, Lost};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{client, ends, until};
use crate::ground::{relay, server};

async fn id(client: &Client) -> u64 {
    let id = client.call(&Cmd::new("CLIENT").arg("ID")).await;
    id.expect("it has one")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_own_time_is_up_leaves_the_connection_to_the_others() {
    let server = server();
    let client = client(server.addr(), "deadline=8s&ride_out=8s");
    let before = id(&client).await;
    for hurry in [50, 300, 600] {
        server.freeze().expect("it stops");
        let hasty = client.within(Duration::from_millis(hurry));
        let calls = async {
            let error = hasty.ping().await.expect_err("nobody answers");
            assert_eq!(error.kind(), Kind::TimedOut, "{error}");
            server.thaw().expect("it goes on");
        };
        let other = client.clone();
        let other = tokio::spawn(async move { other.incr("count").await });
        ends("the call in a hurry", calls).await;
        let count = ends("the other", other).await.expect("no panic");
        assert!(count.is_ok(), "{hurry}: {count:?}");
        assert_eq!(id(&client).await, before, "{hurry}");
    }
}

/// Tasks that call without end, so that somebody waits at any time, each for so long or a little longer. Their errors are their own.
fn call_on(client: &Client, term: Duration, cancelled: bool) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let client = client.clone();
        tasks.spawn(async move {
            let term = term + term / 8 * task;
            loop {
                if cancelled {
                    let _ = timeout(term, client.incr("count")).await;
                } else {
                    let _ = client.within(term).incr("count").await;
                }
                sleep(Duration::from_millis(1)).await;
            }
        });
    }
    tasks
}

/// A connection falls silent for ever, and those who call over it are answered again.
async fn fall_silent(term: Duration, cancelled: bool) {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "deadline=1s");
    let answered = || client.stats().answered;
    let _tasks = call_on(&client, term, cancelled);
    until("an answer", || answered() > 100).await;
    relay.set(Fault::LoseReply {
        every: 1,
        then: Lost::Silence,
        only: None,
    });
    until("a lost reply", || !relay.counters().replies_lost.is_empty()).await;
    relay.clear();
    let before = answered();
    until("an answer", || answered() > before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_connection_is_found_though_all_have_little_time() {
    for term in [60, 400] {
        fall_silent(Duration::from_millis(term), false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_connection_is_given_up_though_all_go_before_their_time() {
    fall_silent(Duration::from_millis(60), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_the_server_holds_back_are_left_in_no_doubt_by_reads_in_a_hurry() {
    let server = server();
    let client = client(server.addr(), "deadline=8s&ride_out=8s");
    let before = id(&client).await;
    let pause = [&b"CLIENT"[..], b"PAUSE", b"1500", b"WRITE"];
    server.command(&pause).expect("it pauses");
    let other = client.clone();
    let write = tokio::spawn(async move { other.incr("count").await });
    let hurry = Duration::from_millis(50);
    let reads = async {
        while !write.is_finished() {
            // Behind the write; each has the server asked, and that answers.
            let _ = client.within(hurry).get::<Option<String>>("key").await;
        }
    };
    ends("the pause", reads).await;
    let count = write.await.expect("no panic");
    assert!(count.is_ok(), "{count:?}");
    assert_eq!(id(&client).await, before);
}
