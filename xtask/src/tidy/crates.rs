use super::cargo::{Metadata, Package};
use super::{Check, Find, Finding, Tree};

/// Crates that do not say what they are for.
pub(crate) const CHECK: Check = Check {
    name: "crates",
    about: "each crate has a description, the workspace's lints, docs at its root, and a place in ARCHITECTURE.md",
    find: Find::Asking(|tree| Ok(find(tree, &Metadata::ask(tree.root())?))),
};

/// The page that says where everything is.
const MAP: &str = "ARCHITECTURE.md";

fn find(tree: &Tree, metadata: &Metadata) -> Vec<Finding> {
    metadata
        .packages
        .iter()
        .flat_map(|package| in_package(tree, package))
        .collect()
}

fn in_package(tree: &Tree, package: &Package) -> Vec<Finding> {
    let mut found = Vec::new();
    if package
        .description
        .as_deref()
        .unwrap_or_default()
        .is_empty()
    {
        found.push(Finding::whole(
            &package.manifest,
            "no description",
            "say in one line what the crate is for",
        ));
    }
    let manifest = tree.file(&package.manifest).map_or("", |file| &file.text);
    if !manifest.contains("[lints]\nworkspace = true") {
        let instead = "add `[lints]` with `workspace = true`";
        found.push(Finding::whole(
            &package.manifest,
            "the workspace's lints do not hold here",
            instead,
        ));
    }
    let roots = package
        .targets
        .iter()
        .filter(|target| target.kind.iter().any(|kind| is_product(kind)));
    for root in roots.filter_map(|target| tree.file(&target.source)) {
        if !root.text.starts_with("//!") {
            let what = format!("the crate `{}` does not say what it is", package.name);
            found.push(Finding::whole(
                &root.path,
                what,
                "open the file with `//!` and one sentence",
            ));
        }
    }
    if let Some(map) = tree
        .file(MAP)
        .filter(|map| !map.text.contains(&format!("`{}`", package.name)))
    {
        let what = format!("the crate `{}` is not on the map", package.name);
        found.push(Finding::whole(
            &map.path,
            what,
            "say where it stands and what it must never do",
        ));
    }
    found
}

fn is_product(kind: &str) -> bool {
    matches!(kind, "lib" | "bin" | "cdylib" | "rlib" | "proc-macro")
}

#[cfg(test)]
mod tests {
    use super::super::cargo::Target;
    use super::*;

    fn found_in(description: &str, files: &[(&str, &str)]) -> Vec<String> {
        let package = Package {
            name: "seawall-x".to_owned(),
            description: Some(description.to_owned()),
            manifest: "crates/x/Cargo.toml".to_owned(),
            dependencies: Vec::new(),
            targets: vec![
                Target {
                    kind: vec!["lib".to_owned()],
                    source: "crates/x/src/lib.rs".to_owned(),
                },
                Target {
                    kind: vec!["test".to_owned()],
                    source: "crates/x/tests/it/main.rs".to_owned(),
                },
            ],
        };
        let metadata = Metadata {
            packages: vec![package],
        };
        find(&Tree::planted(files), &metadata)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    const MANIFEST: (&str, &str) = ("crates/x/Cargo.toml", "[lints]\nworkspace = true\n");
    const LIB: (&str, &str) = ("crates/x/src/lib.rs", "//! It does.\n");
    const TEST: (&str, &str) = ("crates/x/tests/it/main.rs", "mod a;\n");

    #[test]
    fn a_crate_that_says_what_it_is_passes() {
        assert!(found_in("It does", &[MANIFEST, LIB, TEST]).is_empty());
        assert!(found_in("It does", &[MANIFEST, LIB, (MAP, "`seawall-x` does")]).is_empty());
    }

    #[test]
    fn each_lack_is_found() {
        assert_eq!(found_in("", &[MANIFEST, LIB]).len(), 1, "no description");
        assert_eq!(
            found_in("It does", &[("crates/x/Cargo.toml", "[package]\n"), LIB]).len(),
            1,
            "no lints"
        );
        assert_eq!(
            found_in("It does", &[MANIFEST, ("crates/x/src/lib.rs", "mod a;\n")]).len(),
            1,
            "no docs"
        );
        assert_eq!(
            found_in("It does", &[MANIFEST, LIB, (MAP, "`seawall` does")]).len(),
            1,
            "not on the map"
        );
    }
}
