//! Large values, long pipelines, and many large values at once.

use std::time::Duration;

use seawall::{Cause, Cmd, Pipeline, Value};
use seawall_lab::world::{Fault, Lost};

use super::{client, ends};
use crate::alone::{alone, status};
use crate::ground::{asked, held, relay, server};

const MIB: usize = 1 << 20;
const COMMANDS: usize = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_and_a_reply_of_64_mib_come_through_whole_and_hold_up_nobody_for_good() {
    let server = server();
    let client = client(server.addr(), "deadline=9s&ride_out=9s");
    let value: Vec<u8> = (0..64 * MIB).map(|place| (place % 251) as u8).collect();
    let beside = async {
        for count in 1..=200 {
            assert_eq!(client.incr("count").await.expect("an answer"), count);
        }
    };
    let large = async {
        client.set("large", &value).await.expect("an answer");
        let back: Vec<u8> = client.get("large").await.expect("an answer");
        assert!(back == value, "not what was written");
    };
    ends("both", async { tokio::join!(large, beside) }).await;
    assert_eq!((asked(&server, "set"), asked(&server, "get")), (1, 1));
    assert_eq!(client.stats().retried, 0);
}

fn increments() -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.extend((0..COMMANDS).map(|_| Cmd::new("INCR").arg("n")));
    pipeline
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_commands_are_answered_in_order() {
    let server = server();
    let client = client(server.addr(), "deadline=9s");
    let results = ends("the pipeline", client.pipeline(&increments()))
        .await
        .expect("a result each");
    assert_eq!(results.len(), COMMANDS);
    for (place, result) in (1..).zip(results) {
        assert_eq!(result.ok(), Some(Value::Int(place)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_commands_that_are_cut_off_each_tell_their_own_end() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "deadline=9s");
    client.ping().await.expect("an answer");
    relay.set(Fault::lose_reply(1_000, Lost::Fin, &["INCR"]));
    let results = ends("the pipeline", client.pipeline(&increments()))
        .await
        .expect("a result each");
    let ran: i64 = String::from_utf8(held(&server, "n").expect("some ran"))
        .expect("a number")
        .parse()
        .expect("a number");
    assert_eq!(results.len(), COMMANDS);
    for (place, result) in (1..).zip(results) {
        match result {
            Ok(value) => assert_eq!(value, Value::Int(place)),
            Err(error) if error.may_have_run() => {}
            Err(error) => assert!(place > ran, "{place} of {ran} ran: {error}"),
        }
    }
}

#[test]
fn many_large_writes_wait_for_their_turn_instead_of_filling_the_memory() {
    let name =
        "asynchronous::sizes::many_large_writes_wait_for_their_turn_instead_of_filling_the_memory";
    alone(name, || {
        const TASKS: usize = 100;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let server = server();
            let client = client(server.addr(), "deadline=9s&ride_out=9s");
            client.ping().await.expect("an answer");
            let commands: Vec<Cmd> = (0..TASKS)
                .map(|task| {
                    let value = vec![b'a' + (task % 26) as u8; 2 * MIB];
                    Cmd::new("SET").arg(format!("large:{task}")).arg(value)
                })
                .collect();
            server.freeze().expect("the server stops");
            let before = status("VmHWM");
            let writes: Vec<_> = commands
                .into_iter()
                .map(|cmd| {
                    let client = client.clone();
                    tokio::spawn(async move { client.call::<Value>(&cmd).await })
                })
                .collect();
            tokio::time::sleep(Duration::from_millis(200)).await;
            server.thaw().expect("the server goes on");
            for write in writes {
                ends("a write", write)
                    .await
                    .expect("no panic")
                    .unwrap_or_else(|error| panic!("{error}"));
            }
            let grown = status("VmHWM") - before;
            // A buffer for what waits, one request beyond it, and what the allocator keeps.
            assert!(grown < 80 << 10, "{grown} KiB for 200 MiB of requests");
            for task in [0, 57, TASKS - 1] {
                let value = held(&server, &format!("large:{task}")).expect("it was written");
                assert!(value == vec![b'a' + (task % 26) as u8; 2 * MIB]);
            }
        });
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_room_is_refused_at_his_deadline_and_nothing_of_it_ran() {
    let server = server();
    let client = client(server.addr(), "deadline=9s&ride_out=9s");
    client.ping().await.expect("an answer");
    server.freeze().expect("the server stops");
    let filler = Cmd::new("SET").arg("filler").arg(vec![b'x'; 40 * MIB]);
    let impatient = client.within(Duration::from_millis(600));
    let fills = client.call::<Value>(&filler);
    let waits = async {
        let mut writes = Vec::new();
        for number in 0..50 {
            let client = impatient.clone();
            let key = format!("key:{number}");
            writes.push(tokio::spawn(async move { client.set(key, "x").await }));
        }
        for write in writes {
            let outcome = ends("a write", write).await.expect("no panic");
            let error = outcome.expect_err("nobody reads");
            assert!(!error.may_have_run(), "{error}");
            assert_ne!(error.cause(), Cause::ProtocolError, "{error}");
        }
        server.thaw().expect("the server goes on");
    };
    let (fills, ()) = ends("all of them", async { tokio::join!(fills, waits) }).await;
    fills.expect("it had the time");
    assert_eq!(asked(&server, "set"), 1);
}
