//! The server's one core is busy all the time.

use std::collections::BTreeMap;

use crate::facts::{Facts, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::stall;

/// Of a core's time; above it, what comes waits.
const SHARE: f64 = 0.9;

/// A shorter time tells nothing, in seconds.
const SHORTEST_S: f64 = 10.0;

/// For so long without a pause is a risk, though nobody was seen to wait.
const RISK_S: f64 = 30.0;

pub(super) const RULE: Rule = Rule {
    code: Code(608),
    title: "the server's main thread was busy all the time",
    explanation: "All commands run on one core. Where that is busy for more than nine tenths of the time, requests queue, and a small burst \
becomes a long wait for everybody. `used_cpu_user_main_thread` and `used_cpu_sys_main_thread` of INFO (6.2) count it. More cores help \
only with reading and writing sockets (io-threads).",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::Server, Need::ClientLog],
    brings: stall::BRINGS,
    sources: &["redis: server.c genRedisInfoString"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let looks = facts.looks.iter();
    looks.filter_map(|look| of(facts, look)).collect()
}

fn of(facts: &Facts, look: &Look) -> Option<Finding> {
    let before = look.before.as_ref()?;
    // The same process, and its counters were not reset.
    look.rose("total_commands_processed")?;
    let seconds = before.span.as_secs_f64();
    let share = (spent(&look.info)? - spent(&before.info)?) / seconds;
    if seconds < SHORTEST_S || share < SHARE {
        return None;
    }
    let says = format!(
        "the main thread was busy for {:.0} % of {}",
        share * 100.0,
        look.between().unwrap_or_default()
    );
    let felt = stall::during(facts, look);
    let (verdict, confidence) = match felt {
        Some(_) => (Verdict::Cause, Confidence::Likely),
        None if seconds >= RISK_S => (Verdict::Risk, Confidence::Likely),
        None => return None,
    };
    let mut finding = Finding::new(RULE.code, RULE.title, verdict, confidence)
        .at(look.at)
        .supported(look.place("INFO"), says.as_str());
    if let Some(fact) = felt {
        finding = finding.supported(fact.place.clone(), "a call timed out meanwhile");
    }
    let mut claim = format!("{says}: requests wait for one another");
    if let Some((command, part)) = greediest(look) {
        claim = format!("{claim}; {command} took {part:.0} % of the commands' time");
        finding = finding.supported(
            look.place("INFO"),
            format!("{command}: {part:.0} % of the commands' time since start"),
        );
    }
    Some(
        finding
            .claims(format!("{claim}."))
            .fix("the command that takes most (redis-cli INFO commandstats, usec): ask for less, or ask a replica", "", "")
            .fix("connections that are kept, and pipelines: each request alone costs two system calls", "", "")
            .fix("io-threads 4 in redis.conf and a restart, if most of it is sockets; else a cluster of several servers", "a restart", "io-threads 1")
            .checked_by("used_cpu_user_main_thread and used_cpu_sys_main_thread of INFO together rise by less than 0.7 in a second"),
    )
}

fn spent(info: &BTreeMap<String, String>) -> Option<f64> {
    let number = |field: &str| info.get(field)?.parse::<f64>().ok();
    Some(number("used_cpu_user_main_thread")? + number("used_cpu_sys_main_thread")?)
}

/// The command that took most of all commands' time, in hundredths, if it is more than a third.
fn greediest(look: &Look) -> Option<(String, f64)> {
    let all = look
        .commands()
        .fold(0_u64, |all, (_, row)| all.saturating_add(row.micros));
    let (command, row) = look.commands().max_by_key(|(_, row)| row.micros)?;
    let part = row.micros as f64 * 100.0 / all.max(1) as f64;
    (part > 33.0).then(|| (command.to_uppercase(), part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{timeout, together, twice, verdicts};

    fn busy(seconds: u64, spent: f64) -> Facts {
        let info = |user: f64, ran: u64| {
            format!(
                "total_commands_processed:{ran}\nused_cpu_user_main_thread:{user:.3}\nused_cpu_sys_main_thread:1.000\n\
                 cmdstat_hgetall:calls=9,usec=900,usec_per_call=100.00\ncmdstat_get:calls=9,usec=100,usec_per_call=1.00"
            )
        };
        twice(&info(10.0, 100), seconds, &info(10.0 + spent, 900))
    }

    #[test]
    fn a_core_without_a_pause_while_calls_time_out_is_the_cause() {
        let found = check(&together([busy(20, 19.6), timeout("02:58:05")]));
        assert!(
            found[0].claim.contains("98 % of 20 s"),
            "{}",
            found[0].claim
        );
        assert!(
            found[0].claim.contains("HGETALL took 90 %"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn without_timeouts_it_is_a_risk_only_after_a_while() {
        assert_eq!(
            verdicts(check(&busy(60, 58.0))),
            [(Verdict::Risk, Confidence::Likely)]
        );
        assert_eq!(verdicts(check(&busy(20, 19.6))), []);
    }

    #[test]
    fn a_core_with_pauses_a_short_look_and_a_server_that_does_not_count_it_are_in_order() {
        assert_eq!(verdicts(check(&busy(60, 30.0))), []);
        assert_eq!(verdicts(check(&busy(2, 2.0))), []);
        let old = twice(
            "total_commands_processed:1",
            60,
            "total_commands_processed:2",
        );
        assert_eq!(verdicts(check(&old)), []);
    }
}
