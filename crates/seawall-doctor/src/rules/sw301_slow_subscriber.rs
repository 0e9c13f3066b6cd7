//! A subscriber does not read fast enough, and is closed.

use crate::facts::{Facts, Peer, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::limits;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

/// go-redis: so that its address is read.
const DISCARDED: Text = Text::client("discarding bad PubSub connection");

pub(super) const RULE: Rule = Rule {
    code: Code(301),
    title: "Redis closed a slow subscriber",
    explanation: "What is published waits in the server's memory until the subscriber reads it. Above \
`client-output-buffer-limit pubsub` (32 MB, or 8 MB for 60 s, by default) the server closes the connection and drops what \
waited: messages are lost. The client notices late, seconds or minutes after the log's line, since it first reads what is on \
its way. Join by address, never by time.",
    messages: &[
        "Connection closed by server",
        "Unexpected end of stream",
        "discarding bad PubSub connection",
        "Socket closed unexpectedly",
    ],
    needs: &[Need::ServerLog],
    texts: &[DISCARDED],
    sources: &["redis: networking.c", "redis-py#1261", "jedis#467"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some((finding, place, peer)) = limits::closed(facts, &RULE, Peer::subscribes) else {
        if let Some(finding) = limits::counted(facts, &RULE, Peer::subscribes) {
            let finding = finding.claims("Clients were closed over an output buffer limit, as the server's counter tells; whom, only its log would. Likely a subscriber: none of the others has as much unread.");
            return vec![advised(facts, finding)];
        }
        if let Some(mut finding) = limits::counted_of_nobody(facts, &RULE) {
            "Redis closed clients over their output buffer limit, likely slow subscribers"
                .clone_into(&mut finding.title);
            let whom = if finding.confidence == Confidence::Likely {
                "Likely subscribers: other clients have no such limit unless somebody sets one"
            } else {
                "Others than subscribers have a limit here as well, or nobody subscribes: it may have been a large reply (SW302) or an unread pipeline (SW303)"
            };
            let claim = format!(
                "Clients were closed over an output buffer limit, as the server's counter tells; whom, its log or CLIENT LIST would, and neither was to be had. {whom}."
            );
            return vec![advised(facts, finding.claims(claim))];
        }
        let close = close(facts);
        if !close.is_empty() {
            return close;
        }
        return limits::ruled_out(facts, RULE.code, "a slow subscriber");
    };
    let finding = finding.claims(format!(
        "Redis closed {} because its unread output reached {}{}; what waited there is lost. Proved: {place} names this connection.",
        peer.label(),
        bytes(peer.output_bytes),
        limits::of_class(facts, "pubsub"),
    ));
    vec![advised(facts, finding)]
}

fn advised(facts: &Facts, finding: Finding) -> Finding {
    finding
            .fix("let the subscriber only take messages off the socket, into a bounded queue, and work elsewhere", "", "")
            .fix(
                format!(
                    "stop-gap: redis-cli CONFIG SET client-output-buffer-limit {}",
                    limits::twice(facts, "pubsub", "pubsub 64mb 16mb 120")
                ),
                "each slow subscriber may take that much of the server's memory",
                limits::undo(facts, "pubsub"),
            )
            .checked_by("omem of CLIENT LIST TYPE pubsub stays below a tenth of the limit, and the line does not come again")
}

/// Subscribers that are half way to their limit: nothing broke yet.
fn close(facts: &Facts) -> Vec<Finding> {
    let limit = limits::hard(facts, "pubsub").filter(|limit| *limit > 0);
    let Some(limit) = limit else {
        return Vec::new();
    };
    facts
        .looks
        .iter()
        .filter_map(|look| {
            let slow = |peer: &&Peer| peer.subscribes() && peer.output_bytes > limit / 2;
            let slow: Vec<_> = look.clients.iter().filter(slow).collect();
            let worst = slow.iter().max_by_key(|peer| peer.output_bytes)?;
            let mut finding = Finding::new(
                RULE.code,
                "a subscriber is half way to its output limit",
                Verdict::Risk,
                Confidence::Possible,
            )
            .at(look.at)
            .claims(format!(
                "{} has not read {} of {}: it is closed at the limit, and what waits is lost.",
                worst.label(),
                bytes(worst.output_bytes),
                bytes(limit)
            ));
            for peer in &slow {
                let says = format!("{}: omem {}", peer.label(), bytes(peer.output_bytes));
                finding = finding.struck(peer.label()).supported(look.place("CLIENT LIST"), says);
            }
            Some(finding.fix("let the subscriber only take messages off the socket, into a bounded queue, and work elsewhere", "", ""))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, pasted, verdicts};

    const CLOSED: &str = "9:M 23 Nov 2026 02:58:11.042 # Client id=8821 addr=10.0.0.7:51234 laddr=10.0.0.2:6379 fd=9 name=metrics \
age=10 idle=0 flags=P db=0 sub=1 psub=0 multi=-1 qbuf=0 omem=33600000 events=rw cmd=subscribe user=default scheduled to be closed \
ASAP for overcoming of output buffer limits.\n";

    #[test]
    fn the_line_of_the_log_is_proof_and_names_the_client() {
        let found = check(&log(CLOSED));
        assert_eq!(found[0].whom(), "id=8821 10.0.0.7:51234 (metrics)");
        assert!(found[0].claim.contains("33.6 MB"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn the_client_that_noticed_is_joined_by_address_whatever_its_clock() {
        let mut facts = log(CLOSED);
        facts.add(application("2026-11-23T02:58:52.042Z redis: discarding bad PubSub connection: read tcp 10.0.0.7:51234->10.0.0.2:6379: EOF\n\
2026-11-23T02:58:12Z read tcp 10.0.0.8:51234->10.0.0.2:6379: read: connection reset by peer\n"));
        let found = check(&facts);
        let says: Vec<_> = found[0]
            .supports
            .iter()
            .map(|one| one.says.as_str())
            .collect();
        assert_eq!(says[1], "the client at 10.0.0.7:51234 noticed 41.0 s later");
        assert_eq!(says.len(), 2);
    }

    #[test]
    fn a_counter_that_rose_is_likely_where_a_subscriber_is_the_fullest() {
        let info = |up: u64, count: u64| {
            format!(
                "run_id:abc\nuptime_in_seconds:{up}\nclient_output_buffer_limit_disconnections:{count}\n"
            )
        };
        let row = |flags: &str| {
            format!(
                "id=7 addr=10.0.0.7:51234 name=metrics idle=0 flags={flags} omem=21000000 cmd=subscribe\n"
            )
        };
        let facts = |flags: &str| {
            let mut facts = pasted(&info(1_000, 2));
            facts.add(pasted(&format!("{}{}", info(1_240, 5), row(flags))));
            facts.sort();
            facts
        };
        assert_eq!(
            verdicts(check(&facts("P"))),
            [(Verdict::Cause, Confidence::Likely)]
        );
        assert_eq!(verdicts(check(&facts("N"))), []);
    }

    #[test]
    fn where_clients_are_not_listed_it_is_likely_and_a_guess_if_others_have_a_limit() {
        let info = |up: u64, count: u64| {
            format!(
                "run_id:abc\nuptime_in_seconds:{up}\nclient_output_buffer_limit_disconnections:{count}\n"
            )
        };
        let rose = |config: &str| {
            let mut facts = pasted(&info(1_000, 2));
            facts.add(pasted(&format!("{}{config}", info(1_240, 5))));
            facts.sort();
            check(&facts)
        };
        let found = rose("");
        assert!(
            found[0].claim.contains("CLIENT LIST would"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
        let limits = |normal: u64| {
            format!(
                "client-output-buffer-limit\nnormal {normal} 0 0 slave 9 9 60 pubsub 33554432 8388608 60\n"
            )
        };
        assert_eq!(
            verdicts(rose(&limits(0))),
            [(Verdict::Cause, Confidence::Likely)]
        );
        let guess = rose(&limits(1_000_000));
        assert!(guess[0].claim.contains("SW302"), "{}", guess[0].claim);
        assert_eq!(verdicts(guess), [(Verdict::Cause, Confidence::Possible)]);
        let nobody = "pubsub_channels:0\npubsub_patterns:0\n";
        let mut facts = pasted(&format!("{}{nobody}", info(1_000, 2)));
        facts.add(pasted(&format!("{}{nobody}", info(1_240, 5))));
        facts.sort();
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Possible)]
        );
    }

    #[test]
    fn a_normal_client_is_another_rules() {
        assert_eq!(
            verdicts(check(&log(&CLOSED.replace("flags=P", "flags=N")))),
            []
        );
    }

    #[test]
    fn one_that_is_half_way_there_is_a_risk() {
        let row = |omem: u64| {
            pasted(&format!(
                "id=3 addr=10.0.0.7:51234 name=metrics age=90 idle=0 flags=P sub=1 omem={omem} cmd=subscribe\nclient-output-buffer-limit\nnormal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60\n"
            ))
        };
        assert_eq!(
            verdicts(check(&row(20_000_000))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        assert_eq!(verdicts(check(&row(1_000_000))), []);
    }

    #[test]
    fn a_counter_of_zero_rules_it_out_where_the_server_has_one() {
        let info =
            pasted("# Stats\nuptime_in_seconds:90\nclient_output_buffer_limit_disconnections:0\n");
        assert_eq!(
            verdicts(check(&info)),
            [(Verdict::RuledOut, Confidence::Strong)]
        );
        assert_eq!(
            verdicts(check(&pasted("# Stats\nuptime_in_seconds:90\n"))),
            []
        );
    }
}
