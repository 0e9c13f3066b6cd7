//! Measures Seawall beside its peers, in turns in one run: `make bench`, or `seawall-bench [SUITE] [--json]`.
//!
//! README.md beside this crate says what each number means.

mod asynchronous;
mod blocking;
mod codec;
mod ground;
mod measure;
mod policy;
mod report;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use ground::{Cores, Ground};
use report::{Machine, Report, Table};

/// Everything that goes wrong ends the run with one line.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures Seawall beside its peers.
#[derive(Debug, Parser)]
#[command(name = "seawall-bench")]
struct Arguments {
    /// What to measure
    #[arg(value_enum, default_value = "all")]
    suite: Suite,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    /// How many times the usual number of rounds; 0.1 for a glance, 5 on a noisy machine
    #[arg(long, default_value_t = 1.0, value_parser = parse_scale)]
    rounds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// What deciding on a call costs, beside failsafe and recloser
    Policy,
    /// Reading replies and writing commands, beside redis-protocol and redis-rs
    Codec,
    /// Blocking GET, beside a bare socket loop and redis-rs
    Blocking,
    /// GET by 50 tasks on tokio, beside redis-rs and fred
    Async,
    /// All of them
    All,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let cores = Cores::find()?;
    let machine = Machine::look();
    if let Some(warning) = machine.warning() {
        complain(&warning);
    }
    let mut tables = Vec::new();
    let mut add = |more: Vec<Table>| {
        if !arguments.json {
            for table in &more {
                say(&table.to_string());
            }
        }
        tables.extend(more);
    };
    if !arguments.json {
        say(&format!("{machine}\n"));
    }
    let wants = |suite| arguments.suite == suite || arguments.suite == Suite::All;
    if wants(Suite::Policy) {
        add(policy::run(cores, arguments.rounds)?);
    }
    if wants(Suite::Codec) {
        add(codec::run(cores, arguments.rounds)?);
    }
    if wants(Suite::Blocking) || wants(Suite::Async) {
        let ground = Ground::prepare(cores)?;
        if !arguments.json {
            say(&format!("server: {}\n", ground.server_name()));
        }
        if wants(Suite::Blocking) {
            add(blocking::run(&ground, arguments.rounds)?);
        }
        if wants(Suite::Async) {
            add(asynchronous::run(&ground, arguments.rounds)?);
        }
    }
    if arguments.json {
        say(&serde_json::to_string_pretty(&Report { machine, tables })?);
    }
    Ok(())
}

fn parse_scale(text: &str) -> std::result::Result<f64, String> {
    match text.parse() {
        Ok(scale) if (0.01..=100.0).contains(&scale) => Ok(scale),
        _ => Err("a number from 0.01 to 100".to_owned()),
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(
    clippy::print_stderr,
    reason = "what is no measurement goes beside them"
)]
fn complain(text: &str) {
    eprintln!("seawall-bench: {text}");
}
