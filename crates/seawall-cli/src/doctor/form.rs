use std::env;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use seawall_doctor::{Diagnosis, report};

use super::whole_file;
use crate::{Exit, output};

/// In which form the report is told. They exclude one another.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line, and their group lets one of them through"
)]
pub(super) struct Form {
    /// Print everything as JSON, for programs
    #[arg(long, group = "form")]
    json: bool,
    /// Print it as Markdown, for a ticket or a chat
    #[arg(long, group = "form")]
    markdown: bool,
    /// Print it as SARIF 2.1.0, for code scanners
    #[arg(long, group = "form")]
    sarif: bool,
    /// Print it as the XML of `JUnit`, for CI: a test case for each rule
    #[arg(long, group = "form")]
    junit: bool,
    /// Print all evidence
    #[arg(long, group = "form")]
    long: bool,
    /// Write a page with a timeline into this file, besides what is printed
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Form {
    /// Whether it is JSON that was asked for.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether all evidence was asked for.
    pub(super) fn is_long(&self) -> bool {
        self.long
    }

    /// Tells it; whoever cannot be told hears why on standard error.
    pub(super) fn tell(&self, diagnosis: &Diagnosis) -> Result<(), Exit> {
        let words = if self.json {
            format!("{:#}", report::json(diagnosis))
        } else if self.markdown {
            report::markdown(diagnosis)
        } else if self.sarif {
            format!("{:#}", report::sarif(diagnosis))
        } else if self.junit {
            report::junit(diagnosis)
        } else if colours() {
            report::coloured(diagnosis, self.long)
        } else {
            report::text(diagnosis, self.long)
        };
        let told = output::out(words.trim_end()).map_err(|error| {
            output::fail(format_args!("the report could not be written: {error}"), "");
            Exit::Unable
        });
        // The page comes last: whatever becomes of it, the report is told.
        told.and(self.page(diagnosis))
    }

    pub(super) fn page(&self, diagnosis: &Diagnosis) -> Result<(), Exit> {
        let Some(path) = &self.html else {
            return Ok(());
        };
        whole_file::write(path, &report::html(diagnosis)).map_err(|error| {
            output::fail(
                format_args!(
                    "the page could not be written to {}: {error}",
                    output::safe(&path.to_string_lossy())
                ),
                "give --html the path of a file in a folder that you may write to",
            );
            Exit::Unable
        })
    }
}

/// Colour is for a terminal that has it, and for nobody who refuses it: <https://no-color.org>.
fn colours() -> bool {
    let refused = env::var_os("NO_COLOR").is_some_and(|refusal| !refusal.is_empty());
    let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stdout().is_terminal() && !refused && !dumb
}
