//! Peers that mean harm, or are broken as if they did: each costs its connection and its call, by the deadline, and
//! never much memory.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use seawall::{Cause, Cmd, Error, Kind, Provenance, Value, asynchronous};

use crate::alone::{alone, status};
use crate::fake::{Fake, Peer};
use crate::ground::{client, ends, until, url};

/// The error of an increment through each face, to which `answer` answers.
fn told_both(options: &str, answer: impl Fn(&mut Peer) + Send + Sync + 'static) -> [Error; 2] {
    let peer = Fake::start(move |mut peer| {
        while peer.call().is_some() {
            answer(&mut peer);
        }
    });
    let threads = client(peer.addr(), options);
    let blocking = ends("a thread's call", || threads.incr("count")).expect_err("it is hostile");
    let tokio = ends("a task's call", || {
        in_tokio(peer.addr(), options, async |client| {
            client.incr("count").await
        })
    });
    [blocking, tokio.expect_err("it is hostile")]
}

fn in_tokio<T, F: Future<Output = T>>(
    addr: SocketAddr,
    options: &str,
    work: impl FnOnce(asynchronous::Client) -> F,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let client = asynchronous::Client::open(&url(addr, options)).expect("a good URL");
    runtime.block_on(work(client))
}

/// Says it again and again until the other side has gone.
fn for_ever(peer: &mut Peer, words: &[u8]) {
    use std::io::Write as _;
    let much = words.repeat(1 + (16 << 10) / words.len());
    while peer.stream.write_all(&much).is_ok() {}
}

#[test]
fn pushes_without_an_end_hold_a_call_no_longer_than_its_deadline() {
    for error in told_both("deadline=400ms", |peer| {
        for_ever(peer, b">2\r\n+a\r\n+b\r\n");
    }) {
        assert_eq!(error.kind(), Kind::TimedOut, "{error}");
        assert!(error.may_have_run(), "{error}");
    }
}

#[test]
fn a_peer_that_pushes_instead_of_answering_is_left_for_another_connection() {
    let peer = Fake::start(|mut peer| {
        while peer.call().is_some() {
            if peer.number == 1 {
                for_ever(&mut peer, b">1\r\n+a\r\n");
            }
            peer.say(":7\r\n");
        }
    });
    in_tokio(peer.addr(), "deadline=400ms", async |client| {
        let error = client.incr("count").await.expect_err("it only pushes");
        assert_eq!(error.kind(), Kind::TimedOut, "{error}");
        assert_eq!(client.incr("count").await.expect("an answer"), 7);
    });
}

#[test]
fn a_reply_that_drips_for_ever_is_left_for_another_connection() {
    let peer = Fake::start(|mut peer| {
        while peer.call().is_some() {
            if peer.number == 1 {
                peer.say("$1000000\r\n");
                for _ in 0..400 {
                    peer.say("x");
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            peer.say(":7\r\n");
        }
    });
    in_tokio(peer.addr(), "deadline=400ms", async |client| {
        let error = client.incr("count").await.expect_err("it drips");
        assert_eq!(error.kind(), Kind::TimedOut, "{error}");
        assert!(error.may_have_run(), "{error}");
        assert_eq!(client.incr("count").await.expect("an answer"), 7);
    });
}

#[test]
fn pushes_without_an_end_on_a_connection_at_rest_hold_up_nobody() {
    let flood = Arc::new(AtomicBool::new(false));
    let floods = Arc::clone(&flood);
    let peer = Fake::start(move |mut peer| {
        while peer.call().is_some() {
            peer.say(":7\r\n");
            if peer.number == 1 {
                while !floods.load(Ordering::Acquire) {
                    std::thread::sleep(Duration::from_millis(2));
                }
                for_ever(&mut peer, b">1\r\n+a\r\n");
            }
        }
    });
    let client = client(peer.addr(), "deadline=2s&pool_size=2");
    assert_eq!(client.incr("count").expect("an answer"), 7);
    flood.store(true, Ordering::Release);
    // Long enough for the tender to look, and for the flood to be there at the next call.
    std::thread::sleep(Duration::from_millis(1_500));
    let count = ends("the call", || client.incr("count"));
    assert_eq!(count.expect("another connection serves"), 7);
    let fresh = crate::ground::client(peer.addr(), "deadline=2s");
    let count = ends("another client's call", || fresh.incr("count"));
    assert_eq!(count.expect("the thread behind all clients is free"), 7);
}

#[test]
fn a_greeting_that_is_drowned_in_pushes_is_given_up_and_holds_up_no_other_client() {
    let drowned = Fake::start(|mut peer| {
        peer.request();
        for_ever(&mut peer, b">1\r\n+a\r\n");
    });
    let well = Fake::start(|mut peer| {
        while peer.call().is_some() {
            peer.say(":7\r\n");
        }
    });
    let hopeless = client(drowned.addr(), "deadline=3s&ride_out=100ms");
    std::thread::scope(|scope| {
        let call = scope.spawn(|| ends("the call", || hopeless.incr("count")));
        until("a dial", || drowned.accepted() > 0);
        let other = client(well.addr(), "deadline=2s");
        let count = ends("another client's call", || other.incr("count"));
        assert_eq!(count.expect("an answer"), 7);
        let error = call.join().expect("no panic").expect_err("no greeting");
        assert_eq!(error.cause(), Cause::ServerUnresponsive, "{error}");
        assert!(!error.may_have_run());
    });
}

#[test]
fn what_never_ends_is_refused_at_the_limit_and_takes_no_more_memory() {
    let name = "hostile::what_never_ends_is_refused_at_the_limit_and_takes_no_more_memory";
    alone(name, || {
        let before = status("VmHWM");
        for (start, then) in [
            ("*60000000\r\n", &b":1\r\n"[..]),
            ("*60000000\r\n", b"$4\r\nabcd\r\n"),
            ("%30000000\r\n", b"+a\r\n"),
            ("$900000000\r\n", b"x"),
            ("$?\r\n", b";4\r\nabcd\r\n"),
            ("*?\r\n", b":1\r\n"),
            ("", b"|1\r\n+a\r\n+b\r\n"),
            ("*1\r\n", b"*1\r\n"),
            ("+", b"x"),
            ("(", b"1"),
        ] {
            let errors = told_both("deadline=2s&reply_bytes_max=4MiB", move |peer| {
                peer.say(start);
                for_ever(peer, then);
            });
            for error in errors {
                assert_eq!(error.cause(), Cause::ReplyTooLarge, "{start:?}: {error}");
                assert_eq!(error.provenance(), Provenance::Replying, "{start:?}");
                assert!(error.may_have_run(), "{start:?}: {error}");
            }
        }
        let grown = status("VmHWM") - before;
        assert!(grown < 32 << 10, "{grown} KiB");
    });
}

#[test]
fn a_million_arrays_inside_each_other_are_refused_by_their_depth() {
    let nested = "*1\r\n".repeat(1_000_000);
    for error in told_both("deadline=2s", move |peer| peer.say(&nested)) {
        assert_eq!(error.cause(), Cause::ReplyTooLarge, "{error}");
    }
}

#[test]
fn lengths_that_are_none_break_the_protocol_or_its_limits() {
    for (header, cause) in [
        ("$-9223372036854775808\r\n", Cause::ProtocolError),
        ("*-2\r\n", Cause::ProtocolError),
        ("~-1\r\n", Cause::ProtocolError),
        (">-1\r\n", Cause::ProtocolError),
        ("|-1\r\n", Cause::ProtocolError),
        ("$18446744073709551616\r\n", Cause::ProtocolError),
        ("*1000000000\r\n", Cause::ReplyTooLarge),
        (">1000000000\r\n", Cause::ReplyTooLarge),
        ("|1000000000\r\n", Cause::ReplyTooLarge),
        ("~9223372036854775807\r\n", Cause::ReplyTooLarge),
        ("$+5\r\n", Cause::ProtocolError),
        ("$ 5\r\n", Cause::ProtocolError),
        ("$5\n", Cause::ProtocolError),
        ("$0x5\r\n", Cause::ProtocolError),
        ("*\r\n", Cause::ProtocolError),
        ("$3\r\n\u{0}\u{0}\u{0}\u{0}\u{0}", Cause::ProtocolError),
        ("\u{16}\u{3}\u{1}", Cause::ProtocolError),
        ("HTTP/1.1 200 OK\r\n\r\n", Cause::ProtocolError),
    ] {
        for error in told_both("deadline=700ms", move |peer| peer.say(header)) {
            assert_eq!(error.cause(), cause, "{header:?}: {error}");
            assert_eq!(error.kind(), Kind::Lost, "{header:?}: {error}");
        }
    }
}

#[test]
fn wherever_a_reply_is_cut_off_its_call_is_told_and_nobody_gets_the_rest() {
    const REPLY: &[u8] = b"*3\r\n$5\r\nhello\r\n:42\r\n%1\r\n+a\r\n$-1\r\n";
    for cut in 0..REPLY.len() {
        let peer = Fake::start(move |mut peer| {
            while let Some(words) = peer.call() {
                match words[0].as_str() {
                    "LPUSH" => {
                        peer.say(&REPLY[..cut]);
                        return;
                    }
                    _ => peer.say(REPLY),
                }
            }
        });
        let push = Cmd::new("LPUSH").arg("list").arg("x");
        let get = Cmd::new("LRANGE").arg("list").arg("0").arg("-1");
        let told = |error: Error| {
            let cause = if cut == 0 {
                Cause::ClosedByServer
            } else {
                Cause::ClosedMidReply
            };
            assert_eq!(error.cause(), cause, "{cut}: {error}");
            assert!(error.may_have_run(), "{cut}: {error}");
            let partial = error.connection().expect("what is known of it").partial;
            assert_eq!(partial, cut, "{error}");
        };
        let whole = |value: Result<Value, Error>| {
            let value = value.unwrap_or_else(|error| panic!("{cut}: {error}"));
            assert!(
                matches!(value, Value::Array(items) if items.len() == 3),
                "{cut}"
            );
        };
        let client = client(peer.addr(), "deadline=2s");
        told(client.call::<Value>(&push).expect_err("it is cut off"));
        whole(client.call(&get));
        in_tokio(peer.addr(), "deadline=2s", async |client| {
            told(
                client
                    .call::<Value>(&push)
                    .await
                    .expect_err("it is cut off"),
            );
            whole(client.call(&get).await);
        });
    }
}
