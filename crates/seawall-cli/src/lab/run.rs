use std::path::PathBuf;

use clap::Args;
use seawall_lab::report::Report;
use seawall_lab::run::{
    self, Contender, Interrupt, LabError, Options, PARALLEL_DEFAULT, Selection, WORKERS_DEFAULT,
    python,
};

use super::app::{Beside, Flags};
use super::faces::Stand;
use crate::{Door, Exit, output};

/// Run scenarios, and print the scoreboard.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The scenarios to run, by name; all of them if none is given
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,

    /// Run the scenarios of the demo
    #[arg(long, conflicts_with = "scenarios")]
    demo: bool,

    /// Also run against this client: redis-py, redis-py-rec, redis-py-async, pybreaker, glide, glide-async, coredis, or
    /// NAME=COMMAND (see docs/contenders.md)
    #[arg(long, value_name = "CONTENDER", num_args = 1..)]
    against: Vec<String>,

    /// Only run our own faces of these names: blocking, tokio, and python, asyncio: the package that is installed in --venv
    /// [default: blocking, tokio; in the Python package python, asyncio, blocking]
    #[arg(long, value_name = "FACE", num_args = 1.., value_parser = Stand::parse)]
    face: Vec<Stand>,

    /// Print the report as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Print the report as Markdown
    #[arg(long)]
    markdown: bool,

    /// Shifts the load; the same seed makes the same load
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// How many runs go on at a time
    #[arg(long, default_value_t = PARALLEL_DEFAULT as u64, value_parser = clap::value_parser!(u64).range(1..=16))]
    parallel: u64,

    /// How many calls a blocking client runs at a time
    #[arg(long, default_value_t = WORKERS_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=1024))]
    workers: u32,

    /// The virtual environment where a server and Python clients are looked for [default: .venv, and in the Python
    /// package the one that it is installed in]
    #[arg(long, value_name = "DIR")]
    venv: Option<PathBuf>,

    #[command(flatten)]
    app: Flags,
}

impl Run {
    pub(crate) fn run(self, door: &Door) -> Exit {
        if let Some(command) = &self.app.app {
            let beside = Beside {
                scenarios: self.scenarios.clone(),
                venv: self.venv(door),
                as_json: self.json,
                interrupt: interrupt(),
            };
            return self.app.run(command, beside);
        }
        let result = self.report(door);
        match &result {
            Ok(report) => {
                let text = if self.json {
                    report.json()
                } else if self.markdown {
                    report.markdown()
                } else {
                    report.to_string()
                };
                if let Err(error) = output::out(text.trim_end()) {
                    output::fail(format_args!("the report could not be written: {error}"), "");
                    return Exit::Unable;
                }
            }
            Err(error) => output::fail(error, ""),
        }
        Exit::from_code(run::exit_code(&result))
    }

    fn report(&self, door: &Door) -> Result<Report, LabError> {
        let venv = self.venv(door);
        let mut contenders: Vec<Contender> = Vec::new();
        let unsaid = door.faces.iter().filter_map(|face| Stand::parse(face).ok());
        let faces = if self.face.is_empty() {
            unsaid.collect()
        } else {
            self.face.clone()
        };
        for face in faces {
            contenders.push(face.contender(door, &venv)?);
        }
        for given in &self.against {
            let contender = Contender::parse(given, Some(&venv))?;
            if python::KNOWN.contains(&given.as_str()) {
                python::check(given, &contender.command)?;
            }
            contenders.push(contender);
        }
        let scenarios = if self.demo {
            Selection::Demo
        } else if self.scenarios.is_empty() {
            Selection::All
        } else {
            Selection::Named(self.scenarios.clone())
        };
        run::run(&Options {
            scenarios,
            contenders,
            seed: self.seed,
            parallel: usize::try_from(self.parallel).unwrap_or(PARALLEL_DEFAULT),
            workers: self.workers,
            venv: Some(venv),
            progress: &|progress| output::note(progress),
            interrupt: interrupt(),
        })
    }

    fn venv(&self, door: &Door) -> PathBuf {
        let venv = self.venv.as_ref().unwrap_or(&door.venv);
        std::path::absolute(venv).unwrap_or_else(|_| venv.clone())
    }
}

fn interrupt() -> Interrupt {
    Interrupt::on_signals().unwrap_or_else(|error| {
        output::note(format_args!(
            "seawall: Ctrl-C will not be answered: {error}"
        ));
        Interrupt::never()
    })
}
