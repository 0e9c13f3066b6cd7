//! What INFO, CLIENT LIST and CONFIG GET answered, pasted into a file.

use super::Given;
use super::redis_log::peer;
use crate::facts::{Facts, Look, Reach};
use crate::rule::Need;

/// Settings that CONFIG GET tells and rules read; their values stand in the next line.
const SETTINGS: &[&str] = &[
    "timeout",
    "maxclients",
    "maxmemory",
    "maxmemory-policy",
    "maxmemory-clients",
    "tcp-keepalive",
    "tcp-backlog",
    "client-output-buffer-limit",
    "client-query-buffer-limit",
    "protected-mode",
    "bind",
    "appendonly",
    "appendfsync",
    "save",
    "stop-writes-on-bgsave-error",
    "repl-backlog-size",
    "slowlog-log-slower-than",
    "loglevel",
];

/// Whether this is a line of such an answer.
pub(super) fn is(line: &str) -> bool {
    is_client(line) || is_heading(line) || field(line).is_some_and(|(name, _)| is_of_info(name))
}

/// Whether only INFO has such a field: many files have lines like `root:x:0`.
fn is_of_info(name: &str) -> bool {
    const STARTS: &[&str] = &[
        "redis_",
        "valkey_",
        "used_memory",
        "maxmemory",
        "maxclients",
        "sync_",
        "slave",
        "instantaneous_",
        "blocked_",
        "latest_fork",
        "mem_",
        "connected_",
        "total_",
        "rejected_",
        "evicted_",
        "expired_",
        "keyspace_",
        "rdb_",
        "aof_",
        "uptime_in_",
        "loading",
        "cmdstat_",
        "errorstat_",
        "master_",
        "client_",
    ];
    ["role", "run_id", "tcp_port", "cluster_connections"].contains(&name)
        || STARTS.iter().any(|start| name.starts_with(start))
}

fn is_heading(line: &str) -> bool {
    matches!(
        line,
        "# Server"
            | "# Clients"
            | "# Memory"
            | "# Persistence"
            | "# Stats"
            | "# Replication"
            | "# Keyspace"
            | "# Commandstats"
            | "# Errorstats"
            | "# CPU"
            | "# Cluster"
    )
}

fn is_client(line: &str) -> bool {
    line.contains("id=") && line.contains(" addr=") && line.contains(" omem=")
}

/// `used_memory:1048576`, and no log line, which has a blank or an upper-case letter in its first word.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '|';
    let known = name.len() > 2 && name.starts_with(|c: char| c.is_ascii_lowercase());
    let errors = name.starts_with("errorstat_") || name.starts_with("cmdstat_");
    (known && (errors || name.chars().all(plain))).then_some((name, value))
}

pub(super) struct Pasted {
    look: Look,
    /// A setting whose value the next line holds.
    setting: Option<&'static str>,
}

impl Pasted {
    pub(super) fn new(name: &str, _given: Given) -> Self {
        Self {
            look: Look::new(name, None, Reach::Pasted),
            setting: None,
        }
    }

    pub(super) fn line(&mut self, line: &str) {
        // `redis-cli` numbers the lines of an array: `1) "timeout"`.
        let line = match line.trim_start().split_once(") ") {
            Some((number, rest)) if number.chars().all(|c| c.is_ascii_digit()) => rest,
            _ => line,
        };
        let line = line.trim().trim_matches('"');
        if let Some(name) = self.setting.take() {
            self.look.config.insert(name.to_owned(), line.to_owned());
        } else if is_client(line) {
            self.look.clients.extend(peer(line));
        } else if let Some(name) = SETTINGS.iter().find(|name| **name == line) {
            self.setting = Some(name);
        } else if let Some((name, value)) = field(line).filter(|(name, _)| is_of_info(name)) {
            self.look.info.insert(name.to_owned(), value.to_owned());
        }
    }

    pub(super) fn end(&mut self, facts: &mut Facts) {
        facts.had.insert(Need::Server);
        let look = std::mem::replace(&mut self.look, Look::new("", None, Reach::Pasted));
        facts.looks.push(look);
    }
}
