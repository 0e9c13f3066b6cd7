//! Reference pages: made by `xtask-pages` from the code's own tables.

use std::path::Path;
use std::process::Command;

use crate::task;

/// `docs/settings.md`.
pub(crate) fn settings(root: &Path) -> task::Result<String> {
    ask(root, "settings")
}

/// `docs/causes.md`.
pub(crate) fn causes(root: &Path) -> task::Result<String> {
    ask(root, "causes")
}

/// `docs/doctor-rules.md`.
pub(crate) fn rules(root: &Path) -> task::Result<String> {
    ask(root, "rules")
}

fn ask(root: &Path, page: &str) -> task::Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["run", "--quiet", "--package", "xtask-pages", "--", page])
        .current_dir(root);
    let output = command
        .output()
        .map_err(|error| format!("cargo does not run: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr)
            .trim()
            .to_owned()
            .into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
