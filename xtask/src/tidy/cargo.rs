//! What cargo says of the workspace.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::task;

/// The part of `cargo metadata` that the checks read.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    /// The workspace's packages.
    pub(crate) packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// What it says of itself.
    pub(crate) description: Option<String>,
    /// Its manifest, relative to the workspace's root.
    #[serde(rename = "manifest_path")]
    pub(crate) manifest: String,
    /// What its manifest names.
    pub(crate) dependencies: Vec<Dependency>,
    /// What is built from it.
    pub(crate) targets: Vec<Target>,
}

/// A dependency that a manifest names.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The package it means.
    pub(crate) name: String,
    /// `None` for code, else `build` or `dev`.
    pub(crate) kind: Option<String>,
    /// The folder it is taken from; `None` if it comes from a registry.
    pub(crate) path: Option<String>,
}

/// A library, program or test of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    /// `lib`, `bin`, `test`, ...
    pub(crate) kind: Vec<String>,
    /// Its first file, relative to the workspace's root.
    #[serde(rename = "src_path")]
    pub(crate) source: String,
}

impl Metadata {
    /// Asks cargo about the workspace at `root`.
    pub(crate) fn ask(root: &Path) -> task::Result<Self> {
        let text = cargo(root, &["metadata", "--no-deps", "--format-version", "1"])?;
        let mut metadata: Self = serde_json::from_str(&text)?;
        let inside = |path: &str| {
            Path::new(path)
                .strip_prefix(root)
                .map_or(path.to_owned(), |p| p.display().to_string())
        };
        for package in &mut metadata.packages {
            package.manifest = inside(&package.manifest);
            for target in &mut package.targets {
                target.source = inside(&target.source);
            }
        }
        Ok(metadata)
    }
}

/// What `cargo tree` prints for a package that is built alone: one line a crate, its depth before its name.
pub(crate) fn tree_below(root: &Path, package: &str) -> task::Result<String> {
    let arguments = [
        "tree",
        "--locked",
        "--package",
        package,
        "--edges",
        "normal",
        "--prefix",
        "depth",
        "--format",
        " {p}",
    ];
    cargo(root, &arguments)
}

fn cargo(root: &Path, arguments: &[&str]) -> task::Result<String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let ran = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output();
    let output = ran.map_err(|error| format!("cargo does not run: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "cargo {}: {}",
            arguments.first().unwrap_or(&""),
            said.trim()
        )
        .into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
