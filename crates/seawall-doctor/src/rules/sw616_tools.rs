//! Tools that watch the server take its time.

use crate::facts::{Facts, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// What tools ask, and applications do not.
const ASKED: &[&str] = &[
    "client|list",
    "info",
    "keys",
    "scan",
    "slowlog|get",
    "config|get",
    "command",
    "command|docs",
    "memory|usage",
    "memory|stats",
    "memory|doctor",
    "cluster|slots",
    "cluster|nodes",
    "cluster|shards",
    "dbsize",
];

/// More hundredths of the server's time than this are too many.
const PERCENT: f64 = 10.0;

/// A shorter time may be a look of this very doctor, in seconds.
const SHORTEST_S: f64 = 10.0;

pub(super) const RULE: Rule = Rule {
    code: Code(616),
    title: "tools that watch the server take its time",
    explanation: "CLIENT LIST with thousands of clients, KEYS of an exporter, CLUSTER SLOTS at each connection, COMMAND at each start of a \
short-lived client: each holds everybody up for some milliseconds, and in numbers they take the server's time. INFO commandstats has it \
by command.",
    messages: &[],
    needs: &[Need::Server],
    sources: &["redis: server.c call"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts.looks.iter().filter_map(of).collect()
}

fn of(look: &Look) -> Option<Finding> {
    let before = look.before.as_ref()?;
    let seconds = before.span.as_secs_f64();
    if seconds < SHORTEST_S {
        return None;
    }
    // The same process, and its counters were not reset.
    look.rose("total_commands_processed")?;
    let then = {
        let mut then = Look::new(&before.source, None, look.reach.clone());
        then.info.clone_from(&before.info);
        then
    };
    let mut took: Vec<_> = ASKED
        .iter()
        .filter_map(|name| {
            let (now, then) = (look.command(name)?, then.command(name)?);
            let micros = now.micros.checked_sub(then.micros)?;
            Some((micros as f64 / (seconds * 10_000.0), *name))
        })
        .collect();
    took.sort_by(|one, other| other.0.total_cmp(&one.0));
    let share: f64 = took.iter().map(|(share, _)| share).sum();
    let (most, name) = *took.first()?;
    if share < PERCENT {
        return None;
    }
    let says = format!(
        "{share:.0} % of {} went for what tools ask, {most:.0} % for {}",
        look.between().unwrap_or_default(),
        name.replace('|', " ").to_uppercase()
    );
    Some(
        Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Likely)
            .supported(look.place("INFO"), says.as_str())
            .claims(format!("{says}: nothing else runs meanwhile."))
            .fix("redis-cli CLIENT LIST: names and addresses of those whose cmd= it is; have them ask each minute, and only what they show", "", "")
            .fix("watch a replica instead", "", "")
            .checked_by("usec of these rows of INFO commandstats rise by less than a hundredth of the time"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{twice, verdicts};

    fn counted(seconds: u64, micros: u64) -> Facts {
        let info = |ran: u64, usec: u64| {
            format!(
                "total_commands_processed:{ran}\ncmdstat_client|list:calls={ran},usec={usec},usec_per_call=1.00"
            )
        };
        twice(&info(100, 1_000), seconds, &info(200, 1_000 + micros))
    }

    #[test]
    fn a_tool_that_takes_a_fifth_of_the_time_is_told() {
        let found = check(&counted(60, 12_000_000));
        assert!(
            found[0].claim.contains("20 % of 60 s"),
            "{}",
            found[0].claim
        );
        assert!(found[0].claim.contains("CLIENT LIST"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Likely)]);
    }

    #[test]
    fn now_and_then_and_a_short_look_are_in_order() {
        assert_eq!(verdicts(check(&counted(60, 300_000))), []);
        assert_eq!(verdicts(check(&counted(1, 900_000))), []);
    }
}
