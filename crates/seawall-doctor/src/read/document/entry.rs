//! What entries of every kind have: texts and numbers under a path, and times.

use serde_json::{Map, Value};

use crate::read::kernel::iso;
use crate::stamp::Stamp;

/// What stands under `a/b/0/c`.
pub(super) fn at<'a>(entry: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let value = entry.get(first)?;
    if rest.is_empty() {
        Some(value)
    } else {
        value.pointer(&format!("/{rest}"))
    }
}

/// A text; empty where there is none.
pub(super) fn text<'a>(entry: &'a Map<String, Value>, path: &str) -> &'a str {
    at(entry, path).and_then(Value::as_str).unwrap_or_default()
}

/// A number that is not negative.
pub(super) fn count(entry: &Map<String, Value>, path: &str) -> Option<u64> {
    at(entry, path)?.as_u64()
}

/// The objects of an array.
pub(super) fn objects<'a>(
    entry: &'a Map<String, Value>,
    path: &str,
) -> impl Iterator<Item = &'a Map<String, Value>> {
    let all = at(entry, path).and_then(Value::as_array);
    all.into_iter().flatten().filter_map(Value::as_object)
}

/// The first of these that is a time; the year 1 is how Go says "never".
pub(super) fn time(entry: &Map<String, Value>, paths: &[&str]) -> Option<Stamp> {
    let known = |path: &&str| iso(text(entry, path)).filter(|at| at.0 > 0);
    paths.iter().find_map(known)
}

/// A name as we show it: of one line, and no longer than Kubernetes's longest.
pub(super) fn name(text: &str) -> String {
    let plain = |c: &char| !c.is_control() && !c.is_whitespace();
    text.chars().filter(plain).take(253).collect()
}

/// Whether a name, or an image, is a server's: an exporter, a proxy or a client beside one is none.
pub(super) fn serves(name: &str) -> bool {
    let beside = [
        "exporter",
        "metrics",
        "insight",
        "commander",
        "proxy",
        "operator",
        "backup",
        "sentinel",
    ];
    let last = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let known = ["redis", "valkey", "keydb"];
    known.iter().any(|word| last.contains(word)) && !beside.iter().any(|word| last.contains(word))
}
