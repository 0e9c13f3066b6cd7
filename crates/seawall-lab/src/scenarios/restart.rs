use crate::scenario::{Chapter, Hold, Scenario};
use seawall_model::Cause;
use std::time::Duration;

pub(super) fn scenarios() -> Vec<Scenario> {
    let story = "the server is stopped (SIGTERM) and comes back with its data after 0.4 s";
    vec![
        Scenario::new("restart", Chapter::ServerGone, story)
            .keeping_data()
            .lasts_ms(2600)
            .at_ms(800, "SIGTERM", |stage| stage.server.sigterm())
            .at_ms(1200, "started again", |stage| stage.server.start_again())
            .cause(Cause::ConnectionRefused)
            .diagnosed("SW401")
            .holds(Hold::FirstGood(Duration::from_millis(500)))
            .in_demo(),
    ]
}
