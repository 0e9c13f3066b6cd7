//! Something between forgets flows that rest, and resets them.

use super::sw202_swallowed::found;
use crate::facts::{Facts, Failure};
use crate::finding::Finding;
use crate::rested::Rested;
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(203),
    title: "something between resets connections that rested",
    explanation: "Some balancers answer the first packet after a rest with a reset (AWS NLB after 350 s, an Azure load balancer with \
TCP reset, IPVS on the same bridge): the call fails at once, the next one works. The server knows of nothing and still lists the \
connection. The server's own `timeout` is the look-alike: it sends an end of stream, and only a second write is reset.",
    messages: &["Connection reset by peer", "Broken pipe"],
    needs: &[Need::ClientLog, Need::Server],
    brings: &[],
    sources: &["docs.aws.amazon.com: NLB idle timeout", "moby#37466"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    Rested::by_device(facts, &[Failure::Reset, Failure::WriteFailed])
        .filter(|rested| !rested.by_server(facts))
        .map(|rested| {
            found(
                facts,
                &RULE,
                &rested,
                "resets",
                "The server sends no reset to who rests: something between had forgotten the flow.",
            )
        })
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, pasted, verdicts};

    fn resets(idle: impl IntoIterator<Item = u64>) -> Facts {
        let lines = idle.into_iter().enumerate().map(|(at, idle)| {
            format!(
                "2026-11-23T{:02}:{}0:11Z connection.lost endpoint=10.0.0.2:6379 cause=idle-reset Connection reset by peer idle_ms={idle}\n",
                at / 6,
                at % 6
            )
        });
        application(&lines.collect::<String>())
    }

    fn timeout(seconds: u64) -> Facts {
        pasted(&format!(
            "# Server\nuptime_in_seconds:900000\ntimeout\n{seconds}\n"
        ))
    }

    #[test]
    fn thirty_seven_of_thirty_seven_after_350_s_and_none_below() {
        let mut facts = resets((0..37).map(|n| 350_100 + n * 1_000));
        facts.add(timeout(0));
        let found = check(&facts);
        assert!(
            found[0]
                .claim
                .starts_with("37 of 37 resets came after 350 s of rest and more, none sooner"),
            "{}",
            found[0].claim
        );
        assert!(
            found[0]
                .claim
                .contains("350 s is the limit of an AWS Network Load Balancer"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn resets_that_one_event_explains_prove_no_limit() {
        let at_once =
            "2026-11-23T02:58:11Z redis: Connection reset by peer idle_ms=400000\n".repeat(9);
        assert_eq!(verdicts(check(&application(&at_once))), []);
    }

    #[test]
    fn without_a_look_at_the_server_it_is_likely() {
        assert_eq!(
            verdicts(check(&resets([351_000, 352_000, 400_000]))),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn the_servers_own_timeout_and_resets_in_use_are_other_rules() {
        let mut facts = resets([351_000, 352_000, 400_000]);
        facts.add(timeout(300));
        assert_eq!(verdicts(check(&facts)), []);
        assert_eq!(verdicts(check(&resets([351_000, 352_000, 400_000, 0]))), []);
    }
}
