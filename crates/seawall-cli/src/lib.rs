//! The seawall command line.
//!
//! A subcommand is one file. Exit codes are the same everywhere: 0 all is well, 1 something fell short, 2 it could not
//! run.
//!
//! It is a library, so that the Python wheel can offer the same command line: what differs between the two is a [`Door`].

mod check;
mod collect;
mod doctor;
#[cfg(test)]
mod documented;
mod exit;
mod explain;
mod journal;
mod lab;
mod logs;
mod output;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use exit::Exit;

/// Keeps applications answering when their Redis connections break, and says why they broke.
#[derive(Debug, Parser)]
#[command(name = "seawall", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Collect(collect::Collect),
    Doctor(Box<doctor::Doctor>),
    Explain(explain::Explain),
    Journal(journal::Journal),
    Lab(lab::Lab),
    Logs(logs::Logs),
}

/// What the command line stands in.
#[derive(Debug)]
pub struct Door {
    /// The words that start this command line once more, as a child process: the lab's contenders are such children.
    pub program: Vec<String>,
    /// The virtual environment in which the lab looks for a server and for Python clients, unless `--venv` says another.
    pub venv: PathBuf,
    /// The faces that stand in the lab unless `--face` names others.
    pub faces: Vec<String>,
}

impl Door {
    /// A program of its own.
    pub fn program() -> Self {
        let program = std::env::current_exe()
            .map_or_else(|_| "seawall".into(), |path| path.display().to_string());
        Self {
            program: vec![program],
            venv: ".venv".into(),
            faces: lab::native_faces().map(str::to_owned).collect(),
        }
    }
}

/// Runs the command line; the first word is the program's own name.
pub fn run(words: impl IntoIterator<Item = OsString>, door: &Door) -> Exit {
    match Cli::try_parse_from(words) {
        Ok(Cli { command }) => match command {
            Command::Check(check) => check.run(),
            Command::Collect(collect) => collect.run(),
            Command::Doctor(doctor) => doctor.run(),
            Command::Explain(explain) => explain.run(),
            Command::Journal(journal) => journal.run(),
            Command::Lab(lab) => lab.run(door),
            Command::Logs(logs) => logs.run(),
        },
        Err(error) => {
            // Help and version are asked for, and are no failure.
            let asked_for = !error.use_stderr();
            let _ = error.print();
            if asked_for { Exit::Well } else { Exit::Unable }
        }
    }
}
