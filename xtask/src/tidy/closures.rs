use super::cargo::{self, Metadata};
use super::table::{self, Row, TABLE_PATH};
use super::{Check, Find, Finding, Tree};
use crate::task;

/// Crates that come in through others.
pub(crate) const CHECK: Check = Check {
    name: "closures",
    about: "nothing below a crate, however deep, is what its row of the dependency table bans",
    find: Find::Asking(find),
};

fn find(tree: &Tree) -> task::Result<Vec<Finding>> {
    let mut found = Vec::new();
    for package in Metadata::ask(tree.root())?.packages {
        // A crate without a row is a finding of `layers`.
        let Some(row) = table::row(&package.name) else {
            continue;
        };
        if !row.never.is_empty() {
            found.extend(banned_below(
                row,
                &package.manifest,
                &cargo::tree_below(tree.root(), row.name)?,
            ));
        }
    }
    Ok(found)
}

/// Each banned crate in the output of `cargo tree --prefix depth`, once, with the way that leads to it.
fn banned_below(row: &Row, manifest: &str, printed: &str) -> Vec<Finding> {
    let mut way: Vec<&str> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for line in printed.lines() {
        let Some((depth, rest)) = line.split_once(' ') else {
            continue;
        };
        let Ok(depth) = depth.parse::<usize>() else {
            continue;
        };
        let name = rest.split(' ').next().unwrap_or(rest);
        way.truncate(depth);
        way.push(name);
        if row.never.contains(&name) && !seen.contains(&name) {
            seen.push(name);
            let what = format!(
                "{} must never be built with {name}, and is: {}",
                row.name,
                way.join(" -> ")
            );
            let instead = format!(
                "drop the dependency or the feature that brings it (the ban stands in {TABLE_PATH})"
            );
            found.push(Finding::whole(manifest, what, instead));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Row = Row {
        name: "seawall-model",
        uses: &[],
        tests_use: &[],
        never: &["tokio", "log"],
    };

    fn found_in(printed: &str) -> Vec<String> {
        banned_below(&ROW, "crates/seawall-model/Cargo.toml", printed)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_banned_crate_is_found_at_any_depth_with_the_way_to_it() {
        let found = found_in(
            "0 seawall-model v0.1.0 (/x)\n1 thiserror v2.0.0\n1 url v2.5.0\n2 hyper v1.0.0\n3 tokio v1.0.0\n1 tokio v1.0.0 (*)\n",
        );
        assert_eq!(found.len(), 1, "once, however often it is there");
        assert!(
            found[0].contains("and is: seawall-model -> url -> hyper -> tokio; "),
            "{}",
            found[0]
        );
    }

    #[test]
    fn names_that_only_begin_alike_pass() {
        assert!(
            found_in("0 seawall-model v0.1.0 (/x)\n1 tokio-macros v2.0.0\n1 logos v0.1.0\n\n")
                .is_empty()
        );
    }

    #[test]
    fn cargo_prints_what_is_read_here() {
        let printed = cargo::tree_below(&task::root(), "xtask").unwrap();
        let row = Row {
            name: "xtask",
            uses: &[],
            tests_use: &[],
            never: &["serde_core"],
        };
        assert_eq!(
            banned_below(&row, "xtask/Cargo.toml", &printed).len(),
            1,
            "{printed}"
        );
    }
}
