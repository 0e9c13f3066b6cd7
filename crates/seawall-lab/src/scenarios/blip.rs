use crate::scenario::{Chapter, Hold, Scenario, Stage};
use crate::world::Fault;
use seawall_model::Cause;
use std::time::Duration;

pub(super) fn scenarios() -> Vec<Scenario> {
    let story =
        "every connection is reset and new ones are refused for 300 ms, as in a quick failover";
    vec![
        Scenario::new("blip", Chapter::ServerGone, story)
            .through_relay()
            .lasts_ms(2200)
            .at_ms(800, "refused", |stage| stage.path(Fault::Gone))
            .at_ms(1100, "accepted again", Stage::clear_path)
            .cause(Cause::ConnectionRefused)
            .holds(Hold::FirstGood(Duration::from_millis(500)))
            .in_demo(),
    ]
}
