//! Judges a run: against what was possible, against the server's own state, and against what the scenario promises.
//!
//! * *Possible* are the calls whose time from start to deadline overlaps the server's serving time, as the independent
//!   probe saw it (for writes: its time of taking writes). A call starts when it is due, not when a client got to it.
//! * *Answered* is a reply by the deadline (and [`TARDY`]), or, for a write, the honest report that it may have run: an application
//!   can act on that.
//! * *Excepted* are calls that the client's outage policy turned away unsent once the server had been down for longer
//!   than the ride-out, and writes for which the client passed on the server's own refusal. They are neither counted
//!   as possible nor as answered, but shown in a column of their own.
//! * *Given up* are calls that the lab had cancelled. They are neither counted as possible nor as answered; their writes
//!   may have run, once.
//! * *Doubled* is what ran more often than was reported: a second run behind one answer, or one run behind "not sent".
//!   *Lost* is what was acknowledged and is not there. *Mismatched* is a reply that belongs to another call. *Hung* is
//!   a call that neither returned nor failed by its deadline and a grace.
//! * Of what was published to a subscription, each message must be *heard* once and in order, or be missing where the
//!   subscriber was told that messages are lost.

mod cause;
mod effects;
mod hearing;
mod possible;
mod score;
mod shortfall;
mod timing;

pub use cause::Naming;
pub use effects::{Defect, Effects, Harm};
pub use hearing::Hearing;
pub use possible::{Availability, Share};
pub use score::{Score, ServerCounts};
pub use timing::Timing;

use crate::run::{History, Outcome, Record, Role};
use crate::scenario::{Flow, Scenario};
use crate::work::Kind;
use crate::world::{Timeline, Value};
use seawall_model::{Cause, Moment};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long after its deadline a call may end before it counts as hung: what two crowded cores, two pipes and a timer
/// may add. A client that ignores deadlines overruns it by seconds.
pub const GRACE: Duration = Duration::from_millis(500);
/// How long after its deadline a reply still counts as an answer: the same machine's timers and pipes on a good day.
pub const TARDY: Duration = Duration::from_millis(100);
/// From which length on a gap of the probe's is an outage. Shorter ones are a reset of the probe's own connection, or
/// the crowded machine.
pub const OUTAGE_MIN: Duration = Duration::from_millis(50);
/// How long the server must have been down before a client's policy may turn calls away. The engine's own ride-out is
/// 500 ms from when it first notices, which is never before the server went; the difference is the probe's resolution.
pub const RIDE_OUT: Duration = Duration::from_millis(450);
/// How long after the server's return a client may still turn calls away, at least: the promise for its first good answer.
pub const RETURN: Duration = Duration::from_millis(100);
/// After a long outage it may be this share of it. The promise is one at the median, and held there: who asks again every
/// fiftieth of the outage, give or take a fifth, as the engine's own probes do, learns of the return by then; the rest is
/// for the probe itself to be answered.
pub const RETURN_SHARE: u32 = 35;

/// Everything that a run left behind.
pub struct Evidence<'a> {
    /// Whether the contender's shortfalls count.
    pub role: Role,
    /// How many calls a blocking contender was to run at a time.
    pub workers: u32,
    /// What was to happen.
    pub scenario: &'a Scenario,
    /// The flow of each call, by id.
    pub flow_of: &'a [usize],
    /// What the contender said.
    pub history: &'a History,
    /// What the probe saw.
    pub timeline: &'a Timeline,
    /// What the server answered afterwards to each call's inspection, by id.
    pub state: &'a [Vec<Value>],
    /// What the server itself counted.
    pub counts: &'a ServerCounts,
}

/// One call with all that is known of it.
#[derive(Clone, Copy)]
struct Case<'a> {
    id: u64,
    flow: &'a Flow,
    record: &'a Record,
    state: &'a [Value],
}

/// Judges the evidence.
pub fn judge(evidence: &Evidence<'_>) -> Score {
    let cases: Vec<Case<'_>> = evidence.cases().collect();
    let mut score = Score {
        calls: cases.len() as u64,
        availability: Availability::of(&cases, evidence.timeline),
        effects: Effects::of(&cases),
        hearing: hearing::of(evidence.scenario, &evidence.history.heard),
        timing: Timing::of(&cases, evidence.timeline),
        naming: Naming::of(&cases, evidence.history),
        breaches: evidence.history.breaches.clone(),
        breach_count: evidence.history.breach_count,
        died: evidence.history.died.clone(),
        stats: evidence.history.stats.clone(),
        lab_late: evidence.history.lab_late,
        made: made(&cases),
        counts: evidence.counts.clone(),
        shortfalls: Vec::new(),
    };
    score.shortfalls = shortfall::of(evidence, &cases, &score);
    score
}

/// Calls by their command's name, as INFO spells it.
fn made(cases: &[Case<'_>]) -> BTreeMap<String, u64> {
    let mut made = BTreeMap::new();
    for case in cases {
        *made
            .entry(case.flow.work.name().to_ascii_lowercase())
            .or_default() += 1;
    }
    made
}

impl<'a> Evidence<'a> {
    fn cases(&self) -> impl Iterator<Item = Case<'a>> {
        let scenario = self.scenario;
        let calls = (0..).zip(&self.history.calls).zip(self.flow_of);
        let state = self.state;
        calls.filter_map(move |((id, record), &flow)| {
            let state = usize::try_from(id)
                .ok()
                .and_then(|id| state.get(id))
                .map_or(&[][..], Vec::as_slice);
            Some(Case {
                id,
                flow: scenario.flows.get(flow)?,
                record,
                state,
            })
        })
    }
}

impl Case<'_> {
    fn deadline(&self) -> Moment {
        self.record.due + self.flow.deadline
    }

    /// Until when the call may end without counting as hung. A blocking command may use its own timeout besides; one
    /// that was given up has no more to wait for.
    fn patience_ends(&self) -> Moment {
        let ends = self.deadline() + self.flow.work.blocks_for();
        self.record.given_up.map_or(ends, |at| at.min(ends)) + GRACE
    }

    /// Whether it ended because its caller gave it up. One that ended otherwise before is judged as every other call.
    fn was_given_up(&self) -> bool {
        self.record.given_up.is_some()
            && matches!(&self.record.outcome,
                Outcome::Failed { failure, .. } if failure.cause == Some(Cause::Cancelled))
    }

    fn hangs(&self) -> bool {
        self.record
            .outcome
            .at()
            .is_none_or(|at| at > self.patience_ends())
    }

    fn ended_in_time(&self) -> bool {
        self.record
            .outcome
            .at()
            .is_some_and(|at| at <= self.deadline() + TARDY)
    }

    fn is_read(&self) -> bool {
        self.flow.work.kind() == Kind::Read
    }

    fn is_good(&self) -> bool {
        matches!(self.record.outcome, Outcome::Answered { .. })
    }
}

#[cfg(test)]
mod testing;
