use std::net::SocketAddr;

use seawall_lab::world::{Fault, Lost, Relay, Server};

use super::{Client, Saw, start, until};

fn world() -> (Server, Relay) {
    let server = start(&[]);
    let relay = Relay::start(server.addr()).expect("a relay");
    (server, relay)
}

fn lost_incr(addr: SocketAddr) -> Client {
    let mut client = Client::connect(addr);
    assert_eq!(client.ask("GET k"), "$-1");
    client.send("INCR n");
    client
}

fn count(server: &Server) -> i64 {
    server
        .command(&[b"GET", b"n"])
        .expect("GET is answered")
        .as_integer()
        .unwrap_or(0)
}

#[test]
fn a_lost_reply_ends_as_it_was_told_to_and_its_command_ran_once() {
    let (server, relay) = world();
    for (then, seen, runs) in [(Lost::Reset, Saw::Reset, 1), (Lost::Fin, Saw::Fin, 2)] {
        relay.set(Fault::lose_reply(1, then, &["incr"]));
        assert_eq!(lost_incr(relay.addr()).saw(), seen);
        assert_eq!(count(&server), runs);
    }
    assert_eq!(relay.counters().replies_lost.get("INCR"), Some(&2));
}

#[test]
fn after_a_silently_lost_reply_no_reply_comes_on_that_connection_and_its_commands_run() {
    let (server, relay) = world();
    relay.set(Fault::lose_reply(1, Lost::Silence, &["INCR"]));
    let mut client = lost_incr(relay.addr());
    client.hears_nothing();
    relay.clear();
    client.send("INCR n");
    until("the second run", || count(&server) == 2);
    client.hears_nothing();
    assert_eq!(Client::connect(relay.addr()).ask("INCR n"), ":3");
}

#[test]
fn only_each_nth_reply_is_lost_counted_over_all_connections() {
    let (_server, relay) = world();
    relay.set(Fault::lose_reply(3, Lost::Reset, &["INCR"]));
    let mut clients: Vec<Client> = (0..6).map(|_| Client::connect(relay.addr())).collect();
    let seen: Vec<bool> = clients
        .iter_mut()
        .map(|client| {
            client.send("INCR n");
            client.saw() == Saw::Reset
        })
        .collect();
    assert_eq!(seen, [false, false, true, false, false, true]);
}

#[test]
fn replies_before_the_lost_one_in_a_pipeline_pass() {
    let (server, relay) = world();
    relay.set(Fault::lose_reply(2, Lost::Fin, &[]));
    let mut client = Client::connect(relay.addr());
    client.send("INCR n\r\nINCR n\r\nINCR n");
    assert_eq!(client.saw_to_the_end(), (b":1\r\n".to_vec(), Saw::Fin));
    until("the third run", || count(&server) == 3);
}

#[test]
fn the_reply_to_a_transaction_is_lost_after_it_ran() {
    let (server, relay) = world();
    relay.set(Fault::lose_reply(1, Lost::Reset, &["EXEC"]));
    let mut client = Client::connect(relay.addr());
    assert_eq!(client.ask("MULTI"), "+OK");
    assert_eq!(client.ask("INCR n"), "+QUEUED");
    client.send("EXEC");
    assert_eq!(client.saw(), Saw::Reset);
    assert_eq!(count(&server), 1);
}

#[test]
fn pushes_do_not_count_as_replies() {
    let (server, relay) = world();
    let mut client = Client::connect(relay.addr());
    client.send("HELLO 3\r\nCLIENT TRACKING ON\r\nGET k");
    until("the hello", || client.line() == "_");
    server.command(&[b"SET", b"k", b"v"]).unwrap();
    assert_eq!(client.line(), ">2");
    relay.set(Fault::lose_reply(1, Lost::Reset, &["INCR"]));
    client.send("INCR n");
    let (invalidation, end) = client.saw_to_the_end();
    assert_eq!(invalidation, b"$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n");
    assert_eq!((end, count(&server)), (Saw::Reset, 1));
}

#[test]
fn half_a_reply_passes_and_then_the_connection_ends() {
    let (server, relay) = world();
    server.command(&[b"SET", b"k", b"0123456789"]).unwrap();
    for (then, end) in [(Lost::Reset, Saw::Reset), (Lost::Fin, Saw::Fin)] {
        relay.set(Fault::CutInsideFrame { every: 2, then });
        let mut client = Client::connect(relay.addr());
        assert_eq!(client.ask("PING"), "+PONG");
        client.send("GET k");
        assert_eq!(client.saw_to_the_end(), (b"$10\r\n012".to_vec(), end));
    }
    assert_eq!(relay.counters().replies_cut, 2);
}

#[test]
fn half_of_a_large_reply_passes_before_it_is_cut() {
    let (server, relay) = world();
    server
        .command(&[b"SET", b"k", &vec![b'v'; 600_000]])
        .unwrap();
    relay.set(Fault::CutInsideFrame {
        every: 1,
        then: Lost::Fin,
    });
    let mut client = Client::connect(relay.addr());
    client.send("GET k");
    let (bytes, end) = client.saw_to_the_end();
    assert_eq!((bytes.len(), end), (300_005, Saw::Fin));
}

#[test]
fn a_subscribed_connection_is_left_alone() {
    let (server, relay) = world();
    relay.set(Fault::lose_reply(1, Lost::Reset, &[]));
    let mut client = Client::connect(relay.addr());
    client.send("SUBSCRIBE a b");
    until("the subscriptions", || client.line() == ":2");
    server.command(&[b"PUBLISH", b"a", b"hello"]).unwrap();
    until("the message", || client.line() == "hello");
}
