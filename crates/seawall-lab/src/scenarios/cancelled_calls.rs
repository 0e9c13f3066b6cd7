use crate::scenario::{Chapter, Flow, Hold, Scenario, StageError, mixed};
use crate::world::Fault;
use std::time::Duration;

/// On the way there and on the way back: long enough that a call can be given up before it is written, while it runs, and
/// while its reply is on its way.
const DELAY: Duration = Duration::from_millis(4);
/// A call takes a little more than the delay both ways. Some are given up when they have just been answered.
const WITHIN: Duration = Duration::from_millis(10);
/// One call in so many, of every kind.
const EVERY: u32 = 5;
/// Of some 1,100 that are cancelled. The others have been answered by then.
const GIVEN_UP_MIN: u64 = 500;

fn load() -> Vec<Flow> {
    let given_up = |flow: Flow| flow.giving_up(EVERY, WITHIN);
    mixed().into_iter().map(given_up).collect()
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let story = "one call in five is given up in flight: the others get their own replies";
    vec![
        Scenario::new("cancelled-calls", Chapter::Calm, story)
            .through_relay()
            .load(load())
            .lasts_ms(2800)
            .at_ms(0, "the way is long", |stage| -> Result<(), StageError> {
                stage.path(Fault::Delay(DELAY))
            })
            .holds(Hold::GivesUp {
                at_least: GIVEN_UP_MIN,
            })
            .holds(Hold::NoOutage)
            .holds(Hold::NoFailures),
    ]
}
