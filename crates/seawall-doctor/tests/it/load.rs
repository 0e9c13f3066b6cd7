//! What a look costs a server, and whom it lists of a crowd so that it costs little.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::time::Duration;

use seawall_doctor::facts::{Listed, Look};
use seawall_doctor::live::{self, Manner};
use seawall_doctor::{Facts, diagnose, report};
use seawall_lab::world::Server;

use crate::{GUARD, ask, connect, looked_at, now, server, target, until};

/// Calls and microseconds of each command, as the server counts them.
fn counted(server: &Server) -> BTreeMap<String, (u64, u64)> {
    let info = server.info("commandstats").expect("it tells");
    let rows = info.iter().filter_map(|(name, row)| {
        let number = |key: &str| {
            let mut pairs = row.split(',').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == key)?.1.parse().ok()
        };
        let name = name.strip_prefix("cmdstat_")?.to_owned();
        Some((name, (number("calls")?, number("usec")?)))
    });
    rows.collect()
}

#[test]
fn what_a_look_cost_is_what_the_server_counts_for_it() {
    let server = server(&[]);
    server
        .command(&[b"CONFIG", b"RESETSTAT"])
        .expect("it is reset");
    let facts = looked_at(&server);
    let cost = facts.looks[0].cost.clone();
    let mut told = 0;
    let mut counted = counted(&server);
    counted.remove("config|resetstat");
    for (name, (calls, micros)) in counted {
        let Some(spent) = cost.spent.iter().find(|one| one.command == name) else {
            panic!("{name} was asked and is not told: {cost:?}");
        };
        assert_eq!(spent.calls, calls, "{name}");
        told += calls;
        // The last INFO is counted when the look is over: it is taken for an average one.
        if name != "info" {
            assert_eq!(spent.took, Duration::from_micros(micros), "{name}");
        }
    }
    assert_eq!(told, cost.commands);
    assert!(cost.took() < Some(cost.waited) && cost.waited < cost.lasted);
    let diagnosis = diagnose(facts);
    let json = &report::json(&diagnosis)["costs"][0];
    assert_eq!(json["commands"].as_u64(), Some(cost.commands));
    assert_eq!(json["share"].as_f64(), cost.share());
    for text in [
        report::text(&diagnosis, true),
        report::load(&diagnosis.costs),
    ] {
        assert!(
            text.contains("COST") && text.contains("% of the server's time"),
            "{text}"
        );
        assert!(text.contains("CONFIG GET"), "{text}");
    }
}

#[test]
fn what_others_ask_meanwhile_is_not_laid_to_the_look() {
    let server = server(&[]);
    // A list that takes the server longer than all of ours, and that the look asks for none of.
    let mut words: Vec<&[u8]> = vec![b"RPUSH", b"large"];
    words.extend(std::iter::repeat_n(&b"1"[..], 100_000));
    server.command(&words).expect("it is taken");
    let facts = std::thread::scope(|threads| {
        let looking = threads.spawn(|| looked_at(&server));
        let mut calls = 0;
        while !looking.is_finished() {
            server
                .command(&[b"SORT", b"large", b"LIMIT", b"0", b"1"])
                .expect("it answers");
            server
                .command(&[b"CONFIG", b"GET", b"*"])
                .expect("it answers");
            calls += 1;
        }
        assert!(calls > 1);
        looking.join().expect("it looks")
    });
    let spent = &facts.looks[0].cost.spent;
    assert!(spent.iter().all(|one| one.command != "sort"), "{spent:?}");
    let ours = spent.iter().find(|one| one.command == "config|get");
    assert_eq!(ours.map(|one| one.calls), Some(1));
}

#[test]
fn a_server_that_hides_its_statistics_is_told_to_hide_them() {
    let server = server(&[("rename-command", "INFO \"\"")]);
    let facts = looked_at(&server);
    assert_eq!(facts.looks[0].cost.share(), None);
    let told = report::load(&diagnose(facts).costs);
    assert!(
        told.contains("what of it was the server's time it does not tell"),
        "{told}"
    );
}

const NO_ROOM: &str = "not tried: this host lets us have no such crowd";

/// So many connections, or `None` where this host has no room for them.
fn crowd(server: &Server, names: &[(&str, usize)]) -> Option<Vec<TcpStream>> {
    let mut crowd = Vec::new();
    for (name, count) in names {
        for _ in 0..*count {
            let Ok(mut one) = TcpStream::connect(server.addr()) else {
                return None;
            };
            if !name.is_empty() {
                ask(&mut one, &format!("CLIENT SETNAME {name}"));
            }
            crowd.push(one);
        }
    }
    until("the crowd", || {
        let clients = server.info("clients").expect("it tells");
        clients["connected_clients"].parse().unwrap_or(0) >= crowd.len()
    });
    Some(crowd)
}

fn named(look: &Look, name: &str) -> usize {
    look.clients.iter().filter(|peer| peer.name == name).count()
}

fn not_all(facts: &Facts) -> bool {
    let says = |why: &str| why.contains("drawn at random were asked about");
    facts.unseen.iter().any(|one| says(&one.why))
}

#[test]
fn of_a_crowd_some_are_drawn_who_stand_for_the_others_and_all_who_listen_are_listed() {
    let server = server(&[("maxclients", "9000")]);
    let Some(_crowd) = crowd(&server, &[("web", 1_600), ("jobs", 800)]) else {
        eprintln!("{NO_ROOM}");
        return;
    };
    let mut listener = connect(&server);
    ask(&mut listener, "SUBSCRIBE news");
    let facts = looked_at(&server);
    let look = &facts.looks[0];
    let Listed::Some { drawn, of } = look.listed else {
        panic!("{:?}", look.listed)
    };
    assert!(
        (100..=600).contains(&drawn) && (2_400..2_420).contains(&of),
        "{:?}",
        look.listed
    );
    assert_eq!(
        look.clients.iter().filter(|peer| peer.subscribes()).count(),
        1
    );
    let share = look.scaled(named(look, "web"));
    assert!(
        (1_400..1_800).contains(&share),
        "{share} of 2400 are taken for web's 1600"
    );
    assert!(not_all(&facts), "{:?}", facts.unseen);
    let told = report::text(&diagnose(facts), true);
    assert!(told.contains("seawall doctor --for 1 URL"), "{told}");
    // Who looks for longer has time for all of them.
    let manner = Manner {
        now: now(),
        within: GUARD,
        between: Duration::from_secs(1),
    };
    let facts = live::look_as(&target(&server, ""), manner).expect("no TLS");
    let look = &facts.looks[0];
    assert_eq!((look.listed, named(look, "web")), (Listed::All, 1_600));
    assert!(!not_all(&facts));
}

#[test]
fn where_one_client_is_unlike_the_others_all_are_listed() {
    let server = server(&[("maxclients", "9000")]);
    let Some(_crowd) = crowd(&server, &[("web", 2_100)]) else {
        eprintln!("{NO_ROOM}");
        return;
    };
    let mut watching = connect(&server);
    ask(&mut watching, "MONITOR");
    let facts = looked_at(&server);
    let look = &facts.looks[0];
    assert_eq!((look.listed, named(look, "web")), (Listed::All, 2_100));
    let found = diagnose(facts).findings;
    assert!(
        found.iter().any(|one| one.code.to_string() == "SW311"),
        "{found:?}"
    );
}

#[test]
fn of_more_clients_than_are_ever_listed_some_are_drawn() {
    let server = server(&[("maxclients", "11000")]);
    let Some(_crowd) = crowd(&server, &[("", 10_001)]) else {
        eprintln!("{NO_ROOM}");
        return;
    };
    let facts = looked_at(&server);
    assert!(matches!(
        facts.looks[0].listed,
        Listed::Some { drawn: 100.., .. }
    ));
    let told = report::text(&diagnose(facts), true);
    assert!(
        told.contains("redis-cli CLIENT LIST > clients.txt"),
        "{told}"
    );
}

#[test]
fn connections_that_came_and_went_do_not_distort_what_is_drawn() {
    let server = server(&[("maxclients", "2600")]);
    let Some(gone) = crowd(&server, &[("gone", 1_050)]) else {
        eprintln!("{NO_ROOM}");
        return;
    };
    drop(gone);
    let Some(_crowd) = crowd(&server, &[("web", 2_100)]) else {
        eprintln!("{NO_ROOM}");
        return;
    };
    let look = looked_at(&server).looks.remove(0);
    assert!(
        matches!(look.listed, Listed::Some { drawn: 400.., .. }),
        "{:?}",
        look.listed
    );
    let about = look.scaled(named(&look, "web"));
    assert!(
        (1_900..=2_110).contains(&about),
        "{about} are taken for 2100: {:?}",
        look.listed
    );
}
