use crate::scenario::{Chapter, Flow, Hold, Scenario};
use crate::work::{Count, Range, Read};
use seawall_model::Cause;
use std::time::Duration;

/// Five megabytes, against a limit of one.
const BIG: Range = Range {
    elements: 1280,
    element_bytes: 4096,
};

pub(super) fn scenarios() -> Vec<Scenario> {
    let story = "replies of 5 MB meet an output limit of 1 MB: the server closes the connection";
    let within = Duration::from_millis(500);
    vec![
        Scenario::new("output-limit", Chapter::ServerRefuses, story)
            .config("client-output-buffer-limit", "normal 1mb 0 0")
            .load(vec![
                Flow::new(1700, Read::default()),
                Flow::new(300, Count),
                Flow::new(4, BIG).failing(Cause::OutputLimit, within),
            ])
            .cause(Cause::OutputLimit)
            .diagnosed("SW302")
            .holds(Hold::NoOutage)
            .holds(Hold::NotRepeated { command: "lrange" })
            .in_demo(),
    ]
}
