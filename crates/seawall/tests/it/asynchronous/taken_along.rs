//! Calls that a lost connection takes along, though they have nothing to do with the reason.

use std::time::Duration;

use seawall::Cause;
use seawall_lab::world::{Fault, Lost};

use super::{client, ends, fill, key, value};
use crate::ground::{asked, relay, server};

const TASKS: u64 = 40;
const READS: u64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_anothers_loss_takes_along_are_answered_and_double_the_load_at_most() {
    let server = server();
    fill(&server, 10);
    let relay = relay(&server);
    let client = client(relay.addr(), "deadline=8s&ride_out=8s");
    client.ping().await.expect("the server is well");
    // One of fifty costs the connection, and with it up to thirty-nine that are under way.
    relay.set(Fault::lose_reply(50, Lost::Reset, &["GET"]));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let client = client.clone();
            tokio::spawn(async move {
                for round in 0..READS {
                    // The long values are left out: a reset takes along what is still being sent of them.
                    let number = 1 + (task + round) % 6;
                    let got: String = client
                        .get(key(number))
                        .await
                        .unwrap_or_else(|error| panic!("task {task}, round {round}: {error}"));
                    assert!(got == value(number), "task {task}, round {round}");
                }
            })
        })
        .collect();
    for task in tasks {
        ends("the reads", task).await.expect("all are answered");
    }
    let calls = TASKS * READS;
    let resent = asked(&server, "get") - calls;
    let cut = relay.counters().resets;
    assert!(cut >= calls / 50, "{cut} connections lost");
    assert!(
        resent > calls / 5,
        "{resent} sent again: nothing was taken along"
    );
    // As many as were answered, a fifth of the calls, and the floor of both.
    assert!(resent < calls + calls / 5 + 100, "{resent} sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_answered_no_more_is_sent_again_than_the_floor() {
    let server = server();
    fill(&server, 10);
    let relay = relay(&server);
    let client = client(relay.addr(), "deadline=1s&attempts=10");
    client.ping().await.expect("the server is well");
    let before = asked(&server, "get");
    relay.set(Fault::lose_reply(1, Lost::Reset, &["GET"]));
    let calls: Vec<_> = (0..400)
        .map(|number| {
            let client = client.within(Duration::from_secs(8));
            tokio::spawn(async move { client.get::<String>(key(number % 10)).await })
        })
        .collect();
    for call in calls {
        let outcome = ends("a read", call).await.expect("no panic");
        let error = outcome.expect_err("no reply comes");
        assert!(
            matches!(
                error.cause(),
                Cause::ConnectionReset | Cause::ClosedMidReply | Cause::ClosedByServer
            ),
            "{error}"
        );
    }
    // Every call once, a hundred retries, and a hundred that were carried over.
    let ran = asked(&server, "get") - before;
    assert!(ran <= 400 + 200, "{ran} reads ran");
}

#[tokio::test]
async fn reads_behind_anothers_reply_that_is_too_large_are_answered() {
    let server = server();
    fill(&server, 10);
    let client = client(server.addr(), "deadline=8s&reply_bytes_max=1MiB");
    let large = seawall::Cmd::new("SETRANGE")
        .arg("large")
        .arg(2 << 20)
        .arg("z");
    client.call::<usize>(&large).await.expect("an answer");
    for _ in 0..5 {
        // They go out together, in this order.
        let (large, first, second) = tokio::join!(
            client.get::<Vec<u8>>("large"),
            client.get::<String>(key(1)),
            client.get::<String>(key(2)),
        );
        let error = large.expect_err("too large");
        assert_eq!(error.cause(), Cause::ReplyTooLarge, "{error}");
        assert_eq!(first.expect("it is small"), value(1));
        assert_eq!(second.expect("it is small"), value(2));
    }
}

#[tokio::test]
async fn a_write_behind_anothers_reply_that_is_too_large_is_told_whose_it_was() {
    let server = server();
    let client = client(server.addr(), "deadline=8s&reply_bytes_max=1MiB");
    let large = seawall::Cmd::new("SETRANGE")
        .arg("large")
        .arg(2 << 20)
        .arg("z");
    client.call::<usize>(&large).await.expect("an answer");
    let write = seawall::Cmd::new("INCR").arg("n");
    let (large, write) = tokio::join!(client.get::<Vec<u8>>("large"), client.call::<u64>(&write),);
    let says = |error: &seawall::Error| error.to_string().contains("it was another call's");
    let error = large.expect_err("too large");
    assert!(!says(&error), "{error}");
    let error = write.expect_err("it is not sent twice");
    assert!(error.may_have_run() && says(&error), "{error}");
}
