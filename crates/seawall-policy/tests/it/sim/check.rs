use super::schedule::{CallAt, Fault, Must, Schedule};
use seawall_model::{Cause, Moment};
use seawall_policy::health::{Change, State};
use seawall_policy::retry::ReplayAllowance;
use seawall_wire::facts::{Access, Replay};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What must always hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    RetriesWithinBudget,
    CarriedWithinAnswers,
    RetriesArePaidFor,
    NothingRunsTwice,
    EndsByDeadline,
    ComesBack,
    KillsAreNoOutage,
    FirstComeFirstServed,
    WaitersAreBounded,
    DialsAreBounded,
    ProbesArePaced,
    NothingSpins,
}

/// A rule that did not hold.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) rule: Rule,
    pub(crate) at: Moment,
    pub(crate) what: String,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    Failed,
    Refused(Cause),
    MayHaveRun,
    Late,
}

// What the checker holds the policies to, written down here once more and not read from them.
pub(crate) const SHARE_PERCENT: usize = 20;
pub(crate) const FLOOR_PER_SECOND: usize = 1;
pub(crate) const WAITERS_MAX: usize = 32;
const STEPS_MAX: usize = 50_000;
const WINDOW: Duration = Duration::from_secs(10);
const DIALS_MAX: usize = 4;
const PROBES_MAX: usize = 4;
const PROBES_APART: Duration = Duration::from_millis(20);
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// Looks on from outside, with the truth of the server at hand.
pub(crate) struct Checker {
    broken: Option<Broken>,
    calls: Vec<Watched>,
    begun: Vec<Moment>,
    /// Retries, and reconnects for what lost connections took along.
    paid: Vec<Moment>,
    answers: Vec<Moment>,
    /// What was sent again, for its own sake or another's.
    again: Vec<Moment>,
    /// The lost connections that this was paid for.
    reconnects: BTreeSet<u64>,
    /// Keys of the writes that left, in order, each with its call.
    writes: Vec<(u8, usize)>,
    waiting: BTreeMap<u64, Access>,
    dials: usize,
    probes: usize,
    last_probe: Option<Moment>,
    outage_began: Moment,
    found_after: Option<Duration>,
    calm: Moment,
    only_kills: bool,
    nothing_swallowed: bool,
}

#[derive(Clone, Debug)]
struct Watched {
    spec: CallAt,
    answer_by: Moment,
    /// How many writes had left when it was sent, for the first time that may have run.
    first_sent: usize,
    runs: u32,
    /// Copies that may still reach the server.
    under_way: u32,
    paid: u32,
    end: Option<End>,
}

impl Checker {
    pub(crate) fn new(schedule: &Schedule) -> Self {
        let watched = |spec: &CallAt| Watched {
            spec: *spec,
            answer_by: Moment::NEVER,
            first_sent: 0,
            runs: 0,
            under_way: 0,
            paid: 0,
            end: None,
        };
        Self {
            broken: None,
            calls: schedule.calls().map(watched).collect(),
            begun: Vec::new(),
            paid: Vec::new(),
            answers: Vec::new(),
            again: Vec::new(),
            reconnects: BTreeSet::new(),
            writes: Vec::new(),
            waiting: BTreeMap::new(),
            dials: 0,
            probes: 0,
            last_probe: None,
            outage_began: Moment::ORIGIN,
            found_after: None,
            calm: schedule.calm_from(),
            only_kills: schedule.only_kills(),
            nothing_swallowed: schedule
                .faults()
                .all(|fault| fault.fault != Fault::SwallowIdle),
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    fn hold(&mut self, holds: bool, rule: Rule, at: Moment, what: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            self.broken = Some(Broken {
                rule,
                at,
                what: what(),
            });
        }
    }

    pub(crate) fn goes_on(&mut self, now: Moment, steps: usize) {
        self.hold(steps <= STEPS_MAX, Rule::NothingSpins, now, || {
            format!("{steps} steps")
        });
    }

    // -- calls --

    pub(crate) fn call_began(&mut self, now: Moment, call: usize, answer_by: Moment) {
        self.begun.push(now);
        self.calls[call].answer_by = answer_by;
    }

    pub(crate) fn retry_paid(&mut self, now: Moment, call: usize) {
        self.calls[call].paid += 1;
        self.again.push(now);
        self.pays(now);
    }

    fn pays(&mut self, now: Moment) {
        self.paid.push(now);
        let (retries, allowed) = (inside(&self.paid, now), self.retries_allowed(now));
        let calls = inside(&self.begun, now);
        self.hold(retries <= allowed, Rule::RetriesWithinBudget, now, || {
            format!("{retries} retries in ten seconds with {calls} calls")
        });
    }

    fn retries_allowed(&self, now: Moment) -> usize {
        (inside(&self.begun, now) * SHARE_PERCENT / 100).max(FLOOR_PER_SECOND * 10)
    }

    /// A call goes again that a lost connection took along.
    pub(crate) fn carried_over(&mut self, now: Moment, call: usize, loss: u64) {
        self.calls[call].paid += 1;
        self.again.push(now);
        if self.reconnects.insert(loss) {
            self.pays(now);
        }
        let again = inside(&self.again, now);
        let answers = inside(&self.answers, now);
        let allowed = answers.max(FLOOR_PER_SECOND * 10) + self.retries_allowed(now);
        self.hold(again <= allowed, Rule::CarriedWithinAnswers, now, || {
            format!("{again} were sent again in ten seconds with {answers} answers")
        });
    }

    pub(crate) fn sent(&mut self, now: Moment, call: usize) {
        let spec = self.calls[call].spec;
        let may_have_run = self.calls[call].runs + self.calls[call].under_way > 0;
        if may_have_run {
            let first = self.calls[call].first_sent;
            let overtaken = self.writes[first..]
                .iter()
                .any(|(key, other)| *key == spec.key && *other != call);
            self.hold(
                may_repeat(&spec, overtaken),
                Rule::NothingRunsTwice,
                now,
                || {
                    format!(
                        "call {call} ({}) was sent again and may have run",
                        spec.replay
                    )
                },
            );
            let paid = self.calls[call].paid > 0;
            self.hold(paid, Rule::RetriesArePaidFor, now, || {
                format!("call {call} was sent again")
            });
        }
        let before = self.writes.len();
        let watched = &mut self.calls[call];
        watched.paid = watched.paid.saturating_sub(u32::from(may_have_run));
        if !may_have_run {
            watched.first_sent = before;
        }
        watched.under_way += 1;
        if spec.access == Access::Write {
            self.writes.push((spec.key, call));
        }
    }

    pub(crate) fn arrived(&mut self, call: usize, runs: bool) {
        self.calls[call].under_way -= 1;
        self.calls[call].runs += u32::from(runs);
    }

    pub(crate) fn ended(&mut self, now: Moment, call: usize, end: End) {
        let answer_by = self.calls[call].answer_by;
        self.calls[call].end = Some(end);
        if end == End::Answered {
            self.answers.push(now);
        }
        self.hold(now <= answer_by, Rule::EndsByDeadline, now, || {
            format!("call {call} ended {:?} too late", now.since(answer_by))
        });
    }

    // -- who waits --

    pub(crate) fn waits(&mut self, now: Moment, ticket: u64, access: Access) {
        self.waiting.insert(ticket, access);
        let waiting = self.waiting.len();
        self.hold(waiting <= WAITERS_MAX, Rule::WaitersAreBounded, now, || {
            format!("{waiting} wait")
        });
    }

    pub(crate) fn waits_no_more(&mut self, ticket: u64) {
        self.waiting.remove(&ticket);
    }

    pub(crate) fn served(&mut self, now: Moment, ticket: u64) {
        let access = self.waiting.remove(&ticket);
        let before = self
            .waiting
            .iter()
            .find(|(other, of)| **other < ticket && Some(**of) == access);
        let overtaken = before.map(|(other, _)| *other);
        self.hold(overtaken.is_none(), Rule::FirstComeFirstServed, now, || {
            format!("ticket {ticket} was served before {overtaken:?}")
        });
    }

    // -- the endpoint --

    pub(crate) fn dial_began(&mut self, now: Moment) {
        self.dials += 1;
        let dials = self.dials;
        self.hold(dials <= DIALS_MAX, Rule::DialsAreBounded, now, || {
            format!("{dials} dials at once")
        });
    }

    pub(crate) fn dial_ended(&mut self) {
        self.dials -= 1;
    }

    pub(crate) fn probe_began(&mut self, now: Moment) {
        self.probes += 1;
        let apart = self
            .last_probe
            .is_none_or(|last| now.since(last) >= PROBES_APART);
        let (at_once, last) = (self.probes, self.last_probe);
        self.hold(
            apart && at_once <= PROBES_MAX,
            Rule::ProbesArePaced,
            now,
            || format!("{at_once} probes at once, the last at {last:?}"),
        );
        self.last_probe = Some(now);
    }

    pub(crate) fn probe_ended(&mut self) {
        self.probes -= 1;
    }

    pub(crate) fn changed(&mut self, now: Moment, change: Change) {
        match change {
            Change::Suspect { .. } => {
                self.outage_began = now;
                self.last_probe = None;
            }
            Change::Down { cause, .. } => {
                let only_kills = self.only_kills;
                self.hold(!only_kills, Rule::KillsAreNoOutage, now, || {
                    format!("down for {cause}")
                });
            }
            Change::Up { .. } => {
                if now >= self.calm {
                    self.found_after.get_or_insert(now.since(self.calm));
                }
                let waited = now.since(self.outage_began.max(self.calm));
                self.hold(waited <= BACK_WITHIN, Rule::ComesBack, now, || {
                    format!("found to be up {waited:?} after it was")
                });
            }
            _ => {}
        }
    }

    /// How each call ended, and how long after the last fault the endpoint was found to be up.
    pub(crate) fn account(&self) -> (Vec<Option<End>>, Option<Duration>) {
        (
            self.calls.iter().map(|call| call.end).collect(),
            self.found_after,
        )
    }

    /// The run is over.
    pub(crate) fn finish(mut self, now: Moment, state: State) -> Option<Broken> {
        self.hold(state == State::Up, Rule::ComesBack, now, || {
            format!("left as {state:?}")
        });
        for (call, watched) in self.calls.clone().into_iter().enumerate() {
            let Some(end) = watched.end else {
                self.hold(false, Rule::EndsByDeadline, now, || {
                    format!("call {call} never ended")
                });
                continue;
            };
            let must = watched.spec.must == Must::BeAnswered && self.nothing_swallowed;
            let answered = end == End::Answered || !must;
            self.hold(answered, Rule::ComesBack, now, || {
                format!("call {call} was not answered long after the last fault: {end:?}")
            });
            let runs = watched.runs;
            let may = watched.spec.replay != Replay::Never && may_repeat(&watched.spec, false);
            self.hold(runs <= 1 || may, Rule::NothingRunsTwice, now, || {
                format!("call {call} ({}) ran {runs} times", watched.spec.replay)
            });
            let ran = end != End::Answered || runs > 0;
            self.hold(ran, Rule::NothingRunsTwice, now, || {
                format!("call {call} was answered and never ran")
            });
        }
        self.broken
    }
}

fn inside(list: &[Moment], now: Moment) -> usize {
    list.iter().filter(|at| now.since(**at) < WINDOW).count()
}

/// The rule of replay in the checker's own words.
fn may_repeat(spec: &CallAt, later_write_left: bool) -> bool {
    match (spec.replay, spec.allowance) {
        (Replay::Read, _) => true,
        (Replay::Overwrite, ReplayAllowance::Reads) | (Replay::Never, _) => false,
        (Replay::Overwrite, _) => !later_write_left,
        (Replay::SameState, allowance) => allowance == ReplayAllowance::SameState,
    }
}
