//! Several commands in one write, each with its own result whatever happens in between.

use seawall::{Cause, Cmd, Error, Kind, Pipeline, Provenance, Value};
use seawall_lab::world::{Fault, Lost};

use crate::ground::{Heard, asked, client, ends, held, relay, server, until};

fn increments(count: usize) -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.extend((0..count).map(|place| Cmd::new("INCR").arg(format!("count:{place}"))));
    pipeline
}

fn answered(results: &[Result<Value, Error>]) -> usize {
    results.iter().take_while(|result| result.is_ok()).count()
}

#[test]
fn an_error_in_between_disturbs_no_neighbour() {
    let server = server();
    let client = client(server.addr(), "");
    let pipeline = Pipeline::new()
        .with(Cmd::new("SET").arg("word").arg("hello"))
        .with(Cmd::new("INCR").arg("word"))
        .with(Cmd::new("GET").arg("word"));
    let results = client.pipeline(&pipeline).expect("a result each");
    assert_eq!(results.len(), 3);
    let error = results[1].as_ref().expect_err("hello is no number");
    assert_eq!(
        (error.kind(), error.cause()),
        (Kind::Server, Cause::CommandError)
    );
    assert_eq!(
        results[2].as_ref().ok(),
        Some(&Value::Bulk(b"hello".to_vec()))
    );
    assert!(
        client
            .pipeline(&Pipeline::new())
            .expect("nothing to do")
            .is_empty()
    );
}

#[test]
fn a_pipeline_of_one_is_a_pipeline() {
    let server = server();
    let client = client(server.addr(), "");
    let one = Pipeline::new().with(Cmd::new("LPUSH").arg("key"));
    let results = client.pipeline(&one).expect("a result each");
    let error = results[0].as_ref().expect_err("no element");
    assert_eq!((error.kind(), error.command()), (Kind::Server, "LPUSH"));
}

#[test]
fn ten_thousand_commands_are_answered_in_order() {
    let server = server();
    let client = client(server.addr(), "deadline=5s");
    let mut pipeline = Pipeline::new();
    pipeline.extend((0..10_000).map(|_| Cmd::new("INCR").arg("n")));
    let results = client.pipeline(&pipeline).expect("a result each");
    for (place, result) in results.into_iter().enumerate() {
        let wanted = i64::try_from(place).expect("it is small") + 1;
        assert_eq!(result.ok(), Some(Value::Int(wanted)));
    }
}

#[test]
fn where_the_connection_is_cut_inside_a_reply_the_rest_may_have_run_and_ran_once() {
    let server = server();
    let relay = relay(&server);
    for (round, then) in [(1_u8, Lost::Reset), (2, Lost::Fin)] {
        let client = client(relay.addr(), "");
        client.ping().expect("an answer");
        relay.set(Fault::CutInsideFrame { every: 5, then });
        let results = client.pipeline(&increments(10)).expect("a result each");
        relay.clear();
        assert_eq!((results.len(), answered(&results)), (10, 4));
        for (place, result) in results.iter().enumerate().skip(4) {
            let error = result.as_ref().expect_err("not answered");
            assert!(error.may_have_run(), "{place}: {error}");
            assert_eq!(error.cause(), Cause::ClosedMidReply, "{place}: {error}");
            assert_eq!(error.command(), "INCR");
        }
        let first = results[4].as_ref().expect_err("not answered");
        assert_eq!(first.provenance(), Provenance::Replying);
        assert!(
            first.connection().is_some_and(|lost| lost.partial > 0),
            "{first}"
        );
        for place in 0..10 {
            let count = held(&server, &format!("count:{place}"));
            assert_eq!(count, Some(vec![b'0' + round]), "{place}");
        }
    }
}

#[test]
fn a_pipeline_of_reads_that_was_cut_goes_on_where_it_was_cut() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "");
    let mut reads = Pipeline::new();
    for place in 0..10 {
        client
            .set(format!("key:{place}"), place)
            .expect("an answer");
        reads.push(Cmd::new("GET").arg(format!("key:{place}")));
    }
    let before = asked(&server, "get");
    relay.set(Fault::CutInsideFrame {
        every: 8,
        then: Lost::Reset,
    });
    let results = client.pipeline(&reads).expect("a result each");
    for (place, result) in results.into_iter().enumerate() {
        let value = result.unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!(value, Value::Bulk(place.to_string().into_bytes()));
    }
    assert_eq!(
        asked(&server, "get") - before,
        13,
        "ten, and the three that were cut off"
    );
}

#[test]
fn what_was_sent_in_part_or_not_at_all_did_not_run() {
    let server = server();
    let client = client(server.addr(), "deadline=600ms&pool_size=1");
    client.ping().expect("an answer");
    server.freeze().expect("the server stops");
    let pipeline = Pipeline::new()
        .with(Cmd::new("INCR").arg("first"))
        .with(Cmd::new("SET").arg("second").arg(vec![b'x'; 32 << 20]))
        .with(Cmd::new("INCR").arg("third"));
    let results = ends("the pipeline", || client.pipeline(&pipeline)).expect("a result each");
    let errors: Vec<&Error> = results
        .iter()
        .map(|result| result.as_ref().expect_err("nobody reads"))
        .collect();
    assert!(errors[0].may_have_run(), "{}", errors[0]);
    assert_eq!(errors[0].provenance(), Provenance::Written);
    assert!(!errors[1].may_have_run(), "{}", errors[1]);
    assert!(matches!(errors[1].provenance(), Provenance::Partly(_)));
    assert!(!errors[2].may_have_run(), "{}", errors[2]);
    drop(client);
    server.thaw().expect("the server goes on");
    until("the first to have run", || held(&server, "first").is_some());
    assert_eq!(
        (held(&server, "second"), held(&server, "third")),
        (None, None)
    );
}

#[test]
fn the_waits_of_several_blocking_commands_add_up() {
    let server = server();
    let client = client(server.addr(), "deadline=400ms");
    let pops = Pipeline::new()
        .with(Cmd::new("BLPOP").arg("one").arg(1))
        .with(Cmd::new("BLPOP").arg("two").arg(1));
    let results = ends("the pipeline", || client.pipeline(&pops)).expect("a result each");
    for result in results {
        assert_eq!(result.expect("its own timeout"), Value::Null);
    }
}

#[test]
fn a_pipeline_of_writes_that_a_replica_refuses_closes_the_gate_for_writes() {
    let server = server();
    let heard = Heard::default();
    let client = heard.client(server.addr(), "");
    client.ping().expect("an answer");
    server
        .command(&[b"REPLICAOF", b"127.0.0.1", b"1"])
        .expect("it becomes a replica");
    let results = client.pipeline(&increments(2)).expect("a result each");
    for result in results {
        let error = result.expect_err("a replica takes no writes");
        assert_eq!(error.cause(), Cause::ReadOnly, "{error}");
        assert!(!error.may_have_run(), "{error}");
    }
    assert_eq!(
        heard.count(&["WritesRefused", "ReadOnly"]),
        1,
        "{}",
        heard.all()
    );
}
