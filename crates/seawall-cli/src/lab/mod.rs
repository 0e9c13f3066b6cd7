//! `seawall lab`: breaks a real Redis under load, and shows what the callers saw.

mod app;
mod contend;
mod diagnose;
mod faces;
mod list;
mod run;

use clap::{Args, Subcommand};

use crate::{Door, Exit};

/// Break a real Redis under load, and see what the callers saw.
#[derive(Debug, Args)]
pub(crate) struct Lab {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Run(Box<run::Run>),
    Diagnose(diagnose::Diagnose),
    Contend(contend::Contend),
}

/// The names of the faces that this program has itself.
pub(crate) fn native_faces() -> impl Iterator<Item = &'static str> {
    contend::Face::names()
}

impl Lab {
    pub(crate) fn run(self, door: &Door) -> Exit {
        match self.command {
            Command::List(list) => list.run(),
            Command::Run(run) => run.run(door),
            Command::Diagnose(diagnose) => diagnose.run(door),
            Command::Contend(contend) => contend.run(),
        }
    }
}
