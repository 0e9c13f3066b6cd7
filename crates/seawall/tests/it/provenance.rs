//! What may have run, held against what did.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use seawall::{Cause, Close, Cmd, Kind, Pipeline, Provenance};
use seawall_lab::world::{Fault, Lost, Server};

use crate::ground::{asked, client, ends, held, number, relay, server, until};

/// More than loopback's socket buffers hold together (4 MiB to send, 6 MiB to receive).
const BEYOND_THE_BUFFERS: usize = 32 << 20;

/// More than the window that a reader who never reads leaves open, less than our send buffer takes.
const BEYOND_THE_WINDOW: usize = 1 << 20;

/// Lets a frozen server go on, until it has read all that was sent to it and let go of whoever has gone.
fn thaw(server: &Server) {
    server.thaw().expect("the server goes on");
    until("a server without our connections", || {
        number(server, "clients", "connected_clients") == 1
    });
}

#[test]
fn a_write_that_a_frozen_server_took_in_part_did_not_run_and_does_not_run_after_the_thaw() {
    let server = server();
    let client = client(server.addr(), "deadline=600ms&pool_size=1");
    client.ping().expect("an answer");
    server.freeze().expect("the server stops");
    let value = vec![b'x'; BEYOND_THE_BUFFERS];
    let error = ends("the write", || client.set("big", &value)).expect_err("nobody reads");
    assert!(!error.may_have_run(), "{error}");
    assert!(
        matches!(error.provenance(), Provenance::Partly(bytes) if bytes > 0),
        "{error}"
    );
    assert_eq!(
        error.connection().map(|lost| lost.close),
        Some(Close::Abandoned)
    );
    drop(client);
    thaw(&server);
    assert_eq!(asked(&server, "set"), 0);
    assert_eq!(held(&server, "big"), None);
}

#[test]
fn an_increment_whose_reply_was_lost_may_have_run_and_ran_once() {
    let server = server();
    let relay = relay(&server);
    for (then, close, kind) in [
        (Lost::Reset, Close::Reset, Kind::Lost),
        (Lost::Fin, Close::Fin, Kind::Lost),
        (Lost::Silence, Close::Abandoned, Kind::TimedOut),
    ] {
        let client = client(relay.addr(), "deadline=600ms");
        client.ping().expect("an answer");
        relay.set(Fault::lose_reply(1, then, &["INCR"]));
        let key = format!("count:{then:?}");
        let error = ends("the increment", || client.incr(&key)).expect_err("its reply is lost");
        relay.clear();
        assert!(error.may_have_run(), "{error}");
        assert_eq!(error.provenance(), Provenance::Written, "{error}");
        assert_eq!((error.kind(), error.attempts()), (kind, 1), "{error}");
        assert!(!error.elapsed().is_zero());
        assert!(!error.hint().is_empty());
        let lost = error.connection().expect("what is known of the connection");
        assert_eq!((lost.close, lost.in_flight), (close, 1), "{error}");
        assert!(lost.bytes_in > 0 && lost.bytes_out > 0, "{error}");
        assert!(lost.client_id.is_some(), "{error}");
        assert!(lost.idle < Duration::from_secs(5), "{error}");
        assert_eq!(held(&server, &key), Some(b"1".to_vec()), "{then:?}");
    }
}

#[test]
fn the_connection_of_an_error_is_the_one_that_the_server_knows_by_its_id() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "pool_size=1");
    let known: u64 = client.call(&Cmd::new("CLIENT ID")).expect("an answer");
    relay.set(Fault::lose_reply(1, Lost::Reset, &["INCR"]));
    let error = client.incr("count").expect_err("its reply is lost");
    let lost = error.connection().expect("what is known of the connection");
    assert_eq!(lost.client_id, Some(known));
    assert_eq!(lost.run_id.as_deref(), client.stats().run_id.as_deref());
}

#[test]
fn a_read_whose_reply_was_lost_is_sent_again_and_answered() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "");
    client.set("key", "value").expect("an answer");
    for then in [Lost::Reset, Lost::Fin] {
        let before = asked(&server, "get");
        relay.set(Fault::lose_reply(2, then, &["GET"]));
        for _ in 0..6 {
            let value: String = client.get("key").unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(value, "value");
        }
        assert!(asked(&server, "get") > before + 6, "some were sent twice");
        relay.clear();
    }
}

#[test]
fn a_plain_set_is_sent_again_unless_only_reads_may_be() {
    let server = server();
    let relay = relay(&server);
    let overwrites = client(relay.addr(), "");
    let reads = client(relay.addr(), "replay=reads");
    for client in [&overwrites, &reads] {
        client.ping().expect("an answer");
    }
    relay.set(Fault::lose_reply(2, Lost::Reset, &["SET"]));
    for round in 0..4 {
        overwrites.set("plain", round).expect("it may be repeated");
    }
    assert_eq!(held(&server, "plain"), Some(b"3".to_vec()));
    relay.set(Fault::lose_reply(1, Lost::Reset, &["SET"]));
    let before = asked(&server, "set");
    let error = reads
        .set("careful", "1")
        .expect_err("it may not be repeated");
    assert!(error.may_have_run());
    assert_eq!(asked(&server, "set"), before + 1);
    let conditional = Cmd::new("SET").arg("lock").arg("mine").arg("NX");
    let error = overwrites
        .call::<Option<String>>(&conditional)
        .expect_err("a conditional write is never repeated");
    assert!(error.may_have_run());
    assert_eq!(asked(&server, "set"), before + 2);
}

#[test]
fn what_an_abandoned_connection_had_not_sent_yet_never_runs() {
    let server = server();
    let client = client(server.addr(), "deadline=600ms");
    let mut lease = client.lease().expect("a connection");
    let mut plain = TcpStream::connect(server.addr()).expect("a connection");
    plain.write_all(b"PING\r\n").expect("it is sent");
    plain.read_exact(&mut [0; 7]).expect("+PONG");
    server.freeze().expect("the server stops");
    let padding = vec![b'x'; BEYOND_THE_WINDOW];
    lease
        .send(&Cmd::new("SET").arg("padding").arg(&padding))
        .expect("the kernel takes it");
    lease
        .send(&Cmd::new("INCR").arg("abandoned"))
        .expect("the kernel takes it");
    assert_eq!(lease.provenance(), Provenance::Written);
    lease.abandon();
    // The same by a client that just closes its socket.
    let head = format!("*3\r\n$3\r\nSET\r\n$7\r\npadding\r\n${BEYOND_THE_WINDOW}\r\n");
    for bytes in [head.as_bytes(), &padding, b"\r\nINCR closed\r\n"] {
        plain.write_all(bytes).expect("the kernel takes it");
    }
    drop(plain);
    drop(client);
    thaw(&server);
    assert_eq!(held(&server, "closed"), Some(b"1".to_vec()));
    assert_eq!(held(&server, "abandoned"), None);
}

#[test]
fn a_call_that_is_given_up_takes_back_what_the_kernel_had_not_sent() {
    let server = server();
    let client = client(server.addr(), "deadline=600ms&pool_size=1");
    client.ping().expect("an answer");
    server.freeze().expect("the server stops");
    let padding = vec![b'x'; BEYOND_THE_WINDOW];
    let both = Pipeline::new()
        .with(Cmd::new("APPEND").arg("padding").arg(&padding))
        .with(Cmd::new("INCR").arg("behind"));
    let results = ends("the pipeline", || client.pipeline(&both)).expect("a result each");
    for result in results {
        let error = result.expect_err("nobody reads");
        assert!(
            error.may_have_run(),
            "the kernel had taken all of it: {error}"
        );
    }
    drop(client);
    thaw(&server);
    assert_eq!(held(&server, "behind"), None);
}

#[test]
fn what_one_attempt_may_have_done_is_not_forgotten_when_the_next_one_gets_nowhere() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "deadline=700ms");
    client.ping().expect("an answer");
    relay.set(Fault::lose_reply(1, Lost::Reset, &["SET"]));
    let (frozen, error) = std::thread::scope(|scope| {
        let call = scope.spawn(|| client.set("key", "value"));
        until("the first attempt", || asked(&server, "set") > 0);
        let frozen = server.freeze();
        (
            frozen,
            call.join().expect("no panic").expect_err("never answered"),
        )
    });
    frozen.expect("the server stops");
    assert!(error.may_have_run(), "{error}");
    assert_ne!(error.cause(), Cause::CommandError);
    server.thaw().expect("the server goes on");
}
