//! `seawall lab run --app`: somebody's own application in the place of clients.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use seawall_lab::app::{self, AppOptions, PATIENCE_DEFAULT, RATE_DEFAULT, READY_DEFAULT};
use seawall_lab::run::Interrupt;

use crate::{Exit, output};

/// What is said of the application.
#[derive(Debug, Args)]
#[command(next_help_heading = "Your own application (docs/lab-app.md)")]
pub(super) struct Flags {
    /// Run this application, and break Redis under it: a command for the shell. It is told the server's URL in `REDIS_URL`
    /// and the like, and where `{redis_url}` stands in it
    #[arg(long, value_name = "COMMAND", requires = "url", conflicts_with_all = ["demo", "against", "face", "markdown", "seed", "parallel", "workers"])]
    pub(super) app: Option<String>,

    /// What its users ask for, such as <http://127.0.0.1:8000/>
    #[arg(long, requires = "app")]
    url: Option<String>,

    /// The method by which they ask
    #[arg(long, default_value = "GET", requires = "app")]
    method: String,

    /// How many of them come each second
    #[arg(long, default_value_t = RATE_DEFAULT, requires = "app", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,

    /// How many seconds they wait for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE_DEFAULT.as_secs(), requires = "app", value_parser = clap::value_parser!(u64).range(1..=60))]
    patience: u64,

    /// How many seconds the application may take to answer for the first time
    #[arg(long, value_name = "SECONDS", default_value_t = READY_DEFAULT.as_secs(), requires = "app", value_parser = clap::value_parser!(u64).range(1..=600))]
    ready: u64,

    /// Also tell the application the server's URL in this variable
    #[arg(long, value_name = "NAME", num_args = 1.., requires = "app", value_parser = variable)]
    env: Vec<String>,
}

/// What the rest of the command line says.
pub(super) struct Beside {
    pub(super) scenarios: Vec<String>,
    pub(super) venv: PathBuf,
    pub(super) as_json: bool,
    pub(super) interrupt: Interrupt,
}

fn variable(given: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if given.is_empty() || given.as_bytes()[0].is_ascii_digit() || !given.bytes().all(fits) {
        return Err(
            "a variable's name has letters, digits and _ alone; its value is the server's URL"
                .to_owned(),
        );
    }
    Ok(given.to_owned())
}

impl Flags {
    pub(super) fn run(&self, command: &str, beside: Beside) -> Exit {
        let options = AppOptions {
            scenarios: beside.scenarios,
            command: command.to_owned(),
            url: self.url.clone().unwrap_or_default(),
            method: self.method.clone(),
            rate: self.rate,
            patience: Duration::from_secs(self.patience),
            ready: Duration::from_secs(self.ready),
            env: self.env.clone(),
            venv: Some(beside.venv),
            progress: &|what| output::note(what),
            interrupt: beside.interrupt,
        };
        let report = match app::run(&options) {
            Ok(report) => report,
            Err(error) => {
                output::fail(error, "");
                return Exit::Unable;
            }
        };
        let text = if beside.as_json {
            report.json()
        } else {
            report.to_string()
        };
        if let Err(error) = output::out(text.trim_end()) {
            output::fail(format_args!("the report could not be written: {error}"), "");
            return Exit::Unable;
        }
        if report.is_well() {
            Exit::Well
        } else {
            Exit::Short
        }
    }
}
