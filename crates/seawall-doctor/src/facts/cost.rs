//! What a look cost the server that was looked at.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::look::command_stats;

/// What a look cost the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost {
    /// How many commands it was asked.
    pub commands: u64,
    /// From each question to its answer, together: the server cannot have spent more on them.
    pub waited: Duration,
    /// How long the whole look took.
    pub lasted: Duration,
    /// What the server itself counts for each of them; empty where its INFO has no commandstats.
    pub spent: Vec<Spent>,
}

/// What a server counts for commands of one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spent {
    /// As INFO commandstats names it: `client|list`, before 7.0 `client`.
    pub command: String,
    /// How often the look has asked it.
    pub calls: u64,
    /// How long the server was at it, all calls together.
    pub took: Duration,
}

impl Cost {
    /// Of another look at the same process.
    pub(super) fn add(&mut self, other: Self) {
        self.commands += other.commands;
        self.waited += other.waited;
        self.lasted += other.lasted;
        self.spent.extend(other.spent);
    }

    /// How long the server was at the look's commands, where it tells.
    pub fn took(&self) -> Option<Duration> {
        (!self.spent.is_empty()).then(|| self.spent.iter().map(|one| one.took).sum())
    }

    /// Each command, what took longest first: `CLIENT LIST 2.50 ms, INFO 0.30 ms in 3 calls`.
    pub fn each(&self) -> String {
        let mut dear: Vec<_> = self.spent.iter().collect();
        dear.sort_by_key(|one| std::cmp::Reverse(one.took));
        let of = |one: &Spent| {
            let name = one.command.replace('|', " ").to_uppercase();
            let calls = match one.calls {
                1 => String::new(),
                calls => format!(" in {calls} calls"),
            };
            format!("{name} {:.2} ms{calls}", millis(one.took))
        };
        dear.into_iter().map(of).collect::<Vec<_>>().join(", ")
    }

    /// Which part of the server's time that is, while it was looked at: of its one thread that runs commands. 0.01 is a
    /// hundredth.
    pub fn share(&self) -> Option<f64> {
        let lasted = self.lasted.as_secs_f64();
        (lasted > 0.0).then(|| Some(self.took()?.as_secs_f64() / lasted))?
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lasted = millis(self.lasted);
        let Some((took, share)) = self.took().zip(self.share()) else {
            return write!(
                f,
                "{} commands in {lasted:.0} ms; their answers took {:.1} ms together, the way there and back included: what of \
                 it was the server's time it does not tell",
                self.commands,
                millis(self.waited)
            );
        };
        write!(
            f,
            "{:.2} % of the server's time: {} commands took it {:.2} ms of {lasted:.0} ms, by its own count",
            share * 100.0,
            self.commands,
            millis(took),
        )
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// Reckons what so many calls of ours took, by what the server counts: others call the same commands, so that each of ours
/// is taken for an average one of those that were counted between two INFO. What was called before the first one, or is
/// counted nowhere in between (the last INFO itself), is taken for an average one since the server counts. `asked` has the
/// command and its subcommand, if it has any.
pub(crate) fn reckon(
    asked: &BTreeMap<(String, Option<String>), u64>,
    first: &BTreeMap<String, String>,
    last: &BTreeMap<String, String>,
) -> Vec<Spent> {
    let mut spent: BTreeMap<String, (u64, Duration)> = BTreeMap::new();
    for ((command, sub), calls) in asked {
        let full = sub.as_ref().map(|sub| format!("{command}|{sub}"));
        let counted = |name: &String| last.contains_key(&format!("cmdstat_{name}"));
        // Before 7.0 a command is counted with all its subcommands.
        let name = full.filter(counted).unwrap_or_else(|| command.clone());
        let Some(now) = counted(&name).then(|| command_stats(last, &name)).flatten() else {
            // Refused before it ran.
            continue;
        };
        let then = command_stats(first, &name).unwrap_or_default();
        let between = now
            .calls
            .checked_sub(then.calls)
            .filter(|calls| *calls > 0)
            .zip(now.micros.checked_sub(then.micros));
        let (of, micros) = between.unwrap_or((now.calls, now.micros));
        if of > 0 {
            let ours = u128::from(micros) * 1_000 * u128::from(*calls) / u128::from(of);
            let took = Duration::from_nanos(u64::try_from(ours).unwrap_or(u64::MAX));
            let sum = spent.entry(name).or_default();
            *sum = (sum.0 + calls, sum.1.saturating_add(took));
        }
    }
    let of = |(command, (calls, took))| Spent {
        command,
        calls,
        took,
    };
    spent.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(rows: &[(&str, u64, u64)]) -> BTreeMap<String, String> {
        let row = |(name, calls, micros): &(&str, u64, u64)| {
            (
                format!("cmdstat_{name}"),
                format!("calls={calls},usec={micros},usec_per_call=1.0"),
            )
        };
        rows.iter().map(row).collect()
    }

    fn asked(all: &[(&str, Option<&str>, u64)]) -> BTreeMap<(String, Option<String>), u64> {
        let one = |(command, sub, calls): &(&str, Option<&str>, u64)| {
            (((*command).to_owned(), sub.map(str::to_owned)), *calls)
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn of_what_others_call_too_ours_are_taken_for_average_ones() {
        let first = info(&[("client|list", 10, 90_000), ("info", 4, 400)]);
        let last = info(&[
            ("client|list", 14, 110_000),
            ("info", 5, 520),
            ("ping", 8, 16),
        ]);
        let ours = asked(&[
            ("client", Some("list"), 1),
            ("info", None, 2),
            ("ping", None, 1),
        ]);
        let spent = reckon(&ours, &first, &last);
        let told: Vec<_> = spent
            .iter()
            .map(|one| (one.command.as_str(), one.calls, one.took.as_micros()))
            .collect();
        assert_eq!(
            told,
            [("client|list", 1, 5_000), ("info", 2, 240), ("ping", 1, 2)]
        );
    }

    #[test]
    fn an_old_server_counts_commands_with_all_their_subcommands() {
        let first = info(&[("config", 0, 0)]);
        let last = info(&[("config", 30, 300)]);
        let ours = asked(&[("config", Some("get"), 20), ("client", Some("list"), 1)]);
        let spent = reckon(&ours, &first, &last);
        assert_eq!(spent.len(), 1, "CLIENT was refused: {spent:?}");
        assert_eq!((spent[0].calls, spent[0].took.as_micros()), (20, 200));
    }

    #[test]
    fn counters_that_were_reset_are_taken_as_they_are() {
        let first = info(&[("info", 100, 90_000)]);
        let last = info(&[("info", 2, 200)]);
        let spent = reckon(&asked(&[("info", None, 3)]), &first, &last);
        assert_eq!(spent[0].took.as_micros(), 300);
    }

    #[test]
    fn the_line_says_what_it_is_measured_against() {
        let mut cost = Cost {
            commands: 12,
            waited: Duration::from_millis(4),
            lasted: Duration::from_millis(400),
            spent: Vec::new(),
        };
        assert_eq!(cost.share(), None);
        assert!(cost.to_string().ends_with("it does not tell"), "{cost}");
        let took = [("ping", 1), ("info", 300), ("client|list", 2_500)];
        cost.spent = took
            .map(|(command, micros)| Spent {
                command: command.to_owned(),
                calls: 1,
                took: Duration::from_micros(micros),
            })
            .to_vec();
        assert_eq!(
            cost.to_string(),
            "0.70 % of the server's time: 12 commands took it 2.80 ms of 400 ms, by its own count"
        );
        assert_eq!(
            cost.each(),
            "CLIENT LIST 2.50 ms, INFO 0.30 ms, PING 0.00 ms"
        );
        cost.spent[1].calls = 3;
        assert!(cost.each().contains("INFO 0.30 ms in 3 calls"));
    }
}
