//! How a client ends, and what it leaves behind: nothing.

use std::thread;
use std::time::Duration;

use seawall::blocking::Client;
use seawall::{Cause, Cmd, Kind, Value};
use seawall_lab::world::{Fault, Lost};

use crate::alone::{alone, descriptors, status};
use crate::fake::Fake;
use crate::ground::{client, ends, number, relay, server, until};

#[test]
fn close_refuses_who_waits_and_who_comes_and_lets_who_was_sent_be_answered() {
    let server = server();
    let client = client(server.addr(), "pool_size=1&deadline=5s");
    client.ping().expect("an answer");
    thread::scope(|scope| {
        let sent = scope.spawn(|| client.call::<Value>(&Cmd::new("BLPOP").arg("queue").arg(5)));
        until("a blocked client", || {
            number(&server, "clients", "blocked_clients") == 1
        });
        client.close();
        server
            .command(&[b"RPUSH", b"queue", b"job"])
            .expect("it is pushed");
        sent.join().expect("no panic").expect("it was sent before");
    });
    for caller in [client.clone(), client.within(Duration::from_secs(1))] {
        let error = caller.ping().expect_err("it is closed");
        assert_eq!(
            (error.kind(), error.cause()),
            (Kind::Refused, Cause::ClientClosed)
        );
        assert!(!error.may_have_run());
        assert!(caller.lease().is_err());
    }
    client.close();
    until("a server without us", || {
        number(&server, "clients", "connected_clients") == 1
    });
}

#[test]
fn close_wakes_those_who_wait_for_a_connection() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "pool_size=1&deadline=4s");
    client.ping().expect("an answer");
    relay.set(Fault::lose_reply(1, Lost::Silence, &["INCR"]));
    thread::scope(|scope| {
        let slow = scope.spawn(|| client.within(Duration::from_secs(1)).incr("count"));
        until("the slow call", || client.stats().in_use == 1);
        let waiting: Vec<_> = (0..5)
            .map(|_| scope.spawn(|| client.get::<Value>("key")))
            .collect();
        until("the others", || client.stats().waiting == 5);
        client.close();
        ends("the waits", || {
            for waiter in waiting {
                let error = waiter.join().expect("no panic").expect_err("it is closed");
                assert_eq!(error.cause(), Cause::ClientClosed, "{error}");
            }
        });
        let error = slow.join().expect("no panic").expect_err("never answered");
        assert!(error.may_have_run(), "{error}");
    });
    assert_eq!(client.stats().in_use, 0);
}

#[test]
fn a_lease_outlives_close_and_is_closed_when_it_comes_back() {
    let server = server();
    let client = client(server.addr(), "");
    let mut lease = client.lease().expect("a connection");
    client.close();
    lease.send(&Cmd::new("PING")).expect("it is sent");
    lease.recv().expect("a reply");
    drop(lease);
    until("a server without us", || {
        number(&server, "clients", "connected_clients") == 1
    });
}

#[test]
fn a_lease_outlives_its_client() {
    let server = server();
    let client = client(server.addr(), "");
    let mut lease = client.lease().expect("a connection");
    drop(client);
    lease.send(&Cmd::new("PING")).expect("it is sent");
    lease.recv().expect("a reply");
    drop(lease);
    until("a server without us", || {
        number(&server, "clients", "connected_clients") == 1
    });
}

#[test]
fn nobody_dials_for_a_client_that_was_dropped() {
    let nobody = Fake::start(drop);
    let client = client(nobody.addr(), "deadline=200ms&ride_out=50ms");
    client.ping().expect_err("it hangs up");
    until("probes", || nobody.accepted() > 2);
    drop(client);
    // What was under way may still arrive.
    thread::sleep(Duration::from_millis(100));
    let before = nobody.accepted();
    thread::sleep(Duration::from_millis(1_500));
    assert_eq!(nobody.accepted(), before);
}

#[test]
fn nobody_dials_for_a_client_that_was_closed() {
    let nobody = Fake::start(drop);
    let client = client(nobody.addr(), "deadline=200ms&ride_out=50ms");
    client.ping().expect_err("it hangs up");
    client.close();
    thread::sleep(Duration::from_millis(100));
    let before = nobody.accepted();
    thread::sleep(Duration::from_millis(1_500));
    assert_eq!(nobody.accepted(), before);
}

#[test]
fn a_hundred_clients_share_one_thread_and_leave_no_descriptor_behind() {
    alone(
        "endings::a_hundred_clients_share_one_thread_and_leave_no_descriptor_behind",
        || {
            let server = server();
            client(server.addr(), "").ping().expect("an answer");
            until("an end of the first", || {
                number(&server, "clients", "connected_clients") == 1
            });
            let (threads, before) = (status("Threads"), descriptors());
            for _ in 0..2 {
                let clients: Vec<Client> = (0..100).map(|_| client(server.addr(), "")).collect();
                for client in &clients {
                    client.ping().expect("an answer");
                }
                assert_eq!(status("Threads"), threads);
                assert_eq!(descriptors(), before + 100);
                drop(clients);
                until("a server without us", || {
                    number(&server, "clients", "connected_clients") == 1
                });
            }
            assert_eq!((status("Threads"), descriptors()), (threads, before));
        },
    );
}

#[test]
fn clients_of_servers_that_are_gone_leave_nothing_behind_either() {
    alone(
        "endings::clients_of_servers_that_are_gone_leave_nothing_behind_either",
        || {
            let silent = Fake::start(|mut peer| while peer.request().is_some() {});
            let refused = Fake::start(drop).addr();
            client(refused, "deadline=50ms&ride_out=1ms")
                .ping()
                .expect_err("nobody is there");
            let (threads, before) = (status("Threads"), descriptors());
            for _ in 0..30 {
                for addr in [silent.addr(), refused] {
                    let client = client(addr, "deadline=30ms&ride_out=1ms&connect_timeout=100ms");
                    client.ping().expect_err("nobody is there");
                }
            }
            until("an end of all dials", || descriptors() <= before);
            until("an end of the silent peer's threads", || {
                status("Threads") <= threads
            });
        },
    );
}
