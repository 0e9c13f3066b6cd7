//! Raw connections, lent out and taken back.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use seawall::blocking::{Ground, Interest, Interrupted, Patience};
use seawall::{Cause, Cmd, Kind, Moment, Provenance, Value};
use seawall_lab::world::{Fault, Lost};

use crate::ground::{GUARD, asked, client, ends, held, number, relay, server, until};

fn text(value: &Value) -> String {
    String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned()
}

#[test]
fn what_is_sent_is_answered_in_order_and_a_clean_lease_goes_back() {
    let server = server();
    let client = client(server.addr(), "");
    let mut lease = client.lease().expect("a connection");
    assert_eq!(lease.provenance(), Provenance::Queued);
    for word in ["one", "two", "three"] {
        lease.send(&Cmd::new("ECHO").arg(word)).expect("it is sent");
    }
    assert!(lease.can_read(GUARD).expect("it stands"));
    for word in ["one", "two", "three"] {
        assert_eq!(text(&lease.recv().expect("a reply")), word);
    }
    assert_eq!(lease.provenance(), Provenance::Queued);
    assert!(!lease.can_read(Duration::ZERO).expect("it stands"));
    assert_eq!(lease.recv_within(Duration::ZERO).expect("it stands"), None);
    let id = lease.client_id();
    drop(lease);
    assert_eq!((client.stats().idle, client.stats().in_use), (1, 0));
    let mut again = client.lease().expect("a connection");
    assert_eq!(again.client_id(), id);
    again.send(&Cmd::new("PING")).expect("it is sent");
    assert_eq!(text(&again.recv().expect("a reply")), "PONG");
}

#[test]
fn an_error_is_a_reply_like_any_other() {
    let server = server();
    let client = client(server.addr(), "");
    let mut lease = client.lease().expect("a connection");
    lease
        .send(&Cmd::new("LPUSH").arg("key"))
        .expect("it is sent");
    assert!(matches!(lease.recv().expect("a reply"), Value::Error(_)));
}

#[test]
fn what_came_already_can_be_read_while_the_socket_is_silent() {
    let server = server();
    let client = client(server.addr(), "");
    let mut lease = client.lease().expect("a connection");
    for word in ["one", "two"] {
        lease.send(&Cmd::new("ECHO").arg(word)).expect("it is sent");
    }
    until("both replies", || asked(&server, "echo") == 2);
    assert_eq!(text(&lease.recv().expect("a reply")), "one");
    // Wherever the second is by now: it is found, and a poller of the raw socket is not left waiting.
    assert!(lease.can_read(GUARD).expect("it stands"));
    assert_eq!(text(&lease.recv().expect("a reply")), "two");
    assert!(!lease.can_read(Duration::ZERO).expect("it stands"));
}

#[test]
fn its_socket_wakes_whoever_polls_it() {
    let server = server();
    let client = client(server.addr(), "");
    let mut lease = client.lease().expect("a connection");
    lease
        .send(&Cmd::new("SUBSCRIBE").arg("news"))
        .expect("it is sent");
    lease.recv().expect("subscribed");
    server
        .command(&[b"PUBLISH", b"news", b"flash"])
        .expect("it is told");
    let fd = lease.fd().expect("a socket");
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    let guard = rustix::time::Timespec {
        tv_sec: 10,
        tv_nsec: 0,
    };
    assert_eq!(poll(&mut fds, Some(&guard)), Ok(1));
    assert!(lease.recv().is_ok());
}

#[test]
fn subscriptions_live_on_a_lease_and_end_with_it() {
    let server = server();
    for protocol in ["2", "3"] {
        let client = client(server.addr(), &format!("protocol={protocol}"));
        let mut lease = client.lease().expect("a connection");
        lease
            .send(&Cmd::new("SUBSCRIBE").arg("news"))
            .expect("it is sent");
        lease.recv().expect("subscribed");
        assert_eq!(
            lease
                .recv_within(Duration::from_millis(20))
                .expect("it stands"),
            None
        );
        for count in 0..3 {
            let word = format!("flash {count}");
            server
                .command(&[b"PUBLISH", b"news", word.as_bytes()])
                .expect("it is told");
            let (Value::Push(parts) | Value::Array(parts)) = lease.recv().expect("a message")
            else {
                panic!("a message is a push, or an array in RESP2");
            };
            assert_eq!(text(&parts[2]), word);
        }
        drop(lease);
        until("an end of the subscription", || {
            number(&server, "stats", "pubsub_channels") == 0
        });
        assert_eq!(
            client.stats().idle,
            0,
            "a subscriber does not go back to the pool"
        );
        client.ping().expect("an answer");
    }
}

#[test]
fn watch_notices_what_others_write() {
    let server = server();
    let client = client(server.addr(), "");
    client.set("balance", 1).expect("an answer");
    for disturbed in [false, true] {
        let mut lease = client.lease().expect("a connection");
        lease
            .send(&Cmd::new("WATCH").arg("balance"))
            .expect("it is sent");
        lease.recv().expect("watched");
        if disturbed {
            client.set("balance", 5).expect("an answer");
        }
        for cmd in [
            Cmd::new("MULTI"),
            Cmd::new("INCR").arg("balance"),
            Cmd::new("EXEC"),
        ] {
            lease.send(&cmd).expect("it is sent");
        }
        lease.recv().expect("OK");
        lease.recv().expect("QUEUED");
        let ran = lease.recv().expect("an answer");
        assert_eq!(ran == Value::Null, disturbed, "{ran:?}");
    }
    assert_eq!(held(&server, "balance"), Some(b"5".to_vec()));
}

#[test]
fn what_a_lease_did_to_its_connection_reaches_no_call() {
    let server = server();
    server
        .command(&[b"SET", b"where", b"database 0"])
        .expect("it is set");
    let stateful = [
        "SELECT 1",
        "select 1",
        "WATCH key",
        "MULTI",
        "CLIENT TRACKING on",
        "CLIENT SETNAME other",
        "CLIENT NO-EVICT on",
        "HELLO 2",
        "RESET",
        "ASKING",
        "READONLY",
    ];
    for text in stateful {
        let client = client(server.addr(), "pool_size=1&client_name=ours");
        client.ping().expect("an answer");
        let mut lease = client.lease().expect("a connection");
        lease.send(&Cmd::new(text)).expect("it is sent");
        lease.recv().expect("a reply");
        drop(lease);
        assert_eq!(client.stats().idle, 0, "{text}");
        let place: String = client
            .get("where")
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(place, "database 0", "{text}");
        let name: String = client.call(&Cmd::new("CLIENT GETNAME")).expect("an answer");
        assert_eq!(name, "ours", "{text}");
    }
}

#[test]
fn a_reply_that_is_owed_or_unread_closes_the_connection() {
    let server = server();
    let client = client(server.addr(), "pool_size=1");
    for read in [0, 1] {
        let mut lease = client.lease().expect("a connection");
        lease
            .send(&Cmd::new("ECHO").arg("mine"))
            .expect("it is sent");
        lease
            .send(&Cmd::new("ECHO").arg("also mine"))
            .expect("it is sent");
        for _ in 0..read {
            lease.recv().expect("a reply");
        }
        drop(lease);
        assert_eq!((client.stats().idle, client.stats().in_use), (0, 0));
        let echo: String = client
            .call(&Cmd::new("ECHO").arg("theirs"))
            .expect("an answer");
        assert_eq!(echo, "theirs");
    }
}

#[test]
fn an_abandoned_lease_is_closed_although_it_is_clean() {
    let server = server();
    let client = client(server.addr(), "");
    let lease = client.lease().expect("a connection");
    lease.abandon();
    assert_eq!((client.stats().idle, client.stats().in_use), (0, 0));
    until("the server to notice", || {
        number(&server, "clients", "connected_clients") == 1
    });
}

#[test]
fn a_lost_connection_is_told_once_and_the_lease_is_over() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "");
    let mut lease = client.lease().expect("a connection");
    relay.set(Fault::lose_reply(1, Lost::Reset, &["INCR"]));
    lease
        .send(&Cmd::new("INCR").arg("count"))
        .expect("it is sent");
    let error = ends("the reply", || lease.recv()).expect_err("it is lost");
    assert!(error.may_have_run(), "{error}");
    assert_eq!((error.command(), error.attempts()), ("INCR", 1));
    assert_eq!(error.cause(), Cause::ConnectionReset, "{error}");
    let over = lease.recv().expect_err("it is gone");
    assert_eq!(
        (over.kind(), over.cause()),
        (Kind::Refused, Cause::ClientClosed)
    );
    assert!(lease.send(&Cmd::new("PING")).is_err());
    assert!(lease.can_read(Duration::ZERO).is_err());
    assert!(lease.fd().is_none());
    drop(lease);
    relay.clear();
    client.ping().expect("the pool is in order");
    assert_eq!(client.stats().in_use, 0);
}

/// A ground whose caller is called away as soon as it sleeps.
#[derive(Debug)]
struct Restless;

impl Ground for Restless {
    fn ready(&self, fd: BorrowedFd<'_>, _: Interest, _: Moment) -> Result<bool, Interrupted> {
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        poll(&mut fds, None).expect("it can be waited for");
        Ok(true)
    }

    fn sleep(&self, _: Moment) -> Result<(), Interrupted> {
        Err(Interrupted)
    }
}

#[test]
fn who_is_called_away_while_the_reason_is_looked_for_hears_that_it_may_have_run() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "").on(Arc::new(Restless));
    let mut lease = client.lease().expect("a connection");
    relay.set(Fault::lose_reply(1, Lost::Fin, &["INCR"]));
    lease
        .send(&Cmd::new("INCR").arg("count"))
        .expect("it is sent");
    let error = ends("the reply", || lease.recv()).expect_err("it is lost");
    assert_eq!(error.cause(), Cause::Cancelled, "{error}");
    assert_eq!(held(&server, "count").as_deref(), Some(&b"1"[..]));
    assert!(error.may_have_run(), "{error}");
}

#[test]
fn a_reply_that_does_not_come_ends_the_lease_at_its_deadline() {
    let server = server();
    let client = client(server.addr(), "deadline=200ms");
    // Only what is read over it has so little time.
    let patient = client.within(Duration::from_secs(5));
    let mut lease = patient.lease().expect("a connection");
    lease
        .send(&Cmd::new("BLPOP").arg("queue").arg(0))
        .expect("it is sent");
    assert_eq!(
        lease
            .recv_within(Duration::from_millis(50))
            .expect("it stands"),
        None
    );
    server
        .command(&[b"RPUSH", b"queue", b"job"])
        .expect("it is pushed");
    assert!(matches!(lease.recv().expect("a reply"), Value::Array(_)));
    let pop = Cmd::new("BLPOP").arg("queue").arg("0.3");
    lease.send(&pop).expect("it is sent");
    let reply = lease.recv().expect("its own timeout comes on top");
    assert_eq!(reply, Value::Null);
    server.freeze().expect("the server stops");
    lease
        .send(&Cmd::new("INCR").arg("count"))
        .expect("it is sent");
    let error = ends("the reply", || lease.recv()).expect_err("nothing comes");
    assert_eq!(
        (error.kind(), error.may_have_run()),
        (Kind::TimedOut, true),
        "{error}"
    );
    server.thaw().expect("the server goes on");
    until("the server to notice", || {
        number(&server, "clients", "connected_clients") == 1
    });
}

#[test]
fn what_rested_while_a_blocking_command_was_not_answered_is_not_lent_again() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "");
    let mut deaf = client.lease().expect("a connection");
    let mut rests = client.lease().expect("another one");
    for lease in [&mut deaf, &mut rests] {
        lease.send(&Cmd::new("PING")).expect("it is sent");
        assert_eq!(text(&lease.recv().expect("a reply")), "PONG");
    }
    let forgotten = rests.client_id();
    drop(rests);
    relay.set(Fault::SwallowAfterIdle(Duration::from_millis(50)));
    thread::sleep(Duration::from_millis(200));
    deaf.send(&Cmd::new("BLPOP").arg("queue").arg("0.1"))
        .expect("it is sent");
    let nothing = deaf.recv_within(Duration::from_millis(500));
    assert_eq!(nothing.expect("it stands"), None);
    deaf.abandon();
    let mut fresh = client.lease().expect("a connection");
    assert_ne!(fresh.client_id(), forgotten);
    fresh.send(&Cmd::new("PING")).expect("it is sent");
    let reply = ends("the reply", || fresh.recv());
    assert_eq!(text(&reply.expect("a reply")), "PONG");
}

#[test]
fn nor_is_what_was_used_between_a_blocking_command_and_the_answer_that_was_due() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "");
    let mut deaf = client.lease().expect("a connection");
    deaf.send(&Cmd::new("BLPOP").arg("queue").arg("1"))
        .expect("it is sent");
    let mut rests = client.lease().expect("another one");
    rests.send(&Cmd::new("PING")).expect("it is sent");
    assert_eq!(text(&rests.recv().expect("a reply")), "PONG");
    let forgotten = rests.client_id();
    drop(rests);
    relay.set(Fault::SwallowAfterIdle(Duration::from_millis(50)));
    let nothing = deaf.recv_within(Duration::from_millis(1_500));
    assert_eq!(nothing.expect("it stands"), None);
    deaf.abandon();
    let fresh = client.lease().expect("a connection");
    assert_ne!(fresh.client_id(), forgotten);
}

#[test]
fn a_large_write_to_a_frozen_server_ends_at_the_deadline_and_did_not_run() {
    let server = server();
    let client = client(server.addr(), "deadline=400ms");
    let mut lease = client.lease().expect("a connection");
    server.freeze().expect("it stops");
    let big = Cmd::new("SET").arg("big").arg(vec![b'x'; 32 << 20]);
    let error = ends("the write", || lease.send(&big)).expect_err("nobody reads");
    assert!(!error.may_have_run(), "{error}");
    assert!(
        matches!(error.provenance(), Provenance::Partly(_)),
        "{error}"
    );
    server.thaw().expect("it goes on");
    assert_eq!(held(&server, "big"), None);
}

#[test]
fn large_writes_and_large_replies_in_both_directions_do_not_wait_for_each_other() {
    let server = server();
    let client = client(server.addr(), "deadline=9s");
    let mut lease = client.lease().expect("a connection");
    let value = vec![b'x'; 4 << 20];
    ends("the echoes", || {
        for _ in 0..6 {
            lease
                .send(&Cmd::new("ECHO").arg(&value))
                .expect("it is sent");
        }
        for _ in 0..6 {
            assert_eq!(
                lease.recv().expect("a reply").as_bytes(),
                Some(value.as_slice())
            );
        }
    });
}

#[test]
fn leases_are_counted_apart_from_the_calls_and_may_move_between_threads() {
    let server = server();
    let client = client(server.addr(), "pool_size=1");
    let mut leases: Vec<_> = (0..5)
        .map(|_| client.lease().expect("a connection"))
        .collect();
    client.ping().expect("the pool is not used up");
    thread::scope(|scope| {
        for lease in &mut leases {
            scope.spawn(|| {
                lease.send(&Cmd::new("PING")).expect("it is sent");
                lease.recv().expect("a reply");
            });
        }
    });
    drop(leases);
    assert_eq!(client.stats().in_use, 0);
}

#[test]
fn monitor_runs_on_a_lease() {
    let server = server();
    let client = client(server.addr(), "");
    let mut lease = client.lease().expect("a connection");
    lease.send(&Cmd::new("MONITOR")).expect("it is sent");
    assert_eq!(text(&lease.recv().expect("OK")), "OK");
    client.set("seen", "1").expect("an answer");
    let mut lines = Vec::new();
    while !lines.iter().any(|line: &String| line.contains("\"seen\"")) {
        lines.push(text(&lease.recv().expect("a line")));
    }
    drop(lease);
    assert_eq!(client.stats().in_use, 0);
}

/// Sends the commands of a line each, all in one go, and reads their replies.
fn talk(lease: &mut seawall::blocking::Lease, lines: &[&str]) {
    for line in lines {
        let mut words = line.split(' ');
        let cmd = Cmd::new(words.next().unwrap_or_default());
        lease.send(&words.fold(cmd, Cmd::arg)).expect("it is sent");
    }
    for _ in lines {
        lease.recv().expect("a reply");
    }
}

#[test]
fn a_transaction_that_has_ended_leaves_a_connection_as_good_as_before() {
    let server = server();
    let client = client(server.addr(), "");
    for ended in [
        &["MULTI", "SET k v", "EXEC"][..],
        &["MULTI", "SET k v", "DISCARD"],
        &["WATCH k", "GET k", "MULTI", "SET k w", "EXEC"],
        &["WATCH k", "UNWATCH"],
        // Refused as a whole: nothing of it is left either.
        &["MULTI", "SET k", "EXEC"],
    ] {
        let mut lease = client.lease().expect("a connection");
        talk(&mut lease, ended);
        assert!(!lease.is_tainted(), "{ended:?}");
        drop(lease);
        assert_eq!(client.stats().idle, 1, "{ended:?}");
    }
    assert_eq!(client.stats().dialled, 1);
}

#[test]
fn a_transaction_that_may_not_have_ended_takes_its_connection_along() {
    let server = server();
    let client = client(server.addr(), "");
    for open in [
        &["MULTI", "SET k v"][..],
        &["WATCH k", "GET k"],
        // It is an error, and the key stays watched.
        &["WATCH k", "EXEC"],
        &["MULTI", "EXEC", "GET k"],
        &["MULTI", "EXEC", "SELECT 3"],
        &["MULTI", "MULTI", "EXEC"],
    ] {
        let mut lease = client.lease().expect("a connection");
        talk(&mut lease, open);
        assert!(lease.is_tainted(), "{open:?}");
        drop(lease);
        assert_eq!(client.stats().idle, 0, "{open:?}");
    }
}

#[test]
fn a_reply_that_cannot_be_taken_leaves_its_command_in_doubt_and_ends_the_connection() {
    let server = server();
    let client = client(server.addr(), "");
    let mut lease = client.lease().expect("a connection");
    lease.count_calls();
    lease.send(&Cmd::new("INCR").arg("n")).expect("it is sent");
    let taken: Result<Option<()>, _> = lease.recv_frame(Patience::Default, |_, _| {
        Err(seawall_wire::WireError::no_memory(1))
    });
    let error = taken.expect_err("it cannot be taken");
    assert_eq!(error.cause(), Cause::ReplyTooLarge, "{error}");
    assert!(error.may_have_run(), "{error}");
    assert!(!lease.is_open());
    drop(lease);
    let stats = client.stats();
    assert_eq!((stats.calls, stats.answered, stats.may_have_run), (1, 0, 1));
}

#[test]
fn what_is_still_owed_when_a_lease_is_dropped_has_failed() {
    let server = server();
    let client = client(server.addr(), "");
    let mut lease = client.lease().expect("a connection");
    lease.count_calls();
    lease.send(&Cmd::new("INCR").arg("n")).expect("it is sent");
    drop(lease);
    let stats = client.stats();
    assert_eq!((stats.calls, stats.answered, stats.may_have_run), (1, 0, 1));
}
