//! Large replies, large writes, and peers that do not read.

use std::time::Duration;

use seawall::{Cause, Cmd, Pipeline, Provenance, Value};

use crate::alone::{alone, status};
use crate::fake::Fake;
use crate::ground::{asked, client, ends, held, server, until};

const MIB: usize = 1 << 20;

#[test]
fn a_write_of_64_mib_and_a_reply_of_100_mib_come_through_whole() {
    let server = server();
    let client = client(server.addr(), "deadline=9s&ride_out=9s");
    let value: Vec<u8> = (0..64 * MIB).map(|place| (place % 251) as u8).collect();
    client.set("large", &value).expect("an answer");
    let back: Vec<u8> = client.get("large").expect("an answer");
    assert!(back == value, "not what was written");
    let length: usize = client
        .call(
            &Cmd::new("SETRANGE")
                .arg("larger")
                .arg(100 * MIB - 1)
                .arg("z"),
        )
        .expect("an answer");
    assert_eq!(length, 100 * MIB);
    let larger: Vec<u8> = client.get("larger").expect("an answer");
    assert_eq!((larger.len(), larger.last()), (100 * MIB, Some(&b'z')));
    assert_eq!((asked(&server, "set"), asked(&server, "get")), (1, 2));
}

#[test]
fn one_large_reply_is_not_kept_in_memory() {
    alone("sizes::one_large_reply_is_not_kept_in_memory", || {
        let server = server();
        let client = client(server.addr(), "deadline=9s&ride_out=9s&pool_size=1");
        client
            .call::<usize>(&Cmd::new("SETRANGE").arg("large").arg(100 * MIB).arg("z"))
            .expect("an answer");
        client.ping().expect("an answer");
        let before = status("VmRSS");
        let large: Vec<u8> = client.get("large").expect("an answer");
        drop(large);
        client
            .set("large", vec![b'x'; 50 * MIB])
            .expect("an answer");
        client.ping().expect("an answer");
        let kept = status("VmRSS").saturating_sub(before);
        assert!(kept < 20 << 10, "{kept} KiB stay with a connection at rest");
    });
}

#[test]
fn a_reply_over_the_limit_is_refused_at_its_header_and_not_asked_for_again() {
    let server = server();
    let client = client(server.addr(), "reply_bytes_max=1MiB");
    client
        .call::<usize>(&Cmd::new("SETRANGE").arg("large").arg(8 * MIB).arg("z"))
        .expect("an answer");
    let before = asked(&server, "get");
    let error = ends("the read", || client.get::<Vec<u8>>("large")).expect_err("too large");
    assert_eq!(error.cause(), Cause::ReplyTooLarge, "{error}");
    assert_eq!(error.provenance(), Provenance::Replying, "{error}");
    let came = error.connection().expect("what is known of it").bytes_in;
    assert!(came < 2 * MIB as u64, "{came} bytes were taken in");
    assert_eq!(asked(&server, "get"), before + 1);
    client.ping().expect("another connection serves");
    assert_eq!(client.stats().state.name(), "up");
    let both = Pipeline::new()
        .with(Cmd::new("ECHO").arg("small"))
        .with(Cmd::new("GET").arg("large"))
        .with(Cmd::new("INCR").arg("behind"));
    let results = client.pipeline(&both).expect("a result each");
    assert_eq!(
        results[0].as_ref().ok(),
        Some(&Value::Bulk(b"small".to_vec()))
    );
    let large = results[1].as_ref().expect_err("too large");
    assert_eq!(large.cause(), Cause::ReplyTooLarge, "{large}");
    assert!(results[2].as_ref().expect_err("not read").may_have_run());
    until("the last to have run", || {
        held(&server, "behind") == Some(b"1".to_vec())
    });
}

#[test]
fn a_reply_as_large_as_the_limit_is_taken() {
    let server = server();
    let client = client(server.addr(), "reply_bytes_max=1MiB");
    // `$1048562\r\n` + bytes + `\r\n` make 1 MiB.
    let largest = MIB - 12;
    client
        .set("fits", vec![b'x'; largest - 10])
        .expect("an answer");
    let value: Vec<u8> = client.get("fits").expect("an answer");
    assert_eq!(value.len(), largest - 10);
}

#[test]
fn a_peer_that_never_reads_holds_a_write_no_longer_than_its_deadline() {
    let deaf = Fake::start(|mut peer| {
        // It answers the greeting, and after the first call reads no more.
        while peer.call().is_some() {
            peer.say("+OK\r\n");
            std::thread::sleep(Duration::from_secs(8));
        }
    });
    let client = client(deaf.addr(), "deadline=500ms");
    client.set("small", "x").expect("an answer");
    let error = ends("the write", || client.set("large", vec![b'x'; 64 * MIB])).expect_err("deaf");
    assert!(!error.may_have_run(), "{error}");
    assert!(
        matches!(error.provenance(), Provenance::Partly(_)),
        "{error}"
    );
}

#[test]
fn a_peer_that_trickles_a_reply_holds_a_call_no_longer_than_its_deadline() {
    let trickle = Fake::start(|mut peer| {
        while peer.call().is_some() {
            peer.say("$1000000\r\n");
            for _ in 0..400 {
                peer.say("x");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    });
    let client = client(trickle.addr(), "deadline=600ms");
    let error = ends("the read", || client.get::<Vec<u8>>("key")).expect_err("it never ends");
    assert!(error.may_have_run());
    assert_eq!(error.provenance(), Provenance::Replying, "{error}");
}

#[test]
fn many_elements_come_through() {
    let server = server();
    let client = client(server.addr(), "deadline=9s&ride_out=9s");
    for chunk in (1..=300_000).collect::<Vec<i64>>().chunks(10_000) {
        let push = Cmd::new("RPUSH").arg("list").args(chunk);
        client.call::<i64>(&push).expect("an answer");
    }
    let all: Vec<i64> = client
        .call(&Cmd::new("LRANGE").arg("list").arg(0).arg(-1))
        .expect("an answer");
    assert_eq!(
        (all.len(), all.first(), all.last()),
        (300_000, Some(&1), Some(&300_000))
    );
}
