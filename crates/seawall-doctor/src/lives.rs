//! Servers as their logs tell of them: whose lines they are, and when each process began and ended.

use std::collections::BTreeMap;

use crate::facts::{Fact, Facts, Line, ServerLine};

/// What the logs tell of one server, in the order of time.
#[derive(Debug)]
pub struct Life<'a> {
    /// Its log's name, without what rotation appended.
    pub log: &'a str,
    /// Its lines.
    pub lines: Vec<&'a Fact<ServerLine>>,
}

impl<'a> Life<'a> {
    /// The starts before which no end was told: the last line before it, and the start.
    pub fn sudden_ends(&self) -> Vec<(&'a Fact<ServerLine>, &'a Fact<ServerLine>)> {
        let mut found = Vec::new();
        let mut running: Option<&Fact<ServerLine>> = None;
        for fact in &self.lines {
            match fact.what.line {
                Line::Started => found.extend(running.replace(fact).map(|last| (last, *fact))),
                Line::Farewell | Line::Crashed(_) | Line::AllocationFailed => running = None,
                // A child that saves has another id, and lives on for a moment.
                _ if running.is_none_or(|last| last.what.pid == fact.what.pid) => {
                    running = Some(fact);
                }
                _ => {}
            }
        }
        found
    }

    /// The last end that was told, and how it ended.
    pub fn last_end(&self) -> Option<(&'a Fact<ServerLine>, &'static str)> {
        self.lines.iter().rev().find_map(|fact| {
            let how = match fact.what.line {
                Line::Farewell => "it ended in order",
                Line::Crashed(_) => "it crashed",
                Line::AllocationFailed => "it ran out of memory",
                _ => return None,
            };
            Some((*fact, how))
        })
    }

    /// The first start after that line.
    pub fn start_after(&self, fact: &Fact<ServerLine>) -> Option<&'a Fact<ServerLine>> {
        let mut after = self.lines.iter().skip_while(|line| **line != fact).skip(1);
        let start = after.find(|line| line.what.line == Line::Started);
        start.copied()
    }
}

impl Facts {
    /// What logs tell of each data server: several may have been given, and one of them in several files. Sentinels are
    /// not among them.
    pub fn lives(&self) -> Vec<Life<'_>> {
        let mut lives: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for fact in &self.server_log {
            if !fact.what.sentinel {
                let log = unrotated(&fact.place.source);
                lives.entry(log).or_default().push(fact);
            }
        }
        let lives = lives.into_iter();
        lives.map(|(log, lines)| Life { log, lines }).collect()
    }
}

/// A log's name without what rotation appends: `redis.log` of `redis.log.2.gz` and of `redis.log-20261123`.
pub(crate) fn unrotated(name: &str) -> &str {
    let mut name = name;
    loop {
        let shorter = [".gz", ".zst", ".xz", ".bz2", ".lz4", ".zip", ".old", ".log"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or_else(|| without_number(name));
        if shorter.is_empty() || shorter == name {
            return name;
        }
        name = shorter;
    }
}

/// Without `.1`, `-20261123` and the like.
fn without_number(name: &str) -> &str {
    let front = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if front.len() == name.len() {
        return name;
    }
    front
        .strip_suffix(['.', '-'])
        .map_or(name, |front| front.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_does_not_make_another_server() {
        for name in [
            "redis.log",
            "redis.log.1",
            "redis.log.2.gz",
            "redis.log-20261123",
            "redis-20261123.log",
        ] {
            assert_eq!(unrotated(name), "redis", "{name}");
        }
        assert_eq!(unrotated("redis-6380.log"), "redis");
        assert_eq!(unrotated("6379"), "6379");
        assert_eq!(unrotated("é7"), "é7");
    }
}
