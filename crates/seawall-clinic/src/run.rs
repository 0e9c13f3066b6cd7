//! Runs cases one after another, and healthy servers after them.

use std::time::Instant;

use seawall_doctor::diagnose;
use seawall_lab::run::Interrupt;
use seawall_lab::world::ServerBinary;

use crate::bed::Bed;
use crate::case::{Case, Trouble};
use crate::healthy::{self, Calm};
use crate::verdict::{Ran, Seen};

/// What to run.
pub struct Options<'a> {
    /// The server to break.
    pub binary: &'a ServerBinary,
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
        let result = of_case(case, options.binary);
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

fn of_case(case: &'static Case, binary: &ServerBinary) -> Result<Seen, Trouble> {
    let mut bed = Bed::new(binary, case.config)?;
    bed.look();
    (case.act)(&mut bed)?;
    let diagnosis = diagnose(bed.collected()?);
    Ok(Seen::of(case, &diagnosis))
}
