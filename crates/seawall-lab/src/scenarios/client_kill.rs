use crate::scenario::{Chapter, Flow, Hold, Scenario, Stage, mixed};
use crate::world::ServerError;
use seawall_model::Cause;

fn kill_all(stage: &Stage) -> Result<(), ServerError> {
    stage.server.client_kill_all().map(drop)
}

/// The usual load, with two short pauses. A connection that is killed with a request unread is reset by the server's
/// kernel; one that owes nothing is closed in order, and only that tells a kill from a network's reset.
fn load() -> Vec<Flow> {
    let paused = |flow: Flow| {
        flow.burst_ms(0, 770)
            .burst_ms(840, 1470)
            .burst_ms(1540, 2200)
    };
    mixed().into_iter().map(paused).collect()
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let story = "an operator kills every connection of a healthy server (CLIENT KILL): no outage";
    vec![
        Scenario::new("client-kill", Chapter::ConnectionsLost, story)
            .load(load())
            .lasts_ms(2200)
            .at_ms(800, "CLIENT KILL in a pause", kill_all)
            .at_ms(1200, "CLIENT KILL under load", kill_all)
            .at_ms(1500, "CLIENT KILL in a pause", kill_all)
            .cause(Cause::ClosedByServer)
            .diagnosed("SW308")
            .holds(Hold::NoOutage)
            .in_demo(),
    ]
}
