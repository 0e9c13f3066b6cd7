use super::tree::File;
use super::{Check, Find, Finding, Tree};

/// Places to fetch from that exist on one machine only.
pub(crate) const CHECK: Check = Check {
    name: "registries",
    about: "every package comes from crates.io or PyPI by their own names: no mirror, no replacement is committed",
    find: Find::InFiles(find),
};

/// The one source of crates.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Hosts that files about packages may name.
const HOSTS: &[&str] = &[
    "crates.io",
    "docs.rs",
    "files.pythonhosted.org",
    "github.com",
    "pypi.org",
    "static.rust-lang.org",
];

/// Settings that lead elsewhere, each with the names of the files in which it does.
const REPLACEMENTS: &[(&str, &[&str])] = &[
    ("[source", &["config.toml", "config"]),
    ("[registries", &["config.toml", "config"]),
    ("replace-with", &["config.toml", "config"]),
    (
        "index-url",
        &["requirements.txt", "pip.conf", "pyproject.toml", "uv.toml"],
    ),
    (
        "find-links",
        &["requirements.txt", "pip.conf", "pyproject.toml", "uv.toml"],
    ),
    ("trusted-host", &["requirements.txt", "pip.conf"]),
    ("[[tool.uv.index]]", &["pyproject.toml"]),
];

fn find(tree: &Tree) -> Vec<Finding> {
    tree.files()
        .iter()
        .flat_map(|file| [crate_sources(file), replacements(file), hosts(file)].concat())
        .collect()
}

fn name(file: &File) -> &str {
    file.path.rsplit('/').next().unwrap_or(&file.path)
}

/// Crates in a lock file that do not come from crates.io.
fn crate_sources(file: &File) -> Vec<Finding> {
    if name(file) != "Cargo.lock" {
        return Vec::new();
    }
    let foreign = |&(_, line): &(usize, &str)| {
        line.strip_prefix("source = ")
            .is_some_and(|source| source.trim_matches('"') != CRATES_IO)
    };
    let finding = |(number, line): (usize, &str)| {
        Finding::at(
            &file.path,
            number,
            format!("a crate from elsewhere: {line}"),
            "take it from crates.io, by version",
        )
    };
    file.lines().filter(foreign).map(finding).collect()
}

/// Settings of cargo and pip that lead to another place.
fn replacements(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    for (setting, files) in REPLACEMENTS {
        if !files.contains(&name(file)) {
            continue;
        }
        for (number, line) in file.lines().filter(|(_, line)| line.contains(setting)) {
            let what = format!("`{}` leads to another registry", line.trim());
            found.push(Finding::at(
                &file.path,
                number,
                what,
                "keep it in the machine's own configuration",
            ));
        }
    }
    found
}

/// Addresses in files about packages that are not one of the public registries'.
fn hosts(file: &File) -> Vec<Finding> {
    let about_packages = matches!(
        name(file),
        "Cargo.lock" | "uv.lock" | "requirements.txt" | "pip.conf" | ".npmrc"
    ) || file.path.contains(".cargo/");
    if !about_packages {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in file.lines() {
        for (at, _) in line.match_indices("://") {
            let rest = &line[at + 3..];
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-')))
                .unwrap_or(rest.len());
            let host = &rest[..end];
            if !HOSTS.contains(&host) {
                let what = format!("`{host}` is not one of the public registries");
                found.push(Finding::at(
                    &file.path,
                    number,
                    what,
                    "keep it in the machine's own configuration",
                ));
            }
        }
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
    fn a_crate_that_is_not_from_crates_io_is_found() {
        let git = "source = \"git+https://github.com/someone/fork#abc\"\n";
        assert_eq!(found_in("Cargo.lock", git).len(), 1);
        let mirror = "source = \"sparse+https://mirror.example/index/\"\n";
        assert_eq!(
            found_in("fuzz/Cargo.lock", mirror).len(),
            2,
            "as a source, and as a host"
        );
        assert!(found_in("Cargo.lock", &format!("source = \"{CRATES_IO}\"\n")).is_empty());
    }

    #[test]
    fn every_setting_that_leads_elsewhere_is_found() {
        for (setting, files) in REPLACEMENTS {
            for name in *files {
                assert_eq!(
                    found_in(&format!("some/{name}"), &format!("a = 1\n{setting}\n")).len(),
                    1,
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn hosts_count_only_in_files_about_packages() {
        assert_eq!(
            found_in(
                "scripts/requirements.txt",
                "a @ https://mirror.example/a.whl\n"
            )
            .len(),
            1
        );
        assert!(
            found_in(
                "scripts/requirements.txt",
                "# https://pypi.org/project/a/\na==1\n"
            )
            .is_empty()
        );
        assert!(found_in("docs/a.md", "https://mirror.example/\n").is_empty());
    }
}
