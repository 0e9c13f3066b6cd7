//! Subscriptions: messages, gaps, and what is dropped.

use std::net::SocketAddr;

use seawall::asynchronous::{Client, Happening, Subscription};
use seawall::{Cause, Error, Kind};
use seawall_lab::world::Server;

use super::{client, ends, until};
use crate::ground::{number, server};

async fn next(subscription: &mut Subscription) -> Result<Happening, Error> {
    ends("the wait for what happens next", subscription.next()).await
}

fn publish(server: &Server, channel: &str, payload: &[u8]) {
    let heard = server
        .command(&[b"PUBLISH", channel.as_bytes(), payload])
        .expect("the server answers");
    assert_eq!(heard.as_integer(), Some(1), "one subscriber hears it");
}

/// The payload of the next message; a gap or an overflow is none.
async fn payload(subscription: &mut Subscription) -> Vec<u8> {
    match next(subscription).await {
        Ok(Happening::Message(message)) => message.payload,
        other => panic!("{other:?} is no message"),
    }
}

async fn gap(subscription: &mut Subscription) -> Cause {
    match next(subscription).await {
        Ok(Happening::Gap { cause, .. }) => cause,
        other => panic!("{other:?} is no gap"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_come_in_order_from_all_channels() {
    let server = server();
    let client = client(server.addr(), "");
    let mut subscription = client.subscribe(["a", "b"]).await.expect("all is well");
    for count in 0..500 {
        let channel = if count % 3 == 0 { "a" } else { "b" };
        publish(&server, channel, format!("{channel} {count}").as_bytes());
    }
    for count in 0..500 {
        let channel = if count % 3 == 0 { "a" } else { "b" };
        let wanted = format!("{channel} {count}");
        assert_eq!(payload(&mut subscription).await, wanted.as_bytes());
    }
    drop(subscription);
    until("the server is rid of the subscriber", || {
        number(&server, "clients", "connected_clients") == 1
    })
    .await;
}

#[tokio::test]
async fn a_subscription_to_nothing_is_refused_before_anything_is_sent() {
    let server = server();
    let client = client(server.addr(), "");
    let nothing = ends("the subscription", client.subscribe([""; 0])).await;
    let error = nothing.err().expect("it names no channel");
    assert_eq!(
        (error.kind(), error.cause()),
        (Kind::Settings, Cause::BadSettings),
        "{error}"
    );
    assert!(error.to_string().contains("no channel"), "{error}");
    assert!(!error.may_have_run());
    assert_eq!(client.stats().dialled, 0);
    client.subscribe([""]).await.expect("an empty name is one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_subscription_is_made_again_and_tells_of_the_gap() {
    let server = server();
    let client = client(server.addr(), "");
    let mut subscription = client.subscribe(["news"]).await.expect("all is well");
    for round in 0..3 {
        publish(&server, "news", format!("before {round}").as_bytes());
        let before = payload(&mut subscription).await;
        assert_eq!(before, format!("before {round}").as_bytes());
        server.client_kill_all().expect("the server answers");
        let cause = gap(&mut subscription).await;
        assert!(
            matches!(cause, Cause::ClosedByServer | Cause::ConnectionReset),
            "{cause}"
        );
        publish(&server, "news", format!("after {round}").as_bytes());
        let after = payload(&mut subscription).await;
        assert_eq!(after, format!("after {round}").as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_outlives_a_server_that_restarts() {
    let server = server();
    let client = client(server.addr(), "");
    let mut subscription = client.subscribe(["news"]).await.expect("all is well");
    server.kill9().expect("it ends");
    until("the outage is seen", || {
        format!("{:?}", client.stats().state).eq_ignore_ascii_case("down")
    })
    .await;
    server.start_again().expect("it starts");
    gap(&mut subscription).await;
    publish(&server, "news", b"again");
    assert_eq!(payload(&mut subscription).await, b"again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_waits_until_there_is_room_again() {
    let server = server();
    let client = client(server.addr(), "");
    let mut subscription = client.subscribe(["news"]).await.expect("all is well");
    server.config_set("maxclients", "1").expect("it is set");
    server.client_kill_all().expect("the server answers");
    until("the door is shut", || {
        client.stats().dials_failed.total() > 2
    })
    .await;
    server.config_set("maxclients", "1000").expect("it is set");
    gap(&mut subscription).await;
    publish(&server, "news", b"again");
    assert_eq!(payload(&mut subscription).await, b"again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_subscriber_is_told_what_was_dropped_and_keeps_its_connection() {
    const MEBIBYTE: usize = 1024 * 1024;
    const PUBLISHED: u64 = 40;
    let server = server();
    let client = client(server.addr(), "");
    let mut subscription = client.subscribe(["news"]).await.expect("all is well");
    for count in 0..PUBLISHED {
        let mut payload = count.to_string().into_bytes();
        payload.resize(MEBIBYTE, b' ');
        publish(&server, "news", &payload);
        // Nobody takes a message; the reader takes the bytes all the same.
        until("the reader has drained the server", || {
            pending(&server) == 0
        })
        .await;
    }
    let (mut taken, mut dropped, mut last) = (0, 0, None);
    while taken + dropped < PUBLISHED {
        match next(&mut subscription).await.expect("it goes on") {
            Happening::Message(message) => {
                let text = String::from_utf8_lossy(&message.payload);
                let number = text.trim_end().parse::<u64>().ok();
                assert!(number > last, "{number:?} after {last:?}");
                last = number;
                taken += 1;
            }
            Happening::Overflow { dropped: more } => dropped += more,
            other => panic!("{other:?} on a healthy connection"),
        }
    }
    assert_eq!(taken + dropped, PUBLISHED);
    assert!((14..=16).contains(&taken), "{taken} fit into 16 MiB");
    publish(&server, "news", b"again");
    assert_eq!(payload(&mut subscription).await, b"again");
}

/// Bytes that the server holds for its subscribers.
fn pending(server: &Server) -> u64 {
    let list = server
        .command(&[b"CLIENT", b"LIST", b"TYPE", b"pubsub"])
        .expect("the server answers");
    let list = String::from_utf8_lossy(list.as_bytes().expect("a text")).into_owned();
    list.split(' ')
        .filter_map(|field| field.strip_prefix("omem="))
        .filter_map(|bytes| bytes.parse::<u64>().ok())
        .sum()
}

fn limited(addr: SocketAddr) -> Client {
    Client::open(&format!("redis://limited:pw@{addr}/0")).expect("the URL is right")
}

fn acl(server: &Server, rule: &str) {
    let mut words: Vec<&[u8]> = vec![b"ACL", b"SETUSER", b"limited"];
    words.extend(rule.split(' ').map(str::as_bytes));
    server.command(&words).expect("the server answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_the_server_refuses_ends_with_its_words() {
    let server = server();
    acl(&server, "on >pw ~* +@all resetchannels &news");
    let client = limited(server.addr());
    let error = client
        .subscribe(["secret"])
        .await
        .err()
        .expect("it is not allowed");
    assert_eq!(error.kind(), Kind::Server, "{error}");

    let mut subscription = client.subscribe(["news"]).await.expect("that is allowed");
    publish(&server, "news", b"well");
    assert_eq!(payload(&mut subscription).await, b"well");
    acl(&server, "-subscribe");
    server.client_kill_all().expect("the server answers");
    let error = next(&mut subscription)
        .await
        .expect_err("it is not allowed any more");
    assert_eq!(error.kind(), Kind::Server, "{error}");
    let again = next(&mut subscription).await.expect_err("it has ended");
    assert_eq!(again.cause(), error.cause());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_client_ends_its_subscriptions() {
    let server = server();
    let client = client(server.addr(), "");
    let mut subscription = client.subscribe(["news"]).await.expect("all is well");
    client.close();
    let error = next(&mut subscription)
        .await
        .expect_err("the client is closed");
    assert_eq!(error.cause(), Cause::ClientClosed);
}
