//! For a ticket or a chat: the first screen's questions as headings, commands in fences to copy.

use std::fmt::Write as _;

use super::words::{
    NOTHING, Piece, broke, clean, gone, headline, marked, page_of, pieces, risks, scope, shown,
};
use crate::facts::Unseen;
use crate::finding::{Evidence, Finding, Fix};
use crate::judge::Diagnosis;
use crate::uptime::Uptime;

/// A diagnosis in GitHub's Markdown.
pub fn markdown(diagnosis: &Diagnosis) -> String {
    let mut page = String::new();
    let up = match &diagnosis.uptime {
        Uptime::Stayed(words) | Uptime::Ended(words) | Uptime::Unknown(words) => words,
    };
    heading(&mut page, 2, "What the doctor says");
    let _ = writeln!(page, "**Did Redis stay up?** {}\n", escaped(up));
    if let Some(first) = diagnosis.first() {
        let _ = writeln!(page, "**Cause:** {}\n", linked(first));
        let _ = writeln!(page, "**Scope:** {}\n", escaped(&scope(first, diagnosis)));
        if let Some(words) = &diagnosis.unexplained {
            let _ = writeln!(page, "**Also:** {}\n", escaped(words));
        }
    } else {
        let words = diagnosis.unexplained.as_deref().unwrap_or(NOTHING);
        let _ = writeln!(page, "**Cause:** {}\n", escaped(words));
    }
    for finding in broke(diagnosis).chain(risks(diagnosis)) {
        of_finding(&mut page, finding, diagnosis);
    }
    if !gone(diagnosis).is_empty() {
        heading(&mut page, 3, "Gone");
        for known in gone(diagnosis) {
            let words = format!("{} {}", known.code, known.title);
            let _ = writeln!(page, "- {}", escaped(&words));
        }
        page.push('\n');
    }
    if !diagnosis.ruled_out.is_empty() {
        heading(&mut page, 3, "Not it");
        for out in &diagnosis.ruled_out {
            let says = out.supports.first().map(shown).unwrap_or_default();
            let _ = writeln!(page, "- {}: {}", escaped(&out.title), code(&says));
        }
        page.push('\n');
    }
    unseen(&mut page, &diagnosis.unseen);
    if !diagnosis.assumed.is_empty() {
        heading(&mut page, 3, "Assumed");
        for words in &diagnosis.assumed {
            let _ = writeln!(page, "- {}", escaped(words));
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn of_finding(page: &mut String, finding: &Finding, diagnosis: &Diagnosis) {
    heading(page, 3, &escaped(&marked(finding, diagnosis)));
    let mut part = finding.verdict.name().replace('_', " ");
    if let Some(behind) = finding.behind {
        let _ = write!(part, " of {behind}");
    }
    if let Some((from, to)) = finding.window {
        let _ = write!(part, ", {from}");
        if to > from {
            let _ = write!(part, " to {to}");
        }
    }
    let _ = writeln!(page, "*{part}.* {}\n", escaped(&finding.claim));
    list(page, "for it", &finding.supports, finding.more);
    list(page, "against it", &finding.contradicts, 0);
    for (place, fix) in finding.fixes.iter().enumerate() {
        of_fix(page, if place == 0 { "Do now" } else { "Or" }, fix);
    }
    if !finding.check.is_empty() {
        told(page, "Check", &finding.check);
    }
}

fn list(page: &mut String, title: &str, all: &[Evidence], more: u64) {
    if all.is_empty() {
        return;
    }
    let _ = writeln!(page, "Evidence {title}:\n");
    for evidence in all {
        let _ = writeln!(page, "- {}", code(&shown(evidence)));
    }
    if more > 0 {
        let _ = writeln!(page, "- and {more} more");
    }
    page.push('\n');
}

fn of_fix(page: &mut String, label: &str, fix: &Fix) {
    told(page, label, &fix.action);
    if !fix.risk.is_empty() {
        let _ = writeln!(page, "Risk: {}\n", escaped(&fix.risk));
    }
    if !fix.undo.is_empty() {
        told(page, "Undo", &fix.undo);
    }
}

fn unseen(page: &mut String, unseen: &[Unseen]) {
    if unseen.is_empty() {
        return;
    }
    heading(page, 3, "Unseen");
    for one in unseen {
        let _ = writeln!(page, "{}: {}\n", escaped(&one.what), escaped(&one.why));
        told(page, "Get it", &one.how);
    }
}

/// A sentence, and each command of it once more in a fence.
fn told(page: &mut String, label: &str, words: &str) {
    let _ = writeln!(page, "**{label}:** {}\n", escaped(words));
    for piece in pieces(words) {
        if let Piece::Command(command) = piece {
            let fence = "`".repeat(longest_run(command).max(2) + 1);
            let _ = writeln!(page, "{fence}sh\n{}\n{fence}\n", clean(command));
        }
    }
}

fn linked(finding: &Finding) -> String {
    let line = escaped(&headline(finding));
    let Some(page) = page_of(finding.code) else {
        return line;
    };
    let code = finding.code.to_string();
    line.replacen(&code, &format!("[{code}]({page})"), 1)
}

fn heading(page: &mut String, level: usize, words: &str) {
    let _ = writeln!(page, "{} {words}\n", "#".repeat(level));
}

/// A stretch of code: nothing in it is markup, and nobody is called by an `@`.
fn code(words: &str) -> String {
    let words = clean(words);
    let fence = "`".repeat(longest_run(&words) + 1);
    // The blanks keep a backtick at either end apart from the fence; a reader takes one off each.
    format!("{fence} {words} {fence}")
}

fn longest_run(words: &str) -> usize {
    let runs = words.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

/// So that every character is itself: punctuation is escaped where it may be markup, links and mentions too.
fn escaped(words: &str) -> String {
    let words = clean(words);
    let mut out = String::with_capacity(words.len());
    let mut before = ' ';
    for (at, c) in words.char_indices() {
        let rest = &words[at + c.len_utf8()..];
        let first = at == 0 || before == ' ';
        match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '|' | '~' | '#' | '$' => {
                out.push('\\');
                out.push(c);
            }
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            ':' if rest.starts_with("//") => out.push_str("\\:"),
            '!' | '-' | '+' | '=' if first => {
                out.push('\\');
                out.push(c);
            }
            '.' | ')' if before.is_ascii_digit() && (rest.is_empty() || rest.starts_with(' ')) => {
                out.push('\\');
                out.push(c);
            }
            '.' if out.to_ascii_lowercase().ends_with("www") => out.push_str("&#46;"),
            _ => out.push(c),
        }
        before = c;
    }
    out
}
