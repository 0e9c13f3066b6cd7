//! Many callers, and no server.

use std::time::Duration;

use seawall::asynchronous::Client;
use seawall::{Cause, Error, Kind};
use tokio::task::JoinHandle;

use super::{client, ends, fill, key, until, value};
use crate::ground::{number, server};

const CALLERS: u64 = 500;

fn call_all(client: &Client) -> Vec<JoinHandle<Result<String, Error>>> {
    (0..CALLERS)
        .map(|caller| {
            let client = client.clone();
            tokio::spawn(async move { client.get::<String>(key(caller % 10)).await })
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_callers_are_refused_with_the_cause_and_one_connection_serves_them_after() {
    let server = server();
    fill(&server, 10);
    let client = client(server.addr(), "deadline=8s&ride_out=300ms");
    client.ping().await.expect("the server is well");
    server.kill9().expect("it ends");
    for call in call_all(&client) {
        let outcome = ends("a call without a server", call).await;
        let error = outcome.expect("no panic").expect_err("nobody is there");
        assert_eq!(
            (error.kind(), error.cause()),
            (Kind::Refused, Cause::ConnectionRefused),
            "{error}"
        );
        assert!(error.retry_after().is_some(), "{error}");
    }
    let before = client.stats();
    assert_eq!((before.waiting, before.in_use), (0, 0));

    server.start_again().expect("it starts");
    fill(&server, 10);
    let connected = number(&server, "stats", "total_connections_received");
    let patient = client.within(Duration::from_secs(8));
    // Refused as long as no probe has found it; then answered, all of them.
    ends("the server is found", async {
        while patient.ping().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    for (caller, call) in (0..).zip(call_all(&patient)) {
        let got = ends("a call", call).await.expect("no panic");
        assert!(got.expect("the server is well") == value(caller % 10));
    }
    // One found the server; a call may have had one dialled beside it.
    let dialled = client.stats().dialled - before.dialled;
    assert!((1..=2).contains(&dialled), "{dialled} connections for one");
    let received = number(&server, "stats", "total_connections_received") - connected;
    // What asked for both numbers came too.
    assert!(received <= 2 + 2, "{received} connections came");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_wait_out_a_restart_share_one_new_connection() {
    let server = server();
    fill(&server, 10);
    let client = client(server.addr(), "deadline=8s&ride_out=8s");
    client.ping().await.expect("the server is well");
    let before = client.stats().dialled;
    server.kill9().expect("it ends");
    let calls = call_all(&client);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(client.stats().dialled, before, "nobody is there");
    server.start_again().expect("it starts");
    for call in calls {
        let got = ends("a call", call).await.expect("no panic");
        // Its data are gone with it, its answer is not.
        assert!(got.is_ok() || is_nil(&got), "{got:?}");
    }
    let dialled = client.stats().dialled - before;
    assert!((1..=2).contains(&dialled), "{dialled} connections for one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_in_a_hurry_leaves_nobody_elses_in_doubt() {
    let server = server();
    let client = client(server.addr(), "deadline=8s&ride_out=8s");
    client.ping().await.expect("the server is well");
    server.freeze().expect("it stops");
    let hasty = client.within(Duration::from_millis(20));
    let calls = async {
        let error = hasty.ping().await.expect_err("nobody answers");
        assert_eq!(error.kind(), Kind::TimedOut, "{error}");
        server.thaw().expect("it goes on");
    };
    let (count, ()) = ends("both", async { tokio::join!(client.incr("count"), calls) }).await;
    assert_eq!(count.expect("it has the time"), 1);
    assert_eq!(client.stats().dialled, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_calls_are_answered_when_a_server_thaws() {
    let server = server();
    fill(&server, 10);
    let client = client(server.addr(), "deadline=8s&ride_out=8s&waiters_max=10000");
    client.ping().await.expect("the server is well");
    server.freeze().expect("it stops");
    let calls: Vec<_> = (0..10_000)
        .map(|call| {
            let client = client.clone();
            tokio::spawn(async move { client.get::<String>(key(1 + call % 6)).await })
        })
        .collect();
    // All of them are overdue, and a probe is under way.
    until("a suspicion", || client.stats().state.name() != "up").await;
    server.thaw().expect("it goes on");
    for (number, call) in (0..).zip(calls) {
        let got = ends("a call", call).await.expect("no panic");
        let got = got.unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!(got, value(1 + number % 6));
    }
}

/// The key was gone: what came is no string, and that is an answer.
fn is_nil(got: &Result<String, Error>) -> bool {
    got.as_ref().is_err_and(|error| error.kind() == Kind::Reply)
}
