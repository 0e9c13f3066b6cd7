use crate::scenario::{Chapter, Hold, Scenario};
use crate::world::Fault;
use seawall_model::Cause;

/// Towards the client, on each connection: a handshake, and some hundreds of replies. No multiple of what any of them
/// takes, so that nearly every cut falls inside a record.
const CUT_AFTER_BYTES: u64 = 30_011;

pub(super) fn scenarios() -> Vec<Scenario> {
    let steady = "TLS is spoken, and nothing is broken";
    let cut =
        "each connection under TLS ends after 30 kB, inside a record, without a word of goodbye";
    vec![
        Scenario::new("tls", Chapter::Calm, steady)
            .over_tls()
            .holds(Hold::NoOutage),
        Scenario::new("tls-cut", Chapter::ConnectionsLost, cut)
            .over_tls()
            .through_relay()
            .lasts_ms(2200)
            .at_ms(800, "connections end after 30 kB", |stage| {
                stage.path(Fault::FinAfterBytes(CUT_AFTER_BYTES))
            })
            .cause(Cause::ClosedMidReply)
            .holds(Hold::NoOutage),
    ]
}
