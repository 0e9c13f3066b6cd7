//! What an audit says, as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Audit;
use crate::report::of_costs;

/// The version of the JSON's shape: raised when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// For a terminal.
pub fn text(audit: &Audit) -> String {
    let mut page = format!("GRADE     {}\n", audit.grade());
    for remark in &audit.remarks {
        let label = remark.severity.name().to_uppercase();
        let _ = writeln!(
            page,
            "{label:<9} {}: {}",
            remark.check,
            clean(&remark.claim)
        );
        if !remark.place.is_empty() {
            let _ = writeln!(page, "          at: {}", clean(&remark.place));
        }
        if !remark.advice.is_empty() {
            let _ = writeln!(page, "          do: {}", clean(&remark.advice));
        }
    }
    if !audit.passed.is_empty() {
        let _ = writeln!(page, "PASSED    {}", audit.passed.join(", "));
    }
    for (place, (what, how)) in audit.unseen.iter().enumerate() {
        let label = if place == 0 { "UNSEEN" } else { "" };
        let _ = writeln!(page, "{label:<9} {}: {}", clean(what), clean(how));
    }
    page
}

/// For programs.
pub fn json(audit: &Audit) -> Value {
    json!({
        "schema": SCHEMA,
        "grade": audit.grade().to_string(),
        "remarks": audit.remarks.iter().map(|remark| json!({
            "check": remark.check,
            "severity": remark.severity.name(),
            "claim": remark.claim,
            "place": remark.place,
            "advice": remark.advice,
        })).collect::<Vec<_>>(),
        "passed": audit.passed,
        "unseen": audit.unseen.iter().map(|(what, how)| json!({ "what": what, "how": how })).collect::<Vec<_>>(),
        "costs": of_costs(&audit.costs),
    })
}

/// A server's words may be anybody's: none of them steers the terminal.
fn clean(words: &str) -> String {
    words
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}
