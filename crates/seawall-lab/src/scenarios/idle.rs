use crate::scenario::{Chapter, Flow, Hold, Scenario, StageError, mixed};
use crate::world::Fault;
use seawall_model::Cause;
use std::time::Duration;

/// The usual load, a pause, and the usual load again: what was idle in the pause is used after it.
fn with_a_pause(pause_from_ms: u64, pause_to_ms: u64, end_ms: u64) -> Vec<Flow> {
    mixed()
        .into_iter()
        .map(|flow| {
            flow.burst_ms(0, pause_from_ms)
                .burst_ms(pause_to_ms, end_ms)
        })
        .collect()
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let reaped =
        "the server closes what is idle for 1 s (`timeout 1`), and the load pauses for 2.6 s";
    let reset =
        "something between forgets flows idle for 0.8 s: their next packet is answered by a reset";
    let swallowed = "something between drops the packets of flows idle for 0.8 s, and says nothing";
    let idle = Duration::from_millis(800);
    let scenario = |name, story, pause_to_ms, end_ms| {
        Scenario::new(name, Chapter::Idle, story)
            .load(with_a_pause(500, pause_to_ms, end_ms))
            .lasts_ms(end_ms)
            .holds(Hold::NoOutage)
            .in_demo()
    };
    vec![
        scenario("idle-reaped", reaped, 3100, 3900)
            .config("timeout", "1")
            .cause(Cause::IdleClosed)
            .diagnosed("SW201"),
        // The doctor has no code for the other two: no device that it knows forgets a flow within a minute.
        scenario("idle-reset", reset, 1800, 2600)
            .through_relay()
            .at_ms(
                0,
                "idle flows are forgotten",
                move |stage| -> Result<(), StageError> { stage.path(Fault::ResetAfterIdle(idle)) },
            )
            .cause(Cause::IdleReset),
        scenario("idle-swallowed", swallowed, 1800, 3000)
            .through_relay()
            .at_ms(0, "idle flows are swallowed", move |stage| {
                stage.path(Fault::SwallowAfterIdle(idle))
            })
            .cause(Cause::IdleSwallowed),
    ]
}
