//! SARIF 2.1.0, for code scanners and whoever collects their results.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::words::{clean, explained_by, gone, page_of, shown};
use crate::baseline::{Known, Standing};
use crate::facts::{Place, Spot};
use crate::finding::{Evidence, Finding, Verdict};
use crate::judge::Diagnosis;
use crate::rule::Rule;

/// A diagnosis as a log of one run: the rules, what they found, and as notifications what could not be looked at.
///
/// What was ruled out is not in it: readers of SARIF show each result as something to do.
pub fn sarif(diagnosis: &Diagnosis) -> Value {
    let rules = crate::rules();
    let index: BTreeMap<_, _> = rules
        .iter()
        .enumerate()
        .map(|(place, rule)| (rule.code, place))
        .collect();
    let results = diagnosis.findings.iter().map(|finding| {
        let mut result = of_finding(finding);
        if let Some(place) = index.get(&finding.code) {
            result["ruleIndex"] = json!(place);
        }
        if let Some(since) = &diagnosis.since {
            result["baselineState"] = json!(match since.standing(finding) {
                Standing::New => "new",
                Standing::Worse => "updated",
                Standing::Same => "unchanged",
            });
        }
        result
    });
    let results = results.chain(gone(diagnosis).iter().map(of_gone));
    let unseen = diagnosis.unseen.iter().map(|one| {
        let words = format!("{}: {}; get it: {}", one.what, one.why, one.how);
        json!({ "level": "note", "message": { "text": clean(&words) } })
    });
    let unexplained = diagnosis.unexplained.iter();
    let unexplained =
        unexplained.map(|words| json!({ "level": "error", "message": { "text": clean(words) } }));
    let mut invocation = json!({
        "executionSuccessful": true,
        "toolExecutionNotifications": unexplained.chain(unseen).collect::<Vec<_>>(),
    });
    if let Some(made) = diagnosis.made {
        invocation["endTimeUtc"] = json!(made.to_string());
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "seawall doctor",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| of_rule(rule)).collect::<Vec<_>>(),
            } },
            "invocations": [invocation],
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn of_rule(rule: &Rule) -> Value {
    let needs: Vec<_> = rule.needs.iter().map(|need| need.words().0).collect();
    let more = explained_by(rule.code);
    let help = format!(
        "{} Look at: {}. More: {more}",
        rule.explanation,
        needs.join(", ")
    );
    let mut told = json!({
        "id": rule.code.to_string(),
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": rule.explanation },
        // Viewers show the page itself, wherever they are.
        "help": { "text": help, "markdown": rule.page() },
    });
    // It must be absolute.
    if let Some(page) = page_of(rule.code) {
        told["helpUri"] = json!(page);
    }
    told
}

fn of_finding(finding: &Finding) -> Value {
    let mut text = format!("{} ({}).", finding.title, finding.confidence.name());
    for more in [&finding.claim, &finding.check] {
        if !more.is_empty() {
            text.push(' ');
            text.push_str(more);
        }
    }
    for fix in &finding.fixes {
        text.push_str(" Do: ");
        text.push_str(&fix.action);
        text.push('.');
    }
    let mut properties = json!({
        "verdict": finding.verdict.name(),
        "confidence": finding.confidence.name(),
        "subjects": finding.subjects.iter().map(|one| clean(one)).collect::<Vec<_>>(),
    });
    if let Some((from, to)) = finding.window {
        properties["from"] = json!(from.to_string());
        properties["to"] = json!(to.to_string());
    }
    let mut result = json!({
        "ruleId": finding.code.to_string(),
        "level": level(finding.verdict),
        "message": { "text": clean(&text) },
        "locations": finding.supports.iter().take(1).map(location).collect::<Vec<_>>(),
        "partialFingerprints": { "seawall/v1": clean(&finding.fingerprint()) },
        "properties": properties,
    });
    let others: Vec<_> = finding.supports.iter().skip(1).map(location).collect();
    if !others.is_empty() {
        result["relatedLocations"] = json!(others);
    }
    result
}

fn of_gone(known: &Known) -> Value {
    json!({
        "ruleId": known.code,
        "level": "none",
        "message": { "text": clean(&known.title) },
        "baselineState": "absent",
        "partialFingerprints": { "seawall/v1": clean(&known.fingerprint) },
    })
}

fn level(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Cause => "error",
        Verdict::Contributing | Verdict::Risk => "warning",
        Verdict::Consequence => "note",
        Verdict::RuledOut => "none",
    }
}

/// A line of a file is a physical location, what a server answered a logical one.
fn location(evidence: &Evidence) -> Value {
    let Place { source, spot } = &evidence.place;
    let message = json!({ "text": clean(&shown(evidence)) });
    match spot {
        Spot::Line(line) => json!({
            "message": message,
            "physicalLocation": {
                "artifactLocation": { "uri": uri(source) },
                "region": { "startLine": (*line).max(1) },
            },
        }),
        _ => json!({
            "message": message,
            "logicalLocations": [{
                "fullyQualifiedName": clean(&evidence.place.to_string()),
                "kind": "resource",
            }],
        }),
    }
}

/// A path as a relative reference: what is no plain character is written as its bytes.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}
