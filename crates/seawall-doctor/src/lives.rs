//! Servers as their logs tell of them: whose lines they are, and when each process began and ended.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Fact, Facts, Line, ServerLine};
use crate::text::{Keeps, Text};

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
                // Its own line tells whole seconds, and may seem to stand before the start of the process that got it.
                Line::Signalled(_) if running.is_none_or(|last| last.what.pid != fact.what.pid) => {
                }
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

/// Redis tells its port when it starts.
pub(crate) const PORTS: [Text; 2] = [
    Text::server("Running mode=standalone, port=").keeping(Keeps::Word),
    Text::server("Running mode=cluster, port=").keeping(Keeps::Word),
];

/// Files of one log overlap by no more than that, in seconds: one was rotated away before the next began.
const OVERLAP_S: i64 = 1;

impl Facts {
    /// What logs tell of each data server: several may have been given, and one of them in several files. Sentinels are
    /// not among them.
    pub fn lives(&self) -> Vec<Life<'_>> {
        let logs = self.logs();
        let mut lives: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for fact in &self.server_log {
            if !fact.what.sentinel {
                let log = logs[&*fact.place.source];
                lives.entry(log).or_default().push(fact);
            }
        }
        let lives = lives.into_iter();
        lives.map(|(log, lines)| Life { log, lines }).collect()
    }

    /// Of which log each file of a server's is a part, by its name.
    pub(crate) fn logs(&self) -> BTreeMap<&str, &str> {
        let lines = self.server_log.iter().map(|fact| &*fact.place.source);
        let said = self.said.iter().map(|fact| &*fact.place.source);
        let mut alike: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for source in lines.chain(said) {
            alike.entry(unrotated(source)).or_default().insert(source);
        }
        let ports = self.ports();
        let mut logs = BTreeMap::new();
        for (log, sources) in alike {
            let all: Vec<_> = sources.iter().copied().collect();
            let mut pairs = all
                .iter()
                .enumerate()
                .flat_map(|(place, one)| all[place + 1..].iter().map(move |other| (*one, *other)));
            // `redis-1.log` and `redis-2.log` are two servers', or one server's of two days.
            let several = pairs.any(|(one, other)| {
                self.overlap(one, other) || apart(ports.get(one), ports.get(other))
            });
            logs.extend(
                sources
                    .into_iter()
                    .map(|source| (source, if several { source } else { log })),
            );
        }
        logs
    }

    /// The ports that each file of a server's log tells.
    pub(crate) fn ports(&self) -> BTreeMap<&str, BTreeSet<u16>> {
        let mut ports: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for fact in PORTS.iter().flat_map(|text| self.said(text)) {
            let port = fact.what.number().and_then(|port| port.try_into().ok());
            if let Some(port) = port.filter(|port| *port > 0) {
                let own = ports.entry(&*fact.place.source).or_default();
                own.insert(port);
            }
        }
        ports
    }

    fn overlap(&self, one: &str, other: &str) -> bool {
        let (Some(one), Some(other)) = (self.spans.get(one), self.spans.get(other)) else {
            return false;
        };
        one.0.max(other.0).plus_seconds(OVERLAP_S) < one.1.min(other.1)
    }
}

fn apart(one: Option<&BTreeSet<u16>>, other: Option<&BTreeSet<u16>>) -> bool {
    one.zip(other)
        .is_some_and(|(one, other)| one.is_disjoint(other))
}

/// A log's name without what rotation appends: `redis.log` of `redis.log.2.gz` and of `redis.log-20261123`.
fn unrotated(name: &str) -> &str {
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
    use crate::stamp::Stamp;

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

    const LIFE: &str = "9:C 23 Nov 2026 02:00:11.042 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n\
9:M 23 Nov 2026 02:00:11.050 * Running mode=standalone, port=6379.\n\
9:M 23 Nov 2026 02:30:11.142 * Ready to accept connections\n";

    fn lives(files: &[(&str, String)]) -> Vec<(String, usize)> {
        let now = Stamp::of((2026, 11, 24), (0, 0, 0), 0).expect("a date");
        let mut facts = Facts::default();
        for (name, text) in files {
            let read = crate::read::file(name, text.as_bytes(), crate::read::Given { now });
            facts.add(read.expect("it is in memory").1);
        }
        facts.sort();
        let lives = facts.lives().into_iter();
        lives
            .map(|life| (life.log.to_owned(), life.sudden_ends().len()))
            .collect()
    }

    #[test]
    fn two_servers_whose_logs_have_numbers_are_two() {
        let later = LIFE.replace("9:", "11:").replace(" 02:", " 03:");
        let rotated = [
            ("redis.log.1", LIFE.to_owned()),
            ("redis.log", later.clone()),
        ];
        assert_eq!(lives(&rotated), [("redis".to_owned(), 1)]);
        let other_port = later.replace("6379", "6380");
        let two = [
            ("redis-1.log", LIFE.to_owned()),
            ("redis-2.log", other_port),
        ];
        let apart = [("redis-1.log".to_owned(), 0), ("redis-2.log".to_owned(), 0)];
        assert_eq!(lives(&two), apart);
        // On two hosts they have one port, and write at the same time.
        let beside = later.replace(" 03:", " 02:");
        let two = [("redis-1.log", LIFE.to_owned()), ("redis-2.log", beside)];
        assert_eq!(lives(&two), apart);
    }

    #[test]
    fn a_signal_in_the_second_of_the_start_is_no_line_of_an_earlier_process() {
        let start =
            "9:C 23 Nov 2026 02:58:11.655 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n";
        let stop = "9:signal-handler (1795402691) Received SIGTERM scheduling shutdown...\n\
9:M 23 Nov 2026 02:58:11.759 # User requested shutdown...\n\
9:M 23 Nov 2026 02:58:11.760 # Redis is now ready to exit, bye bye...\n";
        let next = start.replace("9:", "11:").replace("11.655", "12.100");
        let text = format!("{start}{stop}{next}");
        assert_eq!(lives(&[("redis.log", text)]), [("redis".to_owned(), 0)]);
    }
}
