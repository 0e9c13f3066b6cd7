//! How a task ends, and where it works.

use std::error::Error;
use std::path::{Path, PathBuf};

/// How a task that could run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well: exit code 0.
    Well,
    /// It found something that must be mended, and has printed it: exit code 1.
    Fell,
}

/// An outcome, or why the task could not run: exit code 2.
pub(crate) type Result<T = Outcome> = std::result::Result<T, Box<dyn Error>>;

/// The root of the workspace that this tool was built from.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}
