//! Clients reconnect faster than they work.

use crate::evidence::counted;
use crate::facts::{Facts, Failure, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// So many new connections a second are no pool that fills.
const RATE_MIN: f64 = 100.0;

/// A connection that carries fewer commands than this was not worth its making.
const COMMANDS_MIN: f64 = 5.0;

pub(super) const RULE: Rule = Rule {
    code: Code(8),
    title: "clients reconnect again and again instead of working",
    explanation: "Every client tries again at once, in the same interval, after the same event: hundreds of connections a second \
that carry a command or two. They keep the server from everything else, each failure makes another attempt, and it does not end \
by itself. What began it may be long over.",
    messages: &[
        "Timeout connecting to server",
        "max number of clients reached",
        "Connection reset by peer",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[Code(105), Code(107)],
    sources: &[
        "redis: networking.c",
        "AWS builders' library: timeouts, retries and backoff with jitter",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let failed = facts.client_log.iter().filter(|fact| {
        matches!(
            fact.what.failure,
            Failure::ConnectTimeout
                | Failure::Refused
                | Failure::MaxClients
                | Failure::Reset
                | Failure::Closed
        )
    });
    let failed: Vec<_> = failed.collect();
    facts
        .looks
        .iter()
        .filter_map(|look| of_look(look, &failed))
        .collect()
}

fn of_look(
    look: &Look,
    failed: &[&crate::facts::Fact<crate::facts::ClientLine>],
) -> Option<Finding> {
    let rate = look.rate("total_connections_received")?;
    let commands = look.rate("total_commands_processed")?;
    if rate < RATE_MIN || commands / rate >= COMMANDS_MIN {
        return None;
    }
    let (verdict, confidence) = if failed.is_empty() {
        (Verdict::Risk, Confidence::Possible)
    } else {
        (Verdict::Cause, Confidence::Likely)
    };
    let says = format!(
        "{rate:.0} new connections a second, and {:.1} commands on each",
        commands / rate
    );
    let mut finding = Finding::new(RULE.code, RULE.title, verdict, confidence)
        .at(look.at)
        .struck(&*look.source)
        .claims(format!(
            "{says}, over {}.",
            look.between().unwrap_or_default()
        ))
        .supported(look.place("INFO"), says);
    if let Some(first) = failed.first() {
        finding = finding.at(first.at).supported(
            first.place.clone(),
            format!(
                "{} failed for want of a connection",
                counted(failed.len(), "call", "calls")
            ),
        );
    }
    Some(
        finding
            .fix("clients: exponential backoff with full jitter and a cap, a few tries in all (Retry(ExponentialWithJitterBackoff(base=0.1, cap=5), 5) of redis-py), a breaker above them", "each client comes back later", "")
            .fix("stop-gap: stop the largest group of clients, and start it again in parts", "that part is away meanwhile", "start it")
            .checked_by("total_connections_received of INFO grows by less than a hundredth of total_commands_processed"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

    fn twice(connections: u64, commands: u64) -> Facts {
        let info = |connections: u64, commands: u64, uptime: u64| {
            pasted(&format!(
                "run_id:abc\nuptime_in_seconds:{uptime}\nserver_time_usec:{}\ntotal_connections_received:{connections}\ntotal_commands_processed:{commands}\n",
                1_795_402_691_000_000_u64 + uptime * 1_000_000
            ))
        };
        let mut facts = info(1_000, 1_000_000, 1_000);
        facts.add(info(1_000 + connections, 1_000_000 + commands, 1_010));
        facts.sort();
        facts
    }

    #[test]
    fn a_storm_that_calls_fail_in_is_likely() {
        let mut facts = twice(5_000, 7_500);
        let found = check(&facts);
        assert!(
            found[0]
                .claim
                .contains("500 new connections a second, and 1.5 commands"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
        facts.add(application(
            "2026-11-23T02:58:11Z redis.exceptions.TimeoutError: Timeout connecting to server\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn busy_connections_and_a_pool_that_fills_are_in_order() {
        assert_eq!(verdicts(check(&twice(5_000, 500_000))), []);
        assert_eq!(verdicts(check(&twice(300, 600))), []);
    }
}
