//! `cargo xtask tidy`: the house rules that no compiler holds, one check a file.
//!
//! A new check is a module with a `CHECK`, named in the list below. A finding says what to do instead.

mod cargo;
mod closures;
mod crates;
mod finding;
mod generated;
mod layers;
mod length;
mod open_ends;
mod pure;
mod registries;
mod table;
mod tree;
mod whitespace;

use std::fmt::Write as _;

use crate::task::{self, Outcome};
use finding::Finding;
use tree::Tree;

/// One rule of the house.
pub(crate) struct Check {
    /// The word that selects it: `cargo xtask tidy NAME`.
    name: &'static str,
    /// What it holds, in one line.
    about: &'static str,
    /// How it looks for what breaks it.
    find: Find,
}

/// How a check looks for what breaks its rule.
enum Find {
    /// In the files' text alone.
    InFiles(fn(&Tree) -> Vec<Finding>),
    /// By asking cargo or a generator too. An error means that the check could not be made.
    Asking(fn(&Tree) -> task::Result<Vec<Finding>>),
}

impl Check {
    fn run(&self, tree: &Tree) -> task::Result<Vec<Finding>> {
        match self.find {
            Find::InFiles(find) => Ok(find(tree)),
            Find::Asking(find) => {
                find(tree).map_err(|error| format!("{}: {error}", self.name).into())
            }
        }
    }
}

/// Every check, in the order in which they run. (One that is forgotten here is dead code, which clippy refuses.)
const CHECKS: &[Check] = &[
    length::CHECK,
    whitespace::CHECK,
    open_ends::CHECK,
    pure::CHECK,
    layers::CHECK,
    closures::CHECK,
    crates::CHECK,
    registries::CHECK,
    generated::CHECK,
];

/// Runs the named checks, or all of them, and prints what they find.
pub(crate) fn run(arguments: &[String]) -> task::Result {
    if arguments == ["--list"] {
        print!("{}", list());
        return Ok(Outcome::Well);
    }
    let checks = select(arguments)?;
    let tree = Tree::read(&task::root())?;
    let mut found = Vec::new();
    for check in &checks {
        found.extend(
            check
                .run(&tree)?
                .into_iter()
                .map(|finding| (check.name, finding)),
        );
    }
    for (check, finding) in &found {
        println!("{finding} [{check}]");
    }
    if found.is_empty() {
        println!(
            "tidy: {} checks on {} files, nothing found",
            checks.len(),
            tree.files().len()
        );
        return Ok(Outcome::Well);
    }
    println!("tidy: {} findings", found.len());
    Ok(Outcome::Fell)
}

fn select(names: &[String]) -> task::Result<Vec<&'static Check>> {
    if names.is_empty() {
        return Ok(CHECKS.iter().collect());
    }
    let find = |name: &String| {
        CHECKS
            .iter()
            .find(|check| check.name == name)
            .ok_or_else(|| format!("there is no check {name:?}; there are:\n{}", list()).into())
    };
    names.iter().map(find).collect()
}

fn list() -> String {
    let mut text = String::new();
    for check in CHECKS {
        let _ = writeln!(text, "{:14} {}", check.name, check.about);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_check_is_refused_and_told_what_there_is() {
        let refused = select(&["lenght".to_owned()])
            .map(|_| ())
            .map_err(|error| error.to_string());
        assert!(refused.is_err_and(|text| text.contains("\"lenght\"") && text.contains("length")));
    }

    #[test]
    fn names_select_and_no_name_means_all() {
        assert_eq!(
            select(&[]).map(|checks| checks.len()).ok(),
            Some(CHECKS.len())
        );
        assert_eq!(
            select(&["length".to_owned()])
                .map(|checks| checks.len())
                .ok(),
            Some(1)
        );
    }
}
