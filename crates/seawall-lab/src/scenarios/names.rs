use crate::scenario::{Chapter, Flow, Hold, Name, Scenario, Stage, StageError};
use crate::work::Read;
use crate::world::Fault;
use seawall_model::Cause;
use std::time::Duration;

/// The name service takes to saying this, and then every connection is lost, so that a name is looked up while it says so.
fn cut_while(name: Name) -> impl Fn(&Stage) -> Result<(), StageError> {
    move |stage| {
        stage.name(name)?;
        stage.path(Fault::ResetAll)
    }
}

/// The host is gone with the server on it: not even a reset comes back.
fn lose_the_host(stage: &Stage) -> Result<(), StageError> {
    stage.path(Fault::BlackHole)?;
    Ok(stage.server.kill9()?)
}

/// The server is started elsewhere with its data; the name is there first, as where an orchestrator does both.
fn come_back_elsewhere(stage: &Stage) -> Result<(), StageError> {
    stage.name(Name::There)?;
    Ok(stage.server.start_again()?)
}

/// Few, as there is nothing to be answered: what each of them is told is what counts.
const DOOMED_PER_SECOND: u32 = 50;

fn doomed(
    name: &'static str,
    story: &'static str,
    says: Name,
    cause: Cause,
    within: Duration,
) -> Scenario {
    Scenario::new(name, Chapter::ServerGone, story)
        .by_name(says)
        .load(vec![
            Flow::new(DOOMED_PER_SECOND, Read::default()).failing(cause, within),
        ])
        .cause(cause)
        .diagnosed("SW114")
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let down = "the name service falls silent, fails, forgets; each time connections are cut";
    let moves = "the host dies; after 2 s the name leads to another, with the server and its data";
    let unknown = "the name does not exist (50 calls a second): each call is told so at once";
    let silent = "the name service never answers (50 calls a second): each call is told so in time";
    vec![
        Scenario::new("names-down", Chapter::ConnectionsLost, down)
            .through_relay()
            .by_name(Name::Here)
            .lasts_ms(4000)
            .at_ms(600, "names: silence", cut_while(Name::Silence))
            .at_ms(1600, "names: failure", cut_while(Name::Failure))
            .at_ms(2300, "names: unknown", cut_while(Name::Unknown))
            .at_ms(3000, "names: well again", cut_while(Name::Here))
            .cause(Cause::ConnectionReset)
            .holds(Hold::NoOutage)
            .holds(Hold::Notes("name-stale")),
        Scenario::new("name-moves", Chapter::ServerGone, moves)
            .through_two_relays()
            .by_name(Name::Here)
            .keeping_data()
            .lasts_ms(4600)
            .at_ms(800, "the host dies", lose_the_host)
            .at_ms(2800, "the name leads elsewhere", come_back_elsewhere)
            .cause(Cause::ConnectTimeout)
            .cause(Cause::ServerUnresponsive)
            .diagnosed("SW408")
            .holds(Hold::FirstGood(Duration::from_millis(500))),
        doomed(
            "name-unknown",
            unknown,
            Name::Unknown,
            Cause::NameUnknown,
            Duration::from_millis(500),
        ),
        doomed(
            "names-silent",
            silent,
            Name::Silence,
            Cause::NameService,
            Duration::from_millis(1100),
        ),
    ]
}
