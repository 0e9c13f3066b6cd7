//! Commands, pipelines, transactions and leases, many at once.

use std::time::Duration;

use seawall::{Cause, Cmd, Kind, Pipeline, Value};
use seawall_lab::world::{Fault, Lost};

use super::{client, ends, fill, key, until, value};
use crate::ground::{asked, held, relay, server};

fn get(number: u64) -> Cmd {
    Cmd::new("GET").arg(key(number))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_share_one_connection() {
    let server = server();
    fill(&server, 100);
    let client = client(server.addr(), "deadline=8s");
    let tasks: Vec<_> = (0..1000_u64)
        .map(|task| {
            let client = client.clone();
            tokio::spawn(async move {
                let number = task % 100;
                let got: String = client.get(key(number)).await.expect("the server is well");
                assert!(got == value(number), "the reply to task {task}");
            })
        })
        .collect();
    for task in tasks {
        ends("a task", task).await.expect("nothing is mixed up");
    }
    let stats = client.stats();
    assert_eq!((stats.dialled, stats.in_use, stats.waiting), (1, 1, 0));
}

#[tokio::test]
async fn a_pipeline_gives_each_command_its_own_result() {
    let server = server();
    let client = client(server.addr(), "");
    let pipeline = Pipeline::new()
        .with(Cmd::new("SET").arg("text").arg("x"))
        .with(Cmd::new("INCR").arg("text"))
        .with(Cmd::new("GET").arg("text"));
    let results = client
        .pipeline(&pipeline)
        .await
        .expect("the server is well");
    assert_eq!(results.len(), 3);
    assert!(results[0].is_ok());
    let refused = results[1].as_ref().expect_err("it is no number");
    assert_eq!(refused.kind(), Kind::Server);
    assert_eq!(results[2].as_ref().ok(), Some(&Value::Bulk(b"x".to_vec())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelines_of_reads_are_answered_although_replies_are_cut_in_the_middle() {
    let server = server();
    fill(&server, 30);
    let relay = relay(&server);
    let client = client(relay.addr(), "deadline=5s");
    client.ping().await.expect("the server is well");
    relay.set(Fault::CutInsideFrame {
        every: 100,
        then: Lost::Reset,
    });
    for round in 0..30 {
        let pipeline = (0..10).fold(Pipeline::new(), |pipeline, step| {
            pipeline.with(get((round + step) % 30))
        });
        let results = ends("the pipeline", client.pipeline(&pipeline))
            .await
            .expect("it is sent");
        for (step, result) in (0..).zip(results) {
            let got = result.expect("a read is repeated");
            let wanted = value((round + step) % 30);
            assert!(
                got.as_bytes() == Some(wanted.as_bytes()),
                "round {round}, step {step}"
            );
        }
    }
    assert!(relay.counters().replies_cut > 0, "nothing was cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_of_writes_that_is_cut_tells_of_each_what_may_have_run() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "");
    client.ping().await.expect("the server is well");
    // Of ten replies the sixth is lost, and with it all behind.
    relay.set(Fault::lose_reply(6, Lost::Reset, &["INCR"]));
    let pipeline = (0..10).fold(Pipeline::new(), |pipeline, step| {
        pipeline.with(Cmd::new("INCR").arg(format!("counter:{step}")))
    });
    let results = ends("the pipeline", client.pipeline(&pipeline))
        .await
        .expect("it is sent");
    relay.clear();
    assert_eq!(results.len(), 10);
    assert!(results[5..].iter().any(Result::is_err), "nothing was lost");
    for (step, result) in results.into_iter().enumerate() {
        let ran = held(&server, &format!("counter:{step}"));
        match result {
            Ok(value) => {
                assert_eq!(value, Value::Int(1));
                assert_eq!(ran.as_deref(), Some(&b"1"[..]), "step {step}");
            }
            Err(error) if error.may_have_run() => {
                assert!(ran.is_none_or(|ran| ran == b"1"), "step {step} ran twice");
            }
            Err(_) => assert_eq!(ran, None, "step {step} is said not to have run"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_whose_reply_is_lost_is_never_run_twice() {
    let server = server();
    fill(&server, 10);
    let relay = relay(&server);
    let client = client(relay.addr(), "");
    client.ping().await.expect("the server is well");
    relay.set(Fault::lose_reply(1, Lost::Reset, &["EXEC"]));
    for round in 0..10 {
        let counter = format!("counter:{round}");
        let transaction = Pipeline::new()
            .with(Cmd::new("INCR").arg(&counter))
            .with(Cmd::new("RPUSH").arg("list").arg(round));
        let beside = client.get::<String>(key(round));
        let (outcome, beside) = tokio::join!(client.transaction(&transaction), beside);
        let error = outcome.expect_err("its reply is lost");
        assert_eq!((error.kind(), error.may_have_run()), (Kind::Lost, true));
        assert_eq!(beside.expect("a read is repeated"), value(round));
        assert_eq!(held(&server, &counter).as_deref(), Some(&b"1"[..]));
    }
    assert_eq!(asked(&server, "exec"), 10);
    relay.clear();
    let transaction = Pipeline::new()
        .with(Cmd::new("INCR").arg("counter:0"))
        .with(get(3));
    let results = client.transaction(&transaction).await.expect("all is well");
    let values: Vec<_> = results
        .into_iter()
        .map(|result| result.expect("it ran"))
        .collect();
    assert_eq!(values, [Value::Int(2), Value::Bulk(value(3).into_bytes())]);
}

#[tokio::test]
async fn blocking_commands_hold_nobody_up() {
    let server = server();
    fill(&server, 10);
    let client = client(server.addr(), "");
    let alone = Cmd::new("BLPOP").arg("jobs:alone").arg(0);
    let piped = Pipeline::new()
        .with(get(1))
        .with(Cmd::new("BLPOP").arg("jobs:piped").arg(0))
        .with(get(2));
    let waits = async {
        tokio::join!(
            client.call::<(String, String)>(&alone),
            client.pipeline(&piped)
        )
    };
    let others = async {
        until("both block", || {
            let info = server.info("clients").expect("the server tells");
            info.get("blocked_clients").map(String::as_str) == Some("2")
        })
        .await;
        for number in 0..200 {
            let got: String = client
                .get(key(number % 10))
                .await
                .expect("nobody blocks it");
            assert!(got == value(number % 10));
        }
        client
            .call::<i64>(&Cmd::new("RPUSH").arg("jobs:alone").arg("one"))
            .await
            .expect("nobody blocks it");
        client
            .call::<i64>(&Cmd::new("RPUSH").arg("jobs:piped").arg("two"))
            .await
            .expect("nobody blocks it");
    };
    let ((popped, results), ()) =
        ends("the waits", Box::pin(async { tokio::join!(waits, others) })).await;
    assert_eq!(
        popped.expect("a job came"),
        ("jobs:alone".to_owned(), "one".to_owned())
    );
    let results = results.expect("it was sent");
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let last = results[2].as_ref().ok().and_then(Value::as_bytes);
    assert!(last == Some(value(2).as_bytes()));
}

#[tokio::test]
async fn a_blocking_command_ends_by_its_own_timeout() {
    let server = server();
    let client = client(server.addr(), "");
    let pop = Cmd::new("BLPOP").arg("empty").arg("0.1");
    let popped: Option<(String, String)> = ends("BLPOP", client.call(&pop))
        .await
        .expect("the server is well");
    assert_eq!(popped, None);
    until("its connection is back", || client.stats().in_use == 0).await;
}

#[tokio::test]
async fn a_lease_watches_a_key_and_is_not_kept() {
    let server = server();
    let client = client(server.addr(), "");
    let mut lease = client.lease().await.expect("the server is well");
    let watcher = lease.client_id();
    let mut said = Vec::new();
    for (index, words) in ["WATCH key", "MULTI", "SET key mine", "EXEC"]
        .iter()
        .enumerate()
    {
        if index == 1 {
            client
                .set("key", "another's")
                .await
                .expect("the server is well");
        }
        lease
            .send(&Cmd::new(words))
            .await
            .expect("the server is well");
        said.push(lease.recv().await.expect("the server is well"));
    }
    assert_eq!(said[3], Value::Null, "{said:?}");
    drop(lease);
    assert_eq!(held(&server, "key").as_deref(), Some(&b"another's"[..]));
    let mut lease = client.lease().await.expect("the server is well");
    assert_ne!(lease.client_id(), watcher);
}

#[tokio::test]
async fn what_changes_a_connection_is_refused_beside_a_lease() {
    let server = server();
    let client = client(server.addr(), "");
    for words in [
        "SELECT 3",
        "SUBSCRIBE a",
        "WATCH k",
        "MULTI",
        "CLIENT REPLY OFF",
    ] {
        let error = client
            .call::<Value>(&Cmd::new(words))
            .await
            .expect_err("it would change what others mean");
        assert_eq!(error.cause(), Cause::BadSettings, "{words}");
    }
}

#[tokio::test]
async fn a_server_that_became_a_replica_loses_the_shared_connection() {
    let server = server();
    let client = client(server.addr(), "deadline=300ms&ride_out=5s");
    client.set("key", "x").await.expect("the server is well");
    assert_eq!(client.stats().dialled, 1);
    server
        .command(&[b"REPLICAOF", b"127.0.0.1", b"1"])
        .expect("the server answers");
    let error = client.set("key", "y").await.expect_err("it is read-only");
    assert_eq!(error.cause(), Cause::ReadOnly);
    assert!(!error.may_have_run(), "{error}");
    server
        .command(&[b"REPLICAOF", b"NO", b"ONE"])
        .expect("the server answers");
    let patient = client.within(Duration::from_secs(5));
    ends("the write", patient.set("key", "z"))
        .await
        .expect("it is a primary again");
    assert!(client.stats().dialled > 1, "{:?}", client.stats());
    assert_eq!(held(&server, "key").as_deref(), Some(&b"z"[..]));
}
