//! Files that are written by a task, so that nobody keeps them right by hand.

use std::path::Path;

use crate::task::{self, Outcome};
use crate::{facts, pages};

/// One generated file.
pub(crate) struct Generator {
    /// The task's name: `cargo xtask NAME` writes the file, `cargo xtask NAME --check` compares it.
    pub(crate) name: &'static str,
    /// The file, relative to the workspace's root.
    pub(crate) path: &'static str,
    /// Makes the file's text from what it is generated from; the argument is the workspace's root.
    pub(crate) make: fn(&Path) -> task::Result<String>,
}

/// Every generator; `cargo xtask tidy` checks that their files are fresh.
pub(crate) const ALL: &[Generator] = &[
    Generator {
        name: "facts",
        path: facts::TABLE,
        make: facts::table,
    },
    Generator {
        name: "settings",
        path: "docs/settings.md",
        make: pages::settings,
    },
    Generator {
        name: "causes",
        path: "docs/causes.md",
        make: pages::causes,
    },
    Generator {
        name: "rules",
        path: "docs/doctor-rules.md",
        make: pages::rules,
    },
];

/// What a comparison with the file on disk showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// The file is what the generator makes.
    Fresh,
    /// The file differs, first in this line.
    Stale {
        /// Counted from 1.
        line: usize,
    },
    /// There is no such file.
    Missing,
}

impl Generator {
    /// Compares the file on disk with what the generator makes now.
    pub(crate) fn freshness(&self, root: &Path) -> task::Result<Freshness> {
        let made = (self.make)(root)?;
        match std::fs::read_to_string(root.join(self.path)) {
            Ok(kept) => Ok(compare(&kept, &made)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Freshness::Missing),
            Err(error) => Err(format!("{}: {error}", self.path).into()),
        }
    }

    /// Runs the generator as a task: writes its file, or with `--check` only compares it.
    pub(crate) fn run(&self, arguments: &[String]) -> task::Result {
        let root = task::root();
        match arguments {
            [] => {
                std::fs::write(root.join(self.path), (self.make)(&root)?)
                    .map_err(|error| format!("{}: {error}", self.path))?;
                Ok(Outcome::Well)
            }
            [flag] if flag == "--check" => match self.freshness(&root)? {
                Freshness::Fresh => Ok(Outcome::Well),
                Freshness::Stale { line } => {
                    Ok(self.tell(&format!("line {line} is not what would be generated")))
                }
                Freshness::Missing => Ok(self.tell("the file does not exist")),
            },
            _ => Err(format!("usage: cargo xtask {} [--check]", self.name).into()),
        }
    }

    fn tell(&self, what: &str) -> Outcome {
        println!(
            "{}: {what}; write it with `cargo xtask {}`",
            self.path, self.name
        );
        Outcome::Fell
    }
}

fn compare(kept: &str, made: &str) -> Freshness {
    if kept == made {
        return Freshness::Fresh;
    }
    let same = kept
        .lines()
        .zip(made.lines())
        .take_while(|(old, new)| old == new)
        .count();
    Freshness::Stale { line: same + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_is_told_by_its_first_line_that_differs() {
        assert_eq!(compare("a\nb\n", "a\nb\n"), Freshness::Fresh);
        assert_eq!(compare("a\nb\n", "a\nc\n"), Freshness::Stale { line: 2 });
        assert_eq!(compare("a\n", "a\nb\n"), Freshness::Stale { line: 2 });
        assert_eq!(compare("a\nb", "a\nb\n"), Freshness::Stale { line: 3 });
    }
}
