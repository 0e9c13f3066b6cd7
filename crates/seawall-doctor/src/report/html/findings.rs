//! Each finding with all its evidence.

use std::fmt::Write as _;

use super::{escaped, fixes, linked, mark_of, moment, sentence, tag_of, told};
use crate::finding::{Evidence, Finding};
use crate::judge::Diagnosis;

/// So many findings stand open; of more, each is folded to a line.
const OPEN: usize = 8;

/// So many lines of evidence stand open.
const EVIDENCE: usize = 5;

pub(super) fn write(page: &mut String, diagnosis: &Diagnosis) {
    if diagnosis.findings.is_empty() {
        return;
    }
    page.push_str("<section id=\"findings\"><h2>Findings</h2>\n");
    for (place, finding) in diagnosis.findings.iter().enumerate() {
        let mark = mark_of(finding, diagnosis);
        let head = format!("{}{mark} <span>{}</span>", tag_of(finding), linked(finding));
        let _ = write!(page, "<article id=\"f{place}\">");
        if place < OPEN {
            let _ = writeln!(page, "<h3 class=\"head\">{head}</h3>");
            body(page, finding);
        } else {
            let _ = writeln!(
                page,
                "<details><summary><span class=\"head\">{head}</span></summary>"
            );
            body(page, finding);
            page.push_str("</details>");
        }
        page.push_str("</article>\n");
    }
    page.push_str("</section>\n");
}

fn body(page: &mut String, finding: &Finding) {
    let mut facts = Vec::new();
    if let Some((from, to)) = finding.window {
        let (from, to) = (moment(&from.to_string()), moment(&to.to_string()));
        facts.push(if from == to {
            from
        } else {
            format!("{from} to {to}")
        });
    }
    if let Some(behind) = finding.behind {
        facts.push(format!("brought about by {behind}"));
    }
    match finding.subjects.len() {
        0 => {}
        1..=5 => facts.push(format!("struck {}", escaped(&finding.whom()))),
        many => facts.push(format!("struck {many}")),
    }
    if !facts.is_empty() {
        let _ = writeln!(page, "<p class=\"soft\">{}</p>", facts.join(" &middot; "));
    }
    if !finding.claim.is_empty() {
        let _ = writeln!(page, "<p>{}</p>", told(&finding.claim));
    }
    evidence(page, "Evidence", &finding.supports, finding.more);
    evidence(page, "Against it", &finding.contradicts, 0);
    if finding.subjects.len() > 5 {
        let all: Vec<_> = finding
            .subjects
            .iter()
            .take(500)
            .map(|one| escaped(one))
            .collect();
        let left = finding.subjects.len() - all.len();
        let more = if left > 0 {
            format!(" and {left} more")
        } else {
            String::new()
        };
        let _ = writeln!(
            page,
            "<details><summary>Whom it struck: {}</summary><p class=\"soft\">{}{more}</p></details>",
            finding.subjects.len(),
            all.join(", ")
        );
    }
    if !finding.fixes.is_empty() {
        let _ = writeln!(page, "<p><strong>Do</strong></p>{}", fixes(&finding.fixes));
    }
    if !finding.check.is_empty() {
        let _ = writeln!(
            page,
            "<p><strong>Check</strong></p>{}",
            sentence(&finding.check)
        );
    }
}

fn evidence(page: &mut String, title: &str, all: &[Evidence], more: u64) {
    if all.is_empty() {
        return;
    }
    let open = all.len().min(EVIDENCE);
    let _ = writeln!(
        page,
        "<p><strong>{title}</strong></p><ul>{}</ul>",
        rows(&all[..open])
    );
    if all.len() > open {
        let counted = if more > 0 {
            format!("<p class=\"soft\">and {more} more that are not kept</p>")
        } else {
            String::new()
        };
        let _ = writeln!(
            page,
            "<details><summary>{} more</summary><ul>{}</ul>{counted}</details>",
            (all.len() - open) as u64 + more,
            rows(&all[open..])
        );
    } else if more > 0 {
        let _ = writeln!(
            page,
            "<p class=\"soft\">and {more} more that are not kept</p>"
        );
    }
}

fn rows(all: &[Evidence]) -> String {
    let rows = all.iter().map(|one| {
        let place = escaped(&one.place.to_string());
        format!("<li><code>{place}</code> {}</li>", told(&one.says))
    });
    rows.collect()
}
