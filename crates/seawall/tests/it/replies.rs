//! Replies as the types that were asked for, and errors that tell what is known.

use std::collections::{BTreeMap, HashSet};

use seawall::{Cause, Cmd, Kind, Provenance, Value};

use crate::ground::{client, server};

#[test]
fn replies_read_as_the_types_that_were_asked_for_in_both_protocols() {
    let server = server();
    for protocol in ["2", "3"] {
        let client = client(server.addr(), &format!("protocol={protocol}"));
        let set: () = client.call(&Cmd::new("FLUSHDB")).expect("an answer");
        assert_eq!(set, ());
        let fields = ["one", "1", "two", "2"];
        let added: i64 = client
            .call(&Cmd::new("HSET").arg("hash").args(fields))
            .expect("an answer");
        assert_eq!(added, 2);
        let hash: BTreeMap<String, u32> = client
            .call(&Cmd::new("HGETALL").arg("hash"))
            .expect("an answer");
        assert_eq!(hash, BTreeMap::from([("one".into(), 1), ("two".into(), 2)]));
        client
            .call::<i64>(&Cmd::new("SADD").arg("set").args(["a", "b"]))
            .expect("an answer");
        let members: HashSet<String> = client
            .call(&Cmd::new("SMEMBERS").arg("set"))
            .expect("an answer");
        assert_eq!(members, HashSet::from(["a".into(), "b".into()]));
        let sum: f64 = client
            .call(&Cmd::new("INCRBYFLOAT").arg("float").arg(1.5))
            .expect("an answer");
        assert!((sum - 1.5).abs() < f64::EPSILON);
        let exists: bool = client
            .call(&Cmd::new("EXISTS").arg("set"))
            .expect("an answer");
        assert!(exists);
        let nothing: Option<String> = client.get("nothing").expect("an answer");
        assert_eq!(nothing, None);
        client
            .set("bytes", [0xFF, 0x00, 0x0D, 0x0A])
            .expect("an answer");
        let bytes: Vec<u8> = client.get("bytes").expect("an answer");
        assert_eq!(bytes, [0xFF, 0x00, 0x0D, 0x0A]);
        let pair: (i64, String) = client
            .call(&Cmd::new("EVAL").arg("return {7, 'seven'}").arg(0))
            .expect("an answer");
        assert_eq!(pair, (7, "seven".into()));
        let several: Vec<Option<String>> = client
            .call(&Cmd::new("MGET").args(["float", "nothing"]))
            .expect("an answer");
        assert_eq!(several, [Some("1.5".into()), None]);
    }
}

#[test]
fn every_type_of_resp3_comes_through_and_a_push_in_between_answers_nobody() {
    let server = server();
    let client = client(server.addr(), "pool_size=1");
    let protocol = |kind: &str| {
        let reply = client.call::<Value>(&Cmd::new("DEBUG PROTOCOL").arg(kind));
        reply.unwrap_or_else(|error| panic!("{kind}: {error}"))
    };
    assert_eq!(protocol("integer"), Value::Int(12345));
    assert!(matches!(protocol("double"), Value::Double(number) if number > 3.0));
    assert_eq!(protocol("null"), Value::Null);
    assert_eq!(protocol("true"), Value::Bool(true));
    assert_eq!(protocol("false"), Value::Bool(false));
    assert!(matches!(protocol("set"), Value::Set(items) if items.len() == 3));
    assert!(matches!(protocol("map"), Value::Map(pairs) if pairs.len() == 3));
    assert!(matches!(protocol("verbatim"), Value::Verbatim { .. }));
    assert!(matches!(protocol("bignum"), Value::BigNumber(_)));
    assert!(matches!(protocol("attrib"), Value::Attributed { .. }));
    let after_push = client.call::<String>(&Cmd::new("DEBUG PROTOCOL").arg("push"));
    assert!(
        after_push
            .expect("an answer")
            .starts_with("Some real reply")
    );
    let after_attribute = client.call::<String>(&Cmd::new("DEBUG PROTOCOL").arg("attrib"));
    assert!(
        after_attribute
            .expect("an answer")
            .starts_with("Some real reply")
    );
    client.ping().expect("the connection is in order");
    assert_eq!(client.stats().dialled, 1);
}

#[test]
fn a_reply_of_another_type_names_both_types_and_its_connection_serves_on() {
    let server = server();
    let client = client(server.addr(), "");
    client.set("word", "hello").expect("an answer");
    let error = client.get::<i64>("word").expect_err("hello is no number");
    assert_eq!((error.kind(), error.attempts()), (Kind::Reply, 1));
    assert_eq!(error.provenance(), Provenance::Replying);
    assert!(error.to_string().contains("i64 was asked for"), "{error}");
    let error = client
        .call::<Vec<String>>(&Cmd::new("GET").arg("word"))
        .expect_err("a string is no list");
    assert!(error.to_string().contains("a string"), "{error}");
    client.ping().expect("the connection is in order");
    assert_eq!(client.stats().dialled, 1);
}

#[test]
fn an_error_of_the_command_carries_the_servers_words_and_costs_no_connection() {
    let server = server();
    let client = client(server.addr(), "");
    client.set("word", "hello").expect("an answer");
    let error = client
        .call::<i64>(&Cmd::new("LPUSH").arg("word").arg("x"))
        .expect_err("not a list");
    assert_eq!(
        (error.kind(), error.cause()),
        (Kind::Server, Cause::CommandError)
    );
    assert_eq!(error.attempts(), 1);
    assert!(error.connection().is_none());
    assert_eq!(error.command(), "LPUSH");
    assert_eq!(error.endpoint(), server.addr().to_string());
    let words = error.server_error().expect("the server's words");
    assert!(words.message.starts_with("WRONGTYPE"), "{error}");
    client.ping().expect("the connection is in order");
    assert_eq!(client.stats().dialled, 1);
}

#[test]
fn what_the_server_quotes_of_the_arguments_stays_out_of_the_errors_text() {
    let server = server();
    let client = client(server.addr(), "");
    let error = client
        .call::<Value>(&Cmd::new("NOSUCHCOMMAND").arg("a-customers-name"))
        .expect_err("there is no such command");
    assert!(error.to_string().contains("unknown command"), "{error}");
    assert!(!error.to_string().contains("a-customers-name"), "{error}");
}
