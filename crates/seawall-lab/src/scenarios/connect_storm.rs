use crate::scenario::{Chapter, Hold, Scenario};
use seawall_model::Cause;

/// Connections beside one for each of the contender's workers (`workers` in its `hello`: so many calls it runs at a time, so
/// many connections can be in use). The lab's own do not count: they are known by their AUTH.
///
/// * 1 that is shared by all, or asks whether the server is back;
/// * 4 that came while the server still read its data (some 20 ms), and were answered LOADING: as many as may be dialled
///   at once by a client that goes about it with care.
///
/// A client that dials for each call that waits at the server's return opens hundreds (2,000 are due each second); one
/// whose workers all come at once, are told LOADING, and come again at once, opens one more for each of them.
const BESIDE: u64 = 5;

pub(super) fn scenarios() -> Vec<Scenario> {
    let story = "the server is killed and comes back after 2 s: nobody storms it with connections";
    vec![
        Scenario::new("connect-storm", Chapter::ServerGone, story)
            .keeping_data()
            .lasts_ms(4000)
            .at_ms(800, "kill -9", |stage| stage.server.kill9())
            .at_ms(2800, "started again", |stage| stage.server.start_again())
            .cause(Cause::ConnectionRefused)
            .diagnosed("SW408")
            .holds(Hold::OneConnectionPerWorkerAnd(BESIDE)),
    ]
}
