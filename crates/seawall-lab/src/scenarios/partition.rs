use crate::scenario::{Chapter, Hold, Scenario, Stage};
use crate::world::Fault;
use seawall_model::Cause;
use std::time::Duration;

pub(super) fn scenarios() -> Vec<Scenario> {
    let story =
        "every packet vanishes for 4 s: nothing is refused, nothing is reset, nothing answers";
    vec![
        Scenario::new("partition", Chapter::ServerGone, story)
            .through_relay()
            .lasts_ms(6200)
            .at_ms(800, "partitioned", |stage| stage.path(Fault::BlackHole))
            .at_ms(4800, "healed", Stage::clear_path)
            .cause(Cause::ConnectTimeout)
            .diagnosed("SW102")
            .holds(Hold::FirstGood(Duration::from_millis(500)))
            .in_demo(),
    ]
}
