//! What a server refuses on its own state: who waits, who is told, and how often it is asked.

use std::time::Duration;

use seawall::{Cause, Cmd, Kind, Pipeline, Value};
use seawall_lab::world::Server;

use crate::ground::{Heard, asked, client, ends, held, number, server, server_with, until};

/// A node of a cluster, alone and without a slot.
fn cluster() -> Server {
    // The default is far above the server's own port, and may be no port at all.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let bus = free.local_addr().expect("an address").port().to_string();
    drop(free);
    server_with(&[("cluster-enabled", "yes"), ("cluster-port", &bus)])
}

#[test]
fn a_replica_gets_no_writes_and_answers_reads_and_writes_go_on_when_it_is_promoted() {
    let server = server();
    let heard = Heard::default();
    let client = heard.client(server.addr(), "pool_size=1");
    client.set("key", "value").expect("an answer");
    let id: u64 = client.call(&Cmd::new("CLIENT ID")).expect("an answer");
    server
        .command(&[b"REPLICAOF", b"127.0.0.1", b"1"])
        .expect("it is demoted");
    let error = ends("the write", || client.set("key", "other")).expect_err("a replica");
    assert_eq!(error.cause(), Cause::ReadOnly, "{error}");
    assert!(!error.may_have_run(), "{error}");
    assert!(error.retry_after().is_some(), "{error}");
    let value: String = client.get("key").expect("reads go on");
    assert_eq!(value, "value");
    let now: u64 = client.call(&Cmd::new("CLIENT ID")).expect("an answer");
    assert_ne!(now, id, "its connections lead to the wrong server");
    assert_eq!(
        heard.count(&["WritesRefused", "ReadOnly"]),
        1,
        "{}",
        heard.all()
    );
    assert_eq!(heard.count(&["OutageStarted"]), 0, "{}", heard.all());
    server
        .command(&[b"REPLICAOF", b"NO", b"ONE"])
        .expect("it is promoted");
    until("an accepted write", || client.set("key", "other").is_ok());
    assert_eq!(heard.count(&["WritesAccepted"]), 1, "{}", heard.all());
}

#[test]
fn what_a_replica_refused_in_a_pipeline_or_a_transaction_costs_the_connection() {
    let server = server();
    let client = client(server.addr(), "pool_size=1");
    server
        .command(&[b"REPLICAOF", b"127.0.0.1", b"1"])
        .expect("it is demoted");
    let id = || {
        client
            .call::<u64>(&Cmd::new("CLIENT ID"))
            .expect("reads go on")
    };
    let mixed = Pipeline::new()
        .with(Cmd::new("GET").arg("key"))
        .with(Cmd::new("INCR").arg("count"));
    let before = id();
    let results = client.pipeline(&mixed).expect("a result each");
    let error = results[1].as_ref().expect_err("a replica takes no writes");
    assert_eq!(error.cause(), Cause::ReadOnly, "{error}");
    let between = id();
    assert_ne!(between, before, "it leads to the wrong server");
    let error = client.transaction(&mixed).expect_err("a replica");
    assert_eq!(error.cause(), Cause::ReadOnly, "{error}");
    let after = id();
    assert_ne!(after, between, "it leads to the wrong server");
    let mut lease = client.lease().expect("a connection");
    assert_eq!(lease.client_id(), Some(after));
    lease
        .send(&Cmd::new("INCR").arg("count"))
        .expect("it is sent");
    let refused = lease.recv().expect("an answer");
    assert!(matches!(refused, Value::Error(_)), "{refused:?}");
    drop(lease);
    assert_ne!(id(), after, "it leads to the wrong server");
}

#[test]
fn what_only_could_write_is_refused_by_a_replica_once_and_told_at_once() {
    let server = server();
    let client = client(server.addr(), "");
    client.ping().expect("an answer");
    server
        .command(&[b"REPLICAOF", b"127.0.0.1", b"1"])
        .expect("it is demoted");
    let connected = number(&server, "stats", "total_connections_received");
    for cmd in [
        Cmd::new("SORT").arg("list"),
        Cmd::new("GEORADIUS").args(["geo", "1", "1", "1", "m"]),
        Cmd::new("GETEX").arg("key"),
        Cmd::new("BITFIELD").args(["key", "GET", "u8", "0"]),
    ] {
        let name = cmd.name().to_lowercase();
        let error = ends(&name, || client.call::<Value>(&cmd)).expect_err("it is a replica");
        assert_eq!(
            (error.cause(), error.kind()),
            (Cause::ReadOnly, Kind::Server),
            "{error}"
        );
        assert!(!error.may_have_run(), "{error}");
        assert_eq!(asked(&server, &name), 1, "{name}");
    }
    let since = number(&server, "stats", "total_connections_received") - connected;
    assert!(since <= 5, "{since} connections for four calls");
}

#[test]
fn a_failed_save_closes_only_the_gate_for_writes() {
    let server = server();
    let client = client(server.addr(), "");
    client.set("key", "value").expect("an answer");
    server.break_saves().expect("saves fail");
    let error = ends("the write", || client.set("key", "other")).expect_err("MISCONF");
    assert_eq!(error.cause(), Cause::SaveFailed, "{error}");
    assert!(!error.may_have_run(), "{error}");
    let value: String = client.get("key").expect("reads go on");
    assert_eq!(value, "value");
    assert_eq!(client.stats().state.name(), "up");
    // Redis refuses PING too; nobody can hold it back, so it is asked once.
    let pings = asked(&server, "ping");
    let error = ends("the ping", || client.ping()).expect_err("MISCONF");
    assert_eq!(error.cause(), Cause::SaveFailed, "{error}");
    assert_eq!(asked(&server, "ping"), pings + 1);
    server.repair_saves().expect("saves work");
    until("an accepted write", || client.set("key", "other").is_ok());
    assert_eq!(held(&server, "key"), Some(b"other".to_vec()));
}

#[test]
fn a_full_memory_closes_only_the_gate_for_writes() {
    let server = server_with(&[("maxmemory-policy", "noeviction")]);
    let client = client(server.addr(), "");
    client.set("key", "value").expect("an answer");
    server.config_set("maxmemory", "1").expect("it is set");
    let before = asked(&server, "set");
    let error = ends("the write", || client.set("key", "other")).expect_err("OOM");
    assert_eq!(error.cause(), Cause::OutOfMemory, "{error}");
    assert!(!error.may_have_run(), "{error}");
    let tries = asked(&server, "set") - before;
    assert!(
        tries <= 25,
        "{tries} tries of one write in a ride-out of 500 ms"
    );
    let value: String = client.get("key").expect("reads go on");
    assert_eq!(value, "value");
    let sort = Cmd::new("SORT").arg("list");
    client.call::<Value>(&sort).expect_err("it could store");
    assert_eq!(asked(&server, "sort"), 1);
    server.config_set("maxmemory", "0").expect("it is set");
    until("an accepted write", || client.set("key", "other").is_ok());
}

#[test]
fn a_primary_without_its_replicas_closes_only_the_gate_for_writes() {
    let server = server();
    let client = client(server.addr(), "");
    client.set("key", "value").expect("an answer");
    server
        .config_set("min-replicas-to-write", "1")
        .expect("it is set");
    let error = ends("the write", || client.set("key", "other")).expect_err("NOREPLICAS");
    assert_eq!(error.cause(), Cause::NoReplicas, "{error}");
    let value: String = client.get("key").expect("reads go on");
    assert_eq!(value, "value");
    server
        .config_set("min-replicas-to-write", "0")
        .expect("it is set");
    until("an accepted write", || client.set("key", "other").is_ok());
}

#[test]
fn a_slot_that_nobody_owns_is_asked_for_a_few_times_and_told() {
    let server = cluster();
    let client = client(server.addr(), "");
    for _ in 0..3 {
        let before = asked(&server, "get");
        let error = ends("the read", || client.get::<Value>("key")).expect_err("no owner");
        assert_eq!(error.cause(), Cause::ClusterDown, "{error}");
        assert!(!error.may_have_run(), "{error}");
        let tries = asked(&server, "get") - before;
        assert!(tries <= 3, "{tries} tries for one call");
    }
}

#[test]
fn a_key_of_another_node_is_told_at_once_and_says_so() {
    let server = cluster();
    let half = [b"CLUSTER".as_slice(), b"ADDSLOTSRANGE", b"0", b"8191"];
    server.command(&half).expect("it owns half");
    server
        .config_set("cluster-require-full-coverage", "no")
        .expect("it is set");
    let client = client(server.addr(), "");
    until("a cluster", || {
        client.get::<Value>("{a2}").is_ok() || client.get::<Value>("{b}").is_ok()
    });
    let before = asked(&server, "get");
    let outcomes = ["a", "b", "c", "d"].map(|key| client.get::<Value>(key));
    let refused: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| outcome.as_ref().err())
        .collect();
    assert!(
        !refused.is_empty() && refused.len() < 4,
        "{} refused",
        refused.len()
    );
    for error in refused {
        assert!(
            matches!(error.cause(), Cause::Redirected | Cause::ClusterDown),
            "{error}"
        );
        assert!(!error.may_have_run(), "{error}");
    }
    assert!(asked(&server, "get") - before <= 12);
    assert_eq!(client.stats().state.name(), "up");
}

#[test]
fn a_server_busy_with_a_script_is_named_and_serves_again_when_it_ends() {
    let server = server_with(&[("busy-reply-threshold", "50")]);
    let client = client(server.addr(), "ride_out=100ms");
    client.ping().expect("an answer");
    std::thread::scope(|scope| {
        let endless = Cmd::new("EVAL").arg("while true do end").arg(0);
        let patient = client.within(Duration::from_secs(8));
        let script = scope.spawn(move || patient.call::<Value>(&endless));
        until("a busy server", || {
            client
                .get::<Value>("key")
                .is_err_and(|error| error.cause() == Cause::Busy)
        });
        server.command(&[b"SCRIPT", b"KILL"]).expect("it is killed");
        let error = script.join().expect("no panic").expect_err("it was killed");
        assert_eq!(error.kind(), Kind::Server, "{error}");
        assert!(
            error.may_have_run(),
            "a script's words prove nothing: {error}"
        );
    });
    until("an answer", || client.ping().is_ok());
}
