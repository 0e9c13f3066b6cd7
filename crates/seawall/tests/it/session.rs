//! Commands that change what later ones mean have no place on a connection that others use.

use seawall::{Cause, Cmd, Kind, Pipeline, Value};

use crate::ground::{asked, client, server};

const STATEFUL: [&str; 25] = [
    "SELECT 1",
    "select 1",
    "SeLeCt 1",
    "AUTH secret",
    "HELLO 2",
    "RESET",
    "QUIT",
    "MULTI",
    "EXEC",
    "DISCARD",
    "WATCH key",
    "UNWATCH",
    "SUBSCRIBE channel",
    "PSUBSCRIBE *",
    "SSUBSCRIBE channel",
    "UNSUBSCRIBE",
    "MONITOR",
    "CLIENT REPLY OFF",
    "client reply skip",
    "CLIENT TRACKING on",
    "CLIENT SETNAME other",
    "READONLY",
    "ASKING",
    "SYNC",
    "REPLCONF ACK 1",
];

#[test]
fn none_of_them_is_sent_by_a_call_a_pipeline_or_a_transaction() {
    let server = server();
    let client = client(server.addr(), "");
    client.ping().expect("an answer");
    for text in STATEFUL {
        let cmd = Cmd::new(text);
        let called = client.call::<Value>(&cmd).expect_err(text);
        let between = Pipeline::new()
            .with(Cmd::new("INCR").arg("count"))
            .with(cmd);
        let piped = client.pipeline(&between).expect_err(text);
        let transacted = client.transaction(&between).expect_err(text);
        for error in [called, piped, transacted] {
            assert_eq!(
                (error.kind(), error.cause()),
                (Kind::Settings, Cause::BadSettings),
                "{text}"
            );
            assert!(!error.may_have_run(), "{text}");
            assert!(error.to_string().contains("take a lease"), "{error}");
        }
    }
    assert_eq!(asked(&server, "incr"), 0);
    assert_eq!(asked(&server, "select"), 0);
    assert_eq!(client.stats().dialled, 1);
}

#[test]
fn those_that_only_ask_about_the_connection_are_sent() {
    let server = server();
    let client = client(server.addr(), "client_name=here");
    let name: String = client.call(&Cmd::new("CLIENT GETNAME")).expect("an answer");
    assert_eq!(name, "here");
    let id: u64 = client
        .call(&Cmd::new("CLIENT").arg("id"))
        .expect("an answer");
    assert!(id > 0);
}

#[test]
fn a_command_without_a_name_is_refused() {
    let server = server();
    let client = client(server.addr(), "");
    for nameless in [Cmd::new(""), Cmd::new("   ")] {
        let error = client.call::<Value>(&nameless).expect_err("no name");
        assert_eq!(
            (error.kind(), error.cause()),
            (Kind::Settings, Cause::BadSettings)
        );
        assert!(error.to_string().contains("no name"), "{error}");
    }
}
