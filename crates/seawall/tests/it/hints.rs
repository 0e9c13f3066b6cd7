//! What a client asks for itself, beyond what the application asks.

use seawall::{Cause, Cmd};

use crate::ground::{asked, client, ends, server_with};

#[test]
fn a_healthy_server_gets_the_applications_commands_and_no_others() {
    let server = server_with(&[]);
    let (pings, configs) = (asked(&server, "ping"), asked(&server, "config|get"));
    let client = client(server.addr(), "");
    for _ in 0..100 {
        client.incr("count").expect("an answer");
    }
    assert_eq!(asked(&server, "incr"), 100);
    assert_eq!(asked(&server, "hello"), 1);
    assert_eq!(asked(&server, "ping"), pings);
    assert_eq!(asked(&server, "config|get"), configs);
}

#[test]
fn the_configuration_is_asked_for_only_where_it_may_be() {
    for (hints, may_ask) in [("off", false), ("on", true), ("auto", true)] {
        let server = server_with(&[("client-output-buffer-limit", "normal 1048576 0 0")]);
        let client = client(server.addr(), &format!("server_hints={hints}&deadline=3s"));
        client.set("big", vec![b'x'; 4 << 20]).expect("an answer");
        let before = asked(&server, "config|get");
        let many = Cmd::new("MGET").args(["big"; 12]);
        let error = ends("the call", || client.call::<Vec<Vec<u8>>>(&many))
            .expect_err("too much for the server's limit");
        assert_eq!(
            asked(&server, "config|get") > before,
            may_ask,
            "{hints}: {error}"
        );
        if may_ask {
            assert_eq!(error.cause(), Cause::OutputLimit, "{hints}: {error}");
            assert_eq!(asked(&server, "mget"), 1, "{hints}: it was asked for once");
        }
    }
}

#[test]
fn a_user_of_ones_own_is_not_asked_to_read_the_configuration() {
    let server = server_with(&[
        ("client-output-buffer-limit", "normal 1048576 0 0"),
        ("user", "app on >secret ~* +@all -config"),
    ]);
    let client = client(server.addr(), "user=app&password=secret&deadline=3s");
    client.set("big", vec![b'x'; 4 << 20]).expect("an answer");
    let many = Cmd::new("MGET").args(["big"; 12]);
    ends("the call", || client.call::<Vec<Vec<u8>>>(&many)).expect_err("too much for the limit");
    assert_eq!(asked(&server, "config|get"), 0);
    let denials = server.command(&[b"ACL", b"LOG"]).expect("an answer");
    assert_eq!(denials.as_array().map(<[_]>::len), Some(0));
}
