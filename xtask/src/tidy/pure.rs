use super::tree::File;
use super::{Check, Find, Finding, Tree};

/// Clocks, sockets, files and threads in crates that only decide.
pub(crate) const CHECK: Check = Check {
    name: "pure",
    about: "seawall-wire, -model and -policy read no clock and touch no socket, file, thread or environment",
    find: Find::InFiles(find),
};

/// The sources of the crates that are handed events and a `Moment`, and hand back decisions.
const PURE: &[&str] = &[
    "crates/seawall-wire/src/",
    "crates/seawall-model/src/",
    "crates/seawall-policy/src/",
];

const CLOCK_INSTEAD: &str = "take `now: Moment` as an argument";
const SHELL_INSTEAD: &str = "return a decision, and let a shell of `seawall` carry it out";

/// Calls that must not stand there.
const CALLS: &[(&str, &str)] = &[
    ("Instant::now", CLOCK_INSTEAD),
    ("SystemTime::now", CLOCK_INSTEAD),
];

/// Modules of `std` that must not be named there.
const MODULES: &[(&str, &str)] = &[
    (
        "net",
        "take addresses from `core::net`; sockets belong to `seawall`",
    ),
    ("fs", SHELL_INSTEAD),
    ("thread", SHELL_INSTEAD),
    ("process", SHELL_INSTEAD),
    (
        "env",
        "take the value as an argument; the command line reads the environment",
    ),
];

fn find(tree: &Tree) -> Vec<Finding> {
    let pure = |file: &&File| {
        file.extension() == "rs"
            && PURE
                .iter()
                .any(|crate_src| file.path.starts_with(crate_src))
    };
    tree.files().iter().filter(pure).flat_map(in_file).collect()
}

fn in_file(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut group = StdGroup::default();
    for (number, line) in file.product_lines() {
        for (call, instead) in CALLS {
            if line.contains(call) {
                found.push(Finding::at(
                    &file.path,
                    number,
                    format!("`{call}` in a pure crate"),
                    *instead,
                ));
            }
        }
        let grouped = group.names_in(line);
        for (module, instead) in MODULES {
            if names_directly(line, module) || grouped.contains(module) {
                found.push(Finding::at(
                    &file.path,
                    number,
                    format!("`std::{module}` in a pure crate"),
                    *instead,
                ));
            }
        }
    }
    found
}

/// Whether the line names `std::module` as such.
fn names_directly(line: &str, module: &str) -> bool {
    let path = format!("std::{module}");
    line.match_indices(&path).any(|(at, _)| {
        !line[at + path.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}

/// Follows `use std::{..}` over its lines.
#[derive(Default)]
struct StdGroup {
    /// How many braces are open since `std::{`; 0 outside such a group.
    depth: usize,
}

impl StdGroup {
    /// The modules that this line names at the top of a group.
    fn names_in<'a>(&mut self, line: &'a str) -> Vec<&'a str> {
        let mut rest = line;
        let mut names = Vec::new();
        if self.depth == 0 {
            let Some((_, inside)) = line.split_once("std::{") else {
                return names;
            };
            self.depth = 1;
            rest = inside;
        }
        let mut word_from = (self.depth == 1).then_some(0);
        for (at, c) in rest.char_indices() {
            if c.is_alphanumeric() || c == '_' {
                continue;
            }
            if let Some(from) = word_from.take() {
                names.push(&rest[from..at]);
            }
            match c {
                '{' => self.depth += 1,
                '}' => self.depth -= 1,
                _ => {}
            }
            if self.depth == 0 {
                return names;
            }
            if self.depth == 1 && matches!(c, ',' | ' ' | '{') {
                word_from = Some(at + 1);
            }
        }
        names.extend(word_from.map(|from| &rest[from..]));
        names
    }
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

    const POLICY: &str = "crates/seawall-policy/src/health.rs";

    #[test]
    fn a_clock_in_a_pure_crate_is_found_with_what_to_do_instead() {
        let found = found_in(
            POLICY,
            "fn f() {\n    let t = std::time::Instant::now();\n}\n",
        );
        assert_eq!(
            found,
            [format!(
                "{POLICY}:2: `Instant::now` in a pure crate; take `now: Moment` as an argument"
            )]
        );
    }

    #[test]
    fn every_banned_module_is_found_alone_and_in_a_group() {
        for (module, _) in MODULES {
            for text in [
                format!("use std::{module};\n"),
                format!("use std::{module}::Thing;\n"),
                format!("let a = std::{module}::thing();\n"),
                format!("use std::{{fmt, {module}}};\n"),
                format!("use std::{{\n    fmt,\n    {module}::{{A, B}},\n}};\n"),
                format!("use std::{{{module}::A, fmt}};\n"),
            ] {
                assert_eq!(found_in(POLICY, &text).len(), 1, "{text}");
            }
        }
    }

    #[test]
    fn names_that_only_look_alike_pass() {
        for text in [
            "use std::{fmt, time::{Duration, thread}, collections::HashMap};\nuse crate::net;\n",
            "use core::net::IpAddr;\n",
            "let a = std::network();\n",
            "/// As `std::thread` does.\n// Instant::now\n",
        ] {
            assert!(found_in(POLICY, text).is_empty(), "{text}");
        }
    }

    #[test]
    fn tests_and_other_crates_may_do_what_they_need() {
        assert!(
            found_in(
                POLICY,
                "fn f() {}\n\n#[cfg(test)]\nmod tests { use std::fs; }\n"
            )
            .is_empty()
        );
        assert!(found_in("crates/seawall/src/clock.rs", "use std::net;\n").is_empty());
        assert!(found_in("crates/seawall-wire/tests/it/main.rs", "use std::fs;\n").is_empty());
    }
}
