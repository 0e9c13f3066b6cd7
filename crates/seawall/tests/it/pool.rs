//! Who gets a connection, in which order, and what those are told who get none.

use std::thread;
use std::time::Duration;

use seawall::blocking::Client;
use seawall::{Cause, Cmd, Kind};
use seawall_lab::world::{Fault, Lost, Relay, Server};

use crate::ground::{asked, client, ends, relay, server, until};

/// A server behind a relay that never answers INCR: each holds its connection until its deadline.
fn with_a_slow_command(options: &str) -> (Server, Relay, Client) {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), options);
    client.ping().expect("an answer");
    relay.set(Fault::lose_reply(1, Lost::Silence, &["INCR"]));
    (server, relay, client)
}

#[test]
fn sixty_four_threads_on_eight_connections_are_all_answered() {
    let server = server();
    let client = client(server.addr(), "deadline=5s");
    thread::scope(|scope| {
        for worker in 0..64 {
            let client = client.clone();
            scope.spawn(move || {
                for round in 0..50 {
                    let word = format!("{worker}:{round}");
                    let echo: String = client
                        .call(&Cmd::new("ECHO").arg(&word))
                        .unwrap_or_else(|error| panic!("{error}"));
                    assert_eq!(echo, word);
                }
            });
        }
    });
    let stats = client.stats();
    assert!(
        stats.dialled <= 8,
        "{} connections were made",
        stats.dialled
    );
    assert_eq!((stats.in_use, stats.waiting), (0, 0));
}

#[test]
fn who_finds_every_connection_in_use_until_his_deadline_is_told_so() {
    let (_server, _relay, client) = with_a_slow_command("pool_size=1&deadline=3s");
    thread::scope(|scope| {
        let slow = scope.spawn(|| client.incr("count"));
        until("the slow call", || client.stats().in_use == 1);
        let hurried = client.within(Duration::from_millis(200));
        let error = ends("the call", || hurried.get::<Option<String>>("key")).expect_err("no room");
        assert_eq!(
            (error.cause(), error.kind()),
            (Cause::PoolExhausted, Kind::Refused),
            "{error}"
        );
        assert!(!error.may_have_run());
        assert_eq!(error.attempts(), 0);
        let error = slow.join().expect("no panic").expect_err("never answered");
        assert!(error.may_have_run());
    });
    client.ping().expect("the pool recovers");
    until("an empty queue", || {
        client.stats().in_use == 0 && client.stats().waiting == 0
    });
}

#[test]
fn who_came_first_is_served_first() {
    let (_server, _relay, client) = with_a_slow_command("pool_size=1&deadline=2s");
    thread::scope(|scope| {
        let slow = scope.spawn(|| client.within(Duration::from_millis(700)).incr("count"));
        until("the slow call", || client.stats().in_use == 1);
        for place in 0..12 {
            let stats = client.clone();
            let client = client.clone();
            scope.spawn(move || {
                let push = Cmd::new("RPUSH").arg("order").arg(place);
                client
                    .call::<i64>(&push)
                    .unwrap_or_else(|error| panic!("{place}: {error}"));
            });
            until("one waiter more", || stats.stats().waiting == place + 1);
        }
        slow.join().expect("no panic").expect_err("never answered");
    });
    let order: Vec<usize> = client
        .call(&Cmd::new("LRANGE").arg("order").arg(0).arg(-1))
        .expect("an answer");
    assert_eq!(order, (0..12).collect::<Vec<_>>());
}

#[test]
fn who_finds_too_many_waiting_is_refused_at_once() {
    let (_server, _relay, client) = with_a_slow_command("pool_size=1&waiters_max=2&deadline=1s");
    thread::scope(|scope| {
        scope.spawn(|| client.incr("count").expect_err("never answered"));
        until("the slow call", || client.stats().in_use == 1);
        for waiting in 1..=2 {
            scope.spawn(|| client.get::<Option<String>>("key"));
            until("a waiter", || client.stats().waiting == waiting);
        }
        let error = client
            .get::<Option<String>>("key")
            .expect_err("two wait already");
        assert_eq!(error.cause(), Cause::TooManyWaiting, "{error}");
        assert!(!error.may_have_run());
    });
}

#[test]
fn a_call_without_time_is_refused_before_it_is_sent() {
    let server = server();
    let client = client(server.addr(), "");
    client.ping().expect("an answer");
    let error = client
        .within(Duration::ZERO)
        .incr("count")
        .expect_err("no time");
    assert!(!error.may_have_run(), "{error}");
    assert_eq!(error.cause(), Cause::DeadlineExceeded, "{error}");
    assert_eq!(asked(&server, "incr"), 0);
}

#[test]
fn a_deadline_that_never_comes_is_a_deadline() {
    let server = server();
    let client = client(server.addr(), "");
    assert_eq!(
        client
            .within(Duration::MAX)
            .incr("count")
            .expect("an answer"),
        1
    );
}
