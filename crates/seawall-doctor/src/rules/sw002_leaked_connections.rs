//! Connections are opened and not given back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::facts::{Facts, Holder, Host, Look, Peer};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// A pool may rest for a night; a connection that rests for an hour among many others of its owner is forgotten.
const RESTS_S: u64 = 3_600;

/// A pool of so many that rests is a pool.
const MANY: u64 = 100;

/// So long no pool takes to fill itself; between two looks that are nearer nothing is told to rest.
const APART: Duration = Duration::from_secs(5);

/// Workers that start one after another open connections that rest, too: who cannot tell processes apart looks for longer.
const APART_UNKNOWN: Duration = Duration::from_secs(60);

pub(super) const RULE: Rule = Rule {
    code: Code(2),
    title: "one owner holds many connections that nobody uses",
    explanation: "A client that is made for each request or task and never closed keeps its connections until its process ends. \
`connected_clients` grows with every deploy and every hour, most of them rest for hours, and one day maxclients is reached. More \
room only moves that day. Two looks show it while it happens: no pool opens connections while others of its own rest.",
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
    facts
        .looks
        .iter()
        .filter_map(|look| growing(facts, look).or_else(|| forgotten(look)))
        .collect()
}

/// Many that rest for an hour.
fn forgotten(look: &Look) -> Option<Finding> {
    let rests = |clients: &[&Peer]| {
        let rests = |client: &&&Peer| client.idle >= RESTS_S && !blocked(client);
        clients.iter().filter(rests).count()
    };
    let owners = owners(&look.clients).into_iter();
    let ((host, name), clients) = owners.max_by_key(|(_, clients)| rests(clients))?;
    let resting = rests(&clients);
    if look.scaled(resting) < MANY || resting * 2 < clients.len() {
        return None;
    }
    let longest = clients.iter().map(|client| client.idle).max().unwrap_or(0);
    let owner = label(host, name);
    let says = format!(
        "{owner} holds {} connections, {} of them without a command for an hour or more",
        look.how_many(clients.len()),
        look.how_many(resting)
    );
    let claim = format!("{says}, {longest} s at the longest");
    Some(told(look, &owner, says, claim, Confidence::Likely))
}

/// Many of which none is used again, and more come.
fn growing(facts: &Facts, look: &Look) -> Option<Finding> {
    let before = look.before.as_ref().filter(|before| before.span >= APART)?;
    look.watched_from()?;
    let then = owners(&before.clients);
    let now = owners(&look.clients).into_iter();
    let ((host, name), clients) = now.max_by_key(|(_, clients)| clients.len())?;
    let earlier: BTreeSet<_> = then
        .get(&(host, name))?
        .iter()
        .map(|client| key(client))
        .collect();
    let later: BTreeSet<_> = clients.iter().map(|client| key(client)).collect();
    let (kept, new): (Vec<_>, Vec<_>) = clients
        .iter()
        .partition(|client| earlier.contains(&key(client)));
    let span = before.span.as_secs();
    // It is told in whole seconds, and the list is older than the last INFO by as much as the server was busy.
    let rests = |client: &&&&Peer| client.idle + 2 >= span && !blocked(client);
    let resting = kept.iter().filter(rests).count();
    let closed = earlier.difference(&later).count();
    let many = MANY as usize;
    let leaks = clients.len() >= many
        && resting * 2 >= many
        && (kept.len() - resting) * 10 <= resting
        && new.len() * 4 >= many
        && closed * 10 <= new.len();
    let held_by = holder(facts, &clients);
    if !leaks || (held_by.is_none() && before.span < APART_UNKNOWN) {
        return None;
    }
    let mut owner = label(host, name);
    if let Some((_, holder)) = held_by {
        owner = format!("{} (pid {}) of {owner}", holder.name, holder.pid);
    }
    let says = format!(
        "{owner} opened {} connections and closed {closed} while {resting} of its own rested; it holds {}",
        new.len(),
        clients.len()
    );
    let confidence = if held_by.is_some() {
        Confidence::Strong
    } else {
        Confidence::Likely
    };
    let finding = told(look, &owner, says.clone(), says, confidence).at(look.watched_from());
    Some(match held_by {
        Some((host, holder)) => finding.supported(
            host.place(),
            format!(
                "process {} holds {} of them",
                holder.pid,
                holder.addrs.len()
            ),
        ),
        None => finding,
    })
}

/// The process that holds nearly all of them, where it runs on a host that was looked at.
fn holder<'a>(facts: &'a Facts, clients: &[&Peer]) -> Option<(&'a Host, &'a Holder)> {
    let holders = facts
        .hosts
        .iter()
        .flat_map(|host| host.holders.iter().map(move |holder| (host, holder)));
    let mut holders = holders.filter(|(_, holder)| {
        let held = |client: &&&Peer| holder.addrs.contains(&client.addr);
        clients.iter().filter(held).count() * 10 >= clients.len() * 9
    });
    holders.next()
}

/// A connection, as long as it lasts: its server numbers it, and nobody else has its address meanwhile.
fn key(client: &Peer) -> (Option<u64>, &str) {
    (client.id, &client.addr)
}

fn owners(clients: &[Peer]) -> BTreeMap<(&str, &str), Vec<&Peer>> {
    let mut owners: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let plain = |client: &&Peer| !client.subscribes() && !client.replicates();
    for client in clients.iter().filter(plain) {
        let owner = (host(&client.addr), &*client.name);
        owners.entry(owner).or_default().push(client);
    }
    owners
}

fn label(host: &str, name: &str) -> String {
    if name.is_empty() {
        host.to_owned()
    } else {
        format!("{host} ({name})")
    }
}

/// What it did where the server has no more room; a risk until then.
fn told(look: &Look, owner: &str, says: String, claim: String, confidence: Confidence) -> Finding {
    let mut claim = claim;
    let grew = look.rose("connected_clients").unwrap_or(0);
    let room = look
        .number("maxclients")
        .or_else(|| look.setting("maxclients"));
    let connected = look.number("connected_clients").unwrap_or(0);
    let full = room.is_some_and(|room| connected * 100 >= room * 95);
    let (verdict, confidence) = if full {
        (Verdict::Cause, confidence)
    } else {
        (Verdict::Risk, Confidence::Possible)
    };
    if grew > 0 {
        claim = format!(
            "{claim}; connected_clients grew by {grew} in {}",
            look.between().unwrap_or_default()
        );
    }
    Finding::new(RULE.code, RULE.title, verdict, confidence)
            .at(look.at)
            .struck(owner)
            .claims(format!("{claim}."))
            .supported(look.place("CLIENT LIST"), says)
            .fix("one client for each process, made once; close() or `with` around any other (look where that owner makes its client)", "", "")
            .fix("stop-gap: redis-cli CONFIG SET timeout 3600", "clients that rest for an hour meet a closed connection, and must try again", format!("redis-cli CONFIG SET timeout {}", look.config.get("timeout").map_or("0", String::as_str)))
            .checked_by("connected_clients of INFO stays level for a day, over a deploy")
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
    use std::ops::Range;

    use super::*;
    use crate::testing::{pasted, verdicts};

    fn row(number: u32, idle: u32, flags: &str) -> String {
        format!(
            "id={number} addr=10.0.0.7:{} laddr=10.0.0.2:6379 fd=9 name=api age=90000 idle={idle} flags={flags} db=0 sub=0 psub=0 multi=-1 qbuf=0 omem=0 cmd=get user=default\n",
            20_000 + number
        )
    }

    fn list(count: u32, idle: u32, flags: &str) -> String {
        (0..count).map(|number| row(number, idle, flags)).collect()
    }

    /// Two looks: at the later one the connections of these numbers are there, and have rested for so long.
    fn twice(earlier: Range<u32>, later: &[(Range<u32>, u32)], apart_s: u64) -> Facts {
        let info = |up: u64, clients: usize| {
            format!(
                "# Server\nrun_id:a\nuptime_in_seconds:{up}\nserver_time_usec:{}000000\nconnected_clients:{clients}\nmaxclients:130\n",
                1_795_402_000 + up
            )
        };
        let rows = |numbers: Range<u32>, idle| -> String {
            numbers.map(|number| row(number, idle, "N")).collect()
        };
        let now: usize = later.iter().map(|(numbers, _)| numbers.len()).sum();
        let mut facts = pasted(&format!(
            "{}{}",
            info(1_000, earlier.len()),
            rows(earlier, 1)
        ));
        let lists: String = later
            .iter()
            .map(|(numbers, idle)| rows(numbers.clone(), *idle))
            .collect();
        facts.add(pasted(&format!("{}{lists}", info(1_000 + apart_s, now))));
        facts.sort();
        facts
    }

    fn held_by_one_process(facts: &mut Facts) {
        let mut host = Host::new("this host", None);
        let addrs = facts.looks[0].clients.iter();
        host.holders.push(Holder {
            pid: 4_711,
            name: "python3".to_owned(),
            addrs: addrs.map(|client| client.addr.clone()).collect(),
        });
        facts.hosts.push(host);
    }

    #[test]
    fn two_looks_show_a_leak_while_it_happens() {
        let mut facts = twice(0..60, &[(0..60, 9), (60..128, 1)], 8);
        // Sixty workers that came one after another would look the same.
        assert_eq!(verdicts(check(&facts)), []);
        held_by_one_process(&mut facts);
        let found = check(&facts);
        assert_eq!(
            found[0].claim,
            "python3 (pid 4711) of 10.0.0.7 (api) opened 68 connections and closed 0 while 60 of its own rested; it holds 128; \
connected_clients grew by 68 in 8 s."
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
        let longer = twice(0..60, &[(0..60, 91), (60..128, 1)], 90);
        assert_eq!(
            verdicts(check(&longer)),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn pools_that_are_used_that_fill_themselves_and_that_are_exchanged_are_no_leak() {
        for later in [
            vec![(0..60, 0), (60..128, 1)],
            vec![(0..60, 9), (60..70, 1)],
            vec![(20..60, 9), (60..128, 1)],
            vec![(0..60, 9)],
        ] {
            let mut facts = twice(0..60, &later, 8);
            held_by_one_process(&mut facts);
            assert_eq!(verdicts(check(&facts)), [], "{later:?}");
        }
        let mut at_once = twice(0..60, &[(0..60, 9), (60..128, 1)], 1);
        held_by_one_process(&mut at_once);
        assert_eq!(verdicts(check(&at_once)), []);
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
