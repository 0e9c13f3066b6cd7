//! What a server answered, pasted into a file: INFO, CLIENT LIST, CONFIG GET, SLOWLOG, LATENCY LATEST, MEMORY STATS, ACL LOG,
//! ROLE, CLUSTER INFO and CLUSTER NODES, as redis-cli shows them.

use super::redis_log::peer;
use super::{Given, asked, cli, reply};
use crate::facts::{Fact, Facts, Look, NameAnswer, Place, Queue, Reach, Spot};
use crate::rule::Need;
use crate::settings::kept;
use crate::stamp::Stamp;

/// A reply of more bytes is cut: what is shown of 128 entries is a tenth of it.
const REPLY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// One file holds no more INFO than this: of more, the last and the first ones are of use.
const LOOKS_MAX: usize = 64;

/// So many rows of CLIENT LIST are kept of a file, and so many fields of an INFO: no server has more to tell.
const CLIENTS_MAX: usize = 100_000;
const FIELDS_MAX: usize = 20_000;

/// So many answers of a name service are kept.
const NAMES_MAX: usize = 64;

/// Whether this is a line of such an answer.
pub(super) fn is(line: &str) -> bool {
    is_client(line)
        || is_heading(line)
        || is_of_reply(line)
        || reply::node(line).is_some()
        || asked::queue(line).is_some()
        || asked::name(line).is_some()
        || field(line).is_some_and(|(name, _)| is_of_info(name) || is_of_cluster(name))
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

/// What CLUSTER INFO tells, and INFO does not.
fn is_of_cluster(name: &str) -> bool {
    let known = [
        "cluster_enabled",
        "cluster_connections",
        "cluster_incompatible_ops",
    ];
    name.starts_with("cluster_") && !known.contains(&name)
        || name == "total_cluster_links_buffer_limit_exceeded"
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
    let known = name.len() >= 2 && name.starts_with(|c: char| c.is_ascii_lowercase());
    let stats = ["errorstat_", "cmdstat_", "latency_percentiles_usec_"];
    let stats = stats.iter().any(|start| name.starts_with(start)) && !name.contains(' ');
    (known && (stats || name.chars().all(plain))).then_some((name, value))
}

/// `   2) (integer) 15`, `1) "save"`, `1) 1) "fork"`: a line of a reply as redis-cli shows it.
fn is_of_reply(line: &str) -> bool {
    let rest = line.trim_start_matches(' ');
    let Some((number, rest)) = rest.split_once(") ") else {
        return false;
    };
    let numbered = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let shown = ["\"", "(integer) ", "(nil)", "(double) ", "(empty "];
    numbered && (shown.iter().any(|start| rest.starts_with(start)) || is_of_reply(rest))
}

pub(super) struct Pasted {
    source: String,
    /// What was read before the latest INFO began.
    earlier: Vec<Look>,
    look: Look,
    /// A setting whose value the next line holds.
    setting: Option<&'static str>,
    /// The lines of a reply that goes on.
    reply: String,
    /// A queue whose length the next line holds.
    queue: Option<String>,
    /// What names stand for.
    names: Vec<NameAnswer>,
}

impl Pasted {
    pub(super) fn new(name: &str, _given: Given) -> Self {
        Self {
            source: name.to_owned(),
            earlier: Vec::new(),
            look: Look::new(name, None, Reach::Pasted),
            setting: None,
            reply: String::new(),
            queue: None,
            names: Vec::new(),
        }
    }

    fn info(&mut self, name: &str, value: &str) {
        const ONCE: &[&str] = &["redis_version", "run_id", "uptime_in_seconds"];
        if ONCE.contains(&name) && self.look.info.contains_key(name) {
            let next = Look::new(&self.source, None, Reach::Pasted);
            let mut look = std::mem::replace(&mut self.look, next);
            // A queue's later length finds the earlier one.
            self.look.queues = std::mem::take(&mut look.queues);
            if self.earlier.len() < LOOKS_MAX {
                self.earlier.push(look);
            }
        }
        if name == "server_time_usec" {
            let millis = value
                .parse::<i64>()
                .ok()
                .map(|micros| Stamp(micros / 1_000));
            self.look.at = millis;
        }
        if self.look.info.len() < FIELDS_MAX || self.look.info.contains_key(name) {
            self.look.info.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The look at hand.
    pub(super) fn look(&mut self) -> &mut Look {
        &mut self.look
    }

    /// What comes next begins anew.
    pub(super) fn pause(&mut self) {
        self.end_of_reply();
        self.setting = None;
    }

    fn end_of_reply(&mut self) {
        for value in cli::replies(&std::mem::take(&mut self.reply)) {
            reply::recognised(&mut self.look, &value);
        }
    }

    pub(super) fn line(&mut self, line: &str) {
        if is_of_reply(line) {
            if self.reply.len() + line.len() < REPLY_BYTES_MAX {
                self.reply.push_str(line);
                self.reply.push('\n');
            }
            return;
        }
        self.end_of_reply();
        let line = line.trim().trim_matches('"');
        if let Some(name) = self.queue.take()
            && let Some(length) = asked::length(line)
        {
            Queue::note(&mut self.look.queues, &name, length, None);
        } else if let Some(name) = asked::queue(line) {
            self.queue = Some(name.to_owned());
        } else if let Some(answer) = asked::name(line) {
            if self.names.len() < NAMES_MAX {
                self.names.push(answer);
            }
        } else if let Some(name) = self.setting.take() {
            self.look.config.insert(name.to_owned(), line.to_owned());
        } else if is_client(line) {
            if self.look.clients.len() < CLIENTS_MAX {
                self.look.clients.extend(peer(line));
            }
            self.look.answered.insert("CLIENT LIST");
        } else if let Some(node) = reply::node(line) {
            self.look.nodes.push(node);
        } else if let Some(name) = kept(line) {
            self.setting = Some(name);
        } else if let Some((name, value)) = field(line) {
            if is_of_cluster(name) {
                self.look.cluster.insert(name.to_owned(), value.to_owned());
            } else {
                self.info(name, value);
            }
        }
    }

    pub(super) fn end(&mut self, facts: &mut Facts) {
        self.end_of_reply();
        facts.had.insert(Need::Server);
        let place = Place {
            source: self.source.as_str().into(),
            spot: Spot::Command("dig"),
        };
        facts.names.extend(self.names.drain(..).map(|what| Fact {
            at: None,
            place: place.clone(),
            what,
        }));
        let look = std::mem::replace(&mut self.look, Look::new("", None, Reach::Pasted));
        facts.looks.append(&mut self.earlier);
        facts.looks.push(look);
    }
}
