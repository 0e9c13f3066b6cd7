//! What a server says before it closes is heard, whatever its kernel does after it.

use seawall::{Cause, Cmd, Kind, Value};

use crate::ground::{asked, client, ends, number, server, server_with};

#[test]
fn a_server_that_is_full_is_named_behind_the_reset() {
    let server = server();
    server.config_set("maxclients", "1").expect("it is set");
    for _ in 0..20 {
        let client = client(server.addr(), "deadline=300ms&ride_out=50ms");
        let error = ends("the call", || client.get::<Value>("key")).expect_err("no room");
        assert_eq!(error.cause(), Cause::MaxClients, "{error}");
        assert!(!error.may_have_run());
        let words = error.server_error().expect("the server's words");
        assert!(words.message.contains("max number of clients"), "{error}");
    }
}

#[test]
fn connections_that_stand_serve_on_while_new_ones_are_turned_away() {
    let server = server();
    let client = client(server.addr(), "pool_size=4&deadline=500ms");
    client.set("key", "value").expect("an answer");
    server.config_set("maxclients", "1").expect("it is set");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let value: String = client.get("key").unwrap_or_else(|error| panic!("{error}"));
                    assert_eq!(value, "value");
                }
            });
        }
    });
    server.config_set("maxclients", "100").expect("it is set");
    client.ping().expect("an answer");
}

#[test]
fn a_server_that_breaks_off_a_large_write_is_heard_and_not_asked_again() {
    let server = server_with(&[("proto-max-bulk-len", "1mb")]);
    let client = client(server.addr(), "");
    client.ping().expect("an answer");
    let value = vec![b'x'; 32 << 20];
    let before = number(&server, "stats", "total_connections_received");
    let error = ends("the write", || client.set("key", &value)).expect_err("too long for it");
    assert_eq!(error.kind(), Kind::Server, "{error}");
    assert!(error.to_string().contains("invalid bulk length"), "{error}");
    assert_eq!(error.attempts(), 1);
    assert_eq!(asked(&server, "set"), 0);
    client.ping().expect("another connection serves");
    let since = number(&server, "stats", "total_connections_received") - before;
    assert!(since <= 2, "{since} connections were made");
    let small: String = client
        .call(&Cmd::new("ECHO").arg("hello"))
        .expect("an answer");
    assert_eq!(small, "hello");
}
