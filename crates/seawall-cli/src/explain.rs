use std::fmt::Write as _;

use clap::Args;
use seawall_doctor::{Rule, explain, rules};

use crate::{Exit, output};

/// Say what a code means (SW301), or which causes are behind a client's message.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A code, or the message as the client wrote it
    #[arg(value_name = "CODE|MESSAGE", required_unless_present = "list")]
    words: Vec<String>,
    /// List every code
    #[arg(long, conflicts_with = "words")]
    list: bool,
}

impl Explain {
    pub(crate) fn run(self) -> Exit {
        if self.list {
            let lines = rules()
                .iter()
                .map(|rule| format!("{}  {}", rule.code, rule.title));
            return told(output::out_all(lines));
        }
        let words = self.words.join(" ");
        let behind = explain::behind(&words);
        if behind.is_empty() {
            output::fail(
                "no cause that the doctor knows is behind these words",
                "give the client's own message, or a code: `seawall explain --list`",
            );
            return Exit::Short;
        }
        let pages: Vec<_> = behind.iter().map(|rule| page(rule)).collect();
        told(output::out(pages.join("\n\n")))
    }
}

fn page(rule: &Rule) -> String {
    let mut page = format!("{}  {}\n", rule.code, rule.title);
    let mut line = String::from(" ");
    for word in rule.explanation.split_whitespace() {
        if line.chars().count() + word.chars().count() + 1 > 98 {
            let _ = writeln!(page, "{line}");
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(page, "{line}");
    let sources: Vec<_> = rule.needs.iter().map(|need| need.words().0).collect();
    let _ = write!(page, "  look at: {}", sources.join(", "));
    page
}

fn told(written: std::io::Result<()>) -> Exit {
    match written {
        Ok(()) => Exit::Well,
        Err(error) => {
            output::fail(format_args!("the text could not be written: {error}"), "");
            Exit::Unable
        }
    }
}
