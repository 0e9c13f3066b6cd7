//! Runs scenarios against contenders.

mod desk;
mod drive;
mod error;
mod history;
mod interrupt;
mod plan;
mod progress;
mod publish;
pub mod python;
mod roster;
mod trial;

pub use error::LabError;
pub use history::{Heard, History, Outcome, Record};
pub use interrupt::Interrupt;
pub use progress::Progress;
pub use roster::{Contender, Role};
pub(crate) use trial::{Outcome as TrialOutcome, perform};

use crate::report::{Entrant, Report, Run, Verdict};
use crate::scenario::{self, Scenario, Showing, Stage};
use crate::world::{Seclusion, ServerBinary, clock, server_binary};
use seawall_model::Security;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Which scenarios to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every one.
    All,
    /// Those of the demo.
    Demo,
    /// These, by name.
    Named(Vec<String>),
}

/// What to run, and how.
pub struct Options<'a> {
    /// Which scenarios.
    pub scenarios: Selection,
    /// Against whom; each scenario is run once for each, on a server of its own.
    pub contenders: Vec<Contender>,
    /// Shifts the flows of the load against each other; the same seed makes the same load.
    pub seed: u64,
    /// How many runs go on at a time, 1 to 16. Default 3: each takes a third of a core or less.
    pub parallel: usize,
    /// How many calls a blocking contender runs at a time: its threads. Default 32.
    pub workers: u32,
    /// The project's virtual environment: where a server is looked for, or fetched to, if there is none on the PATH.
    pub venv: Option<PathBuf>,
    /// Told what goes on, from several threads.
    pub progress: &'a (dyn Fn(&Progress<'_>) + Sync),
    /// Ends the run early.
    pub interrupt: Interrupt,
}

/// The default of [`Options::parallel`].
pub const PARALLEL_DEFAULT: usize = 3;
/// The default of [`Options::workers`].
pub const WORKERS_DEFAULT: u32 = 32;

impl Options<'static> {
    /// The demo against these contenders, silently, with every default.
    pub fn new(contenders: Vec<Contender>) -> Self {
        Self {
            scenarios: Selection::Demo,
            contenders,
            seed: 1,
            parallel: PARALLEL_DEFAULT,
            workers: WORKERS_DEFAULT,
            venv: None,
            progress: &|_| (),
            interrupt: Interrupt::never(),
        }
    }
}

impl Selection {
    /// The scenarios it selects, in the order of lists.
    ///
    /// # Errors
    /// [`LabError::UnknownScenario`].
    pub fn scenarios(&self) -> Result<Vec<Scenario>, LabError> {
        let all = scenario::list();
        if let Self::Named(names) = self {
            let unknown = names
                .iter()
                .find(|name| all.iter().all(|one| one.name != scenario::name_of(name)));
            if let Some(name) = unknown {
                let known = all
                    .iter()
                    .map(|scenario| scenario.name)
                    .collect::<Vec<_>>()
                    .join(", ");
                return Err(LabError::UnknownScenario {
                    name: name.clone(),
                    known,
                });
            }
        }
        let selected = |scenario: &Scenario| match self {
            Self::All => true,
            Self::Demo => scenario.showing == Showing::Demo,
            Self::Named(names) => names
                .iter()
                .any(|name| scenario::name_of(name) == scenario.name),
        };
        Ok(all.into_iter().filter(selected).collect())
    }
}

/// Runs every selected scenario against every contender.
///
/// A contender that cannot be started, or a step that cannot be done, spoils its own run only, and is told in the
/// report.
///
/// # Errors
/// [`LabError`]: nothing could be run at all, or the run was interrupted.
pub fn run(options: &Options<'_>) -> Result<Report, LabError> {
    let mut scenarios = options.scenarios.scenarios()?;
    if options.contenders.is_empty() {
        return Err(LabError::NoContender);
    }
    for (place, contender) in options.contenders.iter().enumerate() {
        if options.contenders[..place]
            .iter()
            .any(|other| other.name == contender.name)
        {
            let name = contender.name.clone();
            return Err(LabError::SameName { name });
        }
    }
    let began = clock::now();
    let binary = server_binary(options.venv.as_deref()).map_err(LabError::NoServer)?;
    let why = leave_out(&mut scenarios, &binary, options.progress);
    if scenarios.is_empty() {
        let why = why.join("; ");
        return Err(LabError::NothingLeft { why });
    }
    let mut pairs: VecDeque<(usize, usize)> = (0..scenarios.len())
        .flat_map(|s| (0..options.contenders.len()).map(move |c| (s, c)))
        .collect();
    // The longest first: none is left to run alone at the end.
    pairs
        .make_contiguous()
        .sort_by_key(|&(scenario, _)| std::cmp::Reverse(scenarios[scenario].lasts));
    (options.progress)(&Progress::Begins {
        server: &binary,
        runs: pairs.len(),
    });
    let round = Round {
        options,
        scenarios: &scenarios,
        binary: &binary,
        pairs: Mutex::new(pairs),
        runs: Mutex::default(),
    };
    thread::scope(|scope| {
        for _ in 0..options.parallel.clamp(1, 16) {
            scope.spawn(|| round.work());
        }
    });
    if options.interrupt.is_raised() {
        return Err(LabError::Interrupted);
    }
    let mut runs = round
        .runs
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    runs.sort_by_key(|&(place, _)| place);
    Ok(Report {
        server: binary.to_string(),
        seed: options.seed,
        cores: thread::available_parallelism().map_or(0, usize::from),
        took: clock::now().since(began),
        contenders: options.contenders.iter().map(Entrant::from).collect(),
        runs: runs.into_iter().map(|(_, run)| run).collect(),
    })
}

/// Runs one scenario against one contender for somebody who looks at the server: before the load, while what the first step
/// broke lasts (where a second one mends it), and when the contender has ended. The oracle is not asked.
///
/// # Errors
/// [`LabError`]: it could not be run, or was interrupted.
pub fn watched(
    scenario: &Scenario,
    contender: &Contender,
    binary: &ServerBinary,
    interrupt: &Interrupt,
    watch: &mut (dyn FnMut(&Stage) + Send),
) -> Result<(), LabError> {
    let setting = trial::Setting {
        scenario,
        contender,
        binary,
        seed: 1,
        workers: WORKERS_DEFAULT,
        interrupt,
    };
    trial::watched(&setting, watch)
}

/// Leaves out what this server or this host cannot take part in; says why.
pub(crate) fn leave_out(
    scenarios: &mut Vec<Scenario>,
    binary: &ServerBinary,
    progress: &dyn Fn(&Progress<'_>),
) -> Vec<String> {
    let needs_tls = |scenario: &Scenario| scenario.security == Security::Tls;
    let needs_names = |scenario: &Scenario| scenario.name_says.is_some();
    let mut reasons = Vec::new();
    if scenarios.iter().any(needs_tls) && !binary.speaks_tls() {
        let why = format!("{binary} was built without TLS");
        reasons.push((why, &needs_tls as &dyn Fn(&Scenario) -> bool));
    }
    if scenarios.iter().any(needs_names)
        && let Err(why) = Seclusion::try_out()
    {
        let why = format!("a name service of our own takes root: {why}");
        reasons.push((why, &needs_names));
    }
    for (why, is_affected) in &reasons {
        let told = format!("left out, since {why}");
        for scenario in scenarios.extract_if(.., |scenario| is_affected(scenario)) {
            progress(&Progress::LeavesOut {
                scenario: scenario.name,
                why: &told,
            });
        }
    }
    reasons.into_iter().map(|(why, _)| why).collect()
}

/// What the threads of one [`run`] share.
struct Round<'a> {
    options: &'a Options<'a>,
    scenarios: &'a [Scenario],
    binary: &'a ServerBinary,
    pairs: Mutex<VecDeque<(usize, usize)>>,
    runs: Mutex<Vec<((usize, usize), Run)>>,
}

impl Round<'_> {
    fn work(&self) {
        while let Some(place) = self.take() {
            let (scenario, contender) =
                (&self.scenarios[place.0], &self.options.contenders[place.1]);
            (self.options.progress)(&Progress::Starts {
                scenario: scenario.name,
                contender: &contender.name,
            });
            let setting = trial::Setting {
                scenario,
                contender,
                binary: self.binary,
                seed: self.options.seed,
                workers: self.options.workers,
                interrupt: &self.options.interrupt,
            };
            let run = Run::new(scenario, contender, trial::run(&setting));
            let verdict = run.verdict();
            let ended = {
                let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
                runs.push((place, run));
                runs.len()
            };
            if !self.options.interrupt.is_raised() {
                (self.options.progress)(&Progress::Ends {
                    scenario: scenario.name,
                    contender: &contender.name,
                    verdict,
                    ended,
                    runs: self.scenarios.len() * self.options.contenders.len(),
                });
            }
        }
    }

    fn take(&self) -> Option<(usize, usize)> {
        if self.options.interrupt.is_raised() {
            return None;
        }
        self.pairs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }
}

/// What the command line exits with: 0 all held, 1 something fell short, 2 could not run.
pub fn exit_code(result: &Result<Report, LabError>) -> u8 {
    match result.as_ref().map(Report::verdict) {
        Ok(Verdict::Ok) => 0,
        Ok(Verdict::Short) => 1,
        Ok(Verdict::NotRun | Verdict::LeftOut) | Err(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_scenario_is_named_with_the_known_ones() {
        let error = Selection::Named(vec!["steady".into(), "stedy".into()])
            .scenarios()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`stedy`") && error.contains("client-kill"),
            "{error}"
        );
    }

    #[test]
    fn the_demo_is_part_of_all() {
        let names = |selection: Selection| -> Vec<_> {
            selection
                .scenarios()
                .unwrap()
                .into_iter()
                .map(|scenario| scenario.name)
                .collect()
        };
        let all = names(Selection::All);
        assert!(names(Selection::Demo).iter().all(|name| all.contains(name)));
    }

    #[test]
    fn two_contenders_of_one_name_are_refused_before_anything_runs() {
        let mine = || Contender::judged("mine", ["true"]);
        let result = run(&Options::new(vec![mine(), mine()]));
        assert!(matches!(result, Err(LabError::SameName { .. })));
        assert_eq!(exit_code(&result), 2);
    }

    #[test]
    fn without_a_contender_nothing_runs() {
        let result = run(&Options::new(Vec::new()));
        assert!(matches!(result, Err(LabError::NoContender)));
        assert_eq!(exit_code(&result), 2);
    }
}
