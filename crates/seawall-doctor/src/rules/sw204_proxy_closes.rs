//! A proxy between closes connections that rest.

use super::sw202_swallowed::found;
use crate::facts::{Facts, Failure};
use crate::finding::Finding;
use crate::rested::Rested;
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(204),
    title: "a proxy between closes connections that rest",
    explanation: "HAProxy (`timeout client`, `timeout server`, `timeout tunnel`), Envoy and Istio (`idle_timeout`, 1 h by default), \
twemproxy and balancers that end TLS close a connection without bytes, on both sides and in order. TCP keepalive does not help: \
it carries no bytes. CLIENT LIST shows the proxy's address instead of the clients'.",
    messages: &[
        "Connection closed by server",
        "Unexpected end of stream",
        "Socket closed unexpectedly",
        "EOF",
    ],
    needs: &[Need::ClientLog, Need::Server],
    brings: &[],
    sources: &[
        "haproxy: configuration.txt",
        "envoy: tcp_proxy idle_timeout",
        "DandyDeveloper/charts#34",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    // A server whose `timeout` is not known may have closed them itself.
    let Some(rested) =
        Rested::by_device(facts, &[Failure::Closed]).filter(|rested| !rested.by_server(facts))
    else {
        return Vec::new();
    };
    let why = if rested.innocent(facts).is_some() {
        "The server's `timeout` did not close them: a proxy between did."
    } else {
        "The server's `timeout` (CONFIG GET timeout), or a proxy between, closed them."
    };
    let mut finding = found(facts, &RULE, &rested, "ends of stream", why);
    let half = (rested.floor() / 2).clamp(20, 120);
    finding.fixes.clear();
    vec![
        finding
            .fix(format!("let clients ping or retire what rests: health_check_interval or max_idle {half}"), "a few packets", "")
            .fix("or, of the proxy: HAProxy timeout client and timeout server 0 with option clitcpka and srvtcpka; Envoy idle_timeout: 0s", "the proxy keeps connections that were leaked", "the old values"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, pasted, verdicts};

    fn closed(idle: &[u64]) -> Facts {
        let lines = idle.iter().enumerate().map(|(at, idle)| {
            format!(
                "2026-11-23T{:02}:58:11Z Connection closed by server. idle_ms={idle}\n",
                2 * at
            )
        });
        application(&lines.collect::<String>())
    }

    #[test]
    fn a_server_that_closes_nothing_leaves_the_proxy() {
        let mut facts = closed(&[3_600_100, 3_601_000, 3_900_000]);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.add(pasted("# Server\nuptime_in_seconds:900000\ntimeout\n0\n"));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("a proxy between did") && found[0].claim.contains("Envoy"),
            "{}",
            found[0].claim
        );
        assert!(
            found[0]
                .fixes
                .iter()
                .all(|fix| !fix.action.contains("tcp-keepalive"))
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn the_servers_own_timeout_is_another_rules() {
        let mut facts = closed(&[300_100, 301_000, 390_000]);
        facts.add(pasted("# Server\nuptime_in_seconds:900000\ntimeout\n300\n"));
        assert_eq!(verdicts(check(&facts)), []);
    }
}
