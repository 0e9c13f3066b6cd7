//! Connections are opened and not given back.

use std::collections::BTreeMap;

use crate::facts::{Facts, Look, Peer};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// A pool may rest for a night; a connection that rests for an hour among many others of its owner is forgotten.
const RESTS_S: u64 = 3_600;

/// A pool of so many that rests is a pool.
const MANY: u64 = 100;

pub(super) const RULE: Rule = Rule {
    code: Code(2),
    title: "one owner holds many connections that nobody uses",
    explanation: "A client that is made for each request or task and never closed keeps its connections until its process ends. \
`connected_clients` grows with every deploy and every hour, most of them rest for hours, and one day maxclients is reached. More \
room only moves that day.",
    messages: &["max number of clients reached"],
    needs: &[Need::Server],
    brings: &[Code(105)],
    sources: &[
        "redis: networking.c",
        "getsentry/sentry#3815",
        "lettuce#3378",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts.looks.iter().filter_map(of_look).collect()
}

fn of_look(look: &Look) -> Option<Finding> {
    let mut owners: BTreeMap<(&str, &str), Vec<&Peer>> = BTreeMap::new();
    for client in look
        .clients
        .iter()
        .filter(|client| !client.subscribes() && !client.replicates())
    {
        owners
            .entry((host(&client.addr), &client.name))
            .or_default()
            .push(client);
    }
    let rests = |clients: &[&Peer]| {
        clients
            .iter()
            .filter(|client| client.idle >= RESTS_S && !blocked(client))
            .count()
    };
    let ((host, name), clients) = owners
        .into_iter()
        .max_by_key(|(_, clients)| rests(clients))?;
    let resting = rests(&clients);
    if look.scaled(resting) < MANY || resting * 2 < clients.len() {
        return None;
    }
    let longest = clients.iter().map(|client| client.idle).max().unwrap_or(0);
    let owner = if name.is_empty() {
        host.to_owned()
    } else {
        format!("{host} ({name})")
    };
    let grew = look.rose("connected_clients").unwrap_or(0);
    let room = look
        .number("maxclients")
        .or_else(|| look.setting("maxclients"));
    let connected = look.number("connected_clients").unwrap_or(0);
    let full = room.is_some_and(|room| connected * 100 >= room * 95);
    let (verdict, confidence) = if full {
        (Verdict::Cause, Confidence::Likely)
    } else {
        (Verdict::Risk, Confidence::Possible)
    };
    let says = format!(
        "{owner} holds {} connections, {} of them without a command for an hour or more",
        look.how_many(clients.len()),
        look.how_many(resting)
    );
    let mut claim = format!("{says}, {longest} s at the longest");
    if grew > 0 {
        claim = format!(
            "{claim}; connected_clients grew by {grew} in {}",
            look.between().unwrap_or_default()
        );
    }
    Some(
        Finding::new(RULE.code, RULE.title, verdict, confidence)
            .at(look.at)
            .struck(owner)
            .claims(format!("{claim}."))
            .supported(look.place("CLIENT LIST"), says)
            .fix("one client for each process, made once; close() or `with` around any other (look where that owner makes its client)", "", "")
            .fix("stop-gap: redis-cli CONFIG SET timeout 3600", "clients that rest for an hour meet a closed connection, and must try again", format!("redis-cli CONFIG SET timeout {}", look.config.get("timeout").map_or("0", String::as_str)))
            .checked_by("connected_clients of INFO stays level for a day, over a deploy"),
    )
}

/// Waits in BLPOP and the like: that is no rest.
fn blocked(client: &Peer) -> bool {
    client.flags.contains('b')
}

fn host(addr: &str) -> &str {
    addr.rsplit_once(':').map_or(addr, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, verdicts};

    fn list(count: u32, idle: u32, flags: &str) -> String {
        let row = |number| {
            format!(
                "id={number} addr=10.0.0.7:{} laddr=10.0.0.2:6379 fd=9 name=api age=90000 idle={idle} flags={flags} db=0 sub=0 psub=0 multi=-1 qbuf=0 omem=0 cmd=get user=default\n",
                20_000 + number
            )
        };
        let rows: Vec<String> = (0..count).map(row).collect();
        rows.concat()
    }

    #[test]
    fn a_crowd_that_rests_is_a_risk_until_the_server_is_full() {
        let found = check(&pasted(&list(300, 7_200, "N")));
        assert_eq!(found[0].whom(), "10.0.0.7 (api)");
        assert!(
            found[0].claim.contains("300 of them without"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
        let full = format!(
            "run_id:a\nuptime_in_seconds:9\nconnected_clients:300\nmaxclients:300\n{}",
            list(300, 7_200, "N")
        );
        assert_eq!(
            verdicts(check(&pasted(&full))),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn a_busy_crowd_a_small_pool_and_waiting_workers_are_in_order() {
        assert_eq!(verdicts(check(&pasted(&list(300, 2, "N")))), []);
        assert_eq!(verdicts(check(&pasted(&list(40, 7_200, "N")))), []);
        assert_eq!(verdicts(check(&pasted(&list(300, 7_200, "b")))), []);
    }
}
