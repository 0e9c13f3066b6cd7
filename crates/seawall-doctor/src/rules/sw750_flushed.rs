//! Somebody emptied the server.

use crate::commands::host;
use crate::facts::{Facts, Look, Slow};
use crate::finding::{Confidence, Finding, Verdict};
use crate::memory::keyspace;
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(750),
    title: "somebody emptied the server (FLUSHALL, FLUSHDB)",
    explanation: "All keys are gone at once, and nobody is told: sessions, queues, locks, cached pages. A test suite with the wrong URL, a \
deploy script, an operator, or somebody who broke in (then other keys may stand there instead). INFO commandstats counts it, by server \
and not by who; SLOWLOG and ACL users tell more. Eviction and expiry have counters of their own.",
    messages: &[],
    needs: &[Need::Server],
    sources: &["redis: db.c flushallCommand", "redis#3150"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts.looks.iter().filter_map(of).collect()
}

fn of(look: &Look) -> Option<Finding> {
    let sum = |count: fn(&Look, &str) -> Option<u64>| -> Option<u64> {
        Some(count(look, "flushall")?.saturating_add(count(look, "flushdb")?))
    };
    let calls = sum(Look::calls)?;
    let rose = sum(Look::calls_rose);
    let keys = keyspace(&look.info)?.keys;
    let before = look
        .before
        .as_ref()
        .and_then(|before| keyspace(&before.info));
    let lost = before.map_or(0, |before| before.keys.saturating_sub(keys));
    let ran: Vec<_> = look
        .slow
        .iter()
        .filter(|slow| matches!(slow.command.as_str(), "FLUSHALL" | "FLUSHDB"))
        .collect();
    let says = match rose {
        Some(rose) if rose > 0 && lost > 0 => format!(
            "FLUSHALL or FLUSHDB ran {} in {}, and {lost} keys are gone",
            crate::facts::times(usize::try_from(rose).unwrap_or(usize::MAX)),
            look.between().unwrap_or_default()
        ),
        Some(rose) if rose > 0 && keys == 0 => format!(
            "FLUSHALL or FLUSHDB ran {} in {}, and no key is there",
            crate::facts::times(usize::try_from(rose).unwrap_or(usize::MAX)),
            look.between().unwrap_or_default()
        ),
        // How many calls there were since start proves no incident, unless the server is empty.
        _ if calls > 0 && keys == 0 => format!(
            "no key is there, and FLUSHALL or FLUSHDB ran {} {}",
            crate::facts::times(usize::try_from(calls).unwrap_or(usize::MAX)),
            look.counting_since()
        ),
        _ => return None,
    };
    let (verdict, confidence) = match rose {
        Some(rose) if rose > 0 && lost > keys => (Verdict::Cause, Confidence::Proved),
        // How many keys there were just before it is not told.
        Some(rose) if rose > 0 => (Verdict::Cause, Confidence::Likely),
        // SLOWLOG names when it was, and from where; that much was in it.
        _ if !ran.is_empty() => (Verdict::Cause, Confidence::Likely),
        _ => (Verdict::Risk, Confidence::Possible),
    };
    let mut finding = Finding::new(RULE.code, RULE.title, verdict, confidence)
        .supported(look.place("INFO"), says.as_str());
    let mut claim = says;
    for slow in &ran {
        finding = finding
            .at(Some(slow.at))
            .struck(format!("sent from {}", host(&slow.addr)))
            .supported(look.place("SLOWLOG"), entry(slow));
    }
    if let Some(slow) = ran.last() {
        claim = format!("{claim}: {}", entry(slow));
    }
    Some(
        finding
            .silently()
            .claims(format!("{claim}."))
            .fix(
                "a dump of before, or a replica that was not connected: copy it away first; redis-cli CONFIG SET save '' so that no save overwrites the dump",
                "until it is set again nothing is saved",
                "redis-cli CONFIG SET save '<old>'",
            )
            .fix(
                "redis-cli ACL SETUSER <each application's user> -flushall -flushdb",
                "what calls it gets NOPERM: ACL LOG then names who",
                "redis-cli ACL SETUSER <user> +flushall +flushdb",
            )
            .checked_by("flushall and flushdb of INFO commandstats stay as they are"),
    )
}

fn entry(slow: &Slow) -> String {
    format!("{} at {} from {}", slow.command, slow.at, host(&slow.addr))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, slowlog, together, twice, verdicts};

    fn info(calls: u64, keys: u64) -> String {
        let row = if keys > 0 {
            format!("\ndb0:keys={keys},expires=0,avg_ttl=0")
        } else {
            String::new()
        };
        format!(
            "total_commands_processed:{}\ncmdstat_flushall:calls={calls},usec=9,usec_per_call=9.00{row}",
            900 + calls
        )
    }

    #[test]
    fn a_call_and_keys_that_are_gone_are_proof() {
        let found = check(&twice(&info(0, 40_000), 600, &info(1, 12)));
        assert!(
            found[0]
                .claim
                .contains("ran once in 10 min, and 39988 keys"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn a_call_that_left_nothing_is_told_though_nobody_looked_before_it() {
        let found = check(&twice(&info(0, 0), 600, &info(1, 0)));
        assert!(
            found[0].claim.contains("no key is there"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn slowlog_names_when_and_from_where() {
        let empty = pasted(&format!(
            "# Server\nrun_id:a\nuptime_in_seconds:900\n{}\n",
            info(1, 0)
        ));
        let found = check(&together([empty, slowlog("flushall", 131)]));
        assert!(
            found[0].claim.contains("from 10.0.0.7"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn a_count_since_start_is_a_risk_at_the_most() {
        let since = |calls: u64, keys: u64| {
            pasted(&format!(
                "# Server\nrun_id:a\nuptime_in_seconds:900\n{}\n",
                info(calls, keys)
            ))
        };
        assert_eq!(
            verdicts(check(&since(3, 0))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        assert_eq!(verdicts(check(&since(3, 4_000))), []);
        assert_eq!(verdicts(check(&since(0, 0))), []);
    }

    #[test]
    fn a_flush_of_nothing_and_keys_that_go_otherwise_are_in_order() {
        assert_eq!(verdicts(check(&twice(&info(1, 0), 600, &info(2, 40)))), []);
        assert_eq!(
            verdicts(check(&twice(&info(1, 40_000), 600, &info(1, 12)))),
            []
        );
    }
}
