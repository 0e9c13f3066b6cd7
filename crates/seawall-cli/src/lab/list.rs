use clap::Args;
use seawall_lab::scenario::{self, Showing};

use crate::{Exit, output};

/// List the scenarios: what each one breaks, the cause that clients must name, and the code by which the doctor calls it.
#[derive(Debug, Args)]
pub(crate) struct List {}

impl List {
    #[expect(clippy::unused_self, reason = "every command is run by its value")]
    pub(crate) fn run(self) -> Exit {
        let scenarios = scenario::list();
        let width = scenarios
            .iter()
            .map(|scenario| scenario.name.len())
            .max()
            .unwrap_or(0);
        for scenario in &scenarios {
            let mark = |is_so, mark| if is_so { mark } else { ' ' };
            let demo = mark(scenario.showing == Showing::Demo, '*');
            let app = mark(scenario.fits_an_app(), 'a');
            let cause = scenario.causes.first().map_or("-", |cause| cause.name());
            let code = scenario.diagnosis.first().unwrap_or(&"-");
            let line = format!(
                "{demo}{app} {:<width$}  {:<19} {code:<5} {}",
                scenario.name, cause, scenario.story
            );
            if output::out(line).is_err() {
                return Exit::Unable;
            }
        }
        output::note(
            "* in the demo; a: also under an application of yours (--app, see docs/lab-app.md); \
             `seawall lab run NAME ..` runs some, `seawall lab run` all",
        );
        Exit::Well
    }
}
