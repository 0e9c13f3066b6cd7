use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use seawall_doctor::baseline::{Baseline, Comparison, Known};
use seawall_doctor::report;

use crate::{Exit, output};

/// Say what changed from one report to another: both as --json printed them.
///
/// Findings are the same if their fingerprints are: code, servers and names of clients. Exit codes: 0 nothing is new, 1
/// something is new, or worse than a risk now, 2 one of them cannot be read.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The former report
    former: PathBuf,
    /// The later report
    later: PathBuf,
    /// Print it as JSON, for programs
    #[arg(long)]
    json: bool,
}

impl Diff {
    pub(super) fn run(&self) -> Exit {
        let (Some(former), Some(later)) = (read(&self.former), read(&self.later)) else {
            return Exit::Unable;
        };
        let changes = former.compared(&later);
        let words = if self.json {
            format!("{:#}", report::changes(&changes))
        } else {
            text(&changes)
        };
        if let Err(error) = output::out(words) {
            output::fail(
                format_args!("the changes could not be written: {error}"),
                "",
            );
            return Exit::Unable;
        }
        if changes.is_news() {
            Exit::Short
        } else {
            Exit::Well
        }
    }
}

/// A former report; whatever is wrong with it is said.
pub(super) fn read(path: &Path) -> Option<Baseline> {
    let hint = "give a file that `seawall doctor --json` wrote";
    let text = match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            let path = path.to_string_lossy();
            output::fail(
                format_args!("{} cannot be read: {error}", output::safe(&path)),
                hint,
            );
            return None;
        }
    };
    match Baseline::parse(&text) {
        Ok(baseline) => Some(baseline),
        Err(unreadable) => {
            let words = format_args!("{} is no former report: {unreadable}", path.display());
            output::fail(words, hint);
            None
        }
    }
}

fn text(changes: &Comparison) -> String {
    let made = changes.made.as_deref();
    let mut lines = vec![format!("since {}", made.unwrap_or("the former report"))];
    let mut list = |label: &str, all: &[Known]| {
        let rows = all.iter().map(|known| {
            let words = [&known.confidence, &known.code, &known.title];
            let words: Vec<_> = words
                .into_iter()
                .filter(|word| !word.is_empty())
                .cloned()
                .collect();
            report::plain(&format!("{label:<6} {}", words.join("  ")))
        });
        lines.extend(rows);
    };
    list("NEW", &changes.new);
    list("WORSE", &changes.worse);
    list("STILL", &changes.same);
    list("GONE", &changes.gone);
    if !changes.is_news() {
        lines.push("nothing is new".to_owned());
    }
    lines.join("\n")
}
