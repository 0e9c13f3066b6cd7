//! One look at a server: what it answered, and what rules ask of that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::cost::Cost;
use super::lost::Lost;
use super::server::{ClusterNode, Denied, LatencyEvent, Queue, Role, Watched};
use super::{Peer, Place, Reach, Slow, Spot, span};
use crate::stamp::Stamp;

/// One look at a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Look {
    /// Its address, or the file that holds what it answered.
    pub source: Arc<str>,
    /// When, where that is known.
    pub at: Option<Stamp>,
    /// How it took to it.
    pub reach: Reach,
    /// INFO, all sections.
    pub info: BTreeMap<String, String>,
    /// An earlier INFO of the same process.
    pub before: Option<Before>,
    /// CONFIG GET.
    pub config: BTreeMap<String, String>,
    /// CLIENT LIST.
    pub clients: Vec<Peer>,
    /// Whether those are all of them.
    pub listed: Listed,
    /// SLOWLOG GET.
    pub slow: Vec<Slow>,
    /// LATENCY LATEST.
    pub latency: Vec<LatencyEvent>,
    /// MEMORY STATS, its numbers.
    pub memory: BTreeMap<String, String>,
    /// ACL LOG.
    pub denied: Vec<Denied>,
    /// ROLE.
    pub role: Option<Role>,
    /// CLUSTER INFO, where it is one.
    pub cluster: BTreeMap<String, String>,
    /// CLUSTER NODES, where it is one.
    pub nodes: Vec<ClusterNode>,
    /// What a Sentinel watches.
    pub watched: Vec<Watched>,
    /// The lengths of the queues that were asked for by name.
    pub queues: Vec<Queue>,
    /// What answered where the server was asked by a name: the address for which that stands now.
    pub address: Option<String>,
    /// How the look broke off, if it did: what the others tell was told before that.
    pub lost: Option<Lost>,
    /// The commands that were answered in full, `SLOWLOG GET`: only then does what they do not tell mean that it is not.
    pub answered: BTreeSet<&'static str>,
    /// What the look itself cost the server.
    pub cost: Cost,
}

/// Which of a server's clients CLIENT LIST was asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listed {
    /// All of them.
    #[default]
    All,
    /// All subscribers and replicas; of the others some, drawn at random.
    Some {
        /// How many others were drawn.
        drawn: u64,
        /// Out of so many.
        of: u64,
    },
}

/// What an earlier INFO told: what a counter counted since.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Before {
    /// Where it stands.
    pub source: Arc<str>,
    /// INFO, all sections.
    pub info: BTreeMap<String, String>,
    /// CLIENT LIST, where it was asked for then.
    pub clients: Vec<Peer>,
    /// How much later the look itself was.
    pub span: Duration,
}

/// A command's row of INFO commandstats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandStats {
    /// How often it was called.
    pub calls: u64,
    /// How long all of that took, in microseconds.
    pub micros: u64,
    /// How often it was refused before it ran; since 6.2.
    pub rejected: u64,
    /// How often it failed while it ran; since 6.2.
    pub failed: u64,
}

impl Look {
    /// A look that has seen nothing yet.
    pub fn new(source: &str, at: Option<Stamp>, reach: Reach) -> Self {
        Self {
            source: source.into(),
            at,
            reach,
            info: BTreeMap::new(),
            before: None,
            config: BTreeMap::new(),
            clients: Vec::new(),
            listed: Listed::All,
            slow: Vec::new(),
            latency: Vec::new(),
            memory: BTreeMap::new(),
            denied: Vec::new(),
            role: None,
            cluster: BTreeMap::new(),
            nodes: Vec::new(),
            watched: Vec::new(),
            queues: Vec::new(),
            address: None,
            lost: None,
            answered: BTreeSet::new(),
            cost: Cost::default(),
        }
    }

    /// How many of the server's clients so many of those that were listed stand for.
    pub fn scaled(&self, listed: usize) -> u64 {
        let listed = listed as u64;
        match self.listed {
            Listed::Some { drawn, of } if drawn > 0 => listed.saturating_mul(of) / drawn,
            _ => listed,
        }
    }

    /// `412`, and where not all were listed `about 4100`.
    pub fn how_many(&self, listed: usize) -> String {
        let many = self.scaled(listed);
        match self.listed {
            Listed::All => many.to_string(),
            Listed::Some { .. } => format!("about {many}"),
        }
    }

    /// When its process began, where that is known.
    pub(crate) fn began(&self) -> Option<Stamp> {
        let up = i64::try_from(self.number("uptime_in_seconds")?).ok()?;
        Some(self.at?.plus_seconds(-up))
    }

    /// A number of INFO.
    pub fn number(&self, field: &str) -> Option<u64> {
        self.info.get(field)?.parse().ok()
    }

    /// A number of INFO that need not be whole: `used_cpu_sys`, `mem_fragmentation_ratio`.
    pub fn decimal(&self, field: &str) -> Option<f64> {
        self.info.get(field)?.parse().ok()
    }

    /// A word of INFO: `role`, `master_link_status`, ..
    pub fn word(&self, field: &str) -> Option<&str> {
        self.info.get(field).map(String::as_str)
    }

    /// Whether a Sentinel answered, and no server: what it tells of itself is not the server's.
    pub fn is_sentinel(&self) -> bool {
        self.word("redis_mode") == Some("sentinel")
    }

    /// The first number of its version; 0 where that is not known.
    pub fn major(&self) -> u32 {
        let version = self.word("redis_version").unwrap_or_default();
        let major = version.split('.').next().unwrap_or_default();
        major.parse().unwrap_or(0)
    }

    /// A number of CONFIG GET.
    pub fn setting(&self, name: &str) -> Option<u64> {
        self.config.get(name)?.parse().ok()
    }

    /// Whether a setting says yes.
    pub fn is_on(&self, name: &str) -> Option<bool> {
        match self.config.get(name)?.as_str() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }

    /// How often the server has said an error of that first word, `OOM` (INFO errorstats). `None` where it does not count
    /// them: they are counted since 6.2.
    pub fn errors(&self, word: &str) -> Option<u64> {
        errors(&self.info, word)
    }

    /// How often it was said since the earlier INFO; `None` as for [`rose`](Self::rose).
    pub fn errors_rose(&self, word: &str) -> Option<u64> {
        self.comparable(|info| errors(info, word))
    }

    /// How often a command was called, `keys`, `client|kill` (INFO commandstats). `None` where that was not looked at.
    pub fn calls(&self, command: &str) -> Option<u64> {
        Some(self.command(command)?.calls)
    }

    /// How often it was called since the earlier INFO; `None` as for [`rose`](Self::rose).
    pub fn calls_rose(&self, command: &str) -> Option<u64> {
        self.comparable(|info| Some(command_stats(info, command)?.calls))
    }

    /// A command's row of INFO commandstats; zeros for one that was never called, `None` where that was not looked at.
    pub fn command(&self, command: &str) -> Option<CommandStats> {
        command_stats(&self.info, command)
    }

    /// Every command that was called, with its row.
    pub fn commands(&self) -> impl Iterator<Item = (&str, CommandStats)> {
        self.info.iter().filter_map(|(field, row)| {
            let name = field.strip_prefix("cmdstat_")?;
            Some((name, row_of(row)))
        })
    }

    /// A percentile of how long a command takes, in microseconds: `("get", "p99.9")` (INFO latencystats, since 7.0).
    pub fn percentile(&self, command: &str, percentile: &str) -> Option<f64> {
        let row = self
            .info
            .get(&format!("latency_percentiles_usec_{command}"))?;
        part(row, percentile)?.parse().ok()
    }

    /// By how much a counter of INFO rose since the earlier INFO. `None` if there is none, if another process answered it,
    /// or if its counters were reset in between: then nothing is known.
    pub fn rose(&self, field: &str) -> Option<u64> {
        self.comparable(|info| info.get(field)?.parse().ok())
    }

    /// `rose by 312 in 4 min`, if it rose.
    pub fn rose_by(&self, field: &str) -> Option<String> {
        let by = self.rose(field).filter(|by| *by > 0)?;
        Some(format!("rose by {by} in {}", self.between()?))
    }

    /// How long lies between the earlier INFO and this one, as an operator says it.
    pub fn between(&self) -> Option<String> {
        let span = self.before.as_ref()?.span;
        Some(if span < Duration::from_secs(1) {
            format!("{} ms", span.as_millis())
        } else {
            self::span(span.as_secs())
        })
    }

    /// When the earlier INFO was asked for; when the look was, where there is none.
    pub fn earlier(&self) -> Option<Stamp> {
        let span = self
            .before
            .as_ref()
            .map_or(0, |before| before.span.as_secs());
        let seconds = i64::try_from(span).unwrap_or(0);
        self.at.map(|at| at.plus_seconds(-seconds))
    }

    /// How often a counter rises in a second, since the earlier INFO.
    pub fn rate(&self, field: &str) -> Option<f64> {
        let seconds = self.before.as_ref()?.span.as_secs_f64();
        let by = self.rose(field)? as f64;
        (seconds > 0.0).then(|| by / seconds)
    }

    /// Since when one and the same process has been watched: when the earlier INFO was told, at the latest. `None` if there is
    /// none, or if another process answered it.
    pub fn watched_from(&self) -> Option<Stamp> {
        let before = self.before.as_ref()?;
        let id = self.info.get("run_id").filter(|id| !id.is_empty())?;
        // Its own last INFO came when the look was over.
        let since = i64::try_from(before.span.as_millis()).ok()?;
        let over = i64::try_from(self.cost.lasted.as_millis()).ok()?;
        let same = before.info.get("run_id") == Some(id);
        same.then_some(Stamp(self.at?.0.saturating_add(over).saturating_sub(since)))
    }

    fn comparable(&self, count: impl Fn(&BTreeMap<String, String>) -> Option<u64>) -> Option<u64> {
        let then = &self.before.as_ref()?.info;
        let total = |info: &BTreeMap<String, String>| -> Option<u64> {
            info.get("total_commands_processed")?.parse().ok()
        };
        let id = self.info.get("run_id").filter(|id| !id.is_empty());
        let reset = total(&self.info) < total(then);
        if id.is_none() || id != then.get("run_id") || reset {
            return None;
        }
        count(&self.info)?.checked_sub(count(then)?)
    }

    /// Where a field of INFO stands.
    pub fn place(&self, command: &'static str) -> Place {
        Place {
            source: Arc::clone(&self.source),
            spot: Spot::Command(command),
        }
    }

    /// Since when its counters count, as an operator says it: `since start, 41 d`.
    pub fn counting_since(&self) -> String {
        let seconds = self.number("uptime_in_seconds").unwrap_or(0);
        format!("since start, {}", span(seconds))
    }
}

fn errors(info: &BTreeMap<String, String>, word: &str) -> Option<u64> {
    match info.get(&format!("errorstat_{word}")) {
        Some(row) => part(row, "count")?.parse().ok(),
        // Only a server that counts them has this one.
        None => info.contains_key("total_error_replies").then_some(0),
    }
}

pub(super) fn command_stats(
    info: &BTreeMap<String, String>,
    command: &str,
) -> Option<CommandStats> {
    if let Some(row) = info.get(&format!("cmdstat_{command}")) {
        return Some(row_of(row));
    }
    let (counted, _) = info.range("cmdstat_".to_owned()..).next()?;
    counted.starts_with("cmdstat_").then(CommandStats::default)
}

fn row_of(row: &str) -> CommandStats {
    let number = |name: &str| part(row, name).and_then(|value| value.parse().ok());
    CommandStats {
        calls: number("calls").unwrap_or(0),
        micros: number("usec").unwrap_or(0),
        rejected: number("rejected_calls").unwrap_or(0),
        failed: number("failed_calls").unwrap_or(0),
    }
}

/// `calls=1,usec=2`
fn part<'a>(row: &'a str, name: &str) -> Option<&'a str> {
    row.split(',')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(known, value)| (known == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(now: &[(&str, &str)], then: &[(&str, &str)]) -> Look {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect()
        };
        let mut look = Look::new("info.txt", None, Reach::Pasted);
        look.info = map(now);
        look.before = Some(Before {
            source: "earlier.txt".into(),
            info: map(then),
            clients: Vec::new(),
            span: Duration::from_secs(240),
        });
        look
    }

    #[test]
    fn a_counter_of_one_process_rises_over_a_span() {
        let look = look(
            &[("run_id", "a"), ("rejected_connections", "412")],
            &[("run_id", "a"), ("rejected_connections", "100")],
        );
        assert_eq!(
            look.rose_by("rejected_connections").as_deref(),
            Some("rose by 312 in 4 min")
        );
        assert_eq!(look.rate("rejected_connections"), Some(1.3));
    }

    #[test]
    fn another_process_a_reset_and_a_field_that_is_not_there_say_nothing() {
        let other = look(
            &[("run_id", "a"), ("evicted_keys", "5")],
            &[("run_id", "b"), ("evicted_keys", "1")],
        );
        assert_eq!(other.rose("evicted_keys"), None);
        let reset = look(
            &[
                ("run_id", "a"),
                ("evicted_keys", "5"),
                ("total_commands_processed", "9"),
            ],
            &[
                ("run_id", "a"),
                ("evicted_keys", "1"),
                ("total_commands_processed", "90"),
            ],
        );
        assert_eq!(reset.rose("evicted_keys"), None);
        let fewer = look(
            &[("run_id", "a"), ("evicted_keys", "1")],
            &[("run_id", "a"), ("evicted_keys", "5")],
        );
        assert_eq!(fewer.rose("evicted_keys"), None);
        assert_eq!(fewer.rose("expired_keys"), None);
    }

    #[test]
    fn who_was_drawn_stands_for_others() {
        let mut look = look(&[], &[]);
        assert_eq!(look.how_many(412), "412");
        look.listed = Listed::Some {
            drawn: 1_000,
            of: 9_990,
        };
        assert_eq!(look.how_many(412), "about 4115");
        look.listed = Listed::Some {
            drawn: 0,
            of: 9_990,
        };
        assert_eq!(look.scaled(3), 3, "nobody was drawn");
    }

    #[test]
    fn what_never_happened_is_zero_only_where_it_is_counted() {
        let old = look(&[("run_id", "a")], &[("run_id", "a")]);
        assert_eq!((old.errors("OOM"), old.calls("keys")), (None, None));
        let counting = [
            ("run_id", "a"),
            ("total_error_replies", "3"),
            ("errorstat_OOM", "count=3"),
            (
                "cmdstat_get",
                "calls=7,usec=21,usec_per_call=3.00,rejected_calls=1,failed_calls=0",
            ),
        ];
        let new = look(&counting, &counting);
        assert_eq!(
            (new.errors("OOM"), new.errors("MISCONF")),
            (Some(3), Some(0))
        );
        assert_eq!((new.calls("get"), new.calls("keys")), (Some(7), Some(0)));
        assert_eq!(new.command("get").map(|row| row.rejected), Some(1));
        assert_eq!(
            (new.errors_rose("OOM"), new.calls_rose("get")),
            (Some(0), Some(0))
        );
    }
}
