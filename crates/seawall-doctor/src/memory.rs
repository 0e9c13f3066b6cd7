//! What a server may have of memory and what it has, which several rules speak of.

use std::collections::BTreeMap;

use crate::facts::{Facts, Look, Peer};
use crate::hosts;

/// Keys, of all databases together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keyspace {
    /// All of them.
    pub keys: u64,
    /// Those that expire.
    pub expiring: u64,
}

/// What INFO keyspace tells. `None` where that was not looked at: an empty server has no row there, but all other fields.
pub(crate) fn keyspace(info: &BTreeMap<String, String>) -> Option<Keyspace> {
    info.get("total_commands_processed")?;
    let mut all = Keyspace::default();
    for (name, row) in info.range("db".to_owned().."dc".to_owned()) {
        if name[2..].bytes().all(|b| b.is_ascii_digit()) {
            all.keys = all.keys.saturating_add(part(row, "keys"));
            all.expiring = all.expiring.saturating_add(part(row, "expires"));
        }
    }
    Some(all)
}

/// How many keys are in a database.
pub(crate) fn keys_in(look: &Look, database: u32) -> u64 {
    let row = look.info.get(&format!("db{database}"));
    row.map_or(0, |row| part(row, "keys"))
}

/// `keys=7,expires=0,avg_ttl=0`
fn part(row: &str, name: &str) -> u64 {
    let mut pairs = row.split(',').filter_map(|pair| pair.split_once('='));
    let value = pairs.find_map(|(known, value)| (known == name).then_some(value));
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// `maxmemory`, where it is known; 0 is none.
pub(crate) fn limit(look: &Look) -> Option<u64> {
    look.number("maxmemory")
        .or_else(|| look.setting("maxmemory"))
}

/// What `maxmemory` is held against: buffers of replicas and of the append-only file are not counted.
pub(crate) fn counted(look: &Look) -> Option<u64> {
    let aside = look.number("mem_not_counted_for_evict").unwrap_or(0);
    Some(look.number("used_memory")?.saturating_sub(aside))
}

/// How full it is, in hundredths of `maxmemory`. `None` without one.
pub(crate) fn percent(look: &Look) -> Option<u64> {
    let limit = limit(look).filter(|limit| *limit > 0)?;
    Some(counted(look)?.saturating_mul(100) / limit)
}

/// What it does when it is full.
pub(crate) fn policy(look: &Look) -> Option<&str> {
    look.word("maxmemory_policy")
        .or_else(|| look.config.get("maxmemory-policy").map(String::as_str))
}

/// Memory that the server cannot go beyond: its container's, or its host's. In words, whose.
pub(crate) fn ceiling(facts: &Facts, look: &Look) -> Option<(u64, &'static str)> {
    let containers = facts.containers.iter().map(|fact| &fact.what.container);
    let limits = containers
        .filter(|container| container.serves)
        .filter_map(|container| container.memory_limit);
    // Which of several servers a container is, nothing tells.
    if facts.looks.len() == 1
        && let Some(limit) = limits.min()
    {
        return Some((limit, "its container"));
    }
    if let Some(limit) = hosts::memory_limit(facts) {
        return Some((limit, "its cgroup"));
    }
    let host = look.number("total_system_memory").filter(|all| *all > 0)?;
    Some((host, "its host"))
}

/// Clients that wait for work: there is a queue here, which must lose nothing.
pub(crate) fn consumers(look: &Look) -> impl Iterator<Item = &Peer> {
    look.clients.iter().filter(|peer| {
        matches!(
            peer.command.as_str(),
            "brpop"
                | "blpop"
                | "brpoplpush"
                | "blmove"
                | "blmpop"
                | "bzpopmin"
                | "bzpopmax"
                | "xreadgroup"
        )
    })
}
