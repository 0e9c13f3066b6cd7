//! Futures that are dropped: nobody else notices.

use std::time::Duration;

use seawall::asynchronous::Client;
use seawall::{Cmd, Pipeline, Value};

use super::{Dice, client, ends, fill, key, until, value};
use crate::ground::{asked, number, server};

const KEYS: u64 = 50;

/// Reads keys one after the other, and sees that each reply is its own.
async fn read(client: Client, seed: u64, rounds: u32) {
    let mut dice = Dice(seed);
    for _ in 0..rounds {
        let number = dice.below(KEYS);
        let got: String = client.get(key(number)).await.expect("the server is well");
        assert!(got == value(number), "the reply to GET {}", key(number));
    }
}

/// Begins a call of any kind, and drops it at some point.
async fn begin_and_drop(client: &Client, dice: &mut Dice) {
    let number = dice.below(KEYS);
    let kind = dice.below(5);
    let call = async {
        match kind {
            0 => drop(client.get::<String>(key(number)).await),
            1 => {
                let pipeline = (0..4).fold(Pipeline::new(), |pipeline, step| {
                    pipeline.with(Cmd::new("GET").arg(key((number + step) % KEYS)))
                });
                drop(client.pipeline(&pipeline).await);
            }
            2 => {
                let pipeline = Pipeline::new()
                    .with(Cmd::new("INCR").arg("counter"))
                    .with(Cmd::new("GET").arg(key(number)));
                drop(client.transaction(&pipeline).await);
            }
            3 => {
                let pop = Cmd::new("BLPOP").arg("empty").arg("0.05");
                drop(client.call::<Value>(&pop).await);
            }
            _ => {
                if let Ok(mut lease) = client.lease().await {
                    let sent = lease.send(&Cmd::new("GET").arg(key(number))).await;
                    if sent.is_ok() {
                        drop(lease.recv().await);
                    }
                }
            }
        }
    };
    let patience = Duration::from_micros(dice.below(1500));
    tokio::select! {
        biased;
        () = tokio::time::sleep(patience), if !patience.as_micros().is_multiple_of(3) => {}
        () = yields(dice.0 % 6) => {}
        () = call => {}
    }
}

/// Lets other tasks run a few times.
async fn yields(times: u64) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
    if times == 5 {
        std::future::pending::<()>().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_dropped_futures_shift_nobodys_reply_and_leave_no_connection_lent() {
    let server = server();
    fill(&server, KEYS);
    let client = client(server.addr(), "deadline=5s");
    let readers: Vec<_> = (1..=8)
        .map(|seed| tokio::spawn(read(client.clone(), seed, 150)))
        .collect();
    let droppers: Vec<_> = (1..=8)
        .map(|seed| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut dice = Dice(seed * 7919);
                for _ in 0..120 {
                    begin_and_drop(&client, &mut dice).await;
                }
            })
        })
        .collect();
    for task in readers.into_iter().chain(droppers) {
        ends("a task", task).await.expect("nothing is mixed up");
    }
    // What was dropped is over; only the shared connection is still in use.
    until("only the shared connection is in use", || {
        let stats = client.stats();
        (stats.in_use, stats.waiting, stats.dialling) == (1, 0, 0)
    })
    .await;
    read(client.clone(), 99, 50).await;
    drop(client);
    until("the server is rid of the client", || {
        // What asks is one.
        number(&server, "clients", "connected_clients") == 1
    })
    .await;
}

#[tokio::test]
async fn a_dropped_write_runs_at_most_once() {
    let server = server();
    let client = client(server.addr(), "");
    client.ping().await.expect("the server is well");
    let mut dice = Dice(5);
    for round in 0..300_u64 {
        let counter = format!("once:{round}");
        tokio::select! {
            biased;
            _ = client.incr(&counter) => {}
            () = yields(dice.below(5)) => {}
        }
    }
    client.ping().await.expect("the server is well");
    let runs = asked(&server, "incr");
    assert!(runs <= 300, "{runs} runs of 300 calls");
    for round in 0..300_u64 {
        let count: Option<i64> = client.get(format!("once:{round}")).await.expect("well");
        assert!(count.unwrap_or(0) <= 1, "call {round} ran {count:?} times");
    }
}

#[tokio::test]
async fn a_future_dropped_while_it_waits_for_a_connection_leaves_the_queue() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    // Nobody greets: every dial hangs.
    let client = client(listener.local_addr().expect("bound"), "deadline=5s");
    for _ in 0..100 {
        let call = client.ping();
        let waited = tokio::time::timeout(Duration::from_millis(1), call).await;
        assert!(waited.is_err(), "nobody can have answered");
    }
    let stats = client.stats();
    assert_eq!((stats.waiting, stats.in_use), (0, 0));
}

#[tokio::test]
async fn a_lease_dropped_before_its_reply_is_closed_and_one_dropped_clean_is_kept() {
    let server = server();
    fill(&server, 1);
    let client = client(server.addr(), "");
    let mut lease = client.lease().await.expect("the server is well");
    let owing = lease.client_id().expect("the server tells");
    lease
        .send(&Cmd::new("GET").arg(key(0)))
        .await
        .expect("the server is well");
    drop(lease);
    let stats = client.stats();
    assert_eq!((stats.idle, stats.in_use), (0, 0));

    let mut lease = client.lease().await.expect("the server is well");
    let clean = lease.client_id().expect("the server tells");
    assert_ne!(clean, owing);
    let ping = Cmd::new("PING");
    lease.send(&ping).await.expect("the server is well");
    let pong = lease.recv().await.expect("the server is well");
    assert_eq!(pong, Value::Simple(b"PONG".to_vec()));
    drop(lease);
    let mut lease = client.lease().await.expect("the server is well");
    assert_eq!(lease.client_id(), Some(clean));
}
