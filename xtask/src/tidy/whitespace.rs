use super::tree::File;
use super::{Check, Find, Finding, Tree};

/// Blanks that only a diff shows.
pub(crate) const CHECK: Check = Check {
    name: "whitespace",
    about: "no blanks at the end of a line, no carriage returns, one newline at the end of a file",
    find: Find::InFiles(find),
};

/// What people write. Dumps, captures and snapshots are kept as they came.
const WRITTEN: &[&str] = &[
    "rs",
    "py",
    "pyi",
    "sh",
    "toml",
    "yml",
    "yaml",
    "md",
    "txt",
    "run",
    "Makefile",
    "gitignore",
];

fn find(tree: &Tree) -> Vec<Finding> {
    let written = tree
        .files()
        .iter()
        .filter(|file| WRITTEN.contains(&file.extension()) && !file.is_generated());
    written.flat_map(in_file).collect()
}

fn in_file(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    let lines = file.text.lines().count();
    for (number, line) in file
        .text
        .split('\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line))
    {
        if line.ends_with([' ', '\t', '\r']) {
            found.push(Finding::at(
                &file.path,
                number,
                "blanks at the end of the line",
                "delete them",
            ));
        }
    }
    if file.text.ends_with("\n\n") {
        found.push(Finding::at(
            &file.path,
            lines,
            "empty lines at the end",
            "keep one newline",
        ));
    } else if !file.text.is_empty() && !file.text.ends_with('\n') {
        found.push(Finding::at(
            &file.path,
            lines,
            "the last line has no newline",
            "add it",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(path: &str, text: &str) -> Vec<String> {
        find(&Tree::planted(&[(path, text)]))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn blanks_and_carriage_returns_are_found_in_their_line() {
        assert_eq!(
            found_in("a.md", "a\nb \n"),
            ["a.md:2: blanks at the end of the line; delete them"]
        );
        assert_eq!(found_in("a.rs", "a\r\n").len(), 1);
        assert_eq!(found_in("Makefile", "a:\n\tb\t\n").len(), 1);
    }

    #[test]
    fn a_file_ends_with_exactly_one_newline() {
        assert_eq!(found_in("a.rs", "a").len(), 1);
        assert_eq!(found_in("a.rs", "a\n\n").len(), 1);
        assert!(found_in("a.rs", "a\n").is_empty());
        assert!(found_in("a/__init__.py", "").is_empty());
    }

    #[test]
    fn what_a_server_said_is_kept_as_it_came() {
        assert!(found_in("data/commands.resp", "a \r\n").is_empty());
    }
}
