use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use seawall_doctor::finding::Verdict;
use seawall_doctor::read::{self, Given, Kind};
use seawall_doctor::stamp::Stamp;
use seawall_doctor::{Facts, diagnose, live, report};
use seawall_model::Target;

use crate::{Exit, output};

/// Where the doctor looks if it is told nothing.
const DEFAULT: &str = "redis://127.0.0.1:6379";

/// Say why connections broke: from a server, its log, an application's log, the kernel's log.
///
/// Files are recognised by their content, and their order changes nothing: logs of Redis and Valkey, of applications, of the
/// kernel (journalctl -k), what INFO, CLIENT LIST and CONFIG GET answered. The doctor only reads. Exit codes: 0 nothing
/// found, 1 something broke, 2 could not run, 3 only risks.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// URLs of servers and paths of files; `-` is standard input. Without any: `redis://127.0.0.1:6379`
    #[arg(value_name = "URL|FILE")]
    sources: Vec<String>,
    /// Print everything as JSON, for programs
    #[arg(long)]
    json: bool,
    /// Print all evidence
    #[arg(long, conflicts_with = "json")]
    long: bool,
    /// How long a look at one server may take, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    within: u64,
}

impl Doctor {
    pub(crate) fn run(self) -> Exit {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = Stamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX));
        let mut facts = Facts::default();
        let mut unread = false;
        let sources = if self.sources.is_empty() {
            vec![DEFAULT.to_owned()]
        } else {
            self.sources
        };
        for source in &sources {
            let told = if source.contains("://") {
                of_url(source, Duration::from_secs(self.within), now)
            } else {
                of_file(source, Given { now })
            };
            match told {
                Some(told) => facts.add(told),
                None => unread = true,
            }
        }
        if facts.had.is_empty() {
            return Exit::Unable;
        }
        let diagnosis = diagnose(facts);
        let written = if self.json {
            output::out(format_args!("{:#}", report::json(&diagnosis)))
        } else {
            output::out(report::text(&diagnosis, self.long).trim_end())
        };
        if let Err(error) = written {
            output::fail(format_args!("the report could not be written: {error}"), "");
            return Exit::Unable;
        }
        match diagnosis.findings.first().map(|first| first.verdict) {
            // What was found is told; that a source could not be read must not pass for all being well.
            _ if unread => Exit::Unable,
            None | Some(Verdict::RuledOut) => Exit::Well,
            Some(Verdict::Risk) => Exit::Risk,
            Some(_) => Exit::Short,
        }
    }
}

fn of_url(url: &str, within: Duration, now: Stamp) -> Option<Facts> {
    match Target::parse(url) {
        Ok(target) => match live::look(&target, within, now) {
            Ok(facts) => Some(facts),
            Err(unspoken) => {
                output::fail(&unspoken, unspoken.hint());
                None
            }
        },
        Err(error) => {
            output::fail(&error, &error.hint());
            None
        }
    }
}

fn of_file(path: &str, given: Given) -> Option<Facts> {
    let read = if path == "-" {
        if io::stdin().is_terminal() {
            output::fail(
                "nothing is piped into standard input",
                "redis-cli INFO | seawall doctor -",
            );
            return None;
        }
        read::file("standard input", io::stdin().lock(), given)
    } else {
        File::open(path).and_then(|file| {
            let name = Path::new(path).file_name().unwrap_or_default();
            read::file(&name.to_string_lossy(), file, given)
        })
    };
    match read {
        Ok((Kind::Unknown, _)) => {
            let hint = "logs of Redis, of applications and of the kernel are known, and what INFO, CLIENT LIST and CONFIG GET answered";
            output::fail(
                format_args!("{path} holds nothing that the doctor knows"),
                hint,
            );
            None
        }
        Ok((_, facts)) => Some(facts),
        Err(error) => {
            output::fail(
                format_args!("{path} cannot be read: {error}"),
                "give a URL (redis://..) or the path of a file",
            );
            None
        }
    }
}
