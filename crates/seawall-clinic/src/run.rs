//! Runs cases one after another, and healthy servers after them.

use std::path::Path;
use std::time::Instant;

use seawall_doctor::diagnose;
use seawall_lab::run::{Contender, Interrupt};
use seawall_lab::world::ServerBinary;

use crate::bed::Bed;
use crate::case::{Case, Trouble};
use crate::healthy::{self, Calm};
use crate::scenarios;
use crate::verdict::{Ran, Seen};

/// What to run.
pub struct Options<'a> {
    /// The server to break.
    pub binary: &'a ServerBinary,
    /// The virtual environment with a Python that has redis-py, for cases that take it; `None`: the Python on the PATH.
    pub venv: Option<&'a Path>,
    /// Seawall's own clients, for the laboratory's scenarios: the first that can do what one asks for. They are left out
    /// without any.
    pub contenders: Vec<Contender>,
    /// The cases; none at all is none.
    pub cases: Vec<&'static Case>,
    /// Whether healthy servers are shown to the doctor as well.
    pub healthy: bool,
    /// Is told what begins.
    pub progress: &'a dyn Fn(&str),
    /// Ends the run early.
    pub interrupt: Interrupt,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// The server.
    pub server: String,
    /// The cases, in their order.
    pub ran: Vec<Ran>,
    /// The healthy servers.
    pub calm: Vec<Calm>,
    /// The run was ended before it was through.
    pub interrupted: bool,
}

impl Report {
    /// Whether the doctor was right wherever it could be asked, and silent where nothing was wrong.
    pub fn is_well(&self) -> bool {
        !self.interrupted
            && self
                .ran
                .iter()
                .all(|ran| ran.is_right() || ran.is_left_out())
            && self.calm.iter().all(Calm::is_silent)
    }
}

/// Runs them, one after another: a server of another case would take its time from what is measured.
pub fn run(options: &Options<'_>) -> Report {
    let mut report = Report {
        server: options.binary.to_string(),
        ran: Vec::new(),
        calm: Vec::new(),
        interrupted: false,
    };
    for case in &options.cases {
        if options.interrupt.is_raised() {
            report.interrupted = true;
            return report;
        }
        (options.progress)(case.name);
        let began = Instant::now();
        let result = of_case(case, options);
        report.ran.push(Ran {
            case,
            result,
            took: began.elapsed(),
        });
    }
    if options.healthy {
        for server in healthy::ALL {
            if options.interrupt.is_raised() {
                report.interrupted = true;
                return report;
            }
            (options.progress)(server.name);
            report.calm.push(server.run(options.binary));
        }
    }
    report
}

fn of_case(case: &'static Case, options: &Options<'_>) -> Result<Seen, Trouble> {
    let (binary, contenders) = (options.binary, &options.contenders);
    let facts = if let Some(name) = case.scenario {
        scenarios::collected(name, binary, contenders, &options.interrupt)?
    } else {
        let mut bed = Bed::new(binary, options.venv, case.config)?;
        bed.look();
        (case.act)(&mut bed)?;
        bed.collected()?
    };
    Ok(Seen::of(case, &diagnose(facts)))
}

#[cfg(test)]
mod tests {
    use seawall_doctor::Code;
    use seawall_lab::world::server_binary;

    use super::*;

    /// Nothing is done to the server, and the case says that clients were killed.
    const UNTRUE: Case = Case {
        name: "untrue",
        truth: &[Code(308)],
        ..Case::PLAIN
    };

    /// A scenario, and no client to run it with.
    const NOBODY: Case = Case {
        name: "nobody",
        truth: &[Code(308)],
        scenario: Some("client-kill"),
        ..Case::PLAIN
    };

    fn well(case: &'static Case) -> bool {
        let binary = server_binary(None).expect("a server to break");
        let report = run(&Options {
            binary: &binary,
            venv: None,
            contenders: Vec::new(),
            cases: vec![case],
            healthy: false,
            progress: &|_| {},
            interrupt: Interrupt::never(),
        });
        assert!(report.ran[0].result.is_ok() || report.ran[0].is_left_out());
        report.is_well()
    }

    #[test]
    fn a_case_that_was_not_told_first_is_not_well_and_one_that_is_left_out_is() {
        assert!(!well(&UNTRUE));
        assert!(well(&NOBODY));
    }
}
