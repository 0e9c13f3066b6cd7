use crate::scenario::{Chapter, Scenario};
use crate::world::Fault;
use seawall_model::Cause;

pub(super) fn scenarios() -> Vec<Scenario> {
    let story = "every connection is reset, five times in half a second; new ones are accepted";
    let mut scenario = Scenario::new("reset-burst", Chapter::ConnectionsLost, story)
        .through_relay()
        .lasts_ms(2200)
        .cause(Cause::ConnectionReset)
        .in_demo();
    for ms in [800, 925, 1050, 1175, 1300] {
        scenario = scenario.at_ms(ms, "every connection reset", |stage| {
            stage.path(Fault::ResetAll)
        });
    }
    vec![scenario]
}
