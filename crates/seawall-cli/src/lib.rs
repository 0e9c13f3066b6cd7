//! The seawall command line.
//!
//! A subcommand is one file. Exit codes are the same everywhere: 0 all is well, 1 something fell short, 2 it could not
//! run.

mod journal;
mod lab;
mod output;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Keeps applications answering when their Redis connections break, and says why they broke.
#[derive(Debug, Parser)]
#[command(name = "seawall", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Lab(lab::Lab),
    Journal(journal::Journal),
}

/// Runs the command line; the first word is the program's own name.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Cli::try_parse_from(words) {
        Ok(Cli { command }) => match command {
            Command::Lab(lab) => lab.run(),
            Command::Journal(journal) => journal.run(),
        },
        Err(error) => {
            // Help and version are asked for, and are no failure.
            let asked_for = !error.use_stderr();
            let _ = error.print();
            if asked_for {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(2)
            }
        }
    }
}
