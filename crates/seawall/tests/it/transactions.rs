//! MULTI .. EXEC: all of it or none, and never twice.

use seawall::{Cause, Cmd, Kind, Pipeline, Value};
use seawall_lab::world::{Fault, Lost};

use crate::ground::{Heard, asked, client, ends, held, relay, server, server_with};

fn increments() -> Pipeline {
    Pipeline::new()
        .with(Cmd::new("INCR").arg("a"))
        .with(Cmd::new("INCR").arg("b"))
}

#[test]
fn each_command_has_its_own_result_and_an_error_inside_is_only_its_own() {
    let server = server();
    let client = client(server.addr(), "");
    let three = Pipeline::new()
        .with(Cmd::new("SET").arg("word").arg("hello"))
        .with(Cmd::new("INCR").arg("word"))
        .with(Cmd::new("INCR").arg("count"));
    let results = client.transaction(&three).expect("EXEC was answered");
    assert!(matches!(results[0], Ok(Value::Simple(_))));
    let error = results[1].as_ref().expect_err("hello is no number");
    assert_eq!((error.kind(), error.command()), (Kind::Server, "INCR"));
    assert!(matches!(results[2], Ok(Value::Int(1))));
    assert_eq!(
        client
            .transaction(&Pipeline::new())
            .expect("nothing to do")
            .len(),
        0
    );
}

#[test]
fn a_transaction_whose_reply_was_lost_may_have_run_and_ran_once() {
    let server = server();
    let relay = relay(&server);
    for (round, then) in [(1, Lost::Reset), (2, Lost::Fin), (3, Lost::Silence)] {
        let client = client(relay.addr(), "deadline=600ms");
        client.ping().expect("an answer");
        relay.set(Fault::lose_reply(1, then, &["EXEC"]));
        let error = ends("the transaction", || client.transaction(&increments()))
            .expect_err("its reply is lost");
        relay.clear();
        assert!(error.may_have_run(), "{error}");
        assert_eq!(error.command(), "EXEC");
        let wanted = Some(round.to_string().into_bytes());
        assert_eq!(
            (held(&server, "a"), held(&server, "b")),
            (wanted.clone(), wanted)
        );
    }
}

#[test]
fn a_transaction_of_reads_is_not_repeated_either() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "");
    client.ping().expect("an answer");
    relay.set(Fault::lose_reply(1, Lost::Reset, &["EXEC"]));
    let reads = Pipeline::new().with(Cmd::new("GET").arg("a"));
    let error = client.transaction(&reads).expect_err("its reply is lost");
    assert!(error.may_have_run());
    assert_eq!(asked(&server, "exec"), 1);
}

#[test]
fn a_transaction_that_is_cut_off_before_exec_is_known_not_to_have_run() {
    let server = server();
    let client = client(server.addr(), "deadline=600ms&pool_size=1");
    client.ping().expect("an answer");
    server.freeze().expect("the server stops");
    let big = increments().with(Cmd::new("SET").arg("big").arg(vec![b'x'; 32 << 20]));
    let error = ends("the transaction", || client.transaction(&big)).expect_err("nobody reads");
    assert!(!error.may_have_run(), "{error}");
    drop(client);
    server.thaw().expect("the server goes on");
    assert_eq!(held(&server, "a"), None);
}

#[test]
fn execabort_proves_that_nothing_ran_and_names_the_command_that_was_refused() {
    let server = server();
    let client = client(server.addr(), "");
    let wrong = increments().with(Cmd::new("GET"));
    let error = client.transaction(&wrong).expect_err("GET without a key");
    assert!(!error.may_have_run(), "{error}");
    assert_eq!(
        (error.kind(), error.cause()),
        (Kind::Server, Cause::CommandError)
    );
    assert!(
        error.to_string().contains("wrong number of arguments"),
        "{error}"
    );
    assert_eq!(held(&server, "a"), None);
    client.ping().expect("the connection is in order");
    assert_eq!(client.stats().dialled, 1);
}

#[test]
fn where_multi_itself_is_refused_the_commands_may_have_run_each_for_itself() {
    let server = server_with(&[("user", "app on >secret ~* +@all -multi")]);
    let client = client(server.addr(), "user=app&password=secret");
    let error = client
        .transaction(&increments())
        .expect_err("no right to MULTI");
    assert_eq!(error.cause(), Cause::PermissionDenied, "{error}");
    assert_eq!(held(&server, "a"), Some(b"1".to_vec()), "it ran");
    assert!(error.may_have_run(), "{error}");
}

#[test]
fn where_nobody_is_let_in_nothing_ran() {
    let server = server_with(&[("user", "app on >secret ~* -@all")]);
    let client = client(server.addr(), "user=app&password=secret");
    let error = client
        .transaction(&increments())
        .expect_err("no right to anything");
    assert_eq!(error.cause(), Cause::PermissionDenied, "{error}");
    assert!(!error.may_have_run(), "{error}");
    assert_eq!(held(&server, "a"), None);
}

#[test]
fn a_blocking_command_does_not_block_inside_a_transaction() {
    let server = server();
    let client = client(server.addr(), "");
    let pop = Pipeline::new().with(Cmd::new("BLPOP").arg("queue").arg(0));
    let results = ends("the transaction", || client.transaction(&pop)).expect("an answer");
    assert!(matches!(results[..], [Ok(Value::Null)]));
}

#[test]
fn a_transaction_that_a_replica_refuses_did_not_run_and_closes_the_gate_for_writes() {
    let server = server();
    let heard = Heard::default();
    let client = heard.client(server.addr(), "");
    client.ping().expect("an answer");
    server
        .command(&[b"REPLICAOF", b"127.0.0.1", b"1"])
        .expect("it becomes a replica");
    let error = ends("the transaction", || client.transaction(&increments()))
        .expect_err("a replica takes no writes");
    assert_eq!(error.cause(), Cause::ReadOnly, "{error}");
    assert!(!error.may_have_run(), "{error}");
    assert_eq!(
        heard.count(&["WritesRefused", "ReadOnly"]),
        1,
        "{}",
        heard.all()
    );
}
