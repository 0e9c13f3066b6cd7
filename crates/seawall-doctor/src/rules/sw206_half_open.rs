//! The server's host vanished, and its connections did not notice.

use crate::evidence::{Heard, counted};
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::provider::Act;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const TOLD: [Text; 5] = [
    Text::client("(110, 'Connection timed out')").shared(),
    Text::client("(60, 'Operation timed out')").shared(),
    Text::client("read ETIMEDOUT").shared(),
    Text::client("read: connection timed out").shared(),
    Text::client("Connection timed out (Read failed)").shared(),
];

/// What took the host away belongs to it if it is no earlier, in seconds: a kernel tries for a quarter of an hour.
const BEFORE_S: f64 = 1_200.0;

pub(super) const RULE: Rule = Rule {
    code: Code(206),
    title: "the server's host vanished under established connections",
    explanation: "ETIMEDOUT while reading or writing is no timeout of the client's: its kernel sent the same bytes again for a \
quarter of an hour (`tcp_retries2` 15) and nobody acknowledged them. The host lost power, was failed over, or the path to it broke; \
meanwhile every call on that connection hung. A server that is only slow acknowledges.",
    messages: &[
        "(110, 'Connection timed out')",
        "read ETIMEDOUT",
        "read: connection timed out",
        "Command timed out",
    ],
    needs: &[Need::ClientLog, Need::Provider],
    brings: &[],
    texts: &TOLD,
    sources: &[
        "linux: net/ipv4/tcp_timer.c",
        "lettuce#2082",
        "lettuce#1428",
    ],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(heard) = Heard::of(facts, &TOLD) else {
        return Vec::new();
    };
    let first = heard.first().at;
    let took = facts.provider.iter().find(|fact| {
        let away = matches!(
            fact.what.act,
            Act::Failover | Act::NodeLost | Act::Restarted | Act::Deleted
        );
        let before = fact.at.zip(first).map(|(act, told)| act.seconds_to(told));
        away && before.is_some_and(|before| (-60.0..=BEFORE_S).contains(&before))
    });
    let confidence = if took.is_some() {
        Confidence::Strong
    } else {
        Confidence::Likely
    };
    let mut finding = heard.finding(&RULE, Verdict::Cause, confidence).claims(format!(
        "{} given up by the client's kernel: nobody acknowledged what it sent, again and again.",
        counted(heard.lines.len(), "connection was", "connections were")
    ));
    if let Some(fact) = took {
        finding = finding.at(fact.at).supported(
            fact.place.clone(),
            format!(
                "{}: {} ({})",
                fact.what.provider,
                fact.what.act.words(),
                fact.what.resource
            ),
        );
    }
    vec![
        finding
            .fix("a read timeout in the client (5 s), after which it drops the connection; TCP_USER_TIMEOUT 10 to 30 s (Lettuce: SocketOptions tcpUserTimeout)", "false alarms on a path with losses", "the old values")
            .fix("on the clients' hosts: sysctl -w net.ipv4.tcp_retries2=8 (100 s instead of 15 min)", "all connections of the host give up sooner", "sysctl -w net.ipv4.tcp_retries2=15")
            .checked_by("in a failover drill the last failed call is less than 30 s after the first"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Place, Spot};
    use crate::provider::{Provider, ProviderEvent};
    use crate::stamp::Stamp;
    use crate::testing::{application, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.ConnectionError: Error while reading from cache:6379 : (110, 'Connection timed out')\n";

    #[test]
    fn the_kernels_own_giving_up_is_likely_and_a_node_that_was_lost_before_makes_it_strong() {
        let mut facts = application(TOLD);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.provider.push(Fact {
            at: Stamp::of((2026, 11, 23), (2, 42, 0), 0),
            place: Place {
                source: "events.json".into(),
                spot: Spot::Entry("Events[0]".to_owned()),
            },
            what: ProviderEvent {
                provider: Provider::Aws,
                resource: "shop-001".to_owned(),
                act: Act::NodeLost,
            },
        });
        let found = check(&facts);
        assert!(
            found[0]
                .supports
                .last()
                .is_some_and(|one| one.says.contains("shop-001"))
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_clients_own_timeout_and_a_connect_that_timed_out_are_other_things() {
        let other = "2026-11-23T02:58:11Z Timeout reading from cache:6379\n2026-11-23T02:58:11Z Error 110 connecting to cache:6379. Connection timed out.\n";
        assert_eq!(verdicts(check(&application(other))), []);
    }
}
