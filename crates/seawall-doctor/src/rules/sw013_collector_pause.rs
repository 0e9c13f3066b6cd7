//! The client's virtual machine stood still to collect garbage.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

/// `GC(41) Pause Full (G1 Compaction Pause) 3900M->3500M(4096M) 5123.456ms`
const FULL: Text = Text::client(" Pause Full")
    .keeping(Keeps::Amount)
    .no_failure();

/// Below this no timeout of seconds comes of it.
const FELT_MS: f64 = 500.0;

pub(super) const RULE: Rule = Rule {
    code: Code(13),
    title: "the application's virtual machine stood still to collect garbage",
    explanation: "A full collection stops all threads of a JVM, mostly since its heap is too small. Replies arrive and nobody \
reads them; the timeouts run on, and all calls fail together when it is over. The server was not slow: its SLOWLOG knows nothing.",
    messages: &["Read timed out", "Command timed out", "Timeout performing"],
    needs: &[Need::ClientLog],
    brings: &[],
    texts: &[FULL],
    sources: &["OpenJDK: unified logging, -Xlog:gc"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let pauses: Vec<_> = evidence::lines(facts, &[FULL])
        .into_iter()
        .filter(|fact| fact.what.amount().is_some_and(|millis| millis >= FELT_MS))
        .collect();
    let longest = pauses
        .iter()
        .filter_map(|fact| fact.what.amount())
        .fold(0.0, f64::max);
    if pauses.is_empty() {
        return Vec::new();
    }
    // The line comes when the pause is over, and so do the timeouts.
    let kinds = [Failure::ReadTimeout, Failure::ConnectTimeout];
    let struck: Vec<_> = pauses
        .iter()
        .flat_map(|fact| evidence::beside(facts, fact.at.zip(fact.at), &kinds, 5))
        .collect();
    let finding = evidence::finding(&RULE, Verdict::Risk, Confidence::Possible, &pauses);
    let finding = evidence::with_failures(finding, &struck, Confidence::Strong);
    let felt = if struck.is_empty() {
        "no call is told to have timed out beside it"
    } else {
        "calls timed out within 5 s of it"
    };
    vec![
        finding
            .claims(format!(
                "Full collections stopped the application {}, for {:.1} s at the longest; {felt}.",
                times(pauses.len()),
                longest / 1e3
            ))
            .fix("a larger heap (-Xmx, or -XX:MaxRAMPercentage=70 in a container), and no processor limit below one core", "memory", "the old value")
            .fix("a collector without long pauses: -XX:+UseZGC", "some processor", "-XX:+UseG1GC")
            .checked_by("-Xlog:gc shows no Pause Full for a day"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, verdicts};

    const PAUSE: &str = "[2026-11-23T02:58:11.042+0000][info][gc] GC(41) Pause Full (G1 Compaction Pause) 3900M->3500M(4096M) 5123.456ms\n";
    const TOLD: &str = "2026-11-23T02:58:11.050Z ERROR redis.clients.jedis.exceptions.JedisConnectionException: java.net.SocketTimeoutException: Read timed out\n";

    #[test]
    fn timeouts_at_its_end_make_it_the_cause() {
        let found = check(&application(&format!("{PAUSE}{TOLD}")));
        assert!(
            found[0].claim.contains("5.1 s at the longest"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_short_one_is_nothing_and_one_of_another_hour_a_risk() {
        let short = PAUSE.replace("5123.456", "12.5");
        assert_eq!(verdicts(check(&application(&format!("{short}{TOLD}")))), []);
        let later = TOLD.replace("T02", "T05");
        assert_eq!(
            verdicts(check(&application(&format!("{PAUSE}{later}")))),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }
}
