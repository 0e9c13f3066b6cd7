//! A scenario: one reproducible way to break Redis, the load that goes on meanwhile, and what must hold.
//!
//! Each stands in a file of its own under `src/scenarios/`, named for the problem, as a function
//! `pub(super) fn scenarios() -> Vec<Scenario>`. The build script finds the files: adding one touches nothing else.

mod flow;
mod hold;
mod listener;
mod stage;

pub use flow::{Burst, Expect, Flow, GivenUp, mixed};
pub use hold::Hold;
pub use listener::{Hears, Listener};
pub use stage::{Stage, StageError};

use crate::contender::Ability;
use crate::world::Question;
use seawall_model::{Cause, Security};
use std::fmt;
use std::time::Duration;

/// Where a scenario stands in lists and on the scoreboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chapter {
    /// Nothing is broken.
    Calm,
    /// The server's process ends, stops, or cannot be reached.
    ServerGone,
    /// Connections end while the server is well.
    ConnectionsLost,
    /// Connections die of being idle.
    Idle,
    /// Commands run, and their replies are lost.
    RepliesLost,
    /// The server answers, and says no.
    ServerRefuses,
}

/// What lies between the contender and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Nothing: the contender is given the server's own address.
    Direct,
    /// A relay, which the timeline breaks. The probe goes through it too.
    Relay,
    /// Two relays at the same port of two addresses, for a name that moves from one to the other.
    TwoRelays,
}

/// What the name service says of the server's name, in scenarios that give the contender a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// It leads to the server, or to the first relay.
    Here,
    /// It leads to the second relay.
    There,
    /// There is no such name.
    Unknown,
    /// The name server answers that it cannot find out.
    Failure,
    /// The name server does not answer.
    Silence,
}

/// Who the contender says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// The server wants none.
    None,
    /// The server has a password, and the contender is given another.
    Wrong,
}

/// Whether a scenario belongs to the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Showing {
    /// It runs when asked for, or with all.
    OnRequest,
    /// It also runs in the demo.
    Demo,
}

type Act = Box<dyn Fn(&Stage) -> Result<(), StageError> + Send + Sync>;

/// Something that is done at a set time of a run.
pub struct Step {
    /// When, from the load's start.
    pub at: Duration,
    /// What it is, for the report: `the server is killed`.
    pub what: &'static str,
    act: Act,
}

/// One way to break Redis. Built by the functions in `src/scenarios/`.
pub struct Scenario {
    /// Its name: kebab-case. Name and story have 98 letters at most, so that both stand in one line of the scoreboard.
    pub name: &'static str,
    /// Where it stands in lists.
    pub chapter: Chapter,
    /// What happens, in one sentence.
    pub story: &'static str,
    /// What the server is configured with.
    pub config: Vec<(&'static str, &'static str)>,
    /// What lies between.
    pub path: Path,
    /// What the name service says at first of the name that the contender is given. None: it is given an address. By name the
    /// probe asks the server itself: it is the server that it watches.
    pub name_says: Option<Name>,
    /// What is spoken on it. Under TLS the probe stays on the server's plain port: it is the server that it watches.
    pub security: Security,
    /// What the probe asks the server.
    pub question: Question,
    /// With which credentials the contender comes.
    pub credentials: Credentials,
    /// The load.
    pub flows: Vec<Flow>,
    /// The subscriptions that the contender is asked for, and what is published to them while the load lasts.
    pub listeners: Vec<Listener>,
    /// How long the load lasts.
    pub lasts: Duration,
    /// What is done to the server and the path meanwhile, in order.
    pub steps: Vec<Step>,
    /// The causes that a client may name for what it saw; the first is the one in the texts. Empty: there is none.
    pub causes: Vec<Cause>,
    /// The doctor's codes for the root cause, `SW308`: one of them it must tell first. Empty: its catalogue has none.
    pub diagnosis: Vec<&'static str>,
    /// What must hold beside what always must ([`Hold`]).
    pub holds: Vec<Hold>,
    /// How many points answered may lie below what was possible.
    pub slack_points: f64,
    /// Whether it belongs to the demo.
    pub showing: Showing,
}

impl Scenario {
    /// The default for [`slack_points`](Self::slack_points): half a point, the engine's promise.
    pub const SLACK_POINTS: f64 = 0.5;

    /// A scenario with the usual mixed load, straight to the server, in which nothing happens yet.
    pub fn new(name: &'static str, chapter: Chapter, story: &'static str) -> Self {
        Self {
            name,
            chapter,
            story,
            config: Vec::new(),
            path: Path::Direct,
            name_says: None,
            security: Security::Plain,
            question: Question::Ping,
            credentials: Credentials::None,
            flows: mixed(),
            listeners: Vec::new(),
            lasts: Duration::from_secs(2),
            steps: Vec::new(),
            causes: Vec::new(),
            diagnosis: Vec::new(),
            holds: Vec::new(),
            slack_points: Self::SLACK_POINTS,
            showing: Showing::OnRequest,
        }
    }

    /// Configures the server.
    #[must_use]
    pub fn config(mut self, name: &'static str, value: &'static str) -> Self {
        self.config.push((name, value));
        self
    }

    /// The server writes each command to its append-only file before it replies, so that nothing acknowledged is lost
    /// when its process dies. (`appendfsync no` leaves the disk to the kernel, which survives the process.)
    #[must_use]
    pub fn keeping_data(self) -> Self {
        self.config("appendonly", "yes").config("appendfsync", "no")
    }

    /// Puts a relay between.
    #[must_use]
    pub fn through_relay(mut self) -> Self {
        self.path = Path::Relay;
        self
    }

    /// Puts two relays between, for a name that moves.
    #[must_use]
    pub fn through_two_relays(mut self) -> Self {
        self.path = Path::TwoRelays;
        self
    }

    /// Gives the contender a name in place of an address, and a name service of the laboratory's own, which says this of it
    /// at first. Where the host does not let us do that (it takes root), the scenario is left out.
    #[must_use]
    pub fn by_name(mut self, says: Name) -> Self {
        self.name_says = Some(says);
        self
    }

    /// Has TLS spoken, with certificates made for the run. Where the server was built without it, the scenario is left
    /// out.
    #[must_use]
    pub fn over_tls(mut self) -> Self {
        self.security = Security::Tls;
        self
    }

    /// Has the probe ask with a write, for a server that refuses writes and answers PING.
    #[must_use]
    pub fn probed_by_writes(mut self) -> Self {
        self.question = Question::Write;
        self
    }

    /// Gives the contender a wrong password.
    #[must_use]
    pub fn with_wrong_password(mut self) -> Self {
        self.credentials = Credentials::Wrong;
        self
    }

    /// Replaces the load.
    #[must_use]
    pub fn load(mut self, flows: Vec<Flow>) -> Self {
        self.flows = flows;
        self
    }

    /// Adds a subscription. Only contenders that can subscribe take part.
    #[must_use]
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Sets how long the load lasts, in milliseconds.
    #[must_use]
    pub fn lasts_ms(mut self, ms: u64) -> Self {
        self.lasts = Duration::from_millis(ms);
        self
    }

    /// Does something `ms` milliseconds after the load's start. Steps are given in order.
    #[must_use]
    pub fn at_ms<E: Into<StageError>>(
        mut self,
        ms: u64,
        what: &'static str,
        act: impl Fn(&Stage) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        let act = Box::new(move |stage: &Stage| act(stage).map_err(Into::into));
        self.steps.push(Step {
            at: Duration::from_millis(ms),
            what,
            act,
        });
        self
    }

    /// Adds a cause that a client may name.
    #[must_use]
    pub fn cause(mut self, cause: Cause) -> Self {
        self.causes.push(cause);
        self
    }

    /// Adds a code by which the doctor may call what happens.
    #[must_use]
    pub fn diagnosed(mut self, code: &'static str) -> Self {
        self.diagnosis.push(code);
        self
    }

    /// Adds something that must hold.
    #[must_use]
    pub fn holds(mut self, hold: Hold) -> Self {
        self.holds.push(hold);
        self
    }

    /// Makes it part of the demo.
    #[must_use]
    pub fn in_demo(mut self) -> Self {
        self.showing = Showing::Demo;
        self
    }

    /// What a contender must be able to do beside calls.
    pub fn needs(&self) -> Vec<Ability> {
        let cancels = self.flows.iter().any(|flow| flow.given_up.is_some());
        let subscribes = !self.listeners.is_empty();
        let needs = [
            cancels.then_some(Ability::Cancel),
            subscribes.then_some(Ability::Subscribe),
        ];
        needs.into_iter().flatten().collect()
    }

    /// Whether what it breaks can also be broken under somebody's own application: it gives nothing up, subscribes to nothing,
    /// and asks for nothing that cannot be had.
    pub fn fits_an_app(&self) -> bool {
        let is_answered = |flow: &Flow| flow.expect == Expect::Answers;
        self.needs().is_empty() && self.flows.iter().all(is_answered)
    }

    /// Calls a second while the load flows at its fullest.
    pub fn calls_per_second(&self) -> u32 {
        self.flows.iter().map(|flow| flow.per_second).sum()
    }
}

impl Step {
    pub(crate) fn perform(&self, stage: &Stage) -> Result<(), StageError> {
        (self.act)(stage)
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The name of what somebody asked for: a scenario may be told with how long it lasts.
pub(crate) fn name_of(asked: &str) -> &str {
    match asked {
        "outage-6s" => "outage",
        name => name,
    }
}

/// Every scenario, in the order of lists and scoreboards.
pub fn list() -> Vec<Scenario> {
    let mut all = crate::scenarios::all();
    all.sort_by_key(|scenario| (scenario.chapter, scenario.lasts));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_given_once_kebab_case_and_short_enough_for_the_scoreboard() {
        let mut names = HashSet::new();
        for scenario in list() {
            assert!(names.insert(scenario.name), "{} twice", scenario.name);
            assert!(
                scenario
                    .name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{}",
                scenario.name
            );
            assert!(
                scenario.name.len() + scenario.story.len() <= 98 && !scenario.story.ends_with('.'),
                "{}",
                scenario.name
            );
        }
    }

    #[test]
    fn steps_come_in_order_and_end_before_the_load_does() {
        for scenario in list() {
            assert!(
                scenario.steps.is_sorted_by_key(|step| step.at),
                "{}",
                scenario.name
            );
            assert!(
                scenario.steps.iter().all(|step| step.at < scenario.lasts),
                "{}",
                scenario.name
            );
        }
    }

    #[test]
    fn the_demo_shows_every_chapter() {
        let all = list();
        let demo: HashSet<_> = all
            .iter()
            .filter(|s| s.showing == Showing::Demo)
            .map(|s| format!("{:?}", s.chapter))
            .collect();
        let chapters: HashSet<_> = all.iter().map(|s| format!("{:?}", s.chapter)).collect();
        assert_eq!(demo, chapters);
    }
}
