//! Hand-made runs for the oracle's tests.

use super::{Evidence, Score, ServerCounts, judge};
use crate::contender::{Event, Failure, Refused, Reply};
use crate::run::{Heard, History, Outcome, Record, Role};
use crate::scenario::{Chapter, Flow, Hold, Listener, Scenario};
use crate::work::Work;
use crate::world::{Serving, Timeline, Value};
use seawall_model::{Cause, Moment, Sent};
use std::time::Duration;

/// How many calls a blocking contender runs at a time.
pub(super) const WORKERS: u32 = 32;

/// A moment of the run, in milliseconds from its start.
pub(super) fn ms(ms: u64) -> Moment {
    Moment::ORIGIN + Duration::from_millis(ms)
}

/// A run of which every part is given by hand. Unless told otherwise, the server serves throughout.
pub(super) struct Trial {
    role: Role,
    scenario: Scenario,
    history: History,
    timeline: Timeline,
    state: Vec<Vec<Value>>,
    counts: ServerCounts,
}

impl Trial {
    pub(super) fn new() -> Self {
        Self {
            role: Role::Judged,
            scenario: Scenario::new("test", Chapter::Calm, "a test").load(Vec::new()),
            history: History::default(),
            timeline: Timeline::new(),
            state: Vec::new(),
            counts: ServerCounts::default(),
        }
    }

    pub(super) fn serving(mut self, from_ms: u64, to_ms: u64, serving: Serving) -> Self {
        self.timeline.extend(ms(from_ms), ms(to_ms), serving);
        self
    }

    pub(super) fn beside(mut self) -> Self {
        self.role = Role::Beside;
        self
    }

    pub(super) fn holds(mut self, hold: Hold) -> Self {
        self.scenario = self.scenario.holds(hold);
        self
    }

    pub(super) fn expects(mut self, cause: Cause) -> Self {
        self.scenario = self.scenario.cause(cause);
        self
    }

    pub(super) fn counted(mut self, command: &str, runs: u64) -> Self {
        self.counts.commands.insert(command.to_owned(), runs);
        self
    }

    pub(super) fn connected(mut self, connections: u64) -> Self {
        self.counts.connections = connections;
        self
    }

    pub(super) fn refused_logins(mut self, logins: u64) -> Self {
        self.counts.errors.insert("WRONGPASS".to_owned(), logins);
        self
    }

    /// The next call, silent until told otherwise, in a flow of its own.
    pub(super) fn call(self, work: impl Work + 'static, due: Moment) -> Self {
        self.call_of(Flow::new(1, work), due)
    }

    pub(super) fn call_of(mut self, flow: Flow, due: Moment) -> Self {
        self.scenario.flows.push(flow);
        self.history.calls.push(Record {
            due,
            given_up: None,
            outcome: Outcome::Silent,
        });
        self.state.push(Vec::new());
        self
    }

    /// The last call is given up by its caller.
    pub(super) fn given_up(mut self, at: Moment) -> Self {
        self.history.calls.last_mut().unwrap().given_up = Some(at);
        self
    }

    /// What reaches the consumer of a subscription.
    pub(super) fn listener(mut self, listener: Listener, heard: Vec<Heard>) -> Self {
        self.scenario = self.scenario.listener(listener);
        self.history.heard.push(heard);
        self
    }

    fn ends(mut self, outcome: Outcome) -> Self {
        self.history.calls.last_mut().unwrap().outcome = outcome;
        self
    }

    /// The last call gets the reply that it must get.
    pub(super) fn answered(self, at: Moment) -> Self {
        let id = self.history.calls.len() as u64 - 1;
        let work = &self.scenario.flows.last().unwrap().work;
        let candidates = [
            Reply::Simple(b"OK".to_vec()),
            Reply::Int(i64::try_from(id).unwrap() * 1000 + 1001),
            crate::work::expected_read(id),
        ];
        let reply = candidates
            .into_iter()
            .find(|reply| work.fit(id, reply) == crate::work::Fit::Fits)
            .unwrap();
        self.says(at, reply)
    }

    pub(super) fn says(self, at: Moment, reply: Reply) -> Self {
        self.ends(Outcome::Answered { at, reply })
    }

    pub(super) fn fails(self, at: Moment, sent: Sent, cause: Option<Cause>) -> Self {
        let failure = Failure {
            sent,
            cause,
            refused: Refused::No,
            attempts: 1,
            message: "it failed".into(),
        };
        self.ends(Outcome::Failed { at, failure })
    }

    pub(super) fn refused(self, at: Moment) -> Self {
        let cause = Some(Cause::ConnectionRefused);
        let failure = Failure {
            sent: Sent::No,
            cause,
            refused: Refused::Yes,
            attempts: 0,
            message: "down".into(),
        };
        self.ends(Outcome::Failed { at, failure })
    }

    /// What the server says of the last call afterwards.
    pub(super) fn state(mut self, state: Vec<Value>) -> Self {
        *self.state.last_mut().unwrap() = state;
        self
    }

    pub(super) fn event(mut self, event: Event) -> Self {
        self.history.events.push((Moment::ORIGIN, event));
        self
    }

    pub(super) fn judge(mut self) -> Score {
        if self.timeline.intervals().is_empty() {
            self.timeline.extend(ms(0), ms(10_000), Serving::All);
        }
        let flow_of: Vec<usize> = (0..self.history.calls.len()).collect();
        judge(&Evidence {
            role: self.role,
            workers: WORKERS,
            scenario: &self.scenario,
            flow_of: &flow_of,
            history: &self.history,
            timeline: &self.timeline,
            state: &self.state,
            counts: &self.counts,
        })
    }
}
