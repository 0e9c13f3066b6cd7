//! The first screen: what an operator asks, in that order.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::words::{
    NOTHING, Piece, broke, clean, gone, marked, pieces, risks, ruled_out, ruled_out_of_all, scope,
    shown,
};
use crate::facts::{Cost, Unseen};
use crate::finding::{Finding, Fix};
use crate::judge::Diagnosis;
use crate::uptime::Uptime;

const QUESTION: &str = "DID REDIS STAY UP?";
const WIDTH: usize = 100;
const INDENT: usize = 8;

/// So much of each list stands on the first screen; what is left out is counted, and `--long` has it.
const CLAIM_LINES: usize = 4;
const EVIDENCE: usize = 3;
const FIXES: usize = 2;
const OTHERS: usize = 3;
const RISKS: usize = 3;
const GONE: usize = 3;
const RULED_OUT: usize = 4;
const UNSEEN: usize = 3;
const ASSUMED: usize = 2;

/// The first screen, or with `long` all evidence and what followed.
pub fn text(diagnosis: &Diagnosis, long: bool) -> String {
    Page::new(long, false).of(diagnosis)
}

/// The same for a terminal that shows colours.
pub fn coloured(diagnosis: &Diagnosis, long: bool) -> String {
    Page::new(long, true).of(diagnosis)
}

/// What the looks cost the servers, command by command, and how that is measured.
pub fn load(costs: &[(Arc<str>, Cost)]) -> String {
    let mut page = Page::new(true, false);
    page.costs(costs);
    page.lines
}

/// What stands behind the figure.
const MEASURED: &str = "measured by usec of INFO commandstats before and after, an average call of each for ours; not in it: \
accepting the connection, reading requests, writing answers";

#[derive(Clone, Copy)]
enum Colour {
    Plain,
    Bold,
    Red,
    Green,
    Yellow,
}

/// Lines of at most [`WIDTH`] columns, with a label in front of the first; a command to copy stands unbroken, whatever its
/// length.
struct Page {
    lines: String,
    long: bool,
    colour: bool,
}

impl Page {
    fn new(long: bool, colour: bool) -> Self {
        Self {
            lines: String::new(),
            long,
            colour,
        }
    }

    fn of(mut self, diagnosis: &Diagnosis) -> String {
        let (up, colour) = match &diagnosis.uptime {
            Uptime::Stayed(words) => (words, Colour::Green),
            Uptime::Ended(words) => (words, Colour::Red),
            Uptime::Unknown(words) => (words, Colour::Yellow),
        };
        let _ = write!(self.lines, "{}  ", self.painted(QUESTION, Colour::Bold));
        let used = QUESTION.len() + 2 - INDENT;
        for (place, row) in rows(up, used).iter().enumerate() {
            let indent = if place == 0 { 0 } else { INDENT };
            let row = self.painted(row, colour);
            let _ = writeln!(self.lines, "{:indent$}{row}", "");
        }
        if let Some(first) = diagnosis.first() {
            self.cause(first, diagnosis);
        } else {
            match &diagnosis.unexplained {
                Some(words) => self.part("CAUSE", words, Colour::Red),
                None => self.part("CAUSE", NOTHING, Colour::Green),
            }
            self.others(broke(diagnosis), diagnosis);
        }
        self.risks(diagnosis);
        self.gone(diagnosis);
        self.ruled_out(diagnosis);
        self.unseen(&diagnosis.unseen);
        if let Some(first) = diagnosis.first()
            && !first.check.is_empty()
        {
            self.part("CHECK", &first.check, Colour::Plain);
        }
        self.assumed(&diagnosis.assumed);
        if self.long {
            self.costs(&diagnosis.costs);
        }
        self.lines
    }

    fn costs(&mut self, costs: &[(Arc<str>, Cost)]) {
        for (server, cost) in costs {
            self.part("COST", &format!("{server}: {cost}"), Colour::Plain);
            if !cost.spent.is_empty() {
                self.more(&cost.each());
            }
        }
        if costs.iter().any(|(_, cost)| !cost.spent.is_empty()) {
            self.more(MEASURED);
        }
    }

    fn cause(&mut self, first: &Finding, diagnosis: &Diagnosis) {
        self.part("CAUSE", &marked(first, diagnosis), Colour::Red);
        let lines = if self.long { usize::MAX } else { CLAIM_LINES };
        self.wrap("", &first.claim, Colour::Plain, lines);
        let shown_of = self.at_most(EVIDENCE);
        for evidence in first.supports.iter().take(shown_of) {
            self.brief(&shown(evidence));
        }
        let left = first.supports.len().saturating_sub(shown_of) as u64 + first.more;
        self.left_out(left, "line");
        for evidence in first.contradicts.iter().take(shown_of) {
            self.brief(&format!("against it: {}", shown(evidence)));
        }
        self.part("SCOPE", &scope(first, diagnosis), Colour::Plain);
        self.fixes(&first.fixes);
        if let Some(words) = &diagnosis.unexplained {
            self.part("ALSO", words, Colour::Red);
        }
        self.others(broke(diagnosis).skip(1), diagnosis);
    }

    fn fixes(&mut self, fixes: &[Fix]) {
        let most = self.at_most(FIXES);
        for (place, fix) in fixes.iter().take(most).enumerate() {
            let label = if place == 0 { "DO NOW" } else { "OR" };
            self.part(label, &fix.action, Colour::Plain);
            if !fix.risk.is_empty() {
                self.brief(&format!("risk: {}", fix.risk));
            }
            if !fix.undo.is_empty() {
                self.brief(&format!("undo: {}", fix.undo));
            }
        }
        self.left_out(fixes.len().saturating_sub(most) as u64, "way");
    }

    /// What happened besides: what followed from the first, and what else there is.
    fn others<'a>(&mut self, others: impl Iterator<Item = &'a Finding>, diagnosis: &Diagnosis) {
        let others: Vec<_> = others.collect();
        let most = self.at_most(OTHERS);
        for other in others.iter().take(most) {
            let label = if other.behind.is_some() {
                "THEN"
            } else {
                "ALSO"
            };
            let headline = self.fitting(&marked(other, diagnosis), WIDTH - INDENT);
            self.part(label, &headline, Colour::Yellow);
            if self.long {
                self.more(&other.claim);
            }
            let evidence = if self.long { usize::MAX } else { 1 };
            for evidence in other.supports.iter().take(evidence) {
                self.brief(&shown(evidence));
            }
            if self.long {
                self.left_out(other.more, "line");
            }
        }
        self.left_out(others.len().saturating_sub(most) as u64, "finding");
    }

    fn risks(&mut self, diagnosis: &Diagnosis) {
        // Who has a fire to put out is told of one risk, not of what to do about it.
        let burning = diagnosis.first().is_some() && !self.long;
        let most = if burning { 1 } else { self.at_most(RISKS) };
        for risk in risks(diagnosis).take(most) {
            let headline = self.fitting(&marked(risk, diagnosis), WIDTH - INDENT);
            self.part("RISK", &headline, Colour::Yellow);
            self.brief(&risk.claim);
            if let Some(fix) = risk.fixes.first().filter(|_| !burning) {
                self.brief(&format!("do: {}", fix.action));
            }
        }
        let left = risks(diagnosis).count().saturating_sub(most);
        self.left_out(left as u64, "risk");
    }

    fn gone(&mut self, diagnosis: &Diagnosis) {
        let gone = gone(diagnosis);
        let most = self.at_most(GONE);
        for (place, known) in gone.iter().take(most).enumerate() {
            self.listed(place, "GONE", &format!("{} {}", known.code, known.title));
        }
        self.left_out(gone.len().saturating_sub(most) as u64, "gone");
    }

    fn ruled_out(&mut self, diagnosis: &Diagnosis) {
        // Of several looks that rule out the same one is enough here.
        let mut titles = BTreeSet::new();
        let apart = diagnosis.ruled_out.iter();
        let apart: Vec<_> = apart
            .filter(|out| self.long || titles.insert(&out.title))
            .collect();
        let most = self.at_most(RULED_OUT);
        for (place, out) in apart.iter().take(most).enumerate() {
            let words = if self.long {
                ruled_out(out, diagnosis)
            } else {
                ruled_out_of_all(out, diagnosis)
            };
            self.listed(place, "NOT IT", &words);
        }
        let left = apart.len().saturating_sub(most);
        self.left_out(left as u64, "ruled out");
    }

    fn unseen(&mut self, unseen: &[Unseen]) {
        let most = self.at_most(UNSEEN);
        for (place, one) in unseen.iter().take(most).enumerate() {
            self.listed(place, "UNSEEN", &format!("{}: {}", one.what, one.why));
            self.brief(&format!("get it: {}", one.how));
        }
        self.left_out(unseen.len().saturating_sub(most) as u64, "not looked at");
    }

    fn assumed(&mut self, assumed: &[String]) {
        let most = self.at_most(ASSUMED);
        for (place, words) in assumed.iter().take(most).enumerate() {
            self.listed(place, "ASSUMED", words);
        }
        self.left_out(assumed.len().saturating_sub(most) as u64, "assumed");
    }

    fn at_most(&self, few: usize) -> usize {
        if self.long { usize::MAX } else { few }
    }

    /// Says how much of a list is not here.
    fn left_out(&mut self, count: u64, of: &str) {
        if count == 0 {
            return;
        }
        let plural = if count > 1 && ["line", "way", "finding", "risk"].contains(&of) {
            "s"
        } else {
            ""
        };
        let where_else = if self.long { "" } else { " (--long)" };
        self.more(&format!("and {count} more {of}{plural}{where_else}"));
    }

    fn listed(&mut self, place: usize, label: &str, words: &str) {
        if place == 0 {
            let words = self.fitting(words, WIDTH - INDENT);
            self.part(label, &words, Colour::Plain);
        } else {
            self.brief(words);
        }
    }

    fn part(&mut self, label: &str, words: &str, colour: Colour) {
        self.wrap(label, words, colour, usize::MAX);
    }

    fn more(&mut self, words: &str) {
        self.wrap("", words, Colour::Plain, usize::MAX);
    }

    /// On one line, unless all is wanted.
    fn brief(&mut self, words: &str) {
        let words = self.fitting(words, WIDTH - INDENT);
        self.more(&words);
    }

    /// Cut to so many columns, unless all is wanted, or a command would be cut.
    fn fitting(&self, words: &str, columns: usize) -> String {
        let whole = self.long || words.chars().count() <= columns;
        if whole
            || pieces(words)
                .iter()
                .any(|piece| matches!(piece, Piece::Command(_)))
        {
            return words.to_owned();
        }
        let cut: String = words.chars().take(columns - 3).collect();
        format!("{} ..", cut.trim_end())
    }

    fn wrap(&mut self, label: &str, words: &str, colour: Colour, lines_max: usize) {
        let mut rows = rows(words, 0);
        if rows.len() > lines_max {
            rows.truncate(lines_max);
            if let Some(last) = rows.last_mut() {
                let room = WIDTH - INDENT - 3;
                *last = last.chars().take(room).collect::<String>() + " ..";
            }
        }
        for (place, row) in rows.iter().enumerate() {
            let label = if place == 0 { label } else { "" };
            let front = format!("{label:<INDENT$}");
            let front = self.painted(&front, Colour::Bold);
            let row = self.painted(row, colour);
            let _ = writeln!(self.lines, "{}", format!("{front}{row}").trim_end());
        }
    }

    fn painted(&self, words: &str, colour: Colour) -> String {
        let code = match colour {
            Colour::Plain => return words.to_owned(),
            Colour::Bold => "1",
            Colour::Red => "1;31",
            Colour::Green => "32",
            Colour::Yellow => "33",
        };
        if self.colour && !words.trim().is_empty() {
            format!("\u{1b}[{code}m{words}\u{1b}[0m")
        } else {
            words.to_owned()
        }
    }
}

/// Words broken into rows that fit beside the label; of the first row so many columns are used.
fn rows(words: &str, used: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut row = String::new();
    for word in unbroken(words) {
        let wide = row.chars().count() + 1 + word.chars().count();
        let room = WIDTH - INDENT - if rows.is_empty() { used } else { 0 };
        if !row.is_empty() && wide > room {
            rows.push(std::mem::take(&mut row));
        }
        if !row.is_empty() {
            row.push(' ');
        }
        row.push_str(&word);
    }
    if !row.is_empty() {
        rows.push(row);
    }
    rows
}

/// The words of a sentence; a command, with the sign behind it, is one.
fn unbroken(words: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut joined = false;
    for piece in pieces(words) {
        match piece {
            Piece::Command(command) => {
                let command = clean(command);
                match all.last_mut() {
                    Some(last) if joined => last.push_str(&command),
                    _ => all.push(command),
                }
                joined = true;
            }
            Piece::Prose(prose) => {
                let ended = prose.strip_suffix(' ').unwrap_or(prose);
                for (place, word) in ended.split(' ').enumerate() {
                    match all.last_mut() {
                        // `: ` behind a command, `(` before one.
                        Some(last) if place == 0 && joined => last.push_str(&clean(word)),
                        _ => all.push(clean(word)),
                    }
                }
                joined = !prose.ends_with(' ');
            }
        }
    }
    all
}
