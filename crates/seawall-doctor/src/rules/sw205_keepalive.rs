//! The server does not notice clients that are gone.

use crate::facts::{Facts, Failure};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rested::Rested;
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(205),
    title: "TCP keepalive is off, or slower than what stands between",
    explanation: "`tcp-keepalive 300`, the default, sends a packet after 300 s without one: in time for a limit of 350 s (AWS NLB), \
too late for one of 240 s (Azure). With 0 a client whose host vanished stays connected for ever, and counts against maxclients. It \
holds for connections made after it was set.",
    messages: &[],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    sources: &["redis: anet.c anetKeepAlive, config.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let rested = Rested::by_device(facts, &[Failure::ReadTimeout])
        .or_else(|| Rested::by_device(facts, &[Failure::Reset, Failure::WriteFailed]));
    let of_look = |look: &crate::facts::Look| {
        let keepalive = look.setting("tcp-keepalive")?;
        let slower = rested
            .as_ref()
            .filter(|rested| keepalive > 0 && keepalive >= rested.floor());
        let (verdict, confidence, claim) = match (keepalive, slower, &rested) {
            (0, _, Some(rested)) => (Verdict::Contributing, Confidence::Likely, format!("The server sends no keepalive, and {}.", rested.words("failures"))),
            (0, _, None) => (Verdict::Risk, Confidence::Possible, "The server sends no keepalive: clients whose host vanished stay connected for ever, and balancers forget who rests.".to_owned()),
            (_, Some(rested), _) => (Verdict::Contributing, Confidence::Likely, format!("The server sends its first keepalive after {keepalive} s, and {}: it comes too late.", rested.words("failures"))),
            _ => return None,
        };
        let wanted = rested
            .as_ref()
            .map_or(300, |rested| (rested.floor() / 2).clamp(20, 120));
        let mut finding = Finding::new(RULE.code, RULE.title, verdict, confidence)
            .claims(claim)
            .supported(
                look.place("CONFIG GET"),
                format!("tcp-keepalive {keepalive}"),
            );
        if let Some(rested) = &rested {
            for fact in &rested.lines {
                finding = finding.at(fact.at);
            }
        }
        Some(
            finding
                .fix(
                    format!("redis-cli CONFIG SET tcp-keepalive {wanted}; CONFIG REWRITE"),
                    "a few packets; holds for new connections",
                    format!("redis-cli CONFIG SET tcp-keepalive {keepalive}"),
                )
                .checked_by("ss -tno 'sport = :6379' shows timer:(keepalive,..) below that"),
        )
    };
    facts.looks.iter().filter_map(of_look).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

    fn with(keepalive: u64) -> Facts {
        pasted(&format!(
            "# Server\nuptime_in_seconds:900000\ntcp-keepalive\n{keepalive}\n"
        ))
    }

    fn resets() -> Facts {
        let lines = (0..3).map(|hour| {
            format!("2026-11-23T0{hour}:58:11Z redis: Connection reset by peer idle_ms=245000\n")
        });
        application(&lines.collect::<String>())
    }

    #[test]
    fn the_default_is_in_order_and_none_is_a_risk() {
        assert_eq!(verdicts(check(&with(300))), []);
        assert_eq!(
            verdicts(check(&with(0))),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }

    #[test]
    fn one_that_comes_after_the_flow_was_forgotten_contributes() {
        let mut facts = with(300);
        facts.add(resets());
        let found = check(&facts);
        assert!(
            found[0].claim.contains("after 300 s") && found[0].claim.contains("245 s of rest"),
            "{}",
            found[0].claim
        );
        assert_eq!(
            verdicts(found),
            [(Verdict::Contributing, Confidence::Likely)]
        );
        let mut facts = with(60);
        facts.add(resets());
        assert_eq!(verdicts(check(&facts)), []);
    }
}
