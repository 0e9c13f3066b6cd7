//! Giving back the memory of a large key holds everybody up.

use crate::commands::{self, Kind};
use crate::facts::Facts;
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::stall;

/// The latency monitor's names of it.
const EVENTS: &[&str] = &["eviction-del", "expire-del"];

pub(super) const RULE: Rule = Rule {
    code: Code(509),
    title: "freeing a large key held up everybody",
    explanation: "DEL of a set, list or hash of a million members frees each of them while everybody waits; so do its eviction and \
its expiry, unless the `lazyfree-lazy-*` settings leave it to a thread. SLOWLOG shows DEL; the latency monitor eviction-del and \
expire-del.",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::Server, Need::ClientLog],
    brings: stall::BRINGS,
    sources: &["redis: lazyfree.c, db.c, evict.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut stalls = stall::monitored(facts, EVENTS);
    let deleted = facts
        .looks
        .iter()
        .flat_map(|look| commands::slow(look, Kind::Frees))
        .map(|(_, stall)| stall);
    stalls.extend(deleted);
    let Some(mut finding) = stall::finding(facts, &RULE, &stalls) else {
        return Vec::new();
    };
    let eager = facts
        .looks
        .iter()
        .find(|look| look.is_on("lazyfree-lazy-user-del") == Some(false));
    if let Some(look) = eager {
        finding = finding.supported(
            look.place("CONFIG"),
            "lazyfree-lazy-user-del no: DEL frees at once",
        );
    }
    let lazy = ["user-del", "eviction", "expire", "server-del"]
        .map(|of| format!("redis-cli CONFIG SET lazyfree-lazy-{of} yes"))
        .join("; ");
    vec![
        finding
            .claims(format!(
                "Freeing a large key took {}, and everybody waited.",
                stall::longest(&stalls)
            ))
            .fix("UNLINK instead of DEL", "", "")
            .fix(
                lazy.clone(),
                "memory is given back a little later than the key is gone",
                lazy.replace(" yes", " no"),
            )
            .fix("smaller keys: redis-cli --bigkeys names the largest (it scans; run it on a replica)", "", "")
            .checked_by("SLOWLOG has no DEL, and LATENCY LATEST no eviction-del or expire-del, of 100 ms or more"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{latency, pasted, slowlog, timeout, together, verdicts};

    #[test]
    fn a_timeout_beside_it_makes_it_the_cause() {
        let found = check(&together([slowlog("del", 1_300), timeout("02:58:08")]));
        assert!(found[0].claim.contains("1300 ms"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
        let evicted = together([latency("eviction-del", 900), timeout("02:58:08")]);
        assert_eq!(
            verdicts(check(&evicted)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn without_one_it_is_a_risk_and_the_setting_alone_is_none() {
        assert_eq!(
            verdicts(check(&slowlog("del", 1_300))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let setting = pasted("redis_version:7.0.15\n1) \"lazyfree-lazy-user-del\"\n2) \"no\"\n");
        assert_eq!(verdicts(check(&setting)), []);
        assert_eq!(verdicts(check(&slowlog("keys", 1_300))), []);
    }
}
