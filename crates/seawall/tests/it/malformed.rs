//! Replies that no Redis sends: each costs its connection, and nothing else.

use std::time::Duration;

use seawall::{Cause, Cmd, Error, Kind, Provenance, Value};

use crate::alone::{alone, status};
use crate::fake::Fake;
use crate::ground::{Heard, client, ends, until};

/// A server that greets like Redis and answers every call with these bytes.
fn liar(reply: impl Into<Vec<u8>>) -> Fake {
    let reply = reply.into();
    Fake::start(move |mut peer| {
        while peer.call().is_some() {
            peer.say(&reply);
        }
    })
}

fn told(reply: impl Into<Vec<u8>>) -> Error {
    let liar = liar(reply);
    let client = client(liar.addr(), "deadline=700ms");
    let error = ends("the call", || client.get::<Value>("key")).expect_err("nonsense");
    assert_eq!(client.stats().idle, 0, "the connection is closed: {error}");
    assert_eq!(liar.accepted(), 1, "and the call not repeated: {error}");

    error
}

#[test]
fn what_is_no_reply_breaks_the_protocol() {
    for nonsense in [
        "nonsense\r\n",
        "?3\r\n",
        ":12x\r\n",
        ":\r\n",
        "$-2\r\n",
        "$x\r\n",
        "$5\r\nhello!!",
        "*-7\r\n",
        "*1\r\nnonsense\r\n",
        "#maybe\r\n",
        "%-1\r\n",
        "=3\r\ntxt\r\n",
        "\r\n",
        "$99999999999999999999999\r\n",
        ":99999999999999999999999\r\n",
        "\u{0}\u{0}\u{0}\u{0}",
    ] {
        let error = told(nonsense);
        assert_eq!(error.cause(), Cause::ProtocolError, "{nonsense:?}: {error}");
        assert_eq!(error.kind(), Kind::Lost, "{nonsense:?}: {error}");
        assert!(error.may_have_run(), "{nonsense:?}");
        assert_eq!(error.provenance(), Provenance::Replying, "{nonsense:?}");
    }
}

#[test]
fn what_goes_beyond_the_limits_is_refused_at_its_header() {
    let deep = "*1\r\n".repeat(100);
    let long_line = format!("+{}\r\n", "x".repeat(100_000));
    for absurd in [
        "$9000000000\r\n",
        "$9223372036854775807\r\n",
        "*2147483647\r\n",
        "*9223372036854775807\r\n",
        "%4611686018427387904\r\n",
        "*2\r\n$9000000000\r\n",
        "=9000000000\r\ntxt:ab",
        &deep,
        &long_line,
    ] {
        let error = told(absurd);
        let head: String = absurd.chars().take(25).collect();
        assert_eq!(error.cause(), Cause::ReplyTooLarge, "{head:?}: {error}");
    }
}

#[test]
fn an_announced_length_costs_no_memory_before_its_bytes_come() {
    alone(
        "malformed::an_announced_length_costs_no_memory_before_its_bytes_come",
        || {
            let before = status("VmHWM");
            for announced in [
                "$1000000000\r\nabc",
                "*60000000\r\n:1\r\n",
                "%20000000\r\n+a\r\n",
            ] {
                let liar = liar(announced);
                let client = client(liar.addr(), "deadline=300ms&attempts=1");
                let error =
                    ends("the call", || client.get::<Value>("key")).expect_err("no more comes");
                assert_eq!(error.kind(), Kind::TimedOut, "{announced:?}: {error}");
                assert!(
                    error.connection().is_some_and(|lost| lost.partial > 0),
                    "{error}"
                );
            }
            let grown = status("VmHWM") - before;
            assert!(grown < 64 << 10, "{grown} KiB for a few bytes");
        },
    );
}

#[test]
fn a_reply_that_nobody_asked_for_reaches_nobody() {
    // It comes while the connection rests.
    let chatty = Fake::start(|mut peer| {
        while let Some(words) = peer.call() {
            peer.say(format!("+{}\r\n", words[1]));
            if peer.number == 1 {
                std::thread::sleep(Duration::from_millis(60));
                peer.say("+unasked\r\n");
            }
        }
    });
    let heard = Heard::default();
    let client = heard.client(chatty.addr(), "pool_size=1");
    let first: String = client
        .call(&Cmd::new("ECHO").arg("one"))
        .expect("an answer");
    assert_eq!(first, "one");
    std::thread::sleep(Duration::from_millis(150));
    for word in ["two", "three"] {
        let echo: String = client.call(&Cmd::new("ECHO").arg(word)).expect("an answer");
        assert_eq!(echo, word);
    }
    assert_eq!(chatty.accepted(), 2);
    assert_eq!(
        heard.count(&["Lost", "ProtocolError"]),
        1,
        "{}",
        heard.all()
    );
}

#[test]
fn a_second_reply_in_the_same_packet_reaches_nobody() {
    let chatty = Fake::start(|mut peer| {
        while let Some(words) = peer.call() {
            peer.say(format!("+{}\r\n+unasked\r\n", words[1]));
        }
    });
    let client = client(chatty.addr(), "pool_size=1");
    for word in ["one", "two", "three", "four"] {
        let echo: String = client.call(&Cmd::new("ECHO").arg(word)).expect("an answer");
        assert_eq!(echo, word);
    }
    assert_eq!(chatty.accepted(), 4);
    assert_eq!(client.stats().in_use, 0);
}

#[test]
fn replies_in_single_bytes_are_replies() {
    let slow = Fake::start(|mut peer| {
        let _ = peer.stream.set_nodelay(true);
        while peer.call().is_some() {
            for byte in b"*2\r\n$5\r\nhello\r\n:42\r\n" {
                peer.say([*byte]);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let client = client(slow.addr(), "");
    let pair: (String, i64) = client
        .call(&Cmd::new("LRANGE").arg("key"))
        .expect("an answer");
    assert_eq!(pair, ("hello".into(), 42));
}

#[test]
fn pushes_before_between_and_behind_replies_answer_nobody() {
    let pushy = Fake::start(|mut peer| {
        while let Some(words) = peer.call() {
            peer.say(">2\r\n+invalidate\r\n*1\r\n+key\r\n");
            peer.say(format!("${}\r\n{}\r\n", words[1].len(), words[1]));
            peer.say(">1\r\n+other\r\n");
        }
    });
    let client = client(pushy.addr(), "pool_size=1");
    for round in 0..50 {
        let word = format!("word {round}");
        let echo: String = client
            .call(&Cmd::new("ECHO").arg(&word))
            .expect("an answer");
        assert_eq!(echo, word);
    }
    until("a rest", || client.stats().in_use == 0);
}

#[test]
fn an_endpoint_that_talks_nonsense_is_not_declared_down() {
    let liar = liar("nonsense\r\n");
    let heard = Heard::default();
    let client = heard.client(liar.addr(), "");
    for _ in 0..10 {
        let error = client.get::<Value>("key").expect_err("nonsense");
        assert_eq!(error.cause(), Cause::ProtocolError, "{error}");
    }
    assert_eq!(heard.count(&["OutageStarted"]), 0, "{}", heard.all());
}

#[test]
fn a_greeting_that_breaks_the_protocol_is_told_within_the_deadline() {
    for (greeting, cause) in [
        ("$x\r\n", Cause::ProtocolError),
        ("*2147483647\r\n", Cause::ReplyTooLarge),
        (
            "nonsense that is no protocol at all\r\n",
            Cause::ProtocolError,
        ),
    ] {
        let liar = Fake::start(move |mut peer| {
            peer.request();
            peer.say(greeting);
            while peer.request().is_some() {}
        });
        let client = client(liar.addr(), "deadline=700ms&ride_out=100ms");
        let error = ends("the call", || client.incr("count")).expect_err("nonsense");
        assert_eq!(error.cause(), cause, "{greeting:?}: {error}");
        assert!(!error.may_have_run());
        assert!(
            liar.accepted() <= 12,
            "{} dials of one call",
            liar.accepted()
        );
    }
}
