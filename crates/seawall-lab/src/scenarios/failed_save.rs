use crate::scenario::{Chapter, Hold, Scenario};
use seawall_model::Cause;

pub(super) fn scenarios() -> Vec<Scenario> {
    let story =
        "a save fails, and the server refuses writes for 1 s (MISCONF) while it answers reads";
    vec![
        Scenario::new("failed-save", Chapter::ServerRefuses, story)
            .lasts_ms(3000)
            .at_ms(800, "a save fails", |stage| stage.server.break_saves())
            .at_ms(1800, "a save succeeds", |stage| stage.server.repair_saves())
            .cause(Cause::SaveFailed)
            .diagnosed("SW706")
            .diagnosed("SW701")
            .holds(Hold::NoOutage)
            .holds(Hold::ReadsAnswered { percent: 99.9 })
            .in_demo(),
    ]
}
