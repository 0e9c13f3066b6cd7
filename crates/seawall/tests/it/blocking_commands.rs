//! Commands that the server holds back by their own word.

use std::thread;
use std::time::Duration;

use seawall::{Cause, Cmd, Kind, Value};
use seawall_lab::world::{Fault, Lost};

use crate::ground::{IfFailed, asked, client, ends, number, relay, server, until};

fn pop(seconds: u32) -> Cmd {
    Cmd::new("BLPOP").arg("queue").arg(seconds)
}

#[test]
fn its_own_timeout_comes_before_the_deadline_and_is_answered_as_nothing() {
    let server = server();
    let client = client(server.addr(), "deadline=300ms");
    let popped: Value = ends("the pop", || client.call(&pop(1))).expect("its own timeout");
    assert_eq!(popped, Value::Null);
    assert_eq!(client.stats().dialled, 1);
}

#[test]
fn one_without_an_end_waits_past_the_deadline_for_what_comes() {
    let server = server();
    let client = client(server.addr(), "deadline=200ms");
    thread::scope(|scope| {
        let _killed = IfFailed(|| drop(server.kill9()));
        let waiting = scope.spawn(|| client.call::<(String, String)>(&pop(0)));
        until("a blocked client", || {
            number(&server, "clients", "blocked_clients") == 1
        });
        thread::sleep(Duration::from_millis(400));
        server
            .command(&[b"RPUSH", b"queue", b"job"])
            .expect("it is pushed");
        let popped = waiting.join().expect("no panic").expect("an answer");
        assert_eq!(popped, ("queue".into(), "job".into()));
    });
}

#[test]
fn one_without_an_end_ends_when_the_server_is_killed_and_says_so() {
    let server = server();
    let client = client(server.addr(), "deadline=300ms");
    thread::scope(|scope| {
        let _killed = IfFailed(|| drop(server.kill9()));
        let waiting = scope.spawn(|| client.call::<Value>(&pop(0)));
        until("a blocked client", || {
            number(&server, "clients", "blocked_clients") == 1
        });
        server.kill9().expect("it is killed");
        let error = ends("the wait", || waiting.join().expect("no panic")).expect_err("it is dead");
        assert_eq!(error.kind(), Kind::Lost, "{error}");
        assert!(error.may_have_run(), "{error}");
        let named = [
            Cause::ConnectionRefused,
            Cause::ConnectionReset,
            Cause::ClosedByServer,
        ];
        assert!(named.contains(&error.cause()), "{error}");
    });
}

#[test]
fn one_without_an_end_ends_when_the_endpoint_goes_down_in_silence() {
    let server = server();
    let client = client(server.addr(), "deadline=300ms&ride_out=50ms");
    thread::scope(|scope| {
        let _killed = IfFailed(|| drop(server.kill9()));
        let waiting = scope.spawn(|| client.call::<Value>(&pop(0)));
        until("a blocked client", || {
            number(&server, "clients", "blocked_clients") == 1
        });
        server.freeze().expect("it stops");
        let patient = client.within(Duration::from_secs(3));
        let error = ends("the ping", || patient.ping()).expect_err("it is frozen");
        assert_eq!(error.cause(), Cause::ServerUnresponsive, "{error}");
        let error = ends("the wait", || waiting.join().expect("no panic")).expect_err("it is down");
        assert_eq!(error.cause(), Cause::ServerUnresponsive, "{error}");
        assert!(error.may_have_run(), "{error}");
    });
    server.thaw().expect("it goes on");
}

#[test]
fn thirty_of_them_leave_the_pool_to_the_calls() {
    let server = server();
    let client = client(server.addr(), "pool_size=2&deadline=2s");
    thread::scope(|scope| {
        let _killed = IfFailed(|| drop(server.kill9()));
        let waiting: Vec<_> = (0..30)
            .map(|_| scope.spawn(|| client.call::<Value>(&pop(0))))
            .collect();
        until("blocked clients", || {
            number(&server, "clients", "blocked_clients") == 30
        });
        for _ in 0..20 {
            client.ping().expect("an answer");
        }
        for _ in 0..30 {
            server
                .command(&[b"RPUSH", b"queue", b"job"])
                .expect("it is pushed");
        }
        for thread in waiting {
            thread.join().expect("no panic").expect("an answer");
        }
    });
    let stats = client.stats();
    assert_eq!(stats.in_use, 0);
    assert!(stats.idle <= 2, "{} rest in a pool of 2", stats.idle);
}

#[test]
fn a_pop_whose_reply_was_lost_may_have_run_and_took_one_job() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "");
    client
        .call::<i64>(&Cmd::new("RPUSH").arg("queue").args(["1", "2", "3"]))
        .expect("an answer");
    relay.set(Fault::lose_reply(1, Lost::Reset, &["BLPOP"]));
    let error = client
        .call::<Value>(&pop(1))
        .expect_err("its reply is lost");
    assert!(error.may_have_run());
    assert_eq!(asked(&server, "blpop"), 1);
    let left: Vec<String> = client
        .call(&Cmd::new("LRANGE").arg("queue").arg(0).arg(-1))
        .expect("an answer");
    assert_eq!(left, ["2", "3"]);
}

#[test]
fn a_timeout_that_is_no_number_is_the_servers_to_refuse() {
    let server = server();
    let client = client(server.addr(), "");
    let wrong = Cmd::new("BLPOP").arg("queue").arg("soon");
    let error = ends("the pop", || client.call::<Value>(&wrong)).expect_err("no number");
    assert_eq!(error.kind(), Kind::Server, "{error}");
}
