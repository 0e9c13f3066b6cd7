//! What the doctor says, in every form that it is read in: a terminal, a program, a ticket, a code scanner, a CI system.
//!
//! Words of a log may be anybody's: each form escapes what would be markup in it, and lets nothing through that steers a
//! terminal.

mod html;
mod json;
mod junit;
mod markdown;
mod sarif;
mod text;
mod words;

pub use html::html;
pub(crate) use json::of_costs;
pub use json::{SCHEMA, changes, json};
pub use junit::junit;
pub use markdown::markdown;
pub use sarif::sarif;
pub use text::{coloured, load, text};

/// Words without what would steer a terminal.
pub fn plain(words: &str) -> String {
    words::clean(words)
}

#[cfg(test)]
mod tests;
