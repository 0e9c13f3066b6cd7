use crate::scenario::{Chapter, Hold, Scenario};
use seawall_model::Cause;

/// Twice as many as a contender has workers (32), the lab's own among them. A connection for each call that waits at the
/// server's return would be a thousand.
const CONNECTIONS_MAX: u64 = 64;

pub(super) fn scenarios() -> Vec<Scenario> {
    let story = "the server is killed and comes back after 2 s: nobody storms it with connections";
    vec![
        Scenario::new("connect-storm", Chapter::ServerGone, story)
            .keeping_data()
            .lasts_ms(4000)
            .at_ms(800, "kill -9", |stage| stage.server.kill9())
            .at_ms(2800, "started again", |stage| stage.server.start_again())
            .cause(Cause::ConnectionRefused)
            .holds(Hold::ConnectionsAtMost(CONNECTIONS_MAX)),
    ]
}
