use super::cargo::{Dependency, Metadata, Package};
use super::table::{self, RESERVED, Row, TABLE_PATH};
use super::{Check, Find, Finding, Tree};

/// Dependencies that the table of layers does not allow.
pub(crate) const CHECK: Check = Check {
    name: "layers",
    about: "each crate's manifest names only what its row of the dependency table allows",
    find: Find::Asking(|tree| Ok(find(tree, &Metadata::ask(tree.root())?))),
};

fn find(tree: &Tree, metadata: &Metadata) -> Vec<Finding> {
    let mut found = Vec::new();
    for package in &metadata.packages {
        let Some(row) = table::row(&package.name) else {
            let what = format!(
                "the crate `{}` has no row in the dependency table",
                package.name
            );
            let instead =
                format!("say what it may use in TABLE of {TABLE_PATH}, and in ARCHITECTURE.md why");
            found.push(Finding::whole(&package.manifest, what, instead));
            continue;
        };
        for dependency in &package.dependencies {
            let refused = not_allowed(row, dependency).or_else(|| reserved(package, dependency));
            found.extend(refused.map(|(what, instead)| {
                Finding::at(
                    &package.manifest,
                    line_of(tree, package, &dependency.name),
                    what,
                    instead,
                )
            }));
        }
    }
    found
}

/// Why this crate of the workspace may not be used here.
fn not_allowed(row: &Row, dependency: &Dependency) -> Option<(String, String)> {
    let name = dependency.name.as_str();
    if dependency.path.is_none() || row.uses.contains(&name) {
        return None;
    }
    let in_tests = dependency.kind.as_deref() == Some("dev");
    if in_tests && row.tests_use.contains(&name) {
        return None;
    }
    let what = format!(
        "{} must not use {name}{}",
        row.name,
        if in_tests { ", not even in tests" } else { "" }
    );
    let below = if row.uses.is_empty() {
        "no other crate of the workspace".to_owned()
    } else {
        row.uses.join(", ")
    };
    Some((
        what,
        format!("it stands above {below}: move what both need down into one of them"),
    ))
}

/// Why this crate from outside may not be used here.
fn reserved(package: &Package, dependency: &Dependency) -> Option<(String, String)> {
    let reserved = RESERVED
        .iter()
        .find(|reserved| reserved.name == dependency.name)?;
    if reserved.to.contains(&package.name.as_str()) {
        return None;
    }
    let what = format!("{} is for {} only", reserved.name, reserved.to.join(", "));
    Some((what, reserved.instead.to_owned()))
}

/// The manifest's line that names the dependency; the first line if it is written in some other way.
fn line_of(tree: &Tree, package: &Package, dependency: &str) -> usize {
    let names = |line: &str| {
        let rest = line
            .trim_start_matches("[dependencies.")
            .strip_prefix(dependency)?;
        rest.starts_with([' ', '.', '=', ']']).then_some(())
    };
    let file = tree.file(&package.manifest);
    file.and_then(|file| file.lines().find(|(_, line)| names(line).is_some()))
        .map_or(1, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A package with dependencies given as `name`, `kind/name`, and a leading `.` for crates of the workspace.
    fn found_in(package: &str, dependencies: &[&str]) -> Vec<String> {
        let dependency = |text: &&str| {
            let (kind, name) = text
                .split_once('/')
                .map_or((None, *text), |(kind, name)| (Some(kind.to_owned()), name));
            let path = name.starts_with('.').then(|| "crates".to_owned());
            Dependency {
                name: name.trim_start_matches('.').to_owned(),
                kind,
                path,
            }
        };
        let manifest = "crates/x/Cargo.toml";
        let package = Package {
            name: package.to_owned(),
            description: None,
            manifest: manifest.to_owned(),
            dependencies: dependencies.iter().map(dependency).collect(),
            targets: Vec::new(),
        };
        let text = "[dependencies]\nseawall-wire.workspace = true\nseawall.workspace = true\nclap = \"4\"\n";
        let tree = Tree::planted(&[(manifest, text)]);
        find(
            &tree,
            &Metadata {
                packages: vec![package],
            },
        )
        .iter()
        .map(ToString::to_string)
        .collect()
    }

    #[test]
    fn what_the_table_allows_passes() {
        assert!(
            found_in(
                "seawall-policy",
                &[".seawall-wire", ".seawall-model", "dev/proptest"]
            )
            .is_empty()
        );
        assert!(found_in("seawall", &["dev/.seawall-lab", "tokio", "rustix"]).is_empty());
        assert!(found_in("seawall-cli", &["clap", ".seawall-lab", ".seawall"]).is_empty());
    }

    #[test]
    fn a_crate_from_a_layer_above_is_found_in_its_line() {
        let found = found_in("seawall-lab", &[".seawall-wire", ".seawall"]);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("crates/x/Cargo.toml:3: seawall-lab must not use seawall; "),
            "{}",
            found[0]
        );
    }

    #[test]
    fn the_bottom_crate_uses_no_other_not_even_in_build_scripts_and_tests() {
        assert_eq!(found_in("seawall-wire", &["build/.seawall-model"]).len(), 1);
        assert_eq!(found_in("seawall-wire", &["dev/.seawall-lab"]).len(), 1);
        assert_eq!(
            found_in("seawall", &[".seawall-lab"]).len(),
            1,
            "what tests may use, code may not"
        );
    }

    #[test]
    fn reserved_crates_stay_behind_their_door() {
        assert!(
            found_in("seawall-lab", &["clap"])[0]
                .contains(":4: clap is for seawall-cli, xtask only; ")
        );
        assert_eq!(found_in("seawall-proxy", &["pyo3"]).len(), 1);
        assert_eq!(found_in("seawall-policy", &["dev/tokio"]).len(), 1);
    }

    #[test]
    fn a_crate_without_a_row_is_told_where_to_add_it() {
        let found = found_in("seawall-novel", &[]);
        assert!(
            found[0].contains("`seawall-novel` has no row") && found[0].contains(TABLE_PATH),
            "{found:?}"
        );
    }
}
