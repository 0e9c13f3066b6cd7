use crate::scenario::{Chapter, Hold, Scenario};

pub(super) fn scenarios() -> Vec<Scenario> {
    let story = "nothing is broken: what is answered then is what the rest is measured against";
    vec![
        Scenario::new("steady", Chapter::Calm, story)
            .holds(Hold::NoOutage)
            .holds(Hold::NoFailures)
            .in_demo(),
    ]
}
