use crate::scenario::{Chapter, Hold, Scenario, Stage};
use crate::world::ServerError;
use seawall_model::Cause;

/// A replica of a primary that is not there: it goes on to answer reads, from what it has.
fn demote(stage: &Stage) -> Result<(), ServerError> {
    stage
        .server
        .command(&[b"REPLICAOF", b"127.0.0.1", b"1"])
        .map(drop)
}

fn promote(stage: &Stage) -> Result<(), ServerError> {
    stage
        .server
        .command(&[b"REPLICAOF", b"NO", b"ONE"])
        .map(drop)
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let story =
        "the server becomes a replica for 1 s: it refuses writes (READONLY), and answers reads";
    vec![
        Scenario::new("read-only", Chapter::ServerRefuses, story)
            .probed_by_writes()
            .lasts_ms(3000)
            .at_ms(800, "REPLICAOF", demote)
            .at_ms(1800, "REPLICAOF NO ONE", promote)
            .cause(Cause::ReadOnly)
            .diagnosed("SW801")
            .holds(Hold::NoOutage)
            .holds(Hold::ReadsAnswered { percent: 99.9 }),
    ]
}
