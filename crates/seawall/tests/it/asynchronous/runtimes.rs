//! Runtimes come and go under a client, and clients come and go.

use std::time::Duration;

use seawall::asynchronous::Client;
use seawall::{Cause, Cmd, Value};
use tokio::runtime::{Builder, Runtime};

use super::{client, fill, key, value};
use crate::ground::{ends, number, server, until, url};

fn current_thread() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

#[test]
fn each_runtime_finds_the_client_well_after_the_one_before_has_ended() {
    let server = server();
    fill(&server, 6);
    let client = client(server.addr(), "");
    for round in 0..6 {
        let runtime = if round % 2 == 0 {
            current_thread()
        } else {
            multi_thread()
        };
        let got: String = runtime
            .block_on(client.get(key(round)))
            .expect("the server is well");
        assert!(got == value(round), "round {round}");
        drop(runtime);
        // It took the connection with it.
        assert_eq!(client.stats().in_use, 0, "round {round}");
    }
}

#[test]
fn a_runtime_that_ends_at_any_point_of_a_call_leaves_the_client_well() {
    let server = server();
    fill(&server, 1);
    let client = client(server.addr(), "");
    for wait in 0..60_u64 {
        let runtime = current_thread();
        runtime.block_on(async {
            // The call is looked at first: what it starts may never run.
            tokio::select! {
                biased;
                _ = client.get::<String>(key(0)) => {}
                () = tokio::time::sleep(Duration::from_micros(wait * 20)) => {}
            }
        });
        drop(runtime);
        let next = current_thread();
        let got: String = ends("the next call", || next.block_on(client.get(key(0))))
            .expect("the server is well");
        assert!(got == value(0));
    }
}

#[test]
fn a_runtime_at_rest_does_not_keep_others_from_reading() {
    let server = server();
    fill(&server, 1);
    let client = client(server.addr(), "deadline=5s");
    let resting = current_thread();
    resting.block_on(client.ping()).expect("the server is well");
    // Its driver is not run any more, and it is not gone.
    let other = current_thread();
    let got: String = ends("the call", || other.block_on(client.get(key(0))))
        .expect("another connection is made");
    assert!(got == value(0));
    other.block_on(client.set("key", "x")).expect("and serves");
    drop(resting);
    other.block_on(client.set("key", "y")).expect("and stays");
}

#[test]
fn calls_in_flight_outlive_the_handle_they_were_made_with() {
    let server = server();
    fill(&server, 50);
    let runtime = multi_thread();
    let client = client(server.addr(), "");
    let calls: Vec<_> = (0..50)
        .map(|number| {
            let client = client.clone();
            runtime.spawn(async move {
                let got: String = client.get(key(number)).await.expect("the server is well");
                assert!(got == value(number));
                let pop = Cmd::new("BLPOP").arg("empty").arg("0.05");
                client
                    .call::<Value>(&pop)
                    .await
                    .expect("the server is well");
            })
        })
        .collect();
    drop(client);
    for call in calls {
        runtime.block_on(call).expect("it is answered");
    }
    until("the server is rid of the client", || {
        number(&server, "clients", "connected_clients") == 1
    });
}

#[test]
fn a_closed_client_closes_its_shared_connection_and_refuses() {
    let server = server();
    let runtime = multi_thread();
    let client = client(server.addr(), "");
    runtime.block_on(client.ping()).expect("the server is well");
    client.close();
    until("the server is rid of the client", || {
        number(&server, "clients", "connected_clients") == 1
    });
    let error = runtime.block_on(client.ping()).expect_err("it is closed");
    assert_eq!(error.cause(), Cause::ClientClosed);
}

#[test]
fn a_client_is_made_without_a_runtime() {
    let server = server();
    let client = Client::open(&url(server.addr(), "")).expect("the URL is right");
    assert_eq!(client.stats().dialled, 0);
    current_thread()
        .block_on(client.ping())
        .expect("the server is well");
}

#[test]
fn an_end_that_a_call_finds_at_its_deadline_is_told_and_counted_like_any_other() {
    let server = server();
    let client = client(server.addr(), "deadline=500ms");
    let stands_still = current_thread();
    let id = stands_still.block_on(client.call::<u64>(&Cmd::new("CLIENT ID")));
    let id = id.expect("an answer").to_string();
    // From here on nobody drives the connection: its end is left to the call to find.
    let killed = server.command(&[b"CLIENT", b"KILL", b"ID", id.as_bytes()]);
    killed.expect("it is there");
    let error = ends("the call", || {
        multi_thread().block_on(client.get::<String>("k"))
    });
    error.expect_err("nobody sent it");
    let stats = client.stats();
    assert_eq!((stats.lost.total(), stats.in_use), (1, 0), "{stats:?}");
}
