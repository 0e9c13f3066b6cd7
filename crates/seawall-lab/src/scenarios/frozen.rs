use crate::scenario::{Chapter, Hold, Scenario};
use seawall_model::Cause;
use std::time::Duration;

pub(super) fn scenarios() -> Vec<Scenario> {
    let story =
        "the server's process is stopped (SIGSTOP) for 2 s: its kernel accepts, nobody answers";
    vec![
        Scenario::new("frozen", Chapter::ServerGone, story)
            .lasts_ms(4200)
            .at_ms(800, "SIGSTOP", |stage| stage.server.freeze())
            .at_ms(2800, "SIGCONT", |stage| stage.server.thaw())
            .cause(Cause::ServerUnresponsive)
            .diagnosed("SW102")
            .holds(Hold::FirstGood(Duration::from_millis(500)))
            .in_demo(),
    ]
}
