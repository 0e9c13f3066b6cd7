use crate::scenario::{Chapter, Scenario};
use seawall_model::Cause;
use std::time::Duration;

pub(super) fn scenarios() -> Vec<Scenario> {
    let reload = "the server reads its data anew, as after a resync, and answers LOADING for 1 s";
    let restart = "the server restarts, and answers LOADING for 1 s while it reads its data";
    let span = Duration::from_secs(1);
    vec![
        Scenario::new("loading", Chapter::ServerRefuses, reload)
            .lasts_ms(3400)
            .at_ms(800, "loading", move |stage| stage.server.reload_for(span))
            .cause(Cause::Loading)
            .diagnosed("SW406")
            .in_demo(),
        // Between its end and its return the server's port is closed, for as long as a process takes to start. Who has
        // seen that names it: the first cause of an outage is the one that it keeps, and LOADING is attached to it.
        Scenario::new("restart-loading", Chapter::ServerRefuses, restart)
            .lasts_ms(3400)
            .at_ms(800, "restarted, loading", move |stage| {
                stage.server.restart_loading_for(span)
            })
            .cause(Cause::Loading)
            .cause(Cause::ConnectionRefused)
            .diagnosed("SW401")
            .diagnosed("SW406"),
    ]
}
