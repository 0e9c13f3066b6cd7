//! The client's settings against what the server and the path between allow.

use std::time::Duration;

use seawall_model::show_span;

use super::{Audited, Check, Remark, Severity, TELL, config, info, looks};

/// The idle limits of what lies between, shortest first: a connection that rests longer is forgotten or reset there.
const MIDDLEBOXES: &[(u64, &str)] = &[
    (240, "Azure Load Balancer"),
    (350, "AWS Network Load Balancer, AWS Network Firewall"),
    (360, "Oracle's network load balancer"),
    (600, "Google's VPC, Azure Cache for Redis"),
    (900, "Docker Swarm, kube-proxy with IPVS"),
];

/// What a person waits for, and what a network needs.
const CONNECT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// A reply that takes longer has kept a thread from everything else.
const READ_MAX: Duration = Duration::from_secs(30);

pub(super) const CONNECT_TIMEOUT: Check = Check {
    name: "connect-timeout",
    look: connect_timeout,
    wants: TELL,
};

fn connect_timeout(audited: &Audited) -> Option<Vec<Remark>> {
    let says = |severity, claim: String| {
        let advice = "connect_timeout between 500ms and 5s: longer than one lost SYN (1 s) where a retry is dear";
        vec![CONNECT_TIMEOUT.says(severity, "--client connect_timeout", claim, advice)]
    };
    Some(match audited.client.connect_timeout? {
        None => says(
            Severity::Critical,
            "no connect timeout: where packets are dropped a connect hangs for two minutes (127 s on Linux)".to_owned(),
        ),
        Some(span) if span < CONNECT.0 => says(
            Severity::Warn,
            format!("a connect timeout of {} fails wherever one SYN is lost, or the server is busy for a moment", show_span(span)),
        ),
        Some(span) if span > CONNECT.1 => says(
            Severity::Warn,
            format!("a connect timeout of {} keeps a thread for that long when the host is gone", show_span(span)),
        ),
        Some(_) => Vec::new(),
    })
}

pub(super) const READ_TIMEOUT: Check = Check {
    name: "read-timeout",
    look: read_timeout,
    wants: TELL,
};

fn read_timeout(audited: &Audited) -> Option<Vec<Remark>> {
    let place = "--client timeout";
    let Some(timeout) = audited.client.timeout? else {
        return Some(vec![READ_TIMEOUT.says(
            Severity::Critical,
            place,
            "no read timeout: on a connection that something between has forgotten a call hangs for a quarter of an hour",
            "a timeout of 1 to 5 s; blocking commands on connections of their own with a longer one",
        )]);
    };
    if timeout > READ_MAX {
        return Some(vec![READ_TIMEOUT.says(
            Severity::Warn,
            place,
            format!("a read timeout of {} keeps threads for that long when the server stands still", show_span(timeout)),
            "a timeout of 1 to 5 s; blocking commands on connections of their own with a longer one",
        )]);
    }
    // A timeout below what the server's own commands take ends calls that would have been answered.
    let mut remarks = Vec::new();
    for look in looks(audited) {
        let slowest = look.slow.iter().max_by_key(|slow| slow.micros);
        if let Some(slow) = slowest.filter(|slow| Duration::from_micros(slow.micros) > timeout) {
            let took = show_span(Duration::from_millis(slow.micros / 1_000));
            remarks.push(READ_TIMEOUT.says(
                Severity::Warn,
                look.place("SLOWLOG"),
                format!("{} took {took}: longer than the timeout of {}, so that everybody's calls time out meanwhile", slow.command, show_span(timeout)),
                "make that command shorter; the timeout is not what is wrong",
            ));
        }
    }
    Some(remarks)
}

pub(super) const CONNECTIONS: Check = Check {
    name: "pool-times-processes",
    look: connections,
    wants: TELL,
};

/// Between two deploys old and new processes are there at once.
const DEPLOY: u64 = 2;

fn connections(audited: &Audited) -> Option<Vec<Remark>> {
    let (pool, processes) = (audited.client.pool?, audited.client.processes?);
    let wanted = pool.saturating_mul(processes);
    let mut told = false;
    let mut remarks = Vec::new();
    for look in looks(audited) {
        let room = look
            .number("maxclients")
            .or_else(|| look.setting("maxclients"));
        let Some(room) = room else { continue };
        told = true;
        let advice = format!(
            "smaller pools ({} connections a process leave room for a deploy), or maxclients above {}",
            (room / processes.max(1) / DEPLOY).max(1),
            wanted.saturating_mul(DEPLOY)
        );
        let sum = format!("{processes} processes with {pool} connections each are {wanted}");
        if wanted > room {
            let claim =
                format!("{sum}, and the server lets in {room}: under load clients are turned away");
            remarks.push(CONNECTIONS.says(Severity::Critical, info(look), claim, advice));
        } else if wanted.saturating_mul(DEPLOY) > room {
            let claim = format!(
                "{sum} of {room}: in a deploy, with old and new processes at once, clients are turned away"
            );
            remarks.push(CONNECTIONS.says(Severity::Warn, info(look), claim, advice));
        }
    }
    told.then_some(remarks)
}

pub(super) const POOL_AGE: Check = Check {
    name: "pool-age",
    look: pool_age,
    wants: TELL,
};

fn pool_age(audited: &Audited) -> Option<Vec<Remark>> {
    let max_idle = audited.client.max_idle?;
    let mut told = false;
    let mut remarks = Vec::new();
    for look in looks(audited) {
        let Some(timeout) = look.setting("timeout") else {
            continue;
        };
        told = true;
        let server = Duration::from_secs(timeout);
        // A connection that is retired just when the server closes it is the race that one wanted to be rid of.
        let safe = max_idle.is_some_and(|idle| idle + Duration::from_secs(2) <= server);
        if timeout > 0 && !safe {
            let idle = max_idle.map_or_else(
                || "never".to_owned(),
                |idle| format!("after {}", show_span(idle)),
            );
            remarks.push(POOL_AGE.says(
                Severity::Critical,
                config(look),
                format!("the server closes what rests for {timeout} s, and the pool retires it {idle}: the first call after a pause fails"),
                format!("max_idle of {} s at most", timeout.saturating_sub(timeout / 4).saturating_sub(1).max(1)),
            ));
        }
    }
    told.then_some(remarks)
}

pub(super) const KEEPALIVE: Check = Check {
    name: "keepalive",
    look: keepalive,
    wants: TELL,
};

fn keepalive(audited: &Audited) -> Option<Vec<Remark>> {
    let client = audited.client.keepalive?;
    let server = looks(audited)
        .filter_map(|look| look.setting("tcp-keepalive"))
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
        .min();
    // Either side's packets keep a flow known; a pool that retires what rests needs none.
    let idle = audited.client.max_idle.flatten();
    let untold = looks(audited).all(|look| look.setting("tcp-keepalive").is_none());
    if untold && client.is_none() && idle.is_none() {
        return None;
    }
    let Some(kept) = [client, server, idle].into_iter().flatten().min() else {
        return Some(vec![KEEPALIVE.says(
            Severity::Critical,
            "--client keepalive",
            "neither side sends keepalives: whatever forgets idle flows makes the first call after a pause hang",
            "keepalive=60s in the client, or CONFIG SET tcp-keepalive 60",
        )]);
    };
    let meets: Vec<_> = MIDDLEBOXES
        .iter()
        .filter(|(limit, _)| Duration::from_secs(*limit) <= kept)
        .map(|(limit, name)| format!("{name} ({limit} s)"))
        .collect();
    if meets.is_empty() {
        return Some(Vec::new());
    }
    Some(vec![KEEPALIVE.says(
        Severity::Warn,
        "--client keepalive, tcp-keepalive",
        format!("an idle connection is silent for {}: longer than what is between may keep it: {}", show_span(kept), meets.join(", ")),
        "keepalive=60s in the client, or CONFIG SET tcp-keepalive 60; TCP's keepalive does not help against HAProxy and Envoy",
    )])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Client;
    use crate::testing::pasted;

    fn audited(client: &str, server: &str) -> Audited {
        Audited {
            facts: pasted(&format!("# Server\nuptime_in_seconds:90\n{server}")),
            client: Client::parse(client).expect("it can be read"),
            host: None,
        }
    }

    fn severities(remarks: Option<Vec<Remark>>) -> Option<Vec<Severity>> {
        Some(remarks?.into_iter().map(|remark| remark.severity).collect())
    }

    #[test]
    fn a_connect_timeout_outside_half_a_second_and_five_is_told() {
        for (told, wanted) in [
            ("connect_timeout=1s", vec![]),
            ("connect_timeout=100ms", vec![Severity::Warn]),
            ("connect_timeout=30", vec![Severity::Warn]),
            ("connect_timeout=off", vec![Severity::Critical]),
        ] {
            let found = connect_timeout(&audited(told, ""));
            assert_eq!(severities(found), Some(wanted), "{told}");
        }
        assert_eq!(connect_timeout(&audited("pool=1", "")), None);
    }

    #[test]
    fn pools_are_held_against_maxclients_and_a_deploy() {
        let server = "maxclients:1000\n";
        for (told, wanted) in [
            ("pool=10,processes=40", vec![]),
            ("pool=10,processes=60", vec![Severity::Warn]),
            ("pool=10,processes=200", vec![Severity::Critical]),
        ] {
            assert_eq!(
                severities(connections(&audited(told, server))),
                Some(wanted),
                "{told}"
            );
        }
        assert_eq!(connections(&audited("pool=10", server)), None);
        assert_eq!(connections(&audited("pool=10,processes=1", "")), None);
    }

    #[test]
    fn a_pool_that_keeps_connections_longer_than_the_server_is_critical() {
        let server = "1) \"timeout\"\n2) \"300\"\n";
        for (told, wanted) in [
            ("max_idle=off", vec![Severity::Critical]),
            ("max_idle=300", vec![Severity::Critical]),
            ("max_idle=200", vec![]),
        ] {
            assert_eq!(
                severities(pool_age(&audited(told, server))),
                Some(wanted),
                "{told}"
            );
        }
        let never = "1) \"timeout\"\n2) \"0\"\n";
        assert_eq!(
            severities(pool_age(&audited("max_idle=off", never))),
            Some(vec![])
        );
    }

    #[test]
    fn keepalives_of_either_side_below_every_middleboxs_limit_are_enough() {
        let server = "1) \"tcp-keepalive\"\n2) \"300\"\n";
        assert_eq!(
            severities(keepalive(&audited("keepalive=60", server))),
            Some(vec![])
        );
        let found = keepalive(&audited("keepalive=off", server)).expect("it can tell");
        assert!(
            found[0].claim.contains("Azure") && !found[0].claim.contains("AWS"),
            "{found:?}"
        );
        let none = "1) \"tcp-keepalive\"\n2) \"0\"\n";
        assert_eq!(
            severities(keepalive(&audited("keepalive=off", none))),
            Some(vec![Severity::Critical])
        );
        assert_eq!(
            severities(keepalive(&audited("keepalive=off,max_idle=60", none))),
            Some(vec![])
        );
    }
}
