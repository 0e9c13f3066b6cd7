use super::desk::Desk;
use super::drive::{Course, dismiss, drive, subscribe};
use super::plan::Plan;
use super::publish::publish;
use super::{Contender, History, Interrupt, LabError};
use crate::contender::child::{Contestant, Greeting};
use crate::contender::{Order, Settings, Words};
use crate::oracle::{Evidence, Score, ServerCounts, judge};
use crate::scenario::{Scenario, Stage};
use crate::world::{Probe, Server, ServerBinary, Timeline, Value, clock};
use seawall_model::Moment;
use std::time::Duration;
use std::{io, thread};

/// One scenario against one contender.
pub(super) struct Setting<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) contender: &'a Contender,
    pub(super) binary: &'a ServerBinary,
    pub(super) seed: u64,
    pub(super) workers: u32,
    pub(super) interrupt: &'a Interrupt,
}

/// What a run gives: who said that it was ready, and the score.
pub(crate) struct Outcome {
    pub(crate) version: String,
    pub(crate) score: Score,
}

/// How long a contender may take to start: an interpreter with a large library on a crowded machine.
const READY: Duration = Duration::from_secs(20);
/// How long the probe may take to find the fresh server.
const PROBE_READY: Duration = Duration::from_secs(5);
/// Between everything being ready and the first call.
const BREATH: Duration = Duration::from_millis(20);
/// How long what the contender left on the way may take to reach the server, before stock is taken.
const SETTLE: Duration = Duration::from_secs(1);
/// How long the probe may take to see the server once more.
const LAST_LOOK: Duration = Duration::from_millis(250);
/// Connections to the server that are the lab's own by then: the one that it asks by.
const OWN_CONNECTIONS: i64 = 1;
/// How often a sleeping timeline looks for an interrupt.
const DOZE: Duration = Duration::from_millis(50);

pub(super) fn run(setting: &Setting<'_>) -> Result<Outcome, LabError> {
    let scenario = setting.scenario;
    let plan = Plan::new(scenario, setting.seed);
    let mut stage =
        Stage::set(scenario, setting.binary).map_err(LabError::stage("set the stage"))?;
    fill(scenario, &plan, &stage.server)?;
    let probe = stage.probe().map_err(LabError::stage("start the probe"))?;
    if !probe.wait_until_serving(PROBE_READY) {
        return Err(LabError::BlindProbe { limit: PROBE_READY });
    }
    let (version, history) = played(setting, &plan, &stage, None)?;
    let timeline = seen_to_the_end(probe, &history);
    stage.cut_path();

    let counts = server_counts(&stage.server)?;
    let state = take_stock(scenario, &plan, &stage.server)?;
    let flow_of: Vec<usize> = plan.calls.iter().map(|call| call.flow).collect();
    let evidence = Evidence {
        role: setting.contender.role,
        workers: setting.workers,
        scenario,
        flow_of: &flow_of,
        history: &history,
        timeline: &timeline,
        state: &state,
        counts: &counts,
    };
    Ok(Outcome {
        version,
        score: judge(&evidence),
    })
}

/// Runs a scenario for somebody who looks at the server, and judges nothing.
pub(super) fn watched(
    setting: &Setting<'_>,
    watch: &mut (dyn FnMut(&Stage) + Send),
) -> Result<(), LabError> {
    let scenario = setting.scenario;
    let plan = Plan::new(scenario, setting.seed);
    let stage = Stage::set(scenario, setting.binary).map_err(LabError::stage("set the stage"))?;
    fill(scenario, &plan, &stage.server)?;
    watch(&stage);
    match midway(scenario) {
        Some(at) => played(setting, &plan, &stage, Some((at, &mut *watch)))?,
        None => played(setting, &plan, &stage, None)?,
    };
    watch(&stage);
    Ok(())
}

/// When what the first step did has lasted for half of its time.
fn midway(scenario: &Scenario) -> Option<Duration> {
    match scenario.steps[..] {
        [ref first, ref second, ..] => Some((first.at + second.at) / 2),
        _ => None,
    }
}

/// Somebody who looks at the server, once, so long after the load's start.
type Look<'a, 'b> = (Duration, &'a mut (dyn FnMut(&Stage) + Send + 'b));

/// The load, and what is done meanwhile: who the contender is, and what became of its calls.
fn played(
    setting: &Setting<'_>,
    plan: &Plan,
    stage: &Stage,
    look: Option<Look<'_, '_>>,
) -> Result<(String, History), LabError> {
    let scenario = setting.scenario;
    let mut contestant = Contestant::start(&stage.seclude(&setting.contender.command))?;
    let Greeting { version, can, .. } = contestant.greet(&hello(setting, stage), READY)?;
    if let Some(&ability) = scenario.needs().iter().find(|need| !can.contains(need)) {
        return Err(LabError::Lacks { ability });
    }
    subscribe(&mut contestant, &scenario.listeners)?;

    let began = clock::now() + BREATH;
    let patience = scenario
        .flows
        .iter()
        .map(|flow| flow.deadline + flow.work.blocks_for())
        .max()
        .unwrap_or_default();
    let course = Course {
        plan,
        listeners: &scenario.listeners,
        lasts: scenario.lasts,
        patience,
    };
    let (listeners, lasts, interrupt) = (&scenario.listeners, scenario.lasts, setting.interrupt);
    let (driven, stepped, published) = thread::scope(|scope| {
        let steps = scope.spawn(|| perform(scenario, stage, began, interrupt));
        if let Some((at, look)) = look {
            scope.spawn(move || {
                clock::sleep_until(began + at);
                look(stage);
            });
        }
        let news = scope.spawn(|| publish(listeners, &stage.server, began, lasts, interrupt));
        let driven = drive(&mut contestant, &course, began, interrupt);
        (driven, joined(steps), joined(news))
    });
    stepped?;
    published?;
    let mut history = driven?;
    dismiss(&mut contestant, &mut history)?;
    Ok((version, history))
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Ends the probe once it has seen the server after the last call was due, so that the last calls are judged by an
/// answer and not by the probe's end.
fn seen_to_the_end(probe: Probe, history: &History) -> Timeline {
    let last_due = history.calls.last().map_or(history.began, |call| call.due);
    let give_up = clock::now() + LAST_LOOK;
    while !probe.so_far().serving_overlaps(last_due, Moment::NEVER) && clock::now() < give_up {
        thread::sleep(Duration::from_millis(2));
    }
    probe.finish()
}

fn hello(setting: &Setting<'_>, stage: &Stage) -> Order {
    let deadline = setting
        .scenario
        .flows
        .iter()
        .map(|flow| flow.deadline)
        .max()
        .unwrap_or_default();
    Order::Hello(Settings {
        url: stage.url(),
        deadline_ms: u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
        workers: setting.workers,
        scenario: setting.scenario.name.to_owned(),
        seed: setting.seed,
    })
}

/// Does what the timeline says, each thing at its time.
pub(crate) fn perform(
    scenario: &Scenario,
    stage: &Stage,
    began: Moment,
    interrupt: &Interrupt,
) -> Result<(), LabError> {
    for step in &scenario.steps {
        let due = began + step.at;
        while clock::now() < due {
            if interrupt.is_raised() {
                return Err(LabError::Interrupted);
            }
            clock::sleep_until(due.min(clock::now() + DOZE));
        }
        step.perform(stage).map_err(LabError::stage(step.what))?;
    }
    Ok(())
}

fn open(server: &Server, doing: &'static str) -> Result<Desk, LabError> {
    Desk::open(server.addr(), &server.access()).map_err(LabError::desk(doing))
}

fn fill(scenario: &Scenario, plan: &Plan, server: &Server) -> Result<(), LabError> {
    let doing = "fill the server";
    let mut commands: Vec<Words> = Vec::new();
    for (place, flow) in scenario.flows.iter().enumerate() {
        commands.extend(flow.work.prepare(&plan.ids_of(place)));
    }
    commands.push(vec![b"CONFIG".to_vec(), b"RESETSTAT".to_vec()]);
    let values = open(server, doing)?
        .ask(&commands)
        .map_err(LabError::desk(doing))?;
    match values.into_iter().find_map(|value| {
        if let Value::Error(message) = value {
            Some(message)
        } else {
            None
        }
    }) {
        Some(message) => Err(LabError::desk(doing)(io::Error::other(message))),
        None => Ok(()),
    }
}

fn server_counts(server: &Server) -> Result<ServerCounts, LabError> {
    let section = |name| {
        server
            .info(name)
            .map_err(LabError::stage("ask the server for its counts"))
    };
    Ok(ServerCounts::from_info(
        &section("commandstats")?,
        &section("errorstats")?,
        &section("stats")?,
    ))
}

/// Asks the server how often each call ran, once nothing of the contender's is under way any more.
fn take_stock(
    scenario: &Scenario,
    plan: &Plan,
    server: &Server,
) -> Result<Vec<Vec<Value>>, LabError> {
    let doing = "take stock of the server";
    server
        .wait_until_serving(SETTLE)
        .map_err(LabError::stage(doing))?;
    settle(server)?;
    let inspections: Vec<Vec<Words>> = (0..)
        .zip(&plan.calls)
        .map(|(id, call)| scenario.flows[call.flow].work.inspect(id))
        .collect();
    let commands: Vec<Words> = inspections.iter().flatten().cloned().collect();
    let mut values = open(server, doing)?
        .ask(&commands)
        .map_err(LabError::desk(doing))?
        .into_iter();
    Ok(inspections
        .iter()
        .map(|asked| values.by_ref().take(asked.len()).collect())
        .collect())
}

/// Waits until the server has read to the end of, and closed, every connection of the contender's.
fn settle(server: &Server) -> Result<(), LabError> {
    let give_up = clock::now() + SETTLE;
    loop {
        let clients = server
            .info("clients")
            .map_err(LabError::stage("wait for connections to end"))?;
        let connected: i64 = clients
            .get("connected_clients")
            .and_then(|count| count.parse().ok())
            .unwrap_or(0);
        if connected <= OWN_CONNECTIONS || clock::now() >= give_up {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(5));
    }
}
