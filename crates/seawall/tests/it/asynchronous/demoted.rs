//! A server that became a replica: its connections lead to the wrong one, whatever they were used for.

use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};

use seawall::asynchronous::Client;
use seawall::{Cause, Cmd, Pipeline, Value};
use seawall_lab::world::Server;

use super::{client, ends, until};
use crate::fake::Fake;
use crate::ground::server;

fn demote(server: &Server) {
    server
        .command(&[b"REPLICAOF", b"127.0.0.1", b"1"])
        .expect("the server answers");
}

async fn id(client: &Client) -> u64 {
    let id = ends("CLIENT ID", client.call(&Cmd::new("CLIENT ID"))).await;
    id.expect("reads go on")
}

/// A read, and a write that a replica refuses.
fn mixed() -> Pipeline {
    Pipeline::new()
        .with(Cmd::new("GET").arg("key"))
        .with(Cmd::new("INCR").arg("count"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_that_a_replica_refused_costs_the_shared_connection() {
    let server = server();
    let client = client(server.addr(), "");
    let before = id(&client).await;
    demote(&server);
    let results = ends("the pipeline", client.pipeline(&mixed()))
        .await
        .expect("a result each");
    assert!(results[0].is_ok(), "{results:?}");
    let error = results[1].as_ref().expect_err("a replica takes no writes");
    assert_eq!(error.cause(), Cause::ReadOnly, "{error}");
    assert_ne!(id(&client).await, before, "it leads to the replica");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_a_replica_refused_costs_the_shared_connection() {
    let server = server();
    let client = client(server.addr(), "");
    let before = id(&client).await;
    demote(&server);
    let error = ends("the transaction", client.transaction(&mixed()))
        .await
        .expect_err("a replica takes no writes");
    assert_eq!(error.cause(), Cause::ReadOnly, "{error}");
    assert_ne!(id(&client).await, before, "it leads to the replica");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_with_a_blocking_command_that_a_replica_refused_costs_its_connection() {
    let server = server();
    let client = client(server.addr(), "");
    let waits = Pipeline::new()
        .with(Cmd::new("GET").arg("key"))
        .with(Cmd::new("BLPOP").arg("queue").arg("0.05"));
    let results = client.pipeline(&waits).await.expect("a result each");
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(client.stats().idle, 1, "in health it goes back");
    demote(&server);
    let results = client.pipeline(&waits).await.expect("a result each");
    let error = results[1].as_ref().expect_err("a replica takes no writes");
    assert_eq!(error.cause(), Cause::ReadOnly, "{error}");
    until("it is let go of", || client.stats().in_use == 0).await;
    assert_eq!(client.stats().idle, 0, "it leads to the replica");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_on_which_a_replica_refused_a_write_is_not_kept() {
    let server = server();
    let client = client(server.addr(), "");
    demote(&server);
    let mut lease = client.lease().await.expect("the server is well");
    lease
        .send(&Cmd::new("INCR").arg("count"))
        .await
        .expect("the server is well");
    let refused = lease.recv().await.expect("the server is well");
    assert!(matches!(refused, Value::Error(_)), "{refused:?}");
    drop(lease);
    assert_eq!(client.stats().idle, 0, "it leads to the replica");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_in_flight_beside_a_refused_write_is_answered() {
    // On the first connection INCR is answered only after a second connection came, since that shows that the first
    // one is used no more.
    let (came, comes) = mpsc::channel();
    let (came, comes) = (Mutex::new(came), Mutex::new(comes));
    let server = Fake::start(move |mut peer| {
        while let Some(words) = peer.call() {
            if peer.number > 1 {
                let came = came.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = came.send(());
            }
            match words[0].as_str() {
                "SET" if peer.number == 1 => {
                    // Refused only once the other write is under way too.
                    let beside = peer.call().unwrap_or_default();
                    assert_eq!(beside.first().map(String::as_str), Some("INCR"));
                    peer.say("-READONLY You can't write against a read only replica.\r\n");
                    let comes = comes.lock().unwrap_or_else(PoisonError::into_inner);
                    let _ = comes.recv();
                    peer.say(":7\r\n");
                }
                "SET" => peer.say("-READONLY You can't write against a read only replica.\r\n"),
                _ => peer.say("+OK\r\n"),
            }
        }
    });
    let client = client(server.addr(), "deadline=3s&ride_out=1s");
    // The connection is there, so that both go out in one write.
    let ping = Cmd::new("PING");
    ends("a greeting", client.call::<Value>(&ping))
        .await
        .expect("an answer");
    let set = Cmd::new("SET").arg("key").arg("value");
    let writes = async { tokio::join!(client.call::<Value>(&set), client.incr("count")) };
    let (set, incr) = ends("the writes", writes).await;
    assert_eq!(set.expect_err("it refuses").cause(), Cause::ReadOnly);
    assert_eq!(incr.expect("it was under way"), 7);
    assert!(server.accepted() > 1);
}
