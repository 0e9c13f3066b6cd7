//! The client's host has no port left to connect from.

use crate::evidence::{Heard, counted};
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const WORDS: Text = Text::client("annot assign requested address").shared();
const CODE: Text = Text::client("EADDRNOTAVAIL").shared();

/// A pool serves hundreds of commands a connection; fewer than this is one connection for almost each.
const COMMANDS_A_CONNECTION: u64 = 5;

pub(super) const RULE: Rule = Rule {
    code: Code(112),
    title: "the client's host had no local port left",
    explanation: "Each connection to one server needs a local port of its own (28,232 of them by default), and one that its \
client closed keeps it for 60 s (TIME_WAIT). A connection for each request uses them up from about 470 a second. Not the server: \
it never sees these attempts. Never set `tcp_tw_recycle`: it broke clients behind NAT, and is gone from Linux.",
    messages: &[
        "Cannot assign requested address",
        "EADDRNOTAVAIL",
        "Error 99 connecting",
    ],
    needs: &[Need::ClientLog, Need::Server, Need::Host],
    texts: &[WORDS, CODE],
    sources: &["hiredis#58", "predis#597", "redis#5043", "redis#340"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(heard) = Heard::of(facts, &[WORDS, CODE]) else {
        return Vec::new();
    };
    let churn = facts.looks.iter().find_map(|look| {
        let connections = look.number("total_connections_received")?;
        let commands = look.number("total_commands_processed")?;
        (connections > 10_000 && commands / connections < COMMANDS_A_CONNECTION).then_some((
            look,
            connections,
            commands,
        ))
    });
    let confidence = if churn.is_some() {
        Confidence::Strong
    } else {
        Confidence::Likely
    };
    let mut finding = heard.finding(&RULE, Verdict::Cause, confidence).claims(format!(
        "{} no local port to connect from: connections are opened faster than TIME_WAIT gives their ports back.",
        counted(heard.lines.len(), "call had", "calls had")
    ));
    if let Some((look, connections, commands)) = churn {
        let says = format!(
            "{commands} commands over {connections} connections ({}): hardly any is used again",
            look.counting_since()
        );
        finding = finding.supported(look.place("INFO"), says);
    }
    // Whether the calls were made from there is not known: the numbers make it plain.
    let used_up = facts.hosts.iter().find_map(|host| {
        let (resting, room) = (host.number("sockets_tw")?, host.local_ports()?);
        (resting.saturating_mul(100) >= room.saturating_mul(80)).then_some((host, resting, room))
    });
    if let Some((host, resting, room)) = used_up {
        let says = format!("{resting} sockets in TIME_WAIT, and {room} local ports");
        finding.confidence = Confidence::Strong;
        finding = finding.supported(host.place(), says);
    }
    vec![
        finding
            .fix("one client or pool for the whole process, made once: not one for each request", "", "")
            .fix("stop-gap, on the client's host: sysctl -w net.ipv4.tcp_tw_reuse=1 net.ipv4.ip_local_port_range='15000 65000'", "services that listen above 15000 may find their port taken", "sysctl -w net.ipv4.tcp_tw_reuse=2 net.ipv4.ip_local_port_range='32768 60999'")
            .checked_by("ss -tan state time-wait dst SERVER | wc -l stays below 5000, and total_connections_received of INFO hardly rises"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, pasted, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.ConnectionError: Error 99 connecting to cache:6379. Cannot assign requested address.\n";

    fn info(connections: u64, commands: u64) -> Facts {
        pasted(&format!(
            "# Stats\nuptime_in_seconds:3600\ntotal_connections_received:{connections}\ntotal_commands_processed:{commands}\n"
        ))
    }

    #[test]
    fn the_clients_words_are_likely_and_with_the_servers_counters_strong() {
        let mut facts = application(TOLD);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.add(info(90_000, 180_000));
        let found = check(&facts);
        assert!(
            found[0]
                .supports
                .iter()
                .any(|one| one.says.contains("180000 commands over 90000"))
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn churn_alone_and_a_pooled_server_say_nothing() {
        assert_eq!(verdicts(check(&info(90_000, 180_000))), []);
        let mut facts = application(TOLD);
        facts.add(info(90_000, 180_000_000));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn a_server_that_cannot_bind_is_another_thing() {
        let line = "9:M 28 Nov 2026 23:43:05.499 # Warning: Could not create server TCP listening socket 10.0.0.9:6379: bind: Cannot assign requested address\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }

    #[test]
    fn a_host_whose_ports_rest_makes_it_strong() {
        let told = || {
            crate::testing::application(
                "2026-11-23T02:58:11Z Error 99 connecting to cache:6379. Cannot assign requested address.\n",
            )
        };
        let with = |resting: u64| {
            let host = format!("sockets_tw: {resting}\nip_local_port_range: 32768 60999");
            let mut facts = told();
            facts.add(crate::hosts::testing::host(&host));
            check(&facts)[0].confidence
        };
        assert_eq!(with(860), Confidence::Likely);
        assert_eq!(with(27_900), Confidence::Strong);
    }
}
