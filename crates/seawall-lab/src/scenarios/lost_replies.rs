use crate::scenario::{Chapter, Flow, Hold, Scenario};
use crate::work::{Claim, Count, Exec, Pop, Push, Read, Work};
use crate::world::{Fault, Lost};
use seawall_model::Cause;

/// The whole load of each of these scenarios.
const CALLS_PER_SECOND: u32 = 2000;
/// How many of them are the writes whose replies are lost: 600 in two seconds.
const WRITES_PER_SECOND: u32 = 300;

/// One reply in `every` to `command` is lost, and its connection reset, while reads go on beside it.
fn losing(
    name: &'static str,
    story: &'static str,
    command: &'static str,
    every: u32,
    write: impl Work + 'static,
) -> Scenario {
    reading(name, story, command, every).load(vec![
        Flow::new(CALLS_PER_SECOND - WRITES_PER_SECOND, Read::default()),
        Flow::new(WRITES_PER_SECOND, write),
    ])
}

fn reading(name: &'static str, story: &'static str, command: &'static str, every: u32) -> Scenario {
    Scenario::new(name, Chapter::RepliesLost, story)
        .through_relay()
        .load(vec![Flow::new(CALLS_PER_SECOND, Read::default())])
        .at_ms(0, "replies are lost", move |stage| {
            stage.path(Fault::lose_reply(every, Lost::Reset, &[command]))
        })
        .cause(Cause::ConnectionReset)
        .holds(Hold::ReadsAnswered { percent: 99.9 })
        .in_demo()
}

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        reading(
            "lost-reads",
            "one GET in 100 loses its reply, and its connection is reset",
            "GET",
            100,
        ),
        losing(
            "lost-incr",
            "one INCR in 10 runs, but its reply is lost",
            "INCR",
            10,
            Count,
        ),
        losing(
            "lost-lpush",
            "one LPUSH in 10 runs, but its reply is lost",
            "LPUSH",
            10,
            Push,
        ),
        losing(
            "lost-exec",
            "one EXEC in 10 runs, but its reply is lost",
            "EXEC",
            10,
            Exec::default(),
        ),
        losing(
            "lost-set-nx",
            "one SET NX in 10 runs, but its reply is lost",
            "SET",
            10,
            Claim,
        ),
        losing(
            "lost-blpop",
            "one BLPOP in 10 takes a job, but its reply is lost",
            "BLPOP",
            10,
            Pop,
        ),
    ]
}
