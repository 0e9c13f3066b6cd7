use super::tree::File;
use super::{Check, Find, Finding, Tree};

/// Work that was left for later, and tests that do not run.
pub(crate) const CHECK: Check = Check {
    name: "open-ends",
    about: "no work left for later in the code, no test that does not run",
    find: Find::InFiles(find),
};

/// Kinds of files that hold code. Prose may name the words.
const CODE: &[&str] = &[
    "rs", "py", "pyi", "sh", "toml", "yml", "yaml", "run", "Makefile",
];

/// What must not stand in code, put together from halves so that this file passes its own check.
const OPEN_ENDS: &[OpenEnd] = &[
    OpenEnd {
        text: concat!("TO", "DO"),
        ends: Ends::AsWord,
        instead: "do it now, or open an issue and delete the note",
    },
    OpenEnd {
        text: concat!("FIX", "ME"),
        ends: Ends::AsWord,
        instead: "mend it now, or open an issue and delete the note",
    },
    OpenEnd {
        text: concat!("XX", "X"),
        ends: Ends::AsWord,
        instead: "say in a comment what is odd here and why it is right",
    },
    OpenEnd {
        text: concat!("todo", "!("),
        ends: Ends::Anyhow,
        instead: "write the code, or leave the function out",
    },
    OpenEnd {
        text: concat!("unimple", "mented!("),
        ends: Ends::Anyhow,
        instead: "write the code, or make the case impossible in the type",
    },
    OpenEnd {
        text: concat!("dbg", "!("),
        ends: Ends::Anyhow,
        instead: "delete it",
    },
    OpenEnd {
        text: concat!("#[ign", "ore"),
        ends: Ends::Anyhow,
        instead: "make the test run in `make test`, or delete it",
    },
    OpenEnd {
        text: concat!("pytest.mark.", "skip"),
        ends: Ends::UnlessReason,
        instead: "give it reason=\"..\", or delete the test",
    },
    OpenEnd {
        text: concat!("pytest.mark.", "xfail"),
        ends: Ends::UnlessReason,
        instead: "give it reason=\"..\", or delete the test",
    },
    OpenEnd {
        text: concat!("unittest.", "skip"),
        ends: Ends::UnlessReason,
        instead: "use pytest.mark.skipif with reason=\"..\", or delete the test",
    },
];

struct OpenEnd {
    text: &'static str,
    ends: Ends,
    instead: &'static str,
}

/// When the text counts.
enum Ends {
    /// Wherever it stands.
    Anyhow,
    /// If no letter, digit or underscore touches it.
    AsWord,
    /// If the decorator's line or the two after it give no reason.
    UnlessReason,
}

fn find(tree: &Tree) -> Vec<Finding> {
    let code = tree
        .files()
        .iter()
        .filter(|file| CODE.contains(&file.extension()));
    code.flat_map(in_file).collect()
}

fn in_file(file: &File) -> Vec<Finding> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        for end in OPEN_ENDS {
            let counts = match end.ends {
                Ends::Anyhow => line.contains(end.text),
                Ends::AsWord => has_word(line, end.text),
                Ends::UnlessReason => {
                    line.contains(end.text)
                        && !lines[index..]
                            .iter()
                            .take(3)
                            .any(|line| line.contains("reason="))
                }
            };
            if counts {
                let what = format!("`{}` leaves an open end", end.text.trim_end_matches('('));
                found.push(Finding::at(&file.path, index + 1, what, end.instead));
            }
        }
    }
    found
}

fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(part_of_word)
            && !line[at + word.len()..]
                .chars()
                .next()
                .is_some_and(part_of_word)
    })
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
    fn every_open_end_is_found_with_its_line_and_what_to_do() {
        for end in OPEN_ENDS {
            let found = found_in("a.rs", &format!("fn f() {{}}\n// {} later\n", end.text));
            assert_eq!(found.len(), 1, "{}", end.text);
            assert!(
                found[0].starts_with("a.rs:2: ") && found[0].ends_with(end.instead),
                "{}",
                found[0]
            );
        }
    }

    #[test]
    fn a_word_inside_another_is_none() {
        assert!(found_in("a.rs", concat!("let MASTO", "DON = 1; // XX", "XX")).is_empty());
        assert_eq!(found_in("a.rs", concat!("// TO", "DO: later")).len(), 1);
    }

    #[test]
    fn a_skipped_python_test_needs_a_reason_nearby() {
        let skip = concat!("@pytest.mark.", "skipif(\n    sys.platform == \"win32\",\n");
        assert_eq!(found_in("test_a.py", skip).len(), 1);
        assert!(
            found_in(
                "test_a.py",
                &format!("{skip}    reason=\"no fork there\",\n)")
            )
            .is_empty()
        );
    }

    #[test]
    fn prose_may_name_what_code_may_not_hold() {
        assert!(found_in("CONTRIBUTING.md", concat!("No TO", "DO is left.")).is_empty());
    }
}
