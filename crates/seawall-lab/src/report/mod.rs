//! The scoreboard: as text for a terminal, as Markdown, and as JSON for programs.

mod json;
mod markdown;
mod text;

use crate::oracle::Score;
use crate::run::{Contender, LabError, Role, TrialOutcome};
use crate::scenario::Scenario;
use seawall_model::Cause;
use std::time::Duration;

/// How a run, or all of them, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The contender cannot do what the scenario asks for.
    LeftOut,
    /// Everything held.
    Ok,
    /// Something fell short.
    Short,
    /// It could not be run.
    NotRun,
}

impl Verdict {
    /// The word for it on the scoreboard.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeftOut => "--",
            Self::Ok => "ok",
            Self::Short => "SHORT",
            Self::NotRun => "ERROR",
        }
    }
}

/// What came of running scenarios against contenders.
#[derive(Debug)]
pub struct Report {
    /// The server that was broken, with its version.
    pub server: String,
    /// The load's seed.
    pub seed: u64,
    /// The machine's cores: latencies mean little without them.
    pub cores: usize,
    /// How long it all took.
    pub took: Duration,
    /// Who took part.
    pub contenders: Vec<Entrant>,
    /// Every run: by scenario, then by contender.
    pub runs: Vec<Run>,
}

/// One who took part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrant {
    /// The name on the scoreboard.
    pub name: String,
    /// Whether its shortfalls count.
    pub role: Role,
}

/// One scenario against one contender.
#[derive(Debug)]
pub struct Run {
    /// The scenario's name.
    pub scenario: &'static str,
    /// What happens in it.
    pub story: &'static str,
    /// The causes that may be named for it.
    pub causes: Vec<Cause>,
    /// The contender's name.
    pub contender: String,
    /// The version that it told; empty if it told none.
    pub version: String,
    /// Whether its shortfalls count.
    pub role: Role,
    /// The score, or why there is none.
    pub result: Result<Score, LabError>,
}

/// What the engine promises for the first good answer after a return, at the median over all scenarios.
pub const FIRST_GOOD_MEDIAN: Duration = Duration::from_millis(100);
/// From how many returns on that is held. The median of fewer is a matter of luck: after an outage of 6 s alone, the next
/// probe comes within anything up to 144 ms. Scenarios have limits of their own for theirs.
pub const RETURNS_MIN: usize = 5;

impl From<&Contender> for Entrant {
    fn from(contender: &Contender) -> Self {
        Self {
            name: contender.name.clone(),
            role: contender.role,
        }
    }
}

impl Run {
    pub(crate) fn new(
        scenario: &Scenario,
        contender: &Contender,
        result: Result<TrialOutcome, LabError>,
    ) -> Self {
        let (version, result) = match result {
            Ok(outcome) => (outcome.version, Ok(outcome.score)),
            Err(error) => (String::new(), Err(error)),
        };
        Self {
            scenario: scenario.name,
            story: scenario.story,
            causes: scenario.causes.clone(),
            contender: contender.name.clone(),
            version,
            role: contender.role,
            result,
        }
    }

    /// How it ended.
    pub fn verdict(&self) -> Verdict {
        match &self.result {
            Ok(score) if score.shortfalls.is_empty() => Verdict::Ok,
            Ok(_) => Verdict::Short,
            Err(LabError::Lacks { .. }) => Verdict::LeftOut,
            Err(_) => Verdict::NotRun,
        }
    }

    /// What fell short, or why it could not be run.
    pub fn shortfalls(&self) -> Vec<String> {
        match &self.result {
            Ok(score) => score.shortfalls.clone(),
            Err(left_out @ LabError::Lacks { .. }) => vec![left_out.to_string()],
            Err(error) => vec![format!("could not run: {error}")],
        }
    }
}

/// A contender's runs taken together.
#[derive(Clone, Debug, PartialEq)]
pub struct Total {
    /// Whose.
    pub contender: String,
    /// The version that it told.
    pub version: String,
    /// Runs in which everything held.
    pub held: usize,
    /// All its runs, without those that it was left out of.
    pub runs: usize,
    /// Of these, those that could not be run.
    pub not_run: usize,
    /// Runs too many, acknowledged writes that are gone, replies of other calls, calls that never ended.
    pub damage: Damage,
    /// The median over every return of a server that its runs saw; none if they saw none.
    pub first_good_median: Option<Duration>,
    /// How many returns they saw.
    pub returns: usize,
}

/// What must be nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Runs too many.
    pub doubled: u64,
    /// Acknowledged writes that are gone.
    pub lost: u64,
    /// Replies of other calls.
    pub mismatched: u64,
    /// Calls that never ended.
    pub hung: u64,
}

impl Total {
    /// Whether the first good answers came as soon as promised, if there were enough to tell.
    pub fn is_prompt(&self) -> bool {
        self.returns < RETURNS_MIN
            || self
                .first_good_median
                .is_none_or(|median| median <= FIRST_GOOD_MEDIAN)
    }
}

impl Report {
    /// The worst verdict of the contenders that are judged; of all, if none is. One that could not be run was asked for in
    /// vain, whoever it is.
    pub fn verdict(&self) -> Verdict {
        if self.runs.iter().any(|run| run.verdict() == Verdict::NotRun) {
            return Verdict::NotRun;
        }
        let any_judged = self
            .contenders
            .iter()
            .any(|contender| contender.role == Role::Judged);
        let counts = |role: Role| !any_judged || role == Role::Judged;
        let worst = self
            .runs
            .iter()
            .filter(|run| counts(run.role))
            .map(Run::verdict)
            .max()
            .unwrap_or(Verdict::NotRun);
        let late = self
            .contenders
            .iter()
            .filter(|contender| counts(contender.role))
            .any(|contender| !self.total(&contender.name).is_prompt());
        if late {
            worst.max(Verdict::Short)
        } else {
            worst
        }
    }

    /// A contender's runs taken together.
    pub fn total(&self, contender: &str) -> Total {
        let runs: Vec<&Run> = self
            .runs
            .iter()
            .filter(|run| run.contender == contender && run.verdict() != Verdict::LeftOut)
            .collect();
        let scores = || runs.iter().filter_map(|run| run.result.as_ref().ok());
        let mut damage = Damage::default();
        for score in scores() {
            damage.doubled += score.doubled();
            damage.lost += score.lost();
            damage.mismatched += score.mismatched();
            damage.hung += score.timing.hung;
        }
        let mut first_good: Vec<Duration> = scores()
            .flat_map(|score| score.timing.first_good.iter().copied())
            .collect();
        first_good.sort_unstable();
        Total {
            contender: contender.to_owned(),
            version: runs
                .iter()
                .map(|run| run.version.clone())
                .find(|version| !version.is_empty())
                .unwrap_or_default(),
            held: runs
                .iter()
                .filter(|run| run.verdict() == Verdict::Ok)
                .count(),
            runs: runs.len(),
            not_run: runs
                .iter()
                .filter(|run| run.verdict() == Verdict::NotRun)
                .count(),
            damage,
            returns: first_good.len(),
            first_good_median: first_good.get(first_good.len() / 2).copied(),
        }
    }

    /// The runs of each scenario, in order.
    fn by_scenario(&self) -> impl Iterator<Item = &[Run]> {
        self.runs.chunk_by(|a, b| a.scenario == b.scenario)
    }
}

/// A span for people: `12 ms`, `1.50 s`.
fn span(span: Duration) -> String {
    if span < Duration::from_secs(1) {
        format!("{} ms", span.as_millis())
    } else {
        format!("{:.2} s", span.as_secs_f64())
    }
}

/// Answered in percent of possible, never rounded up to a hundred.
fn percent(score: &Score) -> String {
    let share = score.availability.all;
    if share.possible == 0 {
        return "-".to_owned();
    }
    format!("{:.2} %", (share.percent() * 100.0).floor() / 100.0)
}

fn first_good(score: &Score) -> String {
    score
        .timing
        .first_good
        .iter()
        .max()
        .map_or_else(|| "-".to_owned(), |&longest| span(longest))
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_held_against_a_contender_only_once_there_are_enough_returns() {
        let slow = |returns| {
            let mut report = testing::sample();
            report.runs.retain(|run| run.contender == "seawall");
            let score = report.runs[0].result.as_mut().unwrap();
            score.timing.first_good = vec![Duration::from_millis(101); returns];
            for run in &mut report.runs[1..] {
                run.result.as_mut().unwrap().timing.first_good.clear();
            }
            report
        };
        assert_eq!(slow(RETURNS_MIN - 1).verdict(), Verdict::Ok);
        assert_eq!(slow(RETURNS_MIN).verdict(), Verdict::Short);
    }
}
