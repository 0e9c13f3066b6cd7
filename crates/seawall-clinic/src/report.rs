//! The table.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::case::Trouble;
use crate::run::Report;
use crate::verdict::{Place, Ran, Told};

/// How often it was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Cases that ran.
    pub ran: usize,
    /// The truth was told first.
    pub first: usize,
    /// It was among the first three.
    pub among_three: usize,
    /// Cases in which something untrue was called proved.
    pub wrongly_proved: usize,
    /// Cases in which the truth was ruled out.
    pub wrongly_ruled_out: usize,
    /// Cases that this machine cannot bring about.
    pub left_out: usize,
    /// Cases that did not come about.
    pub failed: usize,
    /// Healthy servers.
    pub healthy: usize,
    /// Those of which nothing was said.
    pub silent: usize,
}

impl Sums {
    /// Of a report.
    pub fn of(report: &Report) -> Self {
        let mut sums = Self {
            healthy: report.calm.len(),
            silent: report.calm.iter().filter(|calm| calm.is_silent()).count(),
            ..Self::default()
        };
        for ran in &report.ran {
            match &ran.result {
                Ok(seen) => {
                    sums.ran += 1;
                    sums.first += usize::from(seen.place == Place::First);
                    let read = matches!(seen.place, Place::First | Place::AmongThree);
                    sums.among_three += usize::from(read);
                    sums.wrongly_proved += usize::from(!seen.wrongly_proved.is_empty());
                    sums.wrongly_ruled_out += usize::from(seen.wrongly_ruled_out);
                }
                Err(Trouble::LeftOut(_)) => sums.left_out += 1,
                Err(_) => sums.failed += 1,
            }
        }
        sums
    }

    fn lines(&self) -> String {
        let mut text = format!(
            "{} causes: {} told first, {} among the first three; wrong and called proved {}; ruled out though true {}",
            self.ran, self.first, self.among_three, self.wrongly_proved, self.wrongly_ruled_out
        );
        if self.left_out > 0 {
            let _ = write!(text, "; left out {}", self.left_out);
        }
        if self.failed > 0 {
            let _ = write!(text, "; did not come about {}", self.failed);
        }
        if self.healthy > 0 {
            let _ = write!(
                text,
                "\n{} healthy servers under load: silence on {}",
                self.healthy, self.silent
            );
        }
        text
    }
}

/// For a terminal.
pub fn text(report: &Report) -> String {
    let mut page = format!("{}\n\n", report.server);
    let width = widest(report);
    for ran in &report.ran {
        let row = Row::of(ran);
        let _ = writeln!(
            page,
            "{:<width$}  {:<6}  {:<24}  {:<11}  {:>5.1} s  {}",
            ran.case.name,
            row.truth,
            row.first,
            row.place,
            ran.took.as_secs_f64(),
            row.wrong,
        );
    }
    if !report.calm.is_empty() && !report.ran.is_empty() {
        page.push('\n');
    }
    for calm in &report.calm {
        let said = match &calm.result {
            Ok((told, _)) if told.is_empty() => "silence".to_owned(),
            Ok((told, _)) => told.iter().map(short).collect::<Vec<_>>().join(", "),
            Err(trouble) => trouble.to_string(),
        };
        let _ = writeln!(
            page,
            "{:<width$}  healthy, {} rounds of load: {said}",
            calm.server.name, calm.rounds
        );
    }
    let _ = write!(page, "\n{}", Sums::of(report).lines());
    page
}

/// The doctor's first screen of everything that was not as it should be; of all with `every`.
pub fn screens(report: &Report, every: bool) -> String {
    let mut page = String::new();
    for ran in &report.ran {
        if let Ok(seen) = &ran.result
            && (every || !ran.is_right())
        {
            let _ = writeln!(
                page,
                "== {} ({})\n{}",
                ran.case.name, ran.case.story, seen.screen
            );
        }
    }
    for calm in &report.calm {
        if let Ok((_, screen)) = &calm.result
            && (every || !calm.is_silent())
        {
            let _ = writeln!(page, "== {} (healthy)\n{screen}", calm.server.name);
        }
    }
    page
}

/// For a page.
pub fn markdown(report: &Report) -> String {
    let mut page = format!(
        "{}\n\n| cause | truth | told first | truth stands | wrong |\n|---|---|---|---|---|\n",
        report.server
    );
    for ran in &report.ran {
        let row = Row::of(ran);
        let _ = writeln!(
            page,
            "| {}: {} | {} | {} | {} | {} |",
            ran.case.name, ran.case.story, row.truth, row.first, row.place, row.wrong
        );
    }
    for calm in &report.calm {
        let said = match &calm.result {
            Ok((told, _)) if told.is_empty() => "-".to_owned(),
            Ok((told, _)) => told.iter().map(short).collect::<Vec<_>>().join(", "),
            Err(trouble) => trouble.to_string(),
        };
        let _ = writeln!(page, "| {} | healthy | {said} | | |", calm.server.name);
    }
    let _ = write!(page, "\n{}", Sums::of(report).lines().replace('\n', "  \n"));
    page
}

/// For programs.
pub fn json(report: &Report) -> Value {
    let sums = Sums::of(report);
    json!({
        "version": 1,
        "server": report.server,
        "well": report.is_well(),
        "interrupted": report.interrupted,
        "ran": sums.ran,
        "first": sums.first,
        "among_three": sums.among_three,
        "wrongly_proved": sums.wrongly_proved,
        "wrongly_ruled_out": sums.wrongly_ruled_out,
        "left_out": sums.left_out,
        "failed": sums.failed,
        "healthy": sums.healthy,
        "silent": sums.silent,
        "cases": report.ran.iter().map(of_case).collect::<Vec<_>>(),
        "healthy_servers": report.calm.iter().map(|calm| json!({
            "name": calm.server.name,
            "rounds": calm.rounds,
            "silent": calm.is_silent(),
            "told": calm.result.as_ref().ok().map(|(told, _)| told.iter().map(of_told).collect::<Vec<_>>()),
            "trouble": calm.result.as_ref().err().map(ToString::to_string),
        })).collect::<Vec<_>>(),
    })
}

fn of_case(ran: &Ran) -> Value {
    let seen = ran.result.as_ref().ok();
    json!({
        "name": ran.case.name,
        "story": ran.case.story,
        "truth": ran.case.truth.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "place": seen.map(|seen| seen.place.name()),
        "told": seen.map(|seen| seen.told.iter().map(of_told).collect::<Vec<_>>()),
        "wrongly_proved": seen.map(|seen| seen.wrongly_proved.iter().map(ToString::to_string).collect::<Vec<_>>()),
        "wrongly_ruled_out": seen.map(|seen| seen.wrongly_ruled_out),
        "trouble": ran.result.as_ref().err().map(ToString::to_string),
        "took_s": ran.took.as_secs_f64(),
    })
}

fn of_told(told: &Told) -> Value {
    json!({
        "code": told.code.to_string(),
        "verdict": told.verdict.name(),
        "confidence": told.confidence.name(),
    })
}

struct Row {
    truth: String,
    first: String,
    place: String,
    wrong: String,
}

impl Row {
    fn of(ran: &Ran) -> Self {
        let truth = ran.case.truth[0].to_string();
        match &ran.result {
            Err(trouble) => Self {
                truth,
                first: String::new(),
                place: String::new(),
                wrong: trouble.to_string(),
            },
            Ok(seen) => {
                let mut wrong = Vec::new();
                if !seen.wrongly_proved.is_empty() {
                    let codes: Vec<_> = seen
                        .wrongly_proved
                        .iter()
                        .map(ToString::to_string)
                        .collect();
                    wrong.push(format!("WRONGLY PROVED {}", codes.join(", ")));
                }
                if seen.wrongly_ruled_out {
                    wrong.push("RULED OUT".to_owned());
                }
                Self {
                    truth,
                    first: seen.first().map_or_else(|| "-".to_owned(), short),
                    place: seen.place.name().to_owned(),
                    wrong: wrong.join("; "),
                }
            }
        }
    }
}

fn short(told: &Told) -> String {
    format!(
        "{} {} {}",
        told.code,
        told.confidence.name(),
        told.verdict.name()
    )
}

fn widest(report: &Report) -> usize {
    let cases = report.ran.iter().map(|ran| ran.case.name.len());
    let healthy = report.calm.iter().map(|calm| calm.server.name.len());
    cases.chain(healthy).max().unwrap_or(0)
}
