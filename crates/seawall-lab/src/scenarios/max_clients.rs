use crate::scenario::{Chapter, Scenario, Stage};
use crate::world::ServerError;
use seawall_model::Cause;

fn crowd_out(stage: &Stage) -> Result<(), ServerError> {
    stage.server.config_set("maxclients", "1")?;
    stage.server.client_kill_all().map(drop)
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let story = "every connection is lost, and for 1 s there is no room for new ones (maxclients)";
    vec![
        Scenario::new("max-clients", Chapter::ServerRefuses, story)
            .lasts_ms(2800)
            .at_ms(800, "maxclients reached", crowd_out)
            .at_ms(1800, "room again", |stage| {
                stage.server.config_set("maxclients", "10000")
            })
            .cause(Cause::MaxClients)
            .diagnosed("SW105")
            .in_demo(),
    ]
}
