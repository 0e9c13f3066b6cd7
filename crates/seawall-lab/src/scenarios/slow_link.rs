use crate::scenario::Flow;
use crate::scenario::{Chapter, Hold, Scenario, Stage, mixed};
use crate::work::Range;
use crate::world::Fault;

/// Half a megabyte: a quarter of a second of the slow link, if it had it for itself.
const BIG: Range = Range {
    elements: 128,
    element_bytes: 4096,
};

/// Bytes a second. The load needs two thirds of it.
const LINK: u64 = 4_000_000;

pub(super) fn scenarios() -> Vec<Scenario> {
    let story = "the link becomes slow under large replies: calls take longer, and nothing is lost";
    let mut load = mixed();
    load.push(Flow::new(3, BIG));
    vec![
        Scenario::new("slow-link", Chapter::Calm, story)
            .through_relay()
            .load(load)
            .lasts_ms(3000)
            .at_ms(500, "the link is slow", |stage| {
                stage.path(Fault::Bandwidth(LINK))
            })
            .at_ms(2500, "the link is itself again", Stage::clear_path)
            .holds(Hold::NoOutage)
            .holds(Hold::NoFailures)
            .holds(Hold::NotRepeated { command: "lrange" })
            .holds(Hold::NotRepeated { command: "mget" }),
    ]
}
