//! What logs tell of failed calls, without a verdict: how many of each kind, when, whose, and what the servers told meanwhile.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::facts::{Facts, Failure};
use crate::stamp::Stamp;
use crate::tally::{Names, Tally};
use crate::timeline::{Event, Timeline};

/// The version of the JSON's shape: raised when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// So wide is a histogram.
const BARS: i64 = 40;

/// So many names are shown of a kind, and so many events of the timeline.
const NAMES_SHOWN: usize = 10;
const EVENTS_SHOWN: usize = 60;

/// What logs tell.
#[derive(Debug)]
pub struct Logs {
    /// From when until when.
    window: Option<(Stamp, Stamp)>,
    kinds: BTreeMap<Failure, Tally>,
    sources: BTreeMap<Arc<str>, u64>,
    events: Vec<Event>,
    assumed: Vec<String>,
    unseen: Vec<String>,
}

impl Logs {
    /// Of everything that was read.
    pub fn of(mut facts: Facts) -> Self {
        facts.sort();
        crate::clocks::align(&mut facts);
        facts.sort();
        let mut kinds: BTreeMap<Failure, Tally> = BTreeMap::new();
        let mut sources: BTreeMap<Arc<str>, u64> = facts
            .spans
            .keys()
            .map(|source| (Arc::clone(source), 0))
            .collect();
        let mut events = Vec::new();
        for ((source, failure), tally) in &facts.tallies {
            kinds.entry(*failure).or_default().add(tally);
            *sources.entry(Arc::clone(source)).or_default() += tally.count;
        }
        let mut firsts: BTreeMap<(&Arc<str>, Failure), Event> = BTreeMap::new();
        for fact in &facts.client_log {
            let key = (&fact.place.source, fact.what.failure);
            let Some(at) = fact.at else { continue };
            let count = facts
                .tallies
                .get(&(Arc::clone(key.0), key.1))
                .map_or(1, |tally| tally.count);
            let often = if count > 1 {
                format!(", the first of {count}")
            } else {
                String::new()
            };
            firsts.entry(key).or_insert_with(|| Event {
                at,
                says: format!("{}{often}", fact.what.failure.words()),
                place: fact.place.clone(),
            });
        }
        events.extend(firsts.into_values());
        for lane in Timeline::of(&facts).lanes {
            events.extend(lane.events);
        }
        events.sort();
        events.dedup();
        let spans = facts.spans.values();
        let window = spans.fold(None, |window: Option<(Stamp, Stamp)>, (from, to)| {
            let (first, last) = window.unwrap_or((*from, *to));
            Some((first.min(*from), last.max(*to)))
        });
        let unseen = facts.unseen.iter();
        Self {
            window,
            kinds,
            sources,
            events,
            assumed: facts.assumed.iter().cloned().collect(),
            unseen: unseen
                .map(|one| format!("{}: {}", one.what, one.why))
                .collect(),
        }
    }

    /// How many calls failed.
    pub fn failures(&self) -> u64 {
        self.kinds.values().map(|tally| tally.count).sum()
    }

    /// For a person.
    pub fn text(&self) -> String {
        let mut page = String::new();
        let names: Vec<_> = self.sources.keys().map(|source| clean(source)).collect();
        let span = self
            .window
            .map_or_else(String::new, |(from, to)| format!(": {from} to {to}"));
        let _ = writeln!(page, "{}{span}", names.join(", "));
        let failures = self.failures();
        if failures == 0 {
            let _ = writeln!(page, "no call of Redis's failed, as far as they tell");
        } else {
            self.kinds(&mut page);
            self.names(&mut page, "BY PROCESS", |tally| &tally.by_process);
            self.names(&mut page, "BY SERVER", |tally| &tally.by_server);
            self.names(&mut page, "BY COMMAND", |tally| &tally.by_command);
            if self.sources.len() > 1 {
                let _ = writeln!(page, "\nBY LOG");
                for (source, count) in self.sources.iter().filter(|(_, count)| **count > 0) {
                    let _ = writeln!(page, "{count:>9}  {}", clean(source));
                }
            }
        }
        self.timeline(&mut page);
        for words in &self.unseen {
            let _ = writeln!(page, "\nUNSEEN   {}", clean(words));
        }
        if !self.assumed.is_empty() {
            let _ = writeln!(page);
        }
        for words in &self.assumed {
            let _ = writeln!(page, "ASSUMED  {}", clean(words));
        }
        page
    }

    fn kinds(&self, page: &mut String) {
        let windows = self.kinds.values().filter_map(|tally| tally.window);
        let all = windows.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        let step = all.map_or(1_000, |(from, to)| {
            // No step is shorter than those that were counted.
            let counted = self.kinds.values().map(|tally| tally.steps.length());
            let least = counted.max().unwrap_or(1) * 1_000;
            ((to.0 - from.0) / BARS + 1).max(least)
        });
        let per = match all {
            Some(_) => format!(
                "each bar {}",
                crate::facts::span((step / 1_000).unsigned_abs())
            ),
            None => String::new(),
        };
        let _ = writeln!(
            page,
            "\n{:>9}  {:<22}{:<26}{:<26}{per}",
            "ERRORS", "", "first", "last"
        );
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_key(|(failure, tally)| (std::cmp::Reverse(tally.count), **failure));
        for (failure, tally) in kinds {
            let time = |at: Option<Stamp>| at.map_or_else(|| "?".to_owned(), |at| at.to_string());
            let first = time(tally.window.map(|(first, _)| first));
            let last = time(tally.window.map(|(_, last)| last));
            let bars = all.map_or_else(String::new, |(from, _)| bars(tally, from, step));
            let _ = writeln!(
                page,
                "{:>9}  {:<22}{first:<26}{last:<26}{bars}",
                tally.count,
                failure.words()
            );
        }
    }

    fn names(&self, page: &mut String, title: &str, of: impl Fn(&Tally) -> &Names) {
        let mut all: BTreeMap<&str, BTreeMap<Failure, u64>> = BTreeMap::new();
        let mut others = 0;
        for (failure, tally) in &self.kinds {
            others += of(tally).others;
            for (name, count) in of(tally).most() {
                *all.entry(name).or_default().entry(*failure).or_default() += count;
            }
        }
        if all.is_empty() {
            return;
        }
        let mut all: Vec<_> = all
            .into_iter()
            .map(|(name, kinds)| (kinds.values().sum::<u64>(), name, kinds))
            .collect();
        all.sort_by_key(|(count, name, _)| (std::cmp::Reverse(*count), *name));
        let _ = writeln!(page, "\n{title}");
        for (count, name, kinds) in all.iter().take(NAMES_SHOWN) {
            let kinds: Vec<_> = kinds
                .iter()
                .map(|(failure, count)| format!("{} {count}", failure.words()))
                .collect();
            let _ = writeln!(page, "{count:>9}  {:<30}{}", clean(name), kinds.join(", "));
        }
        let more = all.len().saturating_sub(NAMES_SHOWN);
        if more > 0 || others > 0 {
            let rest: u64 = all.iter().skip(NAMES_SHOWN).map(|(count, ..)| count).sum();
            let _ = writeln!(page, "{:>9}  others", rest + others);
        }
    }

    fn timeline(&self, page: &mut String) {
        if self.events.is_empty() {
            return;
        }
        let _ = writeln!(page, "\nTIMELINE");
        let half = EVENTS_SHOWN / 2;
        let count = self.events.len();
        let left_out = count.saturating_sub(EVENTS_SHOWN);
        for (number, event) in self.events.iter().enumerate() {
            if left_out > 0 && number == half {
                let _ = writeln!(page, "  .. {left_out} more (--json has all) ..");
            }
            if left_out > 0 && (half..count - half).contains(&number) {
                continue;
            }
            let _ = writeln!(
                page,
                "  {}  {}: {}",
                event.at,
                clean(&event.place.to_string()),
                clean(&event.says)
            );
        }
    }

    /// For programs: docs/logs.md has the fields.
    pub fn json(&self) -> Value {
        let names = |names: &Names| {
            let named: serde_json::Map<_, _> = names
                .most()
                .into_iter()
                .map(|(name, count)| (name.to_owned(), json!(count)))
                .collect();
            json!({ "named": named, "others": names.others, "unnamed": names.unnamed })
        };
        let kinds: Vec<_> = self
            .kinds
            .iter()
            .map(|(failure, tally)| {
                let steps: Vec<_> = tally
                    .steps
                    .iter()
                    .map(|(at, count)| json!({ "at": at.to_string(), "count": count }))
                    .collect();
                json!({
                    "kind": failure.words(),
                    "count": tally.count,
                    "first": tally.window.map(|(first, _)| first.to_string()),
                    "last": tally.window.map(|(_, last)| last.to_string()),
                    "step_seconds": tally.steps.length(),
                    "steps": steps,
                    "by_process": names(&tally.by_process),
                    "by_server": names(&tally.by_server),
                    "by_command": names(&tally.by_command),
                })
            })
            .collect();
        let sources: serde_json::Map<_, _> = self
            .sources
            .iter()
            .map(|(source, count)| (source.to_string(), json!(count)))
            .collect();
        json!({
            "schema": SCHEMA,
            "from": self.window.map(|(from, _)| from.to_string()),
            "to": self.window.map(|(_, to)| to.to_string()),
            "failures": self.failures(),
            "kinds": kinds,
            "sources": sources,
            "timeline": self.events.iter().map(|event| json!({
                "at": event.at.to_string(), "place": event.place.to_string(), "says": event.says,
            })).collect::<Vec<_>>(),
            "unseen": self.unseen,
            "assumed": self.assumed,
        })
    }
}

/// A histogram of one line.
fn bars(tally: &Tally, from: Stamp, step: i64) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let mut counts = vec![0_u64; 0];
    for (at, count) in tally.steps.iter() {
        let place = usize::try_from((at.0 - from.0).max(0) / step).unwrap_or(0);
        if counts.len() <= place {
            counts.resize(place + 1, 0);
        }
        counts[place] += count;
    }
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let bar = |count: &u64| match count {
        0 => ' ',
        count => HEIGHTS[usize::try_from((count * 8 - 1) / most).unwrap_or(7).min(7)],
    };
    counts.iter().map(bar).collect()
}

/// Words of a log may be anybody's: none of them steers the terminal.
fn clean(words: &str) -> String {
    words
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log};

    fn logs() -> Logs {
        let mut facts = log(
            "9:signal-handler (1795402690) Received SIGTERM scheduling shutdown...\n\
9:M 23 Nov 2026 02:58:10.150 # Redis is now ready to exit, bye bye...\n",
        );
        let mut text = String::new();
        for second in 11..40 {
            text += "[2026-11-23 02:58:";
            text += &second.to_string();
            text += ",042: ERROR/ForkPoolWorker-3] Error 111 connecting to cache:6379. Connection refused.\n";
        }
        text += "[2026-11-23 02:59:40,042: ERROR/MainProcess] Timeout reading from cache:6379\n";
        facts.add(application(&text));
        Logs::of(facts)
    }

    #[test]
    fn kinds_names_and_the_timeline_are_told() {
        let text = logs().text();
        for words in [
            "app.log, redis.log: 2026-11-23T02:58:10.000Z to 2026-11-23T02:59:40.042Z",
            "       29  connection refused    2026-11-23T02:58:11.042Z  2026-11-23T02:58:39.042Z",
            "       29  ForkPoolWorker-3              connection refused 29",
            "       30  cache:6379                    connection refused 29, no reply in time 1",
            "app.log:1: connection refused, the first of 29",
            "redis.log:2: ",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
        assert!(text.contains('█'), "{text}");
    }

    #[test]
    fn the_json_has_the_same_counts() {
        let json = logs().json();
        assert_eq!(json["failures"], 30);
        assert_eq!(
            json["kinds"][0]["by_process"]["named"]["ForkPoolWorker-3"],
            29
        );
        assert_eq!(json["sources"]["app.log"], 30);
    }

    #[test]
    fn more_than_is_kept_is_counted_all_the_same() {
        let line =
            "2026-11-23T02:58:11Z redis.exceptions.ConnectionError: Connection closed by server.\n";
        let logs = Logs::of(application(&line.repeat(12_000)));
        assert_eq!(logs.failures(), 12_000);
    }
}
