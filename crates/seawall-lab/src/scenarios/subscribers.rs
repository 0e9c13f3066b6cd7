use crate::scenario::{Chapter, Hold, Listener, Scenario, Stage};
use crate::world::{Fault, ServerError};
use seawall_model::Cause;

/// What the server holds for a subscriber that does not read, before it closes the connection.
const OUTPUT_LIMIT: &str = "pubsub 8mb 0 0";
/// 32 MB a second, in messages of 64 KiB: in a pause of 1.2 s some 39 MB come. A client that stops reading holds up to 10 MB
/// of them in the kernels' buffers, and meets the server's limit; one that reads on must hold them itself, or say that it
/// cannot.
const LOUD_PER_SECOND: u32 = 500;
const LOUD_BYTES: usize = 64 * 1024;
/// Beside it: a trickle that nobody has a reason to miss.
const QUIET_PER_SECOND: u32 = 100;
const QUIET_BYTES: usize = 200;

fn kill_subscribers(stage: &Stage) -> Result<(), ServerError> {
    let kill: [&[u8]; 4] = [b"CLIENT", b"KILL", b"TYPE", b"pubsub"];
    stage.server.command(&kill).map(drop)
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let slow =
        "a subscriber stops for 1.2 s while 39 MB come: others feel nothing, losses are told";
    let cut = "subscribers are killed, then reset: the gap is told, and they subscribe again";
    vec![
        Scenario::new("slow-subscriber", Chapter::ConnectionsLost, slow)
            .config("client-output-buffer-limit", OUTPUT_LIMIT)
            .listener(Listener::new(LOUD_PER_SECOND, LOUD_BYTES).pausing_ms(800, 2000))
            .listener(Listener::new(QUIET_PER_SECOND, QUIET_BYTES).hearing_everything())
            .lasts_ms(3000)
            .cause(Cause::SubscriberSlow)
            .diagnosed("SW301")
            .cause(Cause::OutputLimit)
            .cause(Cause::ClosedByServer)
            .holds(Hold::NoOutage)
            .holds(Hold::NoFailures),
        Scenario::new("subscriber-cut", Chapter::ConnectionsLost, cut)
            .through_relay()
            .listener(Listener::new(1000, QUIET_BYTES))
            .listener(Listener::new(QUIET_PER_SECOND, QUIET_BYTES))
            .lasts_ms(2600)
            .at_ms(600, "CLIENT KILL TYPE pubsub", kill_subscribers)
            .at_ms(1100, "CLIENT KILL TYPE pubsub", kill_subscribers)
            .at_ms(1600, "every connection reset", |stage| {
                stage.path(Fault::ResetAll)
            })
            .cause(Cause::ClosedByServer)
            .cause(Cause::ConnectionReset)
            .diagnosed("SW308")
            .holds(Hold::NoOutage),
    ]
}
