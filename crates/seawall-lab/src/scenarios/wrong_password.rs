use crate::scenario::{Chapter, Flow, Hold, Scenario};
use crate::work::Read;
use seawall_model::Cause;
use std::time::Duration;

pub(super) fn scenarios() -> Vec<Scenario> {
    let story = "the password is wrong (50 calls a second): each call is told so, none is retried";
    let within = Duration::from_millis(500);
    vec![
        Scenario::new("wrong-password", Chapter::ServerRefuses, story)
            .with_wrong_password()
            .load(vec![
                Flow::new(50, Read::default()).failing(Cause::AuthFailed, within),
            ])
            .cause(Cause::AuthFailed)
            .diagnosed("SW901")
            .holds(Hold::LoginsNotRetried)
            .in_demo(),
    ]
}
