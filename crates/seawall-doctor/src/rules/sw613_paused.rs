//! The server was told to make its clients wait.

use crate::evidence::counted;
use crate::facts::{Facts, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::stall;

pub(super) const RULE: Rule = Rule {
    code: Code(613),
    title: "the server makes its clients wait (CLIENT PAUSE)",
    explanation: "CLIENT PAUSE, FAILOVER and a shutdown that waits for its replicas make the server hold back writes, or all commands, for as \
long as they say: the connections stand, and nothing is answered. Operators' tools and cloud failovers do it. Valkey tells it in INFO \
(`paused_reason`); elsewhere only `client|pause` of INFO commandstats does.",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::Server, Need::ClientLog],
    sources: &[
        "redis: networking.c pauseActions",
        "valkey: server.c genValkeyInfoString",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let looks = facts.looks.iter();
    looks.filter_map(|look| of(facts, look)).collect()
}

fn of(facts: &Facts, look: &Look) -> Option<Finding> {
    let now = look
        .word("paused_reason")
        .filter(|reason| !["none", ""].contains(reason));
    let felt = stall::during(facts, look);
    let rose = look.calls_rose("client|pause").filter(|rose| *rose > 0);
    let (confidence, says) = match (now, rose, felt) {
        (Some(reason), ..) => {
            let actions = look.word("paused_actions").unwrap_or("?");
            let rest = look.number("paused_timeout_milliseconds").unwrap_or(0);
            let says = format!("it is paused now ({reason}, {actions}), for {rest} ms more");
            (Confidence::Proved, says)
        }
        (None, Some(rose), Some(_)) => {
            let between = look.between().unwrap_or_default();
            (
                Confidence::Likely,
                format!(
                    "CLIENT PAUSE was called {} in {between}",
                    counted(usize::try_from(rose).unwrap_or(usize::MAX), "time", "times")
                ),
            )
        }
        _ => return None,
    };
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, confidence)
        .at(look.at)
        .supported(look.place("INFO"), says.as_str());
    if let Some(fact) = felt {
        finding = finding.supported(fact.place.clone(), "a call timed out meanwhile");
    }
    Some(
        finding
            .claims(format!("{says}: what it holds back is answered when it ends."))
            .fix(
                "redis-cli CLIENT UNPAUSE, if no failover or upgrade is under way",
                "a failover that relies on it may lose writes",
                "",
            )
            .fix("find who calls it: redis-cli ACL SETUSER <user> '-client|pause' for users that need not", "their tools get NOPERM", "redis-cli ACL SETUSER <user> '+client|pause'")
            .checked_by("paused_reason:none in INFO of Valkey; client|pause of INFO commandstats stays as it is"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, timeout, together, twice, verdicts};

    #[test]
    fn a_server_that_says_so_proves_it() {
        let info = "# Clients\nconnected_clients:3\npaused_reason:client_pause\npaused_actions:write\npaused_timeout_milliseconds:59000\n";
        let found = check(&pasted(info));
        assert!(
            found[0].claim.contains("client_pause, write"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
        assert_eq!(
            verdicts(check(&pasted(&info.replace("client_pause", "none")))),
            []
        );
    }

    #[test]
    fn a_count_that_rises_while_calls_time_out_makes_it_likely() {
        let info =
            |calls: u64| format!("cmdstat_client|pause:calls={calls},usec=9,usec_per_call=1.00");
        let paused = || twice(&info(1), 60, &info(3));
        let found = check(&together([paused(), timeout("02:58:00")]));
        assert!(
            found[0].claim.contains("2 times in 60 s"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
        assert_eq!(verdicts(check(&paused())), []);
        assert_eq!(verdicts(check(&pasted(&info(9)))), []);
    }
}
