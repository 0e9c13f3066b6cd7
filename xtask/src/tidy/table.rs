//! Which crate may use which: the layers, as a table that `layers` and `closures` hold against cargo.

/// What one crate of the workspace may depend on.
#[derive(Debug)]
pub(crate) struct Row {
    /// The package's name.
    pub(crate) name: &'static str,
    /// The workspace's crates that its code may use, and no others.
    pub(crate) uses: &'static [&'static str],
    /// The workspace's crates that its tests, examples and benches may use besides.
    pub(crate) tests_use: &'static [&'static str],
    /// Crates that must not be anywhere below it when it is built alone.
    pub(crate) never: &'static [&'static str],
}

/// A crate from outside that only these packages may name in their manifests.
#[derive(Debug)]
pub(crate) struct Reserved {
    /// The crate from outside.
    pub(crate) name: &'static str,
    /// The packages that may name it.
    pub(crate) to: &'static [&'static str],
    /// What the others do instead.
    pub(crate) instead: &'static str,
}

/// What has a socket, a clock, a runtime or a log in it: nothing that only decides needs any of these.
const SHELL_CRATES: &[&str] = &[
    "async-std",
    "log",
    "mio",
    "nix",
    "polling",
    "rustix",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tracing",
    "tracing-core",
];

/// Every crate of the workspace, also those that are still to come, from the bottom up.
pub(crate) const TABLE: &[Row] = &[
    Row {
        name: "seawall-wire",
        uses: &[],
        tests_use: &[],
        never: SHELL_CRATES,
    },
    Row {
        name: "seawall-model",
        uses: &["seawall-wire"],
        tests_use: &[],
        never: SHELL_CRATES,
    },
    Row {
        name: "seawall-policy",
        uses: &["seawall-model", "seawall-wire"],
        tests_use: &[],
        never: SHELL_CRATES,
    },
    // Below the engine and the doctor, so that both believe the same certificates and say the same of a file.
    Row {
        name: "seawall-tls",
        uses: &["seawall-model"],
        tests_use: &[],
        never: &["clap", "pyo3", "tokio"],
    },
    Row {
        name: "seawall",
        uses: &[
            "seawall-model",
            "seawall-policy",
            "seawall-tls",
            "seawall-wire",
        ],
        tests_use: &["seawall-lab"],
        never: &["clap", "pyo3"],
    },
    // The laboratory must not measure the engine with the engine's own code.
    Row {
        name: "seawall-lab",
        uses: &["seawall-model", "seawall-wire"],
        tests_use: &[],
        never: &["clap", "tokio"],
    },
    // The doctor must not diagnose the engine with the engine's own code.
    Row {
        name: "seawall-doctor",
        uses: &["seawall-model", "seawall-tls", "seawall-wire"],
        tests_use: &["seawall-lab"],
        never: &["clap"],
    },
    // Above both, so that neither needs to know the other.
    Row {
        name: "seawall-clinic",
        uses: &[
            "seawall-doctor",
            "seawall-lab",
            "seawall-model",
            "seawall-wire",
        ],
        tests_use: &[],
        never: &["clap", "tokio"],
    },
    Row {
        name: "seawall-proxy",
        uses: &["seawall", "seawall-model", "seawall-policy", "seawall-wire"],
        tests_use: &["seawall-lab"],
        never: &["clap", "pyo3"],
    },
    Row {
        name: "seawall-cli",
        uses: &[
            "seawall",
            "seawall-clinic",
            "seawall-doctor",
            "seawall-lab",
            "seawall-model",
            "seawall-proxy",
            "seawall-wire",
        ],
        tests_use: &[],
        never: &["pyo3"],
    },
    // A Python process has threads and loops of its own: no second runtime comes with the package.
    Row {
        name: "seawall-python",
        uses: &[
            "seawall",
            "seawall-cli",
            "seawall-doctor",
            "seawall-model",
            "seawall-policy",
            "seawall-wire",
        ],
        tests_use: &["seawall-lab"],
        never: &["tokio"],
    },
    // It has to run while the crates that it generates code for do not compile.
    Row {
        name: "xtask",
        uses: &[],
        tests_use: &["seawall-wire"],
        never: &["tokio"],
    },
    Row {
        name: "xtask-pages",
        uses: &["seawall-doctor", "seawall-model"],
        tests_use: &[],
        never: &["tokio"],
    },
];

/// Crates from outside that have one door into the workspace.
pub(crate) const RESERVED: &[Reserved] = &[
    Reserved {
        name: "clap",
        to: &["seawall-cli", "xtask"],
        instead: "let seawall-cli parse the command line and pass values in",
    },
    Reserved {
        name: "pyo3",
        to: &["seawall-python"],
        instead: "offer a Rust interface, and bind it in seawall-python",
    },
    Reserved {
        name: "tokio",
        to: &["seawall", "seawall-cli", "seawall-proxy"],
        instead: "keep the code free of a runtime, and drive it from a shell of seawall",
    },
];

/// Where a reader finds this table.
pub(crate) const TABLE_PATH: &str = "xtask/src/tidy/table.rs";

/// The row of this package.
pub(crate) fn row(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ordered_from_the_bottom_up_so_that_no_circle_is_allowed() {
        for (at, row) in TABLE.iter().enumerate() {
            for used in row.uses {
                let used_at = TABLE.iter().position(|other| other.name == *used);
                assert!(
                    used_at.is_some_and(|used_at| used_at < at),
                    "{} uses {used}",
                    row.name
                );
            }
        }
    }

    #[test]
    fn nobody_above_the_engine_is_below_the_doctor_or_the_laboratory() {
        for name in ["seawall-doctor", "seawall-lab"] {
            assert!(
                row(name).is_some_and(|row| !row.uses.contains(&"seawall")),
                "{name}"
            );
        }
    }
}
