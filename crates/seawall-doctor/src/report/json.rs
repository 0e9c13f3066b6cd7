//! Everything, for programs: docs/doctor-json.md has the fields.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::words::gone;
use crate::baseline::{Comparison, Known};
use crate::facts::{Cost, Place, Spot};
use crate::finding::{Evidence, Finding};
use crate::judge::Diagnosis;
use crate::timeline::Lane;
use crate::uptime::Uptime;

/// The version of the JSON's shape: raised when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// A diagnosis as one object.
pub fn json(diagnosis: &Diagnosis) -> Value {
    let (up, words) = match &diagnosis.uptime {
        Uptime::Stayed(words) => (Some(true), words),
        Uptime::Ended(words) => (Some(false), words),
        Uptime::Unknown(words) => (None, words),
    };
    let had = diagnosis.had.iter().map(|need| need.words().0);
    let findings = diagnosis.findings.iter().map(|finding| {
        let since = diagnosis.since.as_ref();
        let mut row = of_finding(finding);
        row["since"] = json!(since.map(|since| since.standing(finding).name()));
        row
    });
    let gone = gone(diagnosis).iter().map(of_known);
    json!({
        "schema": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "made": diagnosis.made.map(|at| at.to_string()),
        "up": up,
        "uptime": words,
        "had": had.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "gone": gone.collect::<Vec<_>>(),
        "ruled_out": diagnosis.ruled_out.iter().map(of_finding).collect::<Vec<_>>(),
        "unseen": diagnosis.unseen.iter().map(|one| json!({
            "what": one.what, "why": one.why, "how": one.how,
        })).collect::<Vec<_>>(),
        "assumed": diagnosis.assumed,
        "failures": diagnosis.failures,
        "timeline": diagnosis.timeline.lanes.iter().map(of_lane).collect::<Vec<_>>(),
        "unexplained": diagnosis.unexplained,
        "costs": of_costs(&diagnosis.costs),
    })
}

/// What the looks cost the servers.
pub(crate) fn of_costs(costs: &[(Arc<str>, Cost)]) -> Vec<Value> {
    let millis = |span: Duration| span.as_secs_f64() * 1_000.0;
    let of = |(server, cost): &(Arc<str>, Cost)| {
        json!({
            "server": server.to_string(),
            "commands": cost.commands,
            "waited_ms": millis(cost.waited),
            "lasted_ms": millis(cost.lasted),
            "took_ms": cost.took().map(millis),
            "share": cost.share(),
            "spent": cost.spent.iter().map(|one| json!({
                "command": one.command, "calls": one.calls, "took_ms": millis(one.took),
            })).collect::<Vec<_>>(),
        })
    };
    costs.iter().map(of).collect()
}

/// So many events of a source, the last ones.
const EVENTS_MAX: usize = 1_000;

fn of_lane(lane: &Lane) -> Value {
    let passed_over = lane.events.len().saturating_sub(EVENTS_MAX);
    let events = lane.events.iter().skip(passed_over).map(|event| {
        json!({
            "at": event.at.to_string(), "place": event.place.to_string(), "says": event.says,
        })
    });
    json!({
        "kind": lane.kind,
        "source": lane.source,
        "events": events.collect::<Vec<_>>(),
        "passed_over": passed_over,
    })
}

fn of_finding(finding: &Finding) -> Value {
    let evidence = |all: &[Evidence]| -> Vec<Value> { all.iter().map(of_evidence).collect() };
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
            "change": fix.change.as_ref().map(|change| json!({
                "setting": change.setting, "value": change.value(), "command": change.command(),
            })),
        })).collect::<Vec<_>>(),
        "check": finding.check,
        "behind": finding.behind.map(|code| code.to_string()),
        "fingerprint": finding.fingerprint(),
    })
}

/// What changed from one report to another.
pub fn changes(changes: &Comparison) -> Value {
    let list = |all: &[Known]| all.iter().map(of_known).collect::<Vec<_>>();
    json!({
        "schema": SCHEMA,
        "since": changes.made,
        "new": list(&changes.new),
        "worse": list(&changes.worse),
        "same": list(&changes.same),
        "gone": list(&changes.gone),
    })
}

/// A finding of a former report.
fn of_known(known: &Known) -> Value {
    json!({
        "code": known.code,
        "title": known.title,
        "verdict": known.verdict,
        "confidence": known.confidence,
        "fingerprint": known.fingerprint,
    })
}

fn of_evidence(evidence: &Evidence) -> Value {
    let Place { source, spot } = &evidence.place;
    let line = match spot {
        Spot::Line(line) => Some(*line),
        _ => None,
    };
    json!({
        "place": evidence.place.to_string(),
        "source": source.to_string(),
        "line": line,
        "says": evidence.says,
    })
}
