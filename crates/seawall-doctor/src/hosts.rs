//! What the host of a server tells of what is full there, which several rules speak of.

use crate::facts::{Facts, Host, Look};

/// So full, in percent, something is told to be full: what comes next may be refused.
pub(crate) const FULL_PERCENT: u64 = 95;

/// The hosts on which a server that was looked at runs.
pub(crate) fn of_servers(facts: &Facts) -> impl Iterator<Item = &Host> {
    facts.hosts.iter().filter(|host| host.pid.is_some())
}

/// `(used, room)` of two numbers of a host's, where hardly any room is left.
pub(crate) fn full(host: &Host, used: &str, room: &str) -> Option<(u64, u64)> {
    let (used, room) = (host.number(used)?, host.number(room)?);
    let is_full = room > 0 && used.saturating_mul(100) >= room.saturating_mul(FULL_PERCENT);
    is_full.then_some((used, room))
}

/// The memory that the cgroup of a server's process may have, where that is limited.
pub(crate) fn memory_limit(facts: &Facts) -> Option<u64> {
    let mut servers = of_servers(facts);
    let host = servers.next()?;
    // Which of several servers runs in which, nothing tells.
    if servers.next().is_some() || facts.looks.len() != 1 {
        return None;
    }
    host.number("cgroup_memory_max")
}

/// How much of the server's process is in swap, where its host tells.
pub(crate) fn swapped_out(facts: &Facts, look: &Look) -> Option<u64> {
    let process = look.number("process_id")?;
    let host = of_servers(facts).find(|host| host.pid.map(u64::from) == Some(process))?;
    Some(host.number("vmswap_kb")?.saturating_mul(1_024))
}

#[cfg(test)]
pub(crate) mod testing {
    use crate::facts::{Facts, Host};

    /// Of a host that tells these, and on which the server runs.
    pub(crate) fn host(values: &str) -> Facts {
        let mut host = Host::new("this host", None);
        for line in values.lines().chain(["pid: 9"]) {
            host.take(line);
        }
        let mut facts = Facts::default();
        facts.hosts.push(host);
        facts
    }
}
