use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use seawall_doctor::sources::{self, Patience};
use seawall_doctor::stamp::Stamp;
use seawall_doctor::{diagnose as judge, report};

/// Where the doctor looks if it is told nothing.
const DEFAULT: &str = "redis://127.0.0.1:6379";

/// What the doctor says of servers and files: as JSON and as text, or nothing if none could be looked at; and of each source
/// that could not, why.
#[pyfunction]
pub(crate) fn diagnose(
    python: Python<'_>,
    mut names: Vec<String>,
    within: f64,
) -> (Option<String>, String, Vec<String>) {
    if names.is_empty() {
        names.push(DEFAULT.to_owned());
    }
    let patience = Patience {
        within: Duration::from_secs_f64(within),
        watching: None,
    };
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since_1970.unwrap_or_default().as_millis();
    let now = Stamp(i64::try_from(millis).unwrap_or(i64::MAX));
    python.detach(|| {
        let told = sources::look(&names, patience, now);
        let unread = told.troubles.iter().map(|trouble| {
            if trouble.hint.is_empty() {
                trouble.what.clone()
            } else {
                format!("{}\n  hint: {}", trouble.what, trouble.hint)
            }
        });
        let unread = unread.collect();
        if told.facts.had.is_empty() {
            return (None, String::new(), unread);
        }
        let mut diagnosis = judge(told.facts);
        diagnosis.made = Some(now);
        let json = report::json(&diagnosis).to_string();
        (Some(json), report::text(&diagnosis, false), unread)
    })
}
