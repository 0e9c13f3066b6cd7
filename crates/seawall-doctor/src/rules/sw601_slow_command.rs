//! A command holds up all others.

use std::collections::BTreeMap;

use crate::facts::{Facts, Failure, Slow};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// A command below this is felt by nobody: a tenth of a second.
const FELT_MICROS: u64 = 100_000;

/// A timeout so many seconds around the command is its doing: timeouts are told when they end.
const AROUND_S: i64 = 15;

pub(super) const RULE: Rule = Rule {
    code: Code(601),
    title: "a slow command held up all others",
    explanation: "The server runs one command at a time. While KEYS, a large SORT, a script or a huge range runs, everybody \
waits, and calls time out that did nothing wrong. SLOWLOG keeps the last ones; it does not count the time that others waited.",
    messages: &[
        "Timeout reading from socket",
        "Timeout reading from",
        "Command timed out",
        "Read timed out",
        "i/o timeout",
    ],
    needs: &[Need::Server],
    brings: &[],
    sources: &["redis: slowlog.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let timeouts: Vec<_> = facts
        .failures(Failure::ReadTimeout)
        .filter_map(|fact| Some((fact, fact.at?)))
        .collect();
    let mut found = Vec::new();
    for look in &facts.looks {
        let mut worst: BTreeMap<&str, Vec<&Slow>> = BTreeMap::new();
        for slow in look.slow.iter().filter(|slow| slow.micros >= FELT_MICROS) {
            worst.entry(&slow.command).or_default().push(slow);
        }
        for (command, runs) in worst {
            let longest = runs.iter().map(|slow| slow.micros).max().unwrap_or(0);
            let struck = timeouts.iter().find_map(|(fact, at)| {
                let slow = runs.iter().find(|slow| near(slow, at.0))?;
                Some((*fact, *slow))
            });
            let verdict = if struck.is_some() {
                Verdict::Cause
            } else {
                Verdict::Risk
            };
            let confidence = if struck.is_some() {
                Confidence::Strong
            } else {
                Confidence::Possible
            };
            let says = format!(
                "{command} ran {} times for 0.1 s or more, {:.2} s at the longest",
                runs.len(),
                longest as f64 / 1e6
            );
            let mut finding = Finding::new(
                RULE.code,
                format!("{} ({command})", RULE.title),
                verdict,
                confidence,
            )
            .claims(format!("{says}; nothing else runs meanwhile."))
            .supported(look.place("SLOWLOG"), says);
            for slow in &runs {
                finding = finding.at(Some(slow.at)).struck(host(&slow.addr));
            }
            if let Some((fact, slow)) = struck {
                let words = format!(
                    "a call timed out within {AROUND_S} s of the one at {}",
                    slow.at
                );
                finding = finding.supported(fact.place.clone(), words);
            }
            found.push(finding.fix(instead_of(command), "", "").checked_by(
                "redis-cli SLOWLOG RESET, then SLOWLOG GET after an hour: it does not come again",
            ));
        }
    }
    found
}

fn near(slow: &Slow, millis: i64) -> bool {
    let from = slow.at.plus_seconds(-1).0;
    let to = slow.at.plus_seconds(AROUND_S).0 + i64::try_from(slow.micros / 1_000).unwrap_or(0);
    (from..=to).contains(&millis)
}

fn host(addr: &str) -> &str {
    addr.rsplit_once(':').map_or(addr, |(host, _)| host)
}

fn instead_of(command: &str) -> &'static str {
    match command {
        "KEYS" => "SCAN with MATCH instead of KEYS",
        "SMEMBERS" | "SUNION" | "SINTER" | "SDIFF" => "SSCAN, or smaller sets",
        "HGETALL" | "HVALS" | "HKEYS" => "HSCAN or HMGET of the fields that are wanted",
        "LRANGE" | "ZRANGE" | "ZREVRANGE" | "ZRANGEBYSCORE" => "windows of some hundreds",
        "EVAL" | "EVALSHA" | "FCALL" => "a shorter script, over fewer keys",
        "DEL" => "UNLINK instead of DEL for large values",
        "FLUSHALL" | "FLUSHDB" => "FLUSHALL ASYNC, FLUSHDB ASYNC",
        _ => "ask for less at a time, or on a replica",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Look, Reach};
    use crate::stamp::Stamp;
    use crate::testing::{application, verdicts};

    fn slow(micros: u64) -> Facts {
        let mut look = Look::new("cache:6379", None, Reach::Answered);
        let at = Stamp::of((2026, 11, 23), (2, 58, 6), 0).expect("a date");
        look.slow.push(Slow {
            at,
            micros,
            command: "KEYS".to_owned(),
            addr: "10.0.0.7:5".to_owned(),
        });
        let mut facts = Facts::default();
        facts.looks.push(look);
        facts
    }

    #[test]
    fn a_timeout_beside_it_makes_it_the_cause() {
        let mut facts = slow(4_000_000);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        facts.add(application(
            "2026-11-23T02:58:11Z TimeoutError: Timeout reading from cache:6379\n",
        ));
        let found = check(&facts);
        assert!(found[0].fixes[0].action.contains("SCAN"));
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_timeout_hours_later_is_not_its_doing_and_a_short_one_is_felt_by_nobody() {
        let mut facts = slow(4_000_000);
        facts.add(application(
            "2026-11-23T05:58:11Z TimeoutError: Timeout reading from cache:6379\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        assert_eq!(verdicts(check(&slow(20_000))), []);
    }
}
