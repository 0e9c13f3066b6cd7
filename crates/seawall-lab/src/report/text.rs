use super::{Report, Run, Total, Verdict, first_good, percent, span};
use crate::oracle::Score;
use crate::run::Role;
use std::fmt::{self, Write as _};

/// What the scoreboard fits.
const COLUMNS: usize = 100;
/// Where the words below a row begin.
const INDENT: usize = 8;

/// Heading and width of each column after verdict and contender.
const COLUMN: [(&str, usize); 10] = [
    ("possible", 9),
    ("answered", 10),
    ("refused", 8),
    ("doubt", 6),
    ("doubled", 8),
    ("lost", 5),
    ("mixed", 6),
    ("hung", 5),
    ("worst", 8),
    ("back", 8),
];
/// The width of the contender's name.
const NAME: usize = 14;

/// The scoreboard as text: at most 100 columns wide.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = self.took.as_secs_f64();
        writeln!(
            f,
            "{}, {} cores, seed {}, {took:.1} s",
            self.server, self.cores, self.seed
        )?;
        writeln!(f)?;
        write!(f, "{:INDENT$}{:NAME$}", "", "")?;
        for (heading, width) in COLUMN {
            write!(f, "{heading:>width$}")?;
        }
        writeln!(f)?;
        for runs in self.by_scenario() {
            scenario(f, runs)?;
        }
        writeln!(f)?;
        for contender in &self.contenders {
            total(f, &self.total(&contender.name), contender.role)?;
        }
        writeln!(f)?;
        f.write_str(LEGEND)
    }
}

const LEGEND: &str = "\
possible: calls whose time to their deadline overlaps the server's serving time, as a probe saw it
answered: of these, by a reply in time, or for a write by the report that it may have run (doubt)
refused:  turned away at once, unsent, by the client's policy during an outage
doubled, lost, mixed: found in the server's own state and in the replies; hung: past the deadline
worst:    the longest that a call took to end; back: first good answer after the server's return
";

fn scenario(f: &mut fmt::Formatter<'_>, runs: &[Run]) -> fmt::Result {
    let Some(first) = runs.first() else {
        return Ok(());
    };
    wrapped(f, "", 2, &format!("{}: {}", first.scenario, first.story))?;
    for run in runs {
        write!(
            f,
            "  {:<6}{:NAME$.NAME$}",
            run.verdict().name(),
            run.contender
        )?;
        if run.verdict() == Verdict::LeftOut {
            let at = INDENT + NAME + 1;
            f.write_str(" ")?;
            fill(f, at, at, &run.shortfalls().join("; "))?;
            continue;
        }
        if let Ok(score) = &run.result {
            for (cell, (_, width)) in cells(score).into_iter().zip(COLUMN) {
                write!(f, "{cell:>width$}")?;
            }
        }
        writeln!(f)?;
        for short in run.shortfalls() {
            wrapped(f, "- ", INDENT + 2, &short)?;
        }
        if let Ok(score) = &run.result {
            beside(f, score)?;
        }
    }
    causes(f, runs)
}

/// What the columns have no room for: calls that were given up, and what subscriptions heard.
fn beside(f: &mut fmt::Formatter<'_>, score: &Score) -> fmt::Result {
    let given_up = score.availability.given_up;
    if given_up > 0 {
        write!(f, "{:INDENT$}", "")?;
        let text = format!("{given_up} calls given up in flight");
        fill(f, INDENT, INDENT, &text)?;
    }
    let Some(hearing) = &score.hearing else {
        return Ok(());
    };
    let mut text = format!("heard {} of {} messages", hearing.heard, hearing.published);
    if hearing.gaps > 0 {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            ", told {} times that some are lost: {}",
            hearing.gaps, hearing.told
        );
    }
    write!(f, "{:INDENT$}", "")?;
    fill(f, INDENT, INDENT, &text)
}

fn cells(score: &Score) -> [String; 10] {
    [
        score.availability.all.possible.to_string(),
        percent(score),
        score.availability.refused.to_string(),
        score.availability.in_doubt.to_string(),
        score.doubled().to_string(),
        score.lost().to_string(),
        score.mismatched().to_string(),
        score.timing.hung.to_string(),
        span(score.timing.worst),
        first_good(score),
    ]
}

/// The cause in words: once where the contenders agree, else for each.
fn causes(f: &mut fmt::Formatter<'_>, runs: &[Run]) -> fmt::Result {
    let verdicts: Vec<_> = runs
        .iter()
        .filter_map(|run| {
            Some((
                run.contender.as_str(),
                run.result.as_ref().ok()?.naming.verdict?,
            ))
        })
        .collect();
    let agree = verdicts
        .iter()
        .all(|&(_, cause)| Some(cause) == verdicts.first().map(|first| first.1));
    let told = if agree {
        verdicts.len().min(1)
    } else {
        verdicts.len()
    };
    for (contender, cause) in &verdicts[..told] {
        let who = if agree {
            String::new()
        } else {
            format!("{contender} says ")
        };
        wrapped(
            f,
            "why ",
            INDENT,
            &format!("{who}{cause}: {}", cause.says()),
        )?;
    }
    Ok(())
}

fn total(f: &mut fmt::Formatter<'_>, total: &Total, role: Role) -> fmt::Result {
    let verdict = if total.runs == 0 {
        Verdict::LeftOut
    } else if total.not_run > 0 {
        Verdict::NotRun
    } else if total.held == total.runs && total.is_prompt() {
        Verdict::Ok
    } else {
        Verdict::Short
    };
    write!(f, "  {:<6}", verdict.name())?;
    let mut text = total.contender.clone();
    if !total.version.is_empty() {
        text.push(' ');
        text.push_str(&total.version);
    }
    if role == Role::Beside {
        text.push_str(" (to compare)");
    }
    if total.runs == 0 {
        text.push_str(": took part in none");
        return fill(f, INDENT, INDENT, &text);
    }
    // Writing to a string does not fail.
    let _ = write!(text, ": {} of {} scenarios held", total.held, total.runs);
    if total.not_run > 0 {
        let _ = write!(text, ", {} could not be run", total.not_run);
    }
    let damage = total.damage;
    let _ = write!(
        text,
        "; {} doubled, {} lost, {} mixed, {} hung",
        damage.doubled, damage.lost, damage.mismatched, damage.hung,
    );
    if let Some(median) = total.first_good_median {
        let _ = write!(text, "; back after {} at the median", span(median));
        if !total.is_prompt() {
            let _ = write!(text, ", {} allowed", span(super::FIRST_GOOD_MEDIAN));
        }
    }
    fill(f, INDENT, INDENT, &text)
}

/// Writes `mark` at the indentation of a row's words, then the text, wrapped to the scoreboard's width.
fn wrapped(f: &mut fmt::Formatter<'_>, mark: &str, indent: usize, text: &str) -> fmt::Result {
    let start = if mark.is_empty() { 0 } else { INDENT };
    write!(f, "{:start$}{mark}", "")?;
    fill(
        f,
        start + mark.len(),
        indent.max(start) + usize::from(mark == "why ") * mark.len(),
        text,
    )
}

/// Writes words from column `at`, and further lines from column `indent`.
fn fill(f: &mut fmt::Formatter<'_>, mut at: usize, indent: usize, text: &str) -> fmt::Result {
    let mut first = true;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if !first && at + 1 + width > COLUMNS {
            write!(f, "\n{:indent$}", "")?;
            at = indent;
            first = true;
        }
        if !first {
            f.write_str(" ")?;
            at += 1;
        }
        f.write_str(word)?;
        at += width;
        first = false;
    }
    writeln!(f)
}

#[cfg(test)]
mod tests {
    use crate::report::testing::sample;

    #[test]
    fn the_scoreboard_fits_a_hundred_columns_and_says_what_fell_short_and_why() {
        let text = sample().to_string();
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        insta::assert_snapshot!(text);
    }
}
