use super::{Availability, Effects, Hearing, Naming, Timing};
use std::collections::BTreeMap;
use std::time::Duration;

/// A run's judgement.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// Calls made.
    pub calls: u64,
    /// How much was answered of what could be.
    pub availability: Availability,
    /// Doubled, lost, mismatched.
    pub effects: Effects,
    /// What became of published messages, over all subscriptions; none if there were none.
    pub hearing: Option<Hearing>,
    /// Hung, worst, first good answer.
    pub timing: Timing,
    /// Causes.
    pub naming: Naming,
    /// The first few lines of the contender that are not part of the protocol.
    pub breaches: Vec<String>,
    /// How many there were.
    pub breach_count: u64,
    /// How the contender ended, if before its time.
    pub died: Option<String>,
    /// The contender's own counts.
    pub stats: Vec<(String, u64)>,
    /// By how much the lab itself was late at worst.
    pub lab_late: Duration,
    /// Calls made by command, lower case.
    pub made: BTreeMap<String, u64>,
    /// What the server counted.
    pub counts: ServerCounts,
    /// What fell short, in words; empty if nothing did.
    pub shortfalls: Vec<String>,
}

impl Score {
    /// Runs too many, and messages delivered twice.
    pub fn doubled(&self) -> u64 {
        self.effects.doubled + self.hearing.as_ref().map_or(0, |hearing| hearing.doubled)
    }

    /// Acknowledged writes that are gone, and messages that are missing without a word.
    pub fn lost(&self) -> u64 {
        self.effects.lost + self.hearing.as_ref().map_or(0, |hearing| hearing.lost)
    }

    /// Replies of other calls, and messages of other channels.
    pub fn mismatched(&self) -> u64 {
        self.effects.mismatched + self.hearing.as_ref().map_or(0, |hearing| hearing.foreign)
    }
}

/// What the server itself counted during the run. A restart begins it anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerCounts {
    /// Runs by command, lower case (INFO commandstats).
    pub commands: BTreeMap<String, u64>,
    /// Errors by their first word (INFO errorstats).
    pub errors: BTreeMap<String, u64>,
    /// Connections that it accepted, the lab's own included (INFO stats).
    pub connections: u64,
}

impl ServerCounts {
    /// Connections that were not the lab's own. Each of the lab's says AUTH, once; a contender does only in scenarios that
    /// give it credentials, where this is not asked for.
    pub fn theirs(&self) -> u64 {
        let own = self.commands.get("auth").copied().unwrap_or(0);
        self.connections.saturating_sub(own)
    }

    /// Reads the three sections of INFO.
    pub fn from_info(
        commandstats: &BTreeMap<String, String>,
        errorstats: &BTreeMap<String, String>,
        stats: &BTreeMap<String, String>,
    ) -> Self {
        let connections = stats.get("total_connections_received");
        Self {
            commands: counts(commandstats, "cmdstat_", "calls="),
            errors: counts(errorstats, "errorstat_", "count="),
            connections: connections
                .and_then(|count| count.parse().ok())
                .unwrap_or(0),
        }
    }
}

fn counts(section: &BTreeMap<String, String>, prefix: &str, field: &str) -> BTreeMap<String, u64> {
    let count = |value: &str| {
        value
            .split(',')
            .find_map(|part| part.strip_prefix(field)?.parse().ok())
    };
    section
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), count(value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_counts_are_read_from_info() {
        let section =
            |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let counts = ServerCounts::from_info(
            &section(
                "cmdstat_lrange",
                "calls=8,usec=31,usec_per_call=3.9,rejected_calls=0,failed_calls=0",
            ),
            &section("errorstat_WRONGPASS", "count=5"),
            &section("total_connections_received", "34"),
        );
        assert_eq!(counts.commands["lrange"], 8);
        assert_eq!(counts.errors["WRONGPASS"], 5);
        assert_eq!(counts.connections, 34);
    }
}
