//! What people read of a failure. Numbers are shown as `#`: ports, times and ids differ from run to run.

use std::net::TcpListener;
use std::time::Duration;

use seawall::blocking::Client;
use seawall::{Cmd, Error, Value};
use seawall_lab::world::{Fault, Lost};

use crate::fake::Fake;
use crate::ground::{client, relay, server, server_with, until};

/// The error's text with each run of digits as one `#`.
fn shown(error: &Error) -> String {
    let mut text = String::new();
    for letter in error.to_string().chars() {
        let letter = if letter.is_ascii_digit() { '#' } else { letter };
        if letter != '#' || !text.ends_with('#') {
            text.push(letter);
        }
    }
    text
}

#[test]
fn a_port_where_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address");
    drop(listener);
    let error = client(addr, "ride_out=50ms")
        .incr("count")
        .expect_err("nobody is there");
    insta::assert_snapshot!(shown(&error));
}

#[test]
fn an_increment_whose_reply_was_lost() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "");
    client.ping().expect("an answer");
    relay.set(Fault::lose_reply(1, Lost::Reset, &["INCR"]));
    let error = client.incr("count").expect_err("its reply is lost");
    insta::assert_snapshot!(shown(&error));
}

#[test]
fn a_wrong_password() {
    let server = server_with(&[("requirepass", "right")]);
    let error = client(server.addr(), "password=wrong")
        .ping()
        .expect_err("wrong");
    insta::assert_snapshot!(shown(&error));
}

#[test]
fn an_error_of_the_command() {
    let server = server();
    let client = client(server.addr(), "");
    client.set("word", "hello").expect("an answer");
    let error = client.incr("word").expect_err("hello is no number");
    insta::assert_snapshot!(shown(&error));
}

#[test]
fn a_reply_of_another_type() {
    let server = server();
    let client = client(server.addr(), "");
    client.set("word", "hello").expect("an answer");
    let error = client.get::<i64>("word").expect_err("hello is no number");
    insta::assert_snapshot!(shown(&error));
}

#[test]
fn an_http_server() {
    let stranger = Fake::start(|mut peer| {
        peer.request();
        peer.say("HTTP/1.1 400 Bad Request\r\n\r\n");
        while peer.request().is_some() {}
    });
    let error = client(stranger.addr(), "").ping().expect_err("a stranger");
    insta::assert_snapshot!(shown(&error));
}

#[test]
fn a_pool_that_is_exhausted() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "pool_size=1&deadline=2s");
    client.ping().expect("an answer");
    relay.set(Fault::lose_reply(1, Lost::Silence, &["INCR"]));
    let error = std::thread::scope(|scope| {
        let slow = scope.spawn(|| client.within(Duration::from_secs(1)).incr("count"));
        until("the slow call", || client.stats().in_use == 1);
        let hurried = client.within(Duration::from_millis(150));
        let error = hurried.get::<Value>("key").expect_err("no room");
        slow.join().expect("no panic").expect_err("never answered");
        error
    });
    insta::assert_snapshot!(shown(&error));
}

#[test]
fn a_command_that_needs_a_lease() {
    let server = server();
    let select = Cmd::new("SELECT").arg(1);
    let error = client(server.addr(), "")
        .call::<Value>(&select)
        .expect_err("refused");
    insta::assert_snapshot!(shown(&error));
}

#[test]
fn a_client_that_was_closed() {
    let server = server();
    let client = client(server.addr(), "");
    client.close();
    insta::assert_snapshot!(shown(&client.ping().expect_err("it is closed")));
}

#[test]
fn an_option_that_does_not_exist() {
    let error = Client::open("redis://host?deadlin=1s").expect_err("a typing error");
    insta::assert_snapshot!(shown(&error));
}
