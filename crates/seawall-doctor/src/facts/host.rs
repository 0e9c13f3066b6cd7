//! What a host tells of itself, without root.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Place, Spot};
use crate::stamp::Stamp;

/// A host, and the server's process on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host {
    /// Where it was told: `host`, or the bundle.
    pub source: Arc<str>,
    /// When.
    pub at: Option<Stamp>,
    /// The server's process, if it runs there: only then are its limits, its cgroup and the kernel's counters the server's.
    pub pid: Option<u32>,
    /// `somaxconn`, `overcommit_memory`, `transparent_hugepage`, `swappiness`, `ip_local_port_range`, `clocksource`,
    /// `memtotal_kb`, `memavailable_kb`, `sockets_tw`, `nf_conntrack_count`, `nf_conntrack_max`; the counters
    /// `ListenOverflows`, `ListenDrops`, `TCPTimeouts`, `RetransSegs`, `OutSegs`, ..; of the server's process
    /// `max_open_files`, `open_files`, `oom_score_adj`, `vmrss_kb`, `vmswap_kb`, `anon_huge_pages_kb`,
    /// `cgroup`, `cgroup_memory_max`, `cgroup_memory_current`, `cgroup_oom_kill`, `cgroup_throttled`, ..
    pub values: BTreeMap<String, String>,
    /// Its processes that hold connections to the server, where there are many.
    pub holders: Vec<Holder>,
}

/// A process of a host's, and which connections to the server it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Its own addresses, by which the server knows the connections.
    pub addrs: BTreeSet<String>,
}

impl Host {
    /// A host of which nothing is known yet.
    pub fn new(source: &str, at: Option<Stamp>) -> Self {
        Self {
            source: source.into(),
            at,
            pid: None,
            values: BTreeMap::new(),
            holders: Vec::new(),
        }
    }

    /// A number that it tells.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.values.get(name)?.parse().ok()
    }

    /// A word that it tells: of `always [madvise] never` the one in brackets.
    pub fn word(&self, name: &str) -> Option<&str> {
        let value = self.values.get(name)?;
        let chosen = value
            .split_once('[')
            .and_then(|(_, rest)| rest.split_once(']'));
        Some(chosen.map_or(value.as_str(), |(chosen, _)| chosen))
    }

    /// How many ports there are for connections that it opens to one address (`ip_local_port_range`).
    pub fn local_ports(&self) -> Option<u64> {
        let mut ends = self
            .values
            .get("ip_local_port_range")?
            .split_whitespace()
            .map(|end| end.parse::<u64>().ok());
        let (first, last) = (ends.next()??, ends.next()??);
        Some(last.checked_sub(first)?.saturating_add(1))
    }

    /// Where what it tells stands.
    pub fn place(&self) -> Place {
        Place {
            source: Arc::clone(&self.source),
            spot: Spot::Command("host"),
        }
    }

    /// Takes `name: value`, as the script of `seawall collect` writes it.
    pub(crate) fn take(&mut self, line: &str) {
        let Some((name, value)) = line.split_once(": ") else {
            return;
        };
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !plain || name.len() > 40 || value.len() > 400 || self.values.len() > 200 {
            return;
        }
        if name == "pid" {
            self.pid = value.parse().ok();
        }
        self.values.insert(name.to_owned(), value.trim().to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_tells_is_read_by_name() {
        let mut host = Host::new("host", None);
        for line in [
            "somaxconn: 128",
            "transparent_hugepage: always [madvise] never",
            "ip_local_port_range: 32768\t60999",
            "pid: 4711",
            "no line of it",
        ] {
            host.take(line);
        }
        assert_eq!(
            (host.number("somaxconn"), host.pid),
            (Some(128), Some(4_711))
        );
        assert_eq!(host.word("transparent_hugepage"), Some("madvise"));
        assert_eq!(host.local_ports(), Some(28_232));
    }
}
