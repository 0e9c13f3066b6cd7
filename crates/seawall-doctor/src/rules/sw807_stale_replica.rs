//! A replica answers with what was true a while ago.

use crate::facts::{Facts, Look, bytes, span};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// Replicas acknowledge every second: so many seconds are no jitter. It is `min-replicas-max-lag`'s default, too.
const LAG_S: u64 = 10;

pub(super) const RULE: Rule = Rule {
    code: Code(807),
    title: "a replica is behind its primary",
    explanation: "Replication is asynchronous. A replica whose link is down, or that has not acknowledged for seconds, answers \
with old values, and what was just written seems to be missing. Reads that must see their own writes belong on the primary, or \
after WAIT.",
    messages: &[],
    needs: &[Need::Server],
    brings: &[],
    sources: &["redis: replication.c", "redis: server.c genRedisInfoString"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts
        .looks
        .iter()
        .flat_map(|look| {
            let cut = cut_off(look);
            cut.into_iter().chain(lagging(look))
        })
        .collect()
}

/// The replica's own account.
fn cut_off(look: &Look) -> Option<Finding> {
    let status = look.info.get("master_link_status")?;
    let down = look.number("master_link_down_since_seconds").unwrap_or(0);
    if status != "down" || down < LAG_S {
        return None;
    }
    let finding = Finding::new(
        RULE.code,
        RULE.title,
        Verdict::Contributing,
        Confidence::Likely,
    )
    .at(look.at)
    .struck(&*look.source)
    .claims(format!(
        "The replica has had no link to its primary for {}: what it answers is as old as that.",
        span(down)
    ))
    .supported(
        look.place("INFO"),
        format!("master_link_status:down, for {}", span(down)),
    );
    Some(advised(finding))
}

/// The primary's account: `slave0:ip=127.0.0.1,port=6380,state=online,offset=28,lag=1`.
fn lagging(look: &Look) -> Vec<Finding> {
    let mine = look.number("master_repl_offset").unwrap_or(0);
    let slaves = look.info.iter().filter(|(name, value)| {
        name.strip_prefix("slave")
            .is_some_and(|rest| rest.parse::<u16>().is_ok())
            && value.contains("state=online")
    });
    let mut found = Vec::new();
    for (_, value) in slaves {
        let part = |name: &str| {
            value
                .split(',')
                .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        };
        let lag = part("lag").and_then(|lag| lag.parse().ok()).unwrap_or(0);
        if lag < LAG_S {
            continue;
        }
        let offset: u64 = part("offset")
            .and_then(|offset| offset.parse().ok())
            .unwrap_or(mine);
        let who = format!(
            "replica {}:{}",
            part("ip").unwrap_or("?"),
            part("port").unwrap_or("?")
        );
        let says = format!(
            "{who} acknowledged last {lag} s ago, and is {} behind",
            bytes(mine.saturating_sub(offset))
        );
        let finding = Finding::new(
            RULE.code,
            RULE.title,
            Verdict::Contributing,
            Confidence::Likely,
        )
        .at(look.at)
        .struck(who)
        .claims(format!("{says}."))
        .supported(look.place("INFO"), says);
        found.push(advised(finding));
    }
    found
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("read from the primary what must be current, or WAIT 1 100 after the write", "WAIT takes as long as the replica does", "")
        .fix("look why it is behind: seawall doctor with the replica's log", "", "")
        .checked_by("lag of its slave line in the primary's INFO stays 0 or 1, and master_link_status:up on the replica")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, verdicts};

    #[test]
    fn a_replica_that_acknowledges_late_is_told_with_its_distance() {
        let found = check(&pasted(
            "role:master\nconnected_slaves:1\nslave0:ip=10.0.0.9,port=6379,state=online,offset=1000000,lag=47\nmaster_repl_offset:6000000\n",
        ));
        assert!(
            found[0].claim.contains("47 s ago, and is 5.0 MB behind"),
            "{}",
            found[0].claim
        );
        assert_eq!(
            verdicts(found),
            [(Verdict::Contributing, Confidence::Likely)]
        );
    }

    #[test]
    fn a_link_that_is_down_is_told_by_the_replica() {
        let down = "role:slave\nmaster_link_status:down\nmaster_link_down_since_seconds:300\n";
        assert_eq!(check(&pasted(down)).len(), 1);
        assert_eq!(verdicts(check(&pasted(&down.replace("300", "2")))), []);
    }

    #[test]
    fn a_replica_that_follows_is_in_order() {
        let healthy = "role:master\nslave0:ip=127.0.0.1,port=23812,state=online,offset=28,lag=1\nmaster_repl_offset:90000000\n";
        assert_eq!(verdicts(check(&pasted(healthy))), []);
        assert_eq!(
            verdicts(check(&pasted("role:slave\nmaster_link_status:up\n"))),
            []
        );
    }
}
