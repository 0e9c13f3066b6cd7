use std::path::Path;

use super::{Check, Find, Finding, Tree};
use crate::generate::{self, Freshness, Generator};
use crate::task;

/// Generated files that nobody generated again.
pub(crate) const CHECK: Check = Check {
    name: "generated",
    about: "every generated file is what its generator makes now",
    find: Find::Asking(find),
};

fn find(tree: &Tree) -> task::Result<Vec<Finding>> {
    not_fresh(tree.root(), generate::ALL)
}

fn not_fresh(root: &Path, generators: &[Generator]) -> task::Result<Vec<Finding>> {
    let mut found = Vec::new();
    for generator in generators {
        let freshness = generator
            .freshness(root)
            .map_err(|error| format!("{}: {error}", generator.name))?;
        let instead = format!("write it with `cargo xtask {}`", generator.name);
        match freshness {
            Freshness::Fresh => {}
            Freshness::Stale { line } => {
                found.push(Finding::at(
                    generator.path,
                    line,
                    "not what would be generated now",
                    instead,
                ));
            }
            Freshness::Missing => found.push(Finding::whole(
                generator.path,
                "the file does not exist",
                instead,
            )),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_by(
        path: &'static str,
        make: fn(&Path) -> task::Result<String>,
    ) -> task::Result<Vec<String>> {
        let generator = Generator {
            name: "planted",
            path,
            make,
        };
        Ok(not_fresh(&task::root(), &[generator])?
            .iter()
            .map(ToString::to_string)
            .collect())
    }

    #[test]
    fn a_file_that_differs_or_lacks_is_found_with_the_task_that_writes_it() {
        let stale = found_by("xtask/Cargo.toml", |_| {
            Ok("[package]\nname = \"other\"\n".to_owned())
        })
        .unwrap();
        assert_eq!(
            stale,
            [
                "xtask/Cargo.toml:2: not what would be generated now; write it with `cargo xtask planted`"
            ]
        );
        let missing = found_by("no/such/file.rs", |_| Ok(String::new())).unwrap();
        assert_eq!(
            missing,
            ["no/such/file.rs:1: the file does not exist; write it with `cargo xtask planted`"]
        );
    }

    #[test]
    fn a_fresh_file_is_no_finding_and_a_generator_that_fails_is_no_pass() {
        let kept = |root: &Path| Ok(std::fs::read_to_string(root.join("xtask/Cargo.toml"))?);
        assert_eq!(
            found_by("xtask/Cargo.toml", kept).unwrap(),
            Vec::<String>::new()
        );
        let failed = found_by("xtask/Cargo.toml", |_| Err("no dump".into()));
        assert!(failed.is_err_and(|error| error.to_string() == "planted: no dump"));
    }
}
