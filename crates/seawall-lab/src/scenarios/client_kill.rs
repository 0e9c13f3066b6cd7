use crate::scenario::{Chapter, Hold, Scenario};
use seawall_model::Cause;

pub(super) fn scenarios() -> Vec<Scenario> {
    let story =
        "an operator kills every connection of a healthy server (CLIENT KILL): this is no outage";
    vec![
        Scenario::new("client-kill", Chapter::ConnectionsLost, story)
            .at_ms(800, "CLIENT KILL", |stage| {
                stage.server.client_kill_all().map(drop)
            })
            .at_ms(1300, "CLIENT KILL", |stage| {
                stage.server.client_kill_all().map(drop)
            })
            .cause(Cause::ClosedByServer)
            .holds(Hold::NoOutage)
            .in_demo(),
    ]
}
