//! For build scripts, which take it in by `#[path]`: lists the Rust files of a folder as modules, so that adding a
//! scenario, or a rule, touches one file.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs, io};

/// Writes `OUT_DIR/<out>`: every file of `folder` as a module, then what `rest` makes of the modules' names, in order.
pub(crate) fn list(
    folder: &str,
    out: &str,
    rest: impl FnOnce(&[String]) -> String,
) -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let folder = root.join(folder);
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    let mut source = String::new();
    let mut names = Vec::new();
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        // `{:?}` quotes the path as a Rust string, whatever characters it holds.
        let path = file.display().to_string();
        let _ = writeln!(source, "#[path = {path:?}]\nmod {name};");
        names.push(name.into_owned());
    }
    source.push_str(&rest(&names));
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(folder.join(out), source)
}
