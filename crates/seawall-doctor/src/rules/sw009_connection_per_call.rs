//! A connection is made for every call.

use crate::facts::{Facts, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// Fewer a second cost nobody anything.
const RATE_MIN: f64 = 10.0;

/// A connection of a pool carries thousands.
const COMMANDS_MIN: f64 = 5.0;

/// Fewer in a short while are no rate: a worker that starts fills its pool.
const COUNTED_MIN: u64 = 20;

/// Above this it is a storm, and another rule's.
const RATE_MAX: f64 = 100.0;

pub(super) const RULE: Rule = Rule {
    code: Code(9),
    title: "a connection is made for almost every call",
    explanation: "Without a pool, or with a client that is made for each request, every call pays for a connection (and TLS), and \
the client's host is left with a port in TIME_WAIT for a minute each: 28,000 in a minute, and it has none left.",
    messages: &[
        "Cannot assign requested address",
        "Timeout connecting to server",
    ],
    needs: &[Need::Server],
    brings: &[],
    sources: &["redis-py#1186", "linux: net.ipv4.ip_local_port_range"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts.looks.iter().filter_map(of_look).collect()
}

fn of_look(look: &Look) -> Option<Finding> {
    let counted = look.rose("total_connections_received") >= Some(COUNTED_MIN);
    let rates = look
        .rate("total_connections_received")
        .zip(look.rate("total_commands_processed"))
        .filter(|_| counted);
    let (rate, commands, over) = if let Some((rate, commands)) = rates {
        (rate, commands, format!("over {}", look.between()?))
    } else {
        let uptime = look
            .number("uptime_in_seconds")
            .filter(|seconds| *seconds >= 600)? as f64;
        let total = |field: &str| Some(look.number(field)? as f64 / uptime);
        (
            total("total_connections_received")?,
            total("total_commands_processed")?,
            look.counting_since(),
        )
    };
    if !(RATE_MIN..RATE_MAX).contains(&rate) || commands / rate >= COMMANDS_MIN {
        return None;
    }
    let says = format!(
        "{rate:.0} new connections a second, and {:.1} commands on each, {over}",
        commands / rate
    );
    Some(
        Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible)
            .at(look.at)
            .struck(&*look.source)
            .claims(format!("{says}."))
            .supported(look.place("INFO"), says)
            .fix("one client with a pool for each process, made once (module, app factory), not for each request; PHP: pconnect", "as many connections as the pool has, all the time", "")
            .checked_by("total_commands_processed grows a hundred times as fast as total_connections_received"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, twice, verdicts};

    fn info(connections: u64, commands: u64) -> Facts {
        pasted(&format!(
            "run_id:a\nuptime_in_seconds:1000\ntotal_connections_received:{connections}\ntotal_commands_processed:{commands}\n"
        ))
    }

    #[test]
    fn two_commands_a_connection_all_day_is_a_risk() {
        let found = check(&info(50_000, 100_000));
        assert!(
            found[0].claim.contains(
                "50 new connections a second, and 2.0 commands on each, since start, 16 min"
            ),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
    }

    #[test]
    fn a_handful_in_a_moment_is_no_rate() {
        let stats = |connections: u64| {
            format!(
                "total_connections_received:{connections}\ntotal_commands_processed:{}",
                connections * 2
            )
        };
        let over = |count: u64| check(&twice(&stats(10), 1, &stats(10 + count)));
        assert_eq!(verdicts(over(12)), []);
        assert_eq!(verdicts(over(30)), [(Verdict::Risk, Confidence::Possible)]);
    }

    #[test]
    fn a_pool_and_a_server_that_few_use_are_in_order() {
        assert_eq!(verdicts(check(&info(50_000, 10_000_000))), []);
        assert_eq!(verdicts(check(&info(500, 900))), []);
    }
}
