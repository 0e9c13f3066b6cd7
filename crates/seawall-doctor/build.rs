//! Lists `src/rules/*.rs`, so that adding a rule touches one file.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let folder = root.join("src/rules");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    let mut modules = String::new();
    let mut list = String::new();
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        // `{:?}` quotes the path as a Rust string, whatever characters it holds.
        let _ = writeln!(
            modules,
            "#[path = {:?}]\nmod {name};",
            file.display().to_string()
        );
        let _ = writeln!(list, "    &{name}::RULE,");
    }
    let source = format!(
        "{modules}\nuse crate::rule::Rule;\n\n\
         /// The rule of every file, in the order of their codes.\n\
         pub(crate) const ALL: &[&Rule] = &[\n{list}];\n"
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("rules.rs");
    fs::write(out, source)
}
