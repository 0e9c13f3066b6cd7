use std::fmt::Write as _;

use clap::Args;
use seawall_doctor::explain::{self, Explanation, explain};
use seawall_doctor::{Code, Rule, rules};

use crate::{Exit, output};

/// So many of the causes behind a message are explained; of the others the titles stand.
const EXPLAINED: usize = 3;

const WIDTH: usize = 98;

/// Say what a code (SW301), a client's message or a cause of Seawall's errors means, and what is behind it.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A code, the message as the client wrote it, or a cause's name
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
        if let Some(codes) = codes(&self.words) {
            return of_codes(&codes);
        }
        let explanation = explain(&self.words.join(" "));
        if explanation.rules.is_empty() && explanation.means.is_none() {
            output::fail(
                "no cause that the doctor knows is behind these words",
                "give the client's own message, or a code: `seawall explain --list`",
            );
            return Exit::Short;
        }
        told(output::out(page(&explanation).trim_end()))
    }
}

/// The codes, if there is nothing else: one or several, each a word.
fn codes(words: &[String]) -> Option<Vec<Code>> {
    let words = words.iter().flat_map(|word| word.split_whitespace());
    let codes: Option<Vec<_>> = words.map(explain::code).collect();
    codes.filter(|codes| !codes.is_empty())
}

fn of_codes(codes: &[Code]) -> Exit {
    let mut ended = Exit::Well;
    let mut page = String::new();
    for code in codes {
        if let Some(rule) = rules().iter().find(|rule| rule.code == *code) {
            of_rule(&mut page, rule);
        } else {
            let hint = "`seawall explain --list` has all codes";
            output::fail(format_args!("there is no code {code}"), hint);
            ended = Exit::Short;
        }
    }
    if page.is_empty() {
        return ended;
    }
    match told(output::out(page.trim_end())) {
        Exit::Well => ended,
        unable => unable,
    }
}

fn page(explanation: &Explanation) -> String {
    let mut page = String::new();
    let by = explanation.client;
    match (by, explanation.means) {
        (Some(client), Some(means)) => wrap(&mut page, "", &format!("{client}: {means}")),
        (None, Some(means)) => wrap(&mut page, "", means),
        (Some(client), None) => wrap(&mut page, "", client),
        (None, None) => {}
    }
    if explanation.means.is_some() && !explanation.rules.is_empty() {
        let _ = writeln!(page, "\nBehind it, the most frequent first:\n");
    }
    let (first, others) = explanation
        .rules
        .split_at(explanation.rules.len().min(EXPLAINED));
    for rule in first {
        of_rule(&mut page, rule);
    }
    for rule in others {
        let _ = writeln!(page, "{}  {}", rule.code, rule.title);
    }
    if let Some(rule) = others.first() {
        let _ = writeln!(page, "\nmore of each: seawall explain {}", rule.code);
    }
    if explanation.means.is_some() {
        let _ = writeln!(
            page,
            "which of them it was: seawall doctor URL SERVER.LOG APPLICATION.LOG"
        );
    }
    page
}

fn of_rule(page: &mut String, rule: &Rule) {
    let _ = writeln!(page, "{}  {}", rule.code, rule.title);
    wrap(page, "  ", rule.explanation);
    let sources: Vec<_> = rule.needs.iter().map(|need| need.words().0).collect();
    let _ = writeln!(page, "  look at: {}\n", sources.join(", "));
}

fn wrap(page: &mut String, indent: &str, words: &str) {
    let mut line = String::from(indent);
    for word in words.split_whitespace() {
        if line.chars().count() + word.chars().count() + 1 > WIDTH && line.trim() != "" {
            let _ = writeln!(page, "{}", line.trim_end());
            line = String::from(indent);
        }
        line.push_str(word);
        line.push(' ');
    }
    let _ = writeln!(page, "{}", line.trim_end());
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
