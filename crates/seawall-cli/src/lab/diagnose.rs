use std::path::PathBuf;

use clap::Args;
use seawall_clinic::{Case, Options, cases, report, run};
use seawall_lab::run::Interrupt;
use seawall_lab::world::{server_at, server_binary};

use super::contend::Face;
use crate::{Door, Exit, output};

/// Break a real Redis in known ways, and hold what the doctor says first against the truth.
///
/// Each case brings one root cause about with real clients, and shows the doctor what an operator would have: a look before, a
/// look after, the server's log, the application's. The lab's scenarios follow (lab-..), with Seawall's journal as all that a
/// client tells. Servers with which nothing is wrong are shown to it under load. Exit codes:
/// 0 it was right and silent, 1 it was not, 2 could not run.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Diagnose {
    /// The cases to run, by name; all of them, and ten healthy servers, if none is given
    #[arg(value_name = "CASE")]
    cases: Vec<String>,

    /// List the cases, with the code that must be named
    #[arg(long, conflicts_with = "cases")]
    list: bool,

    /// Run the lab's scenarios alone
    #[arg(long, conflicts_with_all = ["cases", "list", "healthy"])]
    scenarios: bool,

    /// Only show it healthy servers
    #[arg(long, conflicts_with_all = ["cases", "list"])]
    healthy: bool,

    /// Print the table as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Print the table as Markdown
    #[arg(long)]
    markdown: bool,

    /// Also print the doctor's first screen of each; without this of those alone in which it was wrong
    #[arg(long, conflicts_with_all = ["json", "markdown"])]
    long: bool,

    /// The server to break, by its binary: a Redis or Valkey [default: as `seawall lab run` finds it]
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,

    /// The virtual environment where a server and Python's redis-py are looked for [default: .venv, and in the Python package the one that it is
    /// installed in]
    #[arg(long, value_name = "DIR")]
    venv: Option<PathBuf>,
}

impl Diagnose {
    pub(crate) fn run(self, door: &Door) -> Exit {
        if self.list {
            return list();
        }
        let Some(chosen) = self.chosen() else {
            return Exit::Unable;
        };
        let venv = self.venv.clone().unwrap_or_else(|| door.venv.clone());
        let found = match &self.server {
            Some(path) => server_at(path),
            None => server_binary(Some(&venv)),
        };
        let binary = match found {
            Ok(binary) => binary,
            Err(none) => {
                output::fail(none, "");
                return Exit::Unable;
            }
        };
        let options = Options {
            binary: &binary,
            venv: Some(&venv),
            contenders: Face::all().map(|face| face.contender(door)).collect(),
            healthy: self.cases.is_empty() && !self.scenarios,
            cases: chosen,
            progress: &|what| output::note(what),
            // Without its handlers a signal ends us at once, and the servers with us.
            interrupt: Interrupt::on_signals().unwrap_or_default(),
        };
        let report = run(&options);
        let text = if self.json {
            format!("{:#}", report::json(&report))
        } else if self.markdown {
            report::markdown(&report)
        } else {
            let screens = report::screens(&report, self.long);
            format!("{screens}{}", report::text(&report))
        };
        if let Err(error) = output::out(text.trim_end()) {
            output::fail(format_args!("the table could not be written: {error}"), "");
            return Exit::Unable;
        }
        if report.interrupted {
            Exit::Unable
        } else if report.is_well() {
            Exit::Well
        } else {
            Exit::Short
        }
    }

    /// The cases that were asked for; what is not known is told.
    fn chosen(&self) -> Option<Vec<&'static Case>> {
        let all = cases();
        if self.healthy {
            return Some(Vec::new());
        }
        if self.cases.is_empty() {
            let all = all.into_iter();
            let asked = all.filter(|case| !self.scenarios || case.scenario.is_some());
            return Some(asked.collect());
        }
        let mut chosen = Vec::new();
        for name in &self.cases {
            let Some(case) = all.iter().find(|case| case.name == name) else {
                output::fail(
                    format_args!("there is no case `{name}`"),
                    "`seawall lab diagnose --list` has their names",
                );
                return None;
            };
            chosen.push(*case);
        }
        Some(chosen)
    }
}

fn list() -> Exit {
    let all = cases();
    let width = all.iter().map(|case| case.name.len()).max().unwrap_or(0);
    let lines = all
        .iter()
        .map(|case| format!("{:<width$}  {}  {}", case.name, case.truth[0], case.story));
    match output::out_all(lines) {
        Ok(()) => Exit::Well,
        Err(error) => {
            output::fail(format_args!("the list could not be written: {error}"), "");
            Exit::Unable
        }
    }
}
