mod diff;
mod form;
mod whole_file;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use seawall_doctor::finding::Verdict;
use seawall_doctor::sources::{self, Patience};
use seawall_doctor::stamp::Stamp;
use seawall_doctor::{Diagnosis, diagnose};

use form::Form;

use crate::{Exit, output};

/// Where the doctor looks if it is told nothing.
const DEFAULT: &str = "redis://127.0.0.1:6379";

/// Say why connections broke: from a server, its log, an application's log, the kernel's log.
///
/// Files are recognised by their content, and their order changes nothing: logs of Redis and Valkey, of applications, of the
/// kernel (journalctl -k), what INFO, CLIENT LIST and CONFIG GET answered. The doctor only reads. Exit codes: 0 nothing
/// found, 1 something broke, 2 could not run, 3 only risks.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Doctor {
    #[command(subcommand)]
    command: Option<Command>,
    /// URLs of servers and paths of files; `-` is standard input. Without any: `redis://127.0.0.1:6379`
    #[arg(value_name = "URL|FILE")]
    sources: Vec<String>,
    #[command(flatten)]
    form: Form,
    /// A former report, as --json printed it: say what is new, still there and gone
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// How long a look at one server may take, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    within: u64,
    /// How long a server's counters are watched, in seconds; a third of one unless told
    #[arg(long = "for", value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3600))]
    watching: Option<u64>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Diff(diff::Diff),
}

impl Doctor {
    pub(crate) fn run(self) -> Exit {
        if let Some(Command::Diff(diff)) = self.command {
            return diff.run();
        }
        // What is wrong with it is said before anything else; the report comes all the same.
        let former = self.baseline.as_deref().map(diff::read);
        let sources = if self.sources.is_empty() {
            vec![DEFAULT.to_owned()]
        } else {
            self.sources
        };
        let now = now();
        let patience = Patience {
            within: Duration::from_secs(self.within),
            watching: self.watching.map(Duration::from_secs),
        };
        let told = sources::look(&sources, patience, now);
        for trouble in &told.troubles {
            output::fail(&trouble.what, &trouble.hint);
        }
        let unread = told.lacks_something();
        if told.facts.had.is_empty() {
            return Exit::Unable;
        }
        let mut diagnosis = diagnose(told.facts);
        diagnosis.made = Some(now);
        if let Some(Some(former)) = &former {
            diagnosis.compare(former);
        }
        let told = self.form.tell(&diagnosis);
        match told {
            Ok(()) if unread || former == Some(None) => Exit::Unable,
            Ok(()) => exit(&diagnosis),
            Err(untold) => untold,
        }
    }
}

/// By what matters most.
fn exit(diagnosis: &Diagnosis) -> Exit {
    match diagnosis.findings.first().map(|first| first.verdict) {
        // Calls failed, whether or not somebody knows why.
        _ if diagnosis.unexplained.is_some() => Exit::Short,
        None | Some(Verdict::RuledOut) => Exit::Well,
        Some(Verdict::Risk) => Exit::Risk,
        Some(_) => Exit::Short,
    }
}

fn now() -> Stamp {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Stamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}
