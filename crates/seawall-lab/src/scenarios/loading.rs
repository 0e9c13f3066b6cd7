use crate::scenario::{Chapter, Scenario};
use seawall_model::Cause;
use std::time::Duration;

pub(super) fn scenarios() -> Vec<Scenario> {
    let story = "the server restarts, and answers LOADING for 1 s while it reads its data";
    vec![
        Scenario::new("loading", Chapter::ServerRefuses, story)
            .lasts_ms(3400)
            .at_ms(800, "restarted, loading", |stage| {
                stage.server.restart_loading_for(Duration::from_secs(1))
            })
            .cause(Cause::Loading)
            .cause(Cause::ConnectionRefused)
            .in_demo(),
    ]
}
