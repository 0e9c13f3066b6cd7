use crate::scenario::{Chapter, Hold, Scenario};
use seawall_model::Cause;
use std::time::Duration;

pub(super) fn scenarios() -> Vec<Scenario> {
    let story = "the server is killed (kill -9) and comes back with its data after 6 s";
    vec![
        Scenario::new("outage", Chapter::ServerGone, story)
            .keeping_data()
            .lasts_ms(8000)
            .at_ms(800, "kill -9", |stage| stage.server.kill9())
            .at_ms(6800, "started again", |stage| stage.server.start_again())
            .cause(Cause::ConnectionRefused)
            .diagnosed("SW408")
            .holds(Hold::FirstGood(Duration::from_millis(500)))
            .in_demo(),
    ]
}
