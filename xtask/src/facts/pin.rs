//! A pinned dump: one line of JSON for the server, then one for each command and subcommand, sorted by name.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::task;

/// Which server is pinned, and where.
pub(crate) struct Pin {
    /// The option of `facts dump` that names its binary, without dashes, and its name in the dump.
    pub(crate) server: &'static str,
    /// The release line that is pinned; a dump of another one is refused.
    pub(crate) release: &'static str,
    /// The field of INFO that tells its version.
    pub(crate) version_field: &'static str,
    /// The dump, relative to the workspace's root.
    pub(crate) path: &'static str,
}

impl Pin {
    /// Every pinned server, the newest last: where servers differ in a key specification, the newest is believed.
    pub(crate) const ALL: &'static [Self] = &[
        Self {
            server: "redis",
            release: "7.0",
            version_field: "redis_version",
            path: "crates/seawall-wire/data/redis-7.0.jsonl",
        },
        Self {
            server: "valkey",
            release: "9.1",
            version_field: "valkey_version",
            path: "crates/seawall-wire/data/valkey-9.1.jsonl",
        },
    ];

    /// Reads the pinned dump.
    pub(crate) fn read(&self, root: &Path) -> task::Result<Dump> {
        let text = std::fs::read_to_string(root.join(self.path))
            .map_err(|error| format!("{}: {error}", self.path))?;
        Dump::parse(&text).map_err(|error| format!("{}: {error}", self.path).into())
    }
}

/// What one server says of its commands.
#[derive(Debug)]
pub(crate) struct Dump {
    /// Which server.
    pub(crate) server: ServerLine,
    /// Its commands by name.
    pub(crate) commands: BTreeMap<String, Command>,
}

/// The first line of a dump.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct ServerLine {
    /// `redis` or `valkey`.
    pub(crate) server: String,
    /// Its full version.
    pub(crate) version: String,
}

/// One command, as COMMAND and COMMAND DOCS describe it; lists are sorted, save the specifications.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Command {
    /// In lower case; a subcommand after its container: `config get`.
    pub(crate) name: String,
    /// Negative: at least so many.
    pub(crate) arity: i64,
    /// `write`, `readonly`, `blocking` ..
    pub(crate) flags: Vec<String>,
    /// First key, last key, step: the old way to find keys.
    pub(crate) keys: [i64; 3],
    /// Access control categories.
    pub(crate) acl: Vec<String>,
    /// Advice for clients of a cluster.
    pub(crate) tips: Vec<String>,
    /// Where the keys are.
    pub(crate) specs: Vec<Spec>,
    /// The family of commands it belongs to.
    pub(crate) group: String,
    /// The server's version that first had it.
    pub(crate) since: String,
}

/// A key specification.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Spec {
    /// `RO`, `RW`, `OW` or `RM`, and more.
    pub(crate) flags: Vec<String>,
    /// Where to begin.
    pub(crate) begin: Begin,
    /// Which arguments from there.
    pub(crate) find: Find,
}

/// Where a specification begins.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Begin {
    /// At an argument.
    Index(i64),
    /// After a word, searched from an argument on.
    Keyword(String, i64),
    /// The server cannot say.
    Unknown,
}

/// Which arguments a specification finds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Find {
    /// Last key, step, limit.
    Range(i64, i64, i64),
    /// Where the count stands, the first key, step.
    Keynum(i64, i64, i64),
    /// The server cannot say.
    Unknown,
}

impl Dump {
    /// Reads a dump's text.
    pub(crate) fn parse(text: &str) -> task::Result<Self> {
        let mut lines = text.lines();
        let server = serde_json::from_str(lines.next().unwrap_or_default())?;
        let commands = lines
            .map(|line| {
                let command: Command = serde_json::from_str(line)?;
                Ok((command.name.clone(), command))
            })
            .collect::<task::Result<_>>()?;
        Ok(Self { server, commands })
    }

    /// The dump's text.
    pub(crate) fn to_text(&self) -> task::Result<String> {
        let mut text = serde_json::to_string(&self.server)?;
        for command in self.commands.values() {
            text.push('\n');
            text.push_str(&serde_json::to_string(command)?);
        }
        text.push('\n');
        Ok(text)
    }
}

impl Command {
    /// Whether the server flags it so.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own == flag)
    }
}
