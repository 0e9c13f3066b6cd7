//! The doctor: why connections to Redis broke, with the evidence, the fix and the check.
//!
//! From source to report:
//!
//! 1. [`sources`] takes URLs, files and this host, each to whom it belongs: [`live`] asks a server, [`read`] reads what any file
//!    holds, [`nearby`] looks at the host. They do all the reading and writing there is, and drop keys, values and arguments.
//! 2. They make [`Facts`]: what was said, when and where. [`clocks`] lays logs without a zone beside the others.
//! 3. The rules (`rules/`, a file each, with its tests) look at nothing but facts. Several share `evidence` (the lines that a rule
//!    listens for), `joined` (the same connection, told by two), `stall`, `memory`, `forks`, `limits`, `rested`, `commands`.
//! 4. [`diagnose`] (`judge`, `symptoms`) runs them all, holds them against the calls that failed, and ranks. Which source a fact came
//!    from first never changes a verdict.
//! 5. [`report`] tells it, a file a form; [`logs`], [`audit`] and [`explain`] tell other things of the same facts and rules.
//!
//! Where to add what stands in ARCHITECTURE.md.
//!
//! The doctor writes nothing to a server, but for [`mend`], which changes a setting that somebody said yes to. Keys and values
//! never get into a fact.

pub mod audit;
pub mod baseline;
pub mod clocks;
pub mod collect;
mod commands;
pub mod container;
mod evidence;
pub mod explain;
pub mod facts;
pub mod files;
pub mod finding;
mod forks;
mod holders;
mod hosts;
mod joined;
mod judge;
mod killed;
mod lifetimes;
mod limits;
pub mod live;
pub mod lives;
pub mod logs;
mod managed;
mod memory;
pub mod mend;
pub mod nearby;
pub mod provider;
pub mod read;
mod refusal;
pub mod report;
mod rested;
mod rule;
mod settings;
mod skews;
pub mod sources;
mod stall;
pub mod stamp;
mod startup;
mod symptoms;
pub mod tally;
#[cfg(test)]
mod testing;
pub mod text;
pub mod timeline;
mod tls;
pub mod uptime;
mod web;
mod whose;

#[expect(
    clippy::needless_update,
    reason = "a field more in Rule is no change to the rules that do without it"
)]
mod rules {
    include!(concat!(env!("OUT_DIR"), "/rules.rs"));
}

pub use facts::Facts;
pub use finding::Finding;
pub use judge::{Diagnosis, diagnose};
pub use rule::{Code, Need, Rule};
pub use text::Text;

/// Every rule, in the order of their codes.
pub fn rules() -> &'static [&'static Rule] {
    rules::ALL
}
