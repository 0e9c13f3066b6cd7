//! What the doctor says, as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::facts::Unseen;
use crate::finding::{Evidence, Finding, Verdict};
use crate::judge::{Diagnosis, Uptime};

/// The version of the JSON's shape: raised when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

const WIDTH: usize = 100;
const INDENT: usize = 8;

/// The first screen: what an operator asks, in that order.
pub fn text(diagnosis: &Diagnosis, long: bool) -> String {
    let mut page = Page::default();
    let up = match &diagnosis.uptime {
        Uptime::Stayed(words) | Uptime::Ended(words) | Uptime::Unknown(words) => words.as_str(),
    };
    page.line("DID REDIS STAY UP?", up);
    match diagnosis.first() {
        Some(first) => of_cause(&mut page, first, diagnosis, long),
        None => page.part("CAUSE", "nothing is wrong, as far as was looked"),
    }
    let risks: Vec<_> = diagnosis
        .findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Risk)
        .collect();
    for risk in &risks {
        page.part("RISK", &headline(risk));
        page.more(&risk.claim);
        if let Some(fix) = risk.fixes.first() {
            page.more(&format!("do: {}", fix.action));
        }
    }
    if !diagnosis.ruled_out.is_empty() {
        let mut first = true;
        for out in &diagnosis.ruled_out {
            let says = out.supports.first().map_or("", |evidence| &evidence.says);
            let words = format!("{}: {says}", out.title);
            if std::mem::take(&mut first) {
                page.part("NOT IT", &words);
            } else {
                page.more(&words);
            }
        }
    }
    unseen(&mut page, &diagnosis.unseen);
    if let Some(first) = diagnosis.first()
        && !first.check.is_empty()
    {
        page.part("CHECK", &first.check);
    }
    for assumed in &diagnosis.assumed {
        page.part("ASSUMED", assumed);
    }
    page.0
}

fn of_cause(page: &mut Page, first: &Finding, diagnosis: &Diagnosis, long: bool) {
    page.part("CAUSE", &headline(first));
    page.more(&first.claim);
    for evidence in first
        .supports
        .iter()
        .take(if long { usize::MAX } else { 3 })
    {
        page.more(&shown(evidence));
    }
    if first.more > 0 && long {
        page.more(&format!("and {} more", first.more));
    }
    for evidence in &first.contradicts {
        page.more(&format!("against it: {}", shown(evidence)));
    }
    page.part("SCOPE", &scope(first, diagnosis));
    for (place, fix) in first.fixes.iter().enumerate() {
        let label = if place == 0 { "DO NOW" } else { "OR" };
        page.part(label, &fix.action);
        if !fix.risk.is_empty() {
            page.more(&format!("risk: {}", fix.risk));
        }
        if !fix.undo.is_empty() {
            page.more(&format!("undo: {}", fix.undo));
        }
    }
    for other in &diagnosis.findings[1..] {
        if other.verdict == Verdict::Risk {
            continue;
        }
        let label = if other.behind.is_some() {
            "THEN"
        } else {
            "ALSO"
        };
        page.part(label, &headline(other));
        if long {
            page.more(&other.claim);
        }
        for evidence in other
            .supports
            .iter()
            .take(if long { usize::MAX } else { 1 })
        {
            page.more(&shown(evidence));
        }
    }
}

fn headline(finding: &Finding) -> String {
    format!(
        "{}  {} {}",
        finding.confidence.name(),
        finding.code,
        finding.title
    )
}

fn shown(evidence: &Evidence) -> String {
    format!("{}: {}", evidence.place, evidence.says)
}

fn scope(first: &Finding, diagnosis: &Diagnosis) -> String {
    let mut words = match first.subjects.len() {
        0 => "every client of the server".to_owned(),
        1..=3 => first.whom(),
        many => {
            let two: Vec<_> = first.subjects.iter().take(2).map(String::as_str).collect();
            format!("{many}, {} among them", two.join(" and "))
        }
    };
    if diagnosis.failures > 0 {
        let _ = write!(
            words,
            "; applications tell of {} failed calls",
            diagnosis.failures
        );
    }
    words
}

fn unseen(page: &mut Page, unseen: &[Unseen]) {
    let mut first = true;
    for one in unseen {
        let words = format!("{}: {}", one.what, one.why);
        if std::mem::take(&mut first) {
            page.part("UNSEEN", &words);
        } else {
            page.more(&words);
        }
        page.more(&format!("get it: {}", one.how));
    }
}

/// Lines of at most [`WIDTH`] columns, with a label in front of the first.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, label: &str, words: &str) {
        let _ = writeln!(self.0, "{label}  {words}");
    }

    fn part(&mut self, label: &str, words: &str) {
        let label = format!("{label:<width$}", width = INDENT - 1);
        self.wrap(&label, words);
    }

    fn more(&mut self, words: &str) {
        if !words.is_empty() {
            self.wrap(&" ".repeat(INDENT - 1), words);
        }
    }

    fn wrap(&mut self, label: &str, words: &str) {
        let mut line = label.to_owned();
        let mut empty = true;
        for word in words.split(' ') {
            if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                let _ = writeln!(self.0, "{}", line.trim_end());
                line = " ".repeat(INDENT - 1);
            }
            line.push(' ');
            // Words of a log may be anybody's: none of them steers the terminal.
            line.extend(word.chars().map(|c| if c.is_control() { '?' } else { c }));
            empty = false;
        }
        let _ = writeln!(self.0, "{}", line.trim_end());
    }
}

/// Everything, for programs: docs/doctor.md has the fields.
pub fn json(diagnosis: &Diagnosis) -> Value {
    let (up, words) = match &diagnosis.uptime {
        Uptime::Stayed(words) => (Some(true), Some(words)),
        Uptime::Ended(words) => (Some(false), Some(words)),
        Uptime::Unknown(words) => (None, Some(words)),
    };
    json!({
        "schema": SCHEMA,
        "up": up,
        "uptime": words,
        "findings": diagnosis.findings.iter().map(of_finding).collect::<Vec<_>>(),
        "ruled_out": diagnosis.ruled_out.iter().map(of_finding).collect::<Vec<_>>(),
        "unseen": diagnosis.unseen.iter().map(|one| json!({
            "what": one.what, "why": one.why, "how": one.how,
        })).collect::<Vec<_>>(),
        "assumed": diagnosis.assumed,
        "failures": diagnosis.failures,
    })
}

fn of_finding(finding: &Finding) -> Value {
    let evidence = |all: &[Evidence]| -> Vec<Value> {
        all.iter()
            .map(|one| json!({ "place": one.place.to_string(), "says": one.says }))
            .collect()
    };
    json!({
        "code": finding.code.to_string(),
        "title": finding.title,
        "verdict": finding.verdict.name(),
        "confidence": finding.confidence.name(),
        "from": finding.window.map(|(from, _)| from.to_string()),
        "to": finding.window.map(|(_, to)| to.to_string()),
        "subjects": finding.subjects,
        "claim": finding.claim,
        "supports": evidence(&finding.supports),
        "more": finding.more,
        "contradicts": evidence(&finding.contradicts),
        "fixes": finding.fixes.iter().map(|fix| json!({
            "action": fix.action, "risk": fix.risk, "undo": fix.undo,
        })).collect::<Vec<_>>(),
        "check": finding.check,
        "behind": finding.behind.map(|code| code.to_string()),
        "fingerprint": finding.fingerprint(),
    })
}
