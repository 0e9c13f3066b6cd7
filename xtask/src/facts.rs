//! Command facts: dumps of what servers say of their commands, pinned in the repository; the overrides beside them;
//! and the table that `seawall-wire` is built with.
//!
//! `cargo xtask facts dump` remakes the pins from real servers, which is only needed for a new server version.
//! Everything else works on the pinned files.

mod dump;
#[cfg(test)]
mod live;
mod overrides;
mod pin;
mod render;
mod resp;
#[cfg(test)]
mod samples;
mod server;
#[cfg(test)]
mod tests;
mod union;

use std::path::Path;

use crate::task;

/// The generated table, relative to the workspace's root.
pub(crate) const TABLE: &str = "crates/seawall-wire/src/facts/table.rs";
/// What servers do not say, written by hand.
const OVERRIDES: &str = "crates/seawall-wire/data/overrides.toml";

/// Makes the table's text from the pins and the overrides, or says everything that keeps it from being made.
pub(crate) fn table(root: &Path) -> task::Result<String> {
    let pins = pin::Pin::ALL
        .iter()
        .map(|pin| pin.read(root))
        .collect::<task::Result<Vec<_>>>()?;
    let text = std::fs::read_to_string(root.join(OVERRIDES))
        .map_err(|error| format!("{OVERRIDES}: {error}"))?;
    let overrides = overrides::Overrides::parse(&text)?;
    let rows = union::rows(&pins, &overrides)?;
    Ok(render::table(&rows))
}

/// `cargo xtask facts dump --redis PATH --valkey PATH`
pub(crate) fn dump(arguments: &[String]) -> task::Result {
    dump::run(arguments)
}
