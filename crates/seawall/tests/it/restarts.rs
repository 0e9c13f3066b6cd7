//! Servers that go and come back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use seawall::blocking::Client;
use seawall::{Cause, Kind, Value};
use seawall_lab::world::Fault;

use crate::ground::{Heard, asked, client, ends, relay, server, until};

/// Calls without a pause, as a busy application would, while `during` runs.
fn busy<T>(client: &Client, during: impl FnOnce() -> T) -> T {
    /// However the work ends, the load does too.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = Over(&over);
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    // Whether it is answered is not asked here.
                    let _ = client.get::<Value>("key");
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        during()
    })
}

#[test]
fn another_process_on_the_same_port_is_noticed() {
    let server = server();
    let heard = Heard::default();
    let client = heard.client(server.addr(), "");
    busy(&client, || {
        until("connections", || client.stats().dialled >= 2);
        let before = client.stats().run_id;
        server.kill9().expect("it is killed");
        until("an outage", || {
            heard.count(&["OutageStarted", "ConnectionRefused"]) == 1
        });
        server.start_again().expect("it starts");
        until("a recovery", || {
            heard.count(&["Recovered", "restarted: Yes"]) == 1
        });
        assert_ne!(client.stats().run_id, before);
    });
    client.ping().expect("an answer");
    assert_eq!(heard.count(&["OutageStarted"]), 1, "{}", heard.all());
}

#[test]
fn the_same_process_behind_a_refused_port_is_not_taken_for_another() {
    let server = server();
    let relay = relay(&server);
    let heard = Heard::default();
    let client = heard.client(relay.addr(), "");
    busy(&client, || {
        until("connections", || client.stats().dialled >= 2);
        relay.set(Fault::Gone);
        until("an outage", || heard.count(&["OutageStarted"]) == 1);
        relay.clear();
        until("a recovery", || {
            heard.count(&["Recovered", "restarted: No"]) == 1
        });
    });
    assert_eq!(heard.count(&["restarted: Yes"]), 0, "{}", heard.all());
}

#[test]
fn connections_at_rest_that_lead_to_the_old_process_reach_no_call() {
    let server = server();
    let client = client(server.addr(), "pool_size=4");
    let leases: Vec<_> = (0..4)
        .map(|_| client.lease().expect("a connection"))
        .collect();
    drop(leases);
    assert_eq!(client.stats().idle, 4);
    server.restart().expect("it restarts");
    for _ in 0..8 {
        // Reads and increments alike: what never left may go elsewhere.
        client
            .get::<Value>("key")
            .unwrap_or_else(|error| panic!("{error}"));
        client
            .incr("count")
            .unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(client.incr("count").expect("an answer"), 9);
}

#[test]
fn killing_every_connection_of_a_healthy_server_is_no_outage() {
    let server = server();
    let heard = Heard::default();
    let client = heard.client(server.addr(), "");
    busy(&client, || {
        for _ in 0..5 {
            until("connections", || {
                client.stats().idle + client.stats().in_use >= 2
            });
            server.client_kill_all().expect("they are killed");
            thread::sleep(Duration::from_millis(30));
        }
    });
    client.ping().expect("an answer");
    assert_eq!(heard.count(&["OutageStarted"]), 0, "{}", heard.all());
    assert!(heard.count(&["Lost"]) > 0);
}

#[test]
fn a_server_that_loads_is_waited_for_and_named() {
    let server = server();
    let hurried = client(server.addr(), "ride_out=50ms");
    let patient = client(server.addr(), "ride_out=10s&deadline=10s");
    for client in [&hurried, &patient] {
        client.set("key", "value").expect("an answer");
    }
    server
        .restart_loading_for(Duration::from_millis(700))
        .expect("it loads");
    let before = asked(&server, "get");
    let error = ends("the read", || hurried.get::<Value>("key")).expect_err("it loads");
    assert_eq!(error.cause(), Cause::Loading, "{error}");
    assert!(!error.may_have_run(), "{error}");
    assert_eq!(error.kind(), Kind::Refused, "{error}");
    let value: String = ends("the read", || patient.get("key")).expect("it has loaded");
    assert_eq!(value, "value");
    assert!(
        asked(&server, "get") - before <= 8,
        "a server that loads was pestered"
    );
}

#[test]
fn while_a_server_is_down_calls_are_refused_with_the_cause_and_few_dials_are_made() {
    let server = server();
    let client = client(server.addr(), "ride_out=50ms");
    client.ping().expect("an answer");
    server.kill9().expect("it is killed");
    // A connection used within the last millisecond is not looked at before it is used again.
    thread::sleep(Duration::from_millis(20));
    let error = ends("the call", || client.incr("count")).expect_err("it is down");
    assert_eq!(error.cause(), Cause::ConnectionRefused, "{error}");
    assert!(!error.may_have_run(), "{error}");
    let before = client.stats().dials_failed.total();
    ends("a thousand calls", || {
        for _ in 0..1_000 {
            let error = client.incr("count").expect_err("it is down");
            assert_eq!(error.cause(), Cause::ConnectionRefused, "{error}");
            assert!(error.retry_after().is_some(), "{error}");
        }
    });
    let dials = client.stats().dials_failed.total() - before;
    assert!(dials < 100, "{dials} dials for a thousand refused calls");
    server.start_again().expect("it starts");
    until("an answer", || client.incr("count").is_ok());
}
