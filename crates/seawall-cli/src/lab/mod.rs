//! `seawall lab`: breaks a real Redis under load, and shows what the callers saw.

mod contend;
mod list;
mod run;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// Break a real Redis under load, and see what the callers saw.
#[derive(Debug, Args)]
pub(crate) struct Lab {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Run(run::Run),
    Contend(contend::Contend),
}

impl Lab {
    pub(crate) fn run(self) -> ExitCode {
        match self.command {
            Command::List(list) => list.run(),
            Command::Run(run) => run.run(),
            Command::Contend(contend) => contend.run(),
        }
    }
}
