//! One self-contained page: nothing is loaded, no script runs; in light and dark, on a desk and on a phone.

mod axis;
mod findings;
mod timeline;

use std::fmt::Write as _;

use super::words::{
    NOTHING, Piece, broke, clean, gone, page_of, pieces, risks, ruled_out, scope, shown,
};
use crate::facts::Unseen;
use crate::finding::{Finding, Fix};
use crate::judge::Diagnosis;
use crate::uptime::Uptime;

/// So much of each list stands open; the rest is folded away.
const OPEN: usize = 6;

/// A diagnosis as a page.
pub fn html(diagnosis: &Diagnosis) -> String {
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
    );
    let nothing = diagnosis
        .unexplained
        .as_ref()
        .map_or(NOTHING, |_| "no cause was found");
    let title = diagnosis.first().map_or(nothing, |first| &first.title);
    let _ = writeln!(page, "<title>Seawall: {}</title>", escaped(title));
    page.push_str("<style>\n");
    page.push_str(include_str!("style.css"));
    page.push_str("</style>\n</head>\n<body>\n<main>\n");
    header(&mut page, diagnosis);
    answers(&mut page, diagnosis);
    timeline::write(&mut page, diagnosis);
    findings::write(&mut page, diagnosis);
    assumed(&mut page, &diagnosis.assumed);
    page.push_str(
        "<footer>Written by <code>seawall doctor --html</code>. Times are UTC.</footer>\n",
    );
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn header(page: &mut String, diagnosis: &Diagnosis) {
    let had: Vec<_> = diagnosis.had.iter().map(|need| need.words().0).collect();
    let made = diagnosis.made.map_or_else(String::new, |made| {
        format!("{} &middot; ", moment(&made.to_string()))
    });
    let looked = if had.is_empty() {
        "nothing told anything".to_owned()
    } else {
        format!("looked at {}", had.join(", "))
    };
    let _ = writeln!(
        page,
        "<header><h1>What the doctor says</h1><p>{made}{}</p></header>",
        escaped(&looked)
    );
}

/// The first screen's questions, in its order.
fn answers(page: &mut String, diagnosis: &Diagnosis) {
    page.push_str("<section><dl>\n");
    let (class, words) = match &diagnosis.uptime {
        Uptime::Stayed(words) => ("stayed", words),
        Uptime::Ended(words) => ("ended", words),
        Uptime::Unknown(words) => ("unknown", words),
    };
    let (answer, rest) = words.split_once(": ").unwrap_or(("", words));
    let tag = if answer.is_empty() {
        String::new()
    } else {
        format!("<span class=\"tag {class}\">{}</span> ", escaped(answer))
    };
    entry(
        page,
        "DID REDIS STAY UP?",
        &format!("<p>{tag}{}</p>", escaped(rest)),
    );
    if let Some(first) = diagnosis.first() {
        of_cause(page, first, diagnosis);
    } else {
        let words = match &diagnosis.unexplained {
            Some(words) => format!("<span class=\"ended\">{}</span>", escaped(words)),
            None => format!("<span class=\"tag stayed\">none</span> {NOTHING}"),
        };
        entry(page, "CAUSE", &format!("<p>{words}</p>"));
    }
    if !gone(diagnosis).is_empty() {
        let rows = gone(diagnosis).iter().map(|known| {
            let words = format!("{} {}", known.code, known.title);
            format!("<span class=\"tag gone\">gone</span> {}", escaped(&words))
        });
        entry(page, "GONE", &listed(&rows.collect::<Vec<_>>()));
    }
    let risks: Vec<_> = risks(diagnosis).collect();
    if !risks.is_empty() {
        let rows = risks.iter().map(|risk| {
            format!(
                "{} {}{}",
                linked(risk),
                tag_of(risk),
                mark_of(risk, diagnosis)
            )
        });
        entry(page, "RISKS", &listed(&rows.collect::<Vec<_>>()));
    }
    if !diagnosis.ruled_out.is_empty() {
        let rows = diagnosis
            .ruled_out
            .iter()
            .map(|out| told(&ruled_out(out, diagnosis)));
        entry(page, "NOT IT", &listed(&rows.collect::<Vec<_>>()));
    }
    if !diagnosis.unseen.is_empty() {
        let rows = diagnosis.unseen.iter().map(unseen);
        entry(page, "UNSEEN", &listed(&rows.collect::<Vec<_>>()));
    }
    if let Some(first) = diagnosis.first()
        && !first.check.is_empty()
    {
        entry(page, "CHECK", &sentence(&first.check));
    }
    page.push_str("</dl></section>\n");
}

fn of_cause(page: &mut String, first: &Finding, diagnosis: &Diagnosis) {
    let mark = mark_of(first, diagnosis);
    let mut cause = format!("<p>{}{mark} {}</p>", tag_of(first), linked(first));
    let _ = write!(cause, "<p>{}</p>", told(&first.claim));
    if let Some(evidence) = first.supports.first() {
        let _ = write!(cause, "<p class=\"soft\">{}</p>", escaped(&shown(evidence)));
    }
    entry(page, "CAUSE", &cause);
    let others = broke(diagnosis).skip(1).count();
    let mut words = escaped(&scope(first, diagnosis));
    if others > 0 {
        let s = if others == 1 { "" } else { "s" };
        let _ = write!(
            words,
            "; <a href=\"#findings\">{others} more finding{s}</a>"
        );
    }
    entry(page, "SCOPE", &format!("<p>{words}</p>"));
    if !first.fixes.is_empty() {
        entry(page, "DO NOW", &fixes(&first.fixes));
    }
}

fn entry(page: &mut String, label: &str, markup: &str) {
    let _ = writeln!(page, "<dt>{label}</dt><dd>{markup}</dd>");
}

/// The first of them open, the rest folded away.
fn listed(rows: &[String]) -> String {
    let list = |rows: &[String]| {
        let rows: Vec<_> = rows.iter().map(|row| format!("<li>{row}</li>")).collect();
        format!("<ul class=\"bare\">{}</ul>", rows.concat())
    };
    if rows.len() <= OPEN + 1 {
        return list(rows);
    }
    format!(
        "{}<details><summary>and {} more</summary>{}</details>",
        list(&rows[..OPEN]),
        rows.len() - OPEN,
        list(&rows[OPEN..])
    )
}

fn unseen(one: &Unseen) -> String {
    let words = format!("{}: {}", one.what, one.why);
    format!("<p>{}</p>{}", escaped(&words), sentence(&one.how))
}

fn fixes(all: &[Fix]) -> String {
    let rows = all.iter().map(|fix| {
        let mut row = sentence(&fix.action);
        if !fix.risk.is_empty() {
            let _ = write!(row, "<p class=\"soft\">Risk: {}</p>", escaped(&fix.risk));
        }
        if !fix.undo.is_empty() {
            let _ = write!(row, "<p class=\"soft\">Undo:</p>{}", sentence(&fix.undo));
        }
        format!("<li>{row}</li>")
    });
    format!("<ul>{}</ul>", rows.collect::<String>())
}

/// A sentence; each command of it stands by itself, and one click selects the whole of it.
fn sentence(words: &str) -> String {
    let mut out = String::new();
    for piece in pieces(words) {
        match piece {
            Piece::Prose(prose) => {
                let prose = prose.trim().trim_start_matches([',', ';']).trim();
                if prose.chars().any(char::is_alphanumeric) {
                    let _ = write!(out, "<p>{}</p>", escaped(prose));
                }
            }
            Piece::Command(command) => {
                let _ = write!(out, "<pre>{}</pre>", escaped(command));
            }
        }
    }
    out
}

/// A sentence in a line; each command of it is code.
fn told(words: &str) -> String {
    let pieces = pieces(words);
    let told = pieces.iter().map(|piece| match piece {
        Piece::Prose(prose) => escaped(prose),
        Piece::Command(command) => format!("<code>{}</code>", escaped(command)),
    });
    told.collect()
}

fn assumed(page: &mut String, assumed: &[String]) {
    if assumed.is_empty() {
        return;
    }
    let rows: Vec<_> = assumed.iter().map(|words| escaped(words)).collect();
    let _ = writeln!(page, "<section><h2>Assumed</h2>{}</section>", listed(&rows));
}

/// `SW301 title`, the code leading to its page, if there is one to lead to.
fn linked(finding: &Finding) -> String {
    let code = match page_of(finding.code) {
        Some(page) => format!("<a href=\"{}\">{}</a>", escaped(&page), finding.code),
        None => finding.code.to_string(),
    };
    format!("{code} <strong>{}</strong>", escaped(&finding.title))
}

fn tag_of(finding: &Finding) -> String {
    let verdict = finding.verdict.name();
    format!(
        "<span class=\"tag {verdict}\">{}, {}</span>",
        verdict.replace('_', " "),
        finding.confidence.name()
    )
}

/// How it stands to a former report.
fn mark_of(finding: &Finding, diagnosis: &Diagnosis) -> String {
    let standing = diagnosis
        .since
        .as_ref()
        .map(|since| since.standing(finding));
    standing.map_or_else(String::new, |standing| {
        format!(
            " <span class=\"tag {}\">{}</span>",
            standing.name(),
            standing.words()
        )
    })
}

/// `2026-11-23 02:58:11`.
fn moment(stamp: &str) -> String {
    let whole = stamp.split('.').next().unwrap_or(stamp);
    whole.replace('T', " ")
}

/// For text and for attributes in double quotes.
fn escaped(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for c in clean(words).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
