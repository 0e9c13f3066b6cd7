use super::check::{Checker, End, FLOOR_PER_SECOND, SHARE_PERCENT, WAITERS_MAX};
use super::schedule::{Carrying, Fault, GateBy, Schedule};
use super::server::{Server, Word};
use super::trips::Trip;
use super::{Broken, Flaw};
use seawall_model::{Cause, Moment};
use seawall_policy::ageing::{Ageing, AgeingSettings};
use seawall_policy::backoff::{Backoff, BackoffSettings, Rng};
use seawall_policy::budget::{Budget, BudgetSettings};
use seawall_policy::dial::{DialGate, DialSettings};
use seawall_policy::health::{Change, Health, HealthSettings};
use seawall_policy::park::{Parking, ParkingSettings, Ticket};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

pub(crate) use super::calls::Call;
pub(crate) use super::pool::Conn;

/// What became of a run.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Everything that happened, in order, as one number.
    pub(crate) trace: u64,
    /// The first rule that did not hold.
    pub(crate) broken: Option<Broken>,
    /// How each call ended.
    pub(crate) ends: Vec<Option<End>>,
    /// How long after the last fault the endpoint was found to be up, if it was not.
    pub(crate) found_after: Option<Duration>,
    pub(crate) retries: usize,
    pub(crate) carried: usize,
    pub(crate) outages: usize,
}

impl Outcome {
    pub(crate) fn answered(&self) -> usize {
        self.ends
            .iter()
            .filter(|end| **end == Some(End::Answered))
            .count()
    }
}

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    Fault(usize),
    CallBegins(usize),
    /// A retry is due.
    Again(usize),
    /// A request reaches the server.
    Arrives(Hop),
    /// The end of a request reaches the client.
    Comes(Hop, Ending),
    /// Nobody will ever hear of that connection again, says the kernel.
    Vanished(u32),
    Overdue(Hop),
    AttemptOver(Hop),
    DeadlineOf(usize),
    TripArrives(u32),
    TripEnds(u32, Option<Cause>),
    TripLimit(u32),
    Tender,
    Expiry,
}

/// One attempt of a call on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hop {
    pub(crate) call: usize,
    pub(crate) attempt: u32,
    pub(crate) conn: u32,
}

/// How a request ended, as far as the client can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    Reply,
    Unavailable(Cause),
    WritesRefused(Cause),
    Lost(Cause),
}

impl From<Word> for Ending {
    fn from(word: Word) -> Self {
        match word {
            Word::Runs => Self::Reply,
            Word::RunsInVain => Self::Lost(Cause::ConnectionReset),
            Word::Unavailable(cause) => Self::Unavailable(cause),
            Word::WritesRefused(cause) => Self::WritesRefused(cause),
        }
    }
}

/// The whole of a run. Its parts of behaviour stand in `calls`, `pool`, `trips` and `tender`.
pub(crate) struct World {
    pub(crate) now: Moment,
    queue: BinaryHeap<Reverse<(Moment, u64, Event)>>,
    scheduled: u64,
    steps: usize,
    pub(crate) flaw: Flaw,
    pub(crate) rng: Rng,
    pub(crate) server: Server,
    pub(crate) gate_by: GateBy,
    pub(crate) pool_max: usize,
    pub(crate) carrying: Carrying,

    pub(crate) health: Health,
    pub(crate) budget: Budget,
    pub(crate) backoff: Backoff,
    pub(crate) parking: Parking,
    pub(crate) dial_gate: DialGate,
    pub(crate) ageing: Ageing,

    pub(crate) calls: Vec<Call>,
    pub(crate) waiters: BTreeMap<Ticket, usize>,
    pub(crate) conns: BTreeMap<u32, Conn>,
    pub(crate) trips: BTreeMap<u32, Trip>,
    pub(crate) ids: u32,
    /// The last write that left, for each key.
    pub(crate) last_write: BTreeMap<u8, u64>,
    pub(crate) writes: u64,
    /// When the tender and the waiting room are looked at next.
    pub(crate) tender_at: Moment,
    pub(crate) expiry_at: Moment,
    pub(crate) unsettled: bool,
    /// When INFO may be read next.
    pub(crate) info_from: Moment,

    pub(crate) check: Checker,
    trace: u64,
    pub(crate) retries: usize,
    pub(crate) carried: usize,
    outages: usize,
}

/// Runs a schedule to its end, or to the first rule that does not hold.
pub(crate) fn run(schedule: &Schedule, flaw: Flaw) -> Outcome {
    let mut world = World::new(schedule, flaw);
    let over = world.last_call() + Duration::from_secs(4);
    while let Some(Reverse((at, _, event))) = world.queue.pop() {
        if at > over || world.check.is_broken() {
            break;
        }
        world.now = at;
        world.handle(event);
        while std::mem::take(&mut world.unsettled) {
            world.steps += 1;
            world.serve();
        }
        world.steps += 1;
        world.check.goes_on(at, world.steps);
        world.arm();
    }
    let state = world.health.state();
    let (ends, found_after) = world.check.account();
    let broken = world.check.finish(world.now, state);
    let World {
        trace,
        retries,
        carried,
        outages,
        ..
    } = world;
    Outcome {
        trace,
        broken,
        ends,
        found_after,
        retries,
        carried,
        outages,
    }
}

impl World {
    fn new(schedule: &Schedule, flaw: Flaw) -> Self {
        let seed = schedule.seed;
        let more = if flaw == Flaw::DoubleBudget { 2 } else { 1 };
        let budget = BudgetSettings {
            share_percent: more * SHARE_PERCENT as u32,
            floor_per_second: more * FLOOR_PER_SECOND as u32,
        };
        let waiters_max = if flaw == Flaw::EndlessWaitingRoom {
            usize::MAX
        } else {
            WAITERS_MAX
        };
        let probes_to_down = if flaw == Flaw::JumpsToConclusions {
            1
        } else {
            2
        };
        let health = HealthSettings {
            probes_to_down,
            ..HealthSettings::default()
        };
        let health = match flaw {
            Flaw::ProbesWithoutPause => HealthSettings {
                probe_interval_min: Duration::from_millis(1),
                probe_interval_max: Duration::from_millis(1),
                ..health
            },
            _ => health,
        };
        let mut world = Self {
            now: Moment::ORIGIN,
            queue: BinaryHeap::new(),
            scheduled: 0,
            steps: 0,
            flaw,
            rng: Rng::new(seed ^ 0x5ea_3a11),
            server: Server::new(schedule),
            gate_by: schedule.gate_by,
            pool_max: schedule.pool_max,
            carrying: schedule.carrying,
            health: Health::new(health, seed),
            budget: Budget::new(budget),
            backoff: Backoff::new(BackoffSettings::default(), seed),
            parking: Parking::new(ParkingSettings { waiters_max }),
            dial_gate: DialGate::new(DialSettings::default(), seed),
            ageing: Ageing::new(AgeingSettings::default(), seed),
            calls: schedule.calls().map(|spec| Call::new(*spec)).collect(),
            waiters: BTreeMap::new(),
            conns: BTreeMap::new(),
            trips: BTreeMap::new(),
            ids: 0,
            last_write: BTreeMap::new(),
            writes: 0,
            tender_at: Moment::NEVER,
            expiry_at: Moment::NEVER,
            unsettled: false,
            info_from: Moment::ORIGIN,
            check: Checker::new(schedule),
            trace: 0xcbf2_9ce4_8422_2325,
            retries: 0,
            carried: 0,
            outages: 0,
        };
        for (index, fault) in schedule.faults().enumerate() {
            world.at(fault.at, Event::Fault(index));
        }
        for (index, call) in schedule.calls().enumerate() {
            world.at(call.at, Event::CallBegins(index));
        }
        world
    }

    fn last_call(&self) -> Moment {
        self.queue
            .iter()
            .map(|Reverse((at, ..))| *at)
            .max()
            .unwrap_or(Moment::ORIGIN)
    }

    pub(crate) fn at(&mut self, at: Moment, event: Event) {
        if !at.is_never() {
            self.scheduled += 1;
            self.queue.push(Reverse((at, self.scheduled, event)));
        }
    }

    pub(crate) fn after(&mut self, span: Duration, event: Event) {
        self.at(self.now + span, event);
    }

    /// One way between client and server.
    pub(crate) fn latency(&mut self) -> Duration {
        Duration::from_micros(100) + self.rng.up_to(Duration::from_micros(300))
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Fault(index) => self.fault_begins(index),
            Event::CallBegins(call) => self.call_begins(call),
            Event::Again(call) => self.ask(call),
            Event::Arrives(hop) => self.request_arrives(hop),
            Event::Comes(hop, ending) => self.request_ends(hop, ending),
            Event::Vanished(conn) => self.connection_lost(conn, Cause::PeerVanished),
            Event::Overdue(hop) => self.reply_overdue(hop),
            Event::AttemptOver(hop) => self.attempt_over(hop),
            Event::DeadlineOf(call) => self.deadline_of(call),
            Event::TripArrives(trip) => self.trip_arrives(trip),
            Event::TripEnds(trip, failed) => self.trip_ends(trip, failed),
            Event::TripLimit(trip) => self.trip_limit(trip),
            Event::Tender => self.tend(),
            Event::Expiry => self.expire(),
        }
    }

    fn fault_begins(&mut self, index: usize) {
        let fault = self.server.fault(index);
        self.note(1, index as u64);
        match fault.fault {
            Fault::Kill => self.cut_all(Cause::ClosedByServer),
            Fault::Restart => self.cut_all(Cause::ConnectionReset),
            Fault::SwallowIdle => self.swallow_idle(),
            _ => {}
        }
    }

    /// What a change of health means for everyone who waits.
    pub(crate) fn changed(&mut self, change: Option<Change>) {
        let Some(change) = change else { return };
        self.check.changed(self.now, change);
        match change {
            Change::Suspect { .. } => self.note(2, 0),
            Change::Down { cause, .. } => {
                self.outages += 1;
                self.note(3, u64::from(cause.number()));
                self.end_those_who_wait_for_ever();
            }
            Change::Up { .. } => {
                self.note(4, 0);
                self.dial_gate.endpoint_up(self.now);
            }
            Change::CauseNamed { cause } => self.note(5, u64::from(cause.number())),
            Change::GateClosed { cause } => self.note(6, u64::from(cause.number())),
            Change::GateOpened { .. } => self.note(7, 0),
        }
        self.settle();
    }

    /// Writes an event into the trace.
    pub(crate) fn note(&mut self, what: u8, which: u64) {
        for word in [self.now.as_nanos(), u64::from(what), which] {
            self.trace = (self.trace ^ word).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
