//! The server has no room for more clients.

use std::collections::BTreeMap;

use crate::evidence::counted;
use crate::facts::{Facts, Failure, Look, Reach};
use crate::finding::{Confidence, Finding, Verdict};
use crate::limits;
use crate::rule::{Code, Need, Rule};

/// From so many hundredths of maxclients on it is a risk.
const RISK_PERCENT: u64 = 80;

pub(super) const RULE: Rule = Rule {
    code: Code(105),
    title: "the server has reached maxclients",
    explanation: "The server accepts the connection, writes `-ERR max number of clients reached` and closes. A client that \
writes first (HELLO, AUTH) often sees a reset instead of the text; under TLS there is no text at all. `rejected_connections` \
of INFO counts it, and counts protected mode too. More room hides a leak: look who holds the connections first.",
    messages: &[
        "max number of clients reached",
        "max number of clients + cluster connections reached",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    sources: &["redis: networking.c acceptCommonHandler"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told: Vec<_> = facts.failures(Failure::MaxClients).collect();
    let mut found: Vec<_> = facts
        .looks
        .iter()
        .filter_map(|look| of_look(look, told.len()))
        .collect();
    if !told.is_empty()
        && !found
            .iter()
            .any(|finding| finding.verdict == Verdict::Cause)
    {
        let finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Likely)
            .claims(format!(
                "{} turned away with the server's own words.",
                counted(told.len(), "call was", "calls were")
            ))
            .supported(told[0].place.clone(), "max number of clients reached")
            .at_each(told.iter().map(|fact| fact.at));
        found.push(advised(finding, None));
    }
    found
}

fn of_look(look: &Look, told: usize) -> Option<Finding> {
    if matches!(&look.reach, Reach::TurnedAway(words) if words.contains("max number of clients")) {
        let finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Proved)
            .at(look.at)
            .struck(&*look.source)
            .claims("The server turned the doctor away as well: max number of clients reached.")
            .supported(look.place("connect"), "max number of clients reached");
        return Some(advised(finding, Some(look)));
    }
    let rejected = look.number("rejected_connections")?;
    let connected =
        look.number("connected_clients")? + look.number("cluster_connections").unwrap_or(0);
    let room = look
        .number("maxclients")
        .or_else(|| look.setting("maxclients"));
    let full = room.is_some_and(|room| connected * 100 >= room * 95);
    let of = room.map_or_else(String::new, |room| format!(" of {room}"));
    // It counts protected mode, too.
    let tight = room.is_some_and(|room| connected * 100 >= room * RISK_PERCENT);
    if let Some(by) = look
        .rose("rejected_connections")
        .filter(|by| *by > 0 && tight)
    {
        return Some(advised(
            of_rise(look, by, &format!("{connected}{of} in use"), told),
            Some(look),
        ));
    }
    if told > 0 && rejected > 0 {
        let finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Strong)
            .claims(format!(
                "{connected}{of} connections are in use, and the server has turned {rejected} away."
            ))
            .supported(
                look.place("INFO"),
                format!(
                    "rejected_connections {rejected} ({})",
                    look.counting_since()
                ),
            );
        return Some(advised(finding, Some(look)));
    }
    if full || room.is_some_and(|room| connected * 100 >= room * RISK_PERCENT) {
        let finding = Finding::new(
            RULE.code,
            "the server is close to maxclients",
            Verdict::Risk,
            Confidence::Possible,
        )
        .claims(format!("{connected}{of} connections are in use."))
        .supported(
            look.place("INFO"),
            format!("connected_clients {connected}, rejected_connections {rejected}"),
        );
        return Some(advised(finding, Some(look)));
    }
    (rejected == 0).then(|| {
        Finding::ruled_out(
            RULE.code,
            "maxclients",
            look.place("INFO"),
            format!(
                "rejected_connections 0 {}; {connected}{of} in use",
                look.counting_since()
            ),
        )
    })
}

/// Of two looks at one process, between which it turned clients away.
fn of_rise(look: &Look, by: u64, in_use: &str, told: usize) -> Finding {
    let confidence = if told > 0 {
        Confidence::Proved
    } else {
        Confidence::Strong
    };
    let grew = look.rose("connected_clients").unwrap_or(0);
    let crowd = crowd(look).map_or_else(String::new, |words| format!(": {words}"));
    Finding::new(RULE.code, RULE.title, Verdict::Cause, confidence)
        .at(look.earlier())
        .at(look.at)
        .struck(&*look.source)
        .claims(format!(
            "Redis stayed up; +{} connections, {} rejected in {} ({in_use}){crowd}.",
            thousands(grew),
            thousands(by),
            look.between().unwrap_or_default()
        ))
        .supported(
            look.place("INFO"),
            format!(
                "rejected_connections {}; connected_clients rose by {grew}; the same run_id",
                look.rose_by("rejected_connections").unwrap_or_default()
            ),
        )
}

/// `47 hosts hold 200 connections each: pods x workers x pool`, if most hosts hold about as many.
fn crowd(look: &Look) -> Option<String> {
    let mut counts: Vec<_> = owners(look).into_values().collect();
    counts.sort_unstable();
    let middle = *counts.get(counts.len() / 2)?;
    let alike = |count: &&usize| **count * 10 >= middle * 8 && **count * 8 <= middle * 10;
    let hosts = counts.iter().filter(alike).count();
    (hosts >= 3 && middle >= 5).then(|| {
        let middle = look.scaled(middle);
        format!(
            "{hosts} hosts hold about {middle} connections each: pods x workers x pool is more than there is room for"
        )
    })
}

/// How many connections each host holds.
fn owners(look: &Look) -> BTreeMap<&str, usize> {
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    for client in &look.clients {
        let host = client
            .addr
            .rsplit_once(':')
            .map_or(&*client.addr, |(host, _)| host);
        *owners.entry(host).or_default() += 1;
    }
    owners
}

/// `9,400`
fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let parts: Vec<_> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(String::from_utf8_lossy)
        .collect();
    parts.join(",")
}

fn advised(finding: Finding, look: Option<&Look>) -> Finding {
    let finding = match look.and_then(largest) {
        Some(words) => finding.fix(
            format!("look at the owner of most of them first: {words}"),
            "",
            "",
        ),
        None => finding.fix(
            "redis-cli CLIENT LIST: group by addr and name; who holds most, or holds them idle?",
            "",
            "",
        ),
    };
    let old = look
        .and_then(|look| look.config.get("maxclients"))
        .map_or("<old>", String::as_str);
    finding
        .fix(
            format!(
                "stop-gap: redis-cli CONFIG SET maxclients {}",
                limits::twice_as_much(look, "maxclients")
            ),
            "each client takes 20 to 40 kB; the limit of open files must allow 32 more than that",
            format!("redis-cli CONFIG SET maxclients {old}"),
        )
        .checked_by("rejected_connections of INFO stays as it is for 10 min, and connected_clients below 70 % of maxclients")
}

/// Who holds most connections.
fn largest(look: &Look) -> Option<String> {
    let (host, count) = owners(look).into_iter().max_by_key(|(_, count)| *count)?;
    let of = look.scaled(look.clients.len());
    Some(format!("{host} holds {} of {of}", look.how_many(count)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Before;
    use crate::testing::{application, pasted, verdicts};

    const TOLD: &str =
        "2026-11-23T02:58:11Z redis.exceptions.ConnectionError: max number of clients reached\n";

    fn info(connected: u64, rejected: u64) -> Facts {
        pasted(&format!(
            "# Clients\nuptime_in_seconds:3600\nconnected_clients:{connected}\nmaxclients:100\nrejected_connections:{rejected}\n"
        ))
    }

    #[test]
    fn the_servers_words_and_its_counter_together_are_strong() {
        let mut facts = info(99, 7);
        facts.add(application(TOLD));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn a_counter_that_rises_while_the_server_is_full_needs_no_clients_word() {
        let mut facts = info(99, 7);
        let look = &mut facts.looks[0];
        look.info.insert("run_id".to_owned(), "a".to_owned());
        look.before = Some(Before {
            source: "earlier.txt".into(),
            info: look.info.clone(),
            clients: Vec::new(),
            span: std::time::Duration::from_secs(10),
        });
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let look = &mut facts.looks[0];
        look.info
            .insert("rejected_connections".to_owned(), "9".to_owned());
        let found = check(&facts);
        assert!(
            found[0].claim.contains("2 rejected in 10 s"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn its_words_alone_are_likely() {
        assert_eq!(
            verdicts(check(&application(TOLD))),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn a_counter_since_start_proves_no_incident() {
        assert_eq!(
            verdicts(check(&info(99, 7))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        assert_eq!(verdicts(check(&info(10, 7))), []);
    }

    #[test]
    fn a_counter_that_never_moved_rules_it_out() {
        assert_eq!(
            verdicts(check(&info(10, 0))),
            [(Verdict::RuledOut, Confidence::Strong)]
        );
    }
}
