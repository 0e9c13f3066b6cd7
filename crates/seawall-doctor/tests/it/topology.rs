//! Real Sentinels and a real cluster, from the outside: what a live look and the script's bundle tell after a node was killed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use seawall_doctor::facts::Role;
use seawall_doctor::finding::{Confidence, Verdict};
use seawall_doctor::read::{self, Given};
use seawall_doctor::{Diagnosis, Facts, diagnose, report};
use seawall_lab::world::Server;
use seawall_model::Target;
use tempfile::TempDir;

use crate::bundle::Desk;
use crate::looking::free_port;
use crate::{GUARD, application, binary, looked, now, server, until};

fn target(port: u16) -> Target {
    Target::parse(&format!("redis://127.0.0.1:{port}")).expect("the URL is right")
}

/// One command, and the first line of its answer.
fn ask(port: u16, command: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(GUARD)).expect("a socket");
    stream
        .write_all(format!("{command}\r\n").as_bytes())
        .expect("it takes it");
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .expect("it answers");
    line.trim().to_owned()
}

/// A Sentinel of one primary, alone: it decides by itself.
struct Sentinel {
    port: u16,
    child: Child,
    dir: TempDir,
}

impl Sentinel {
    fn of(primary: &Server) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let config = dir.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nlogfile {}\nsentinel monitor shop 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds shop 1500\nsentinel failover-timeout shop 3000\n",
            dir.path().display(),
            dir.path().join("sentinel.log").display(),
            primary.port(),
        );
        fs::write(&config, text).expect("it is written");
        let child = Command::new(&binary().path)
            .arg(&config)
            .arg("--sentinel")
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        Self { port, child, dir }
    }

    fn log_path(&self) -> String {
        self.dir.path().join("sentinel.log").display().to_string()
    }

    fn log(&self) -> Facts {
        let file = File::open(self.log_path()).expect("it has a log");
        let (_, facts) =
            read::file("sentinel.log", file, Given { now: now() }).expect("it is read");
        facts
    }

    fn look(&self) -> Facts {
        looked(&target(self.port), GUARD)
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn told(diagnosis: &Diagnosis) -> Vec<(u16, Verdict, Confidence)> {
    let findings = diagnosis.findings.iter();
    findings
        .map(|one| (one.code.0, one.verdict, one.confidence))
        .collect()
}

/// A primary with one replica that follows it.
fn pair() -> (Server, Server) {
    let primary = server(&[]);
    let replica = server(&[("replicaof", &format!("127.0.0.1 {}", primary.port()))]);
    until("the replica", || {
        replica.info("replication").expect("it tells")["master_link_status"] == "up"
    });
    (primary, replica)
}

#[test]
fn a_failover_is_told_by_the_sentinel_and_by_its_bundle_alike() {
    let (primary, replica) = pair();
    let sentinel = Sentinel::of(&primary);
    until("the Sentinel that knows the replica", || {
        let facts = sentinel.look();
        facts.looks[0]
            .watched
            .first()
            .is_some_and(|shop| !shop.replicas.is_empty())
    });
    let before = diagnose(sentinel.look());
    assert_eq!(before.findings, [], "{}", report::text(&before, true));

    primary.kill9().expect("it is killed");
    until("the failover", || {
        let facts = sentinel.look();
        facts.looks[0].watched[0].addr() == format!("127.0.0.1:{}", replica.port())
    });
    let lines: Vec<_> = (1..4)
        .map(|ago| {
            format!(
                "{} Error 111 connecting to 127.0.0.1:{}. Connection refused.\n",
                now().plus_seconds(-ago),
                primary.port()
            )
        })
        .collect();
    let calls = lines.concat();

    let mut facts = sentinel.look();
    let look = &facts.looks[0];
    assert_eq!(look.role, Some(Role::Sentinel(vec!["shop".to_owned()])));
    let [old] = &look.watched[0].replicas[..] else {
        panic!("{:?}", look.watched)
    };
    assert_eq!(old["port"], primary.port().to_string());
    facts.add(sentinel.log());
    facts.add(application(&calls));
    let live = diagnose(facts);
    let up = report::text(&live, false);
    assert!(
        up.starts_with(&format!(
            "DID REDIS STAY UP?  unknown: 127.0.0.1:{} is a Sentinel",
            sentinel.port
        )),
        "{up}"
    );
    assert_eq!(
        live.ruled_out,
        [],
        "of a Sentinel nothing is ruled out for the servers"
    );
    assert_eq!(
        told(&live)[0],
        (821, Verdict::Cause, Confidence::Proved),
        "{}",
        report::text(&live, true)
    );

    let Some(desk) = Desk::new() else { return };
    let log = sentinel.log_path();
    let mut facts = desk.read(sentinel.port, &[("SEAWALL_LOG", &log)]);
    assert_eq!(facts.unseen, [], "nothing was refused");
    facts.add(application(&calls));
    let bundle = diagnose(facts);
    assert_eq!(
        told(&bundle),
        told(&live),
        "{}",
        report::text(&bundle, true)
    );
}

/// Three nodes that share all slots, and know one another.
fn cluster() -> Vec<Server> {
    let nodes: Vec<_> = (0..3)
        .map(|_| {
            let bus = free_port().to_string();
            server(&[
                ("cluster-enabled", "yes"),
                ("cluster-port", &bus),
                ("cluster-node-timeout", "1000"),
            ])
        })
        .collect();
    let bus = |node: &Server| {
        node.config_get("cluster-port")
            .expect("it tells")
            .expect("it has one")
    };
    for (place, slots) in ["0 5460", "5461 10922", "10923 16383"].iter().enumerate() {
        let answer = ask(
            nodes[place].port(),
            &format!("CLUSTER ADDSLOTSRANGE {slots}"),
        );
        assert_eq!(answer, "+OK");
        let meet = format!(
            "CLUSTER MEET 127.0.0.1 {} {}",
            nodes[place].port(),
            bus(&nodes[place])
        );
        assert_eq!(ask(nodes[0].port(), &meet), "+OK");
    }
    until("the cluster", || {
        nodes.iter().all(|node| {
            let look = looked(&target(node.port()), GUARD).looks.remove(0);
            look.cluster
                .get("cluster_state")
                .is_some_and(|state| state == "ok")
                && look
                    .cluster
                    .get("cluster_known_nodes")
                    .is_some_and(|nodes| nodes == "3")
        })
    });
    nodes
}

#[test]
fn a_cluster_that_lost_a_node_is_down_and_each_way_to_look_says_so() {
    let nodes = cluster();
    let whole = diagnose(looked(&target(nodes[0].port()), GUARD));
    assert_eq!(whole.findings, [], "{}", report::text(&whole, true));

    nodes[2].kill9().expect("it is killed");
    until("CLUSTERDOWN", || {
        ask(nodes[0].port(), "GET any").starts_with("-CLUSTERDOWN")
    });
    let lines: Vec<_> = (1..4)
        .map(|ago| {
            format!(
                "{} redis.exceptions.ClusterDownError: CLUSTERDOWN The cluster is down\n",
                now().plus_seconds(-ago)
            )
        })
        .collect();
    let calls = lines.concat();
    let expect = |facts: Facts, way: &str| {
        let diagnosis = diagnose(facts);
        let first = diagnosis
            .first()
            .unwrap_or_else(|| panic!("{way} tells nothing"));
        assert_eq!(
            first.code.0,
            831,
            "{way}: {}",
            report::text(&diagnosis, true)
        );
        assert!(
            first
                .claim
                .contains(&format!("127.0.0.1:{}", nodes[2].port()))
                && first.claim.contains("5461 slots"),
            "{way}: {}",
            first.claim
        );
        told(&diagnosis)
    };
    let alone = looked(&target(nodes[0].port()), GUARD);
    let live = expect(alone.clone(), "a look");
    assert_eq!(live[0], (831, Verdict::Cause, Confidence::Proved));
    let mut with_calls = alone;
    with_calls.add(application(&calls));
    assert_eq!(
        expect(with_calls, "a look and calls")[0].2,
        Confidence::Strong
    );
    // All that there is: each node that lives, and the one that does not.
    let mut all = Facts::default();
    for node in &nodes {
        all.add(looked(&target(node.port()), GUARD));
    }
    expect(all, "looks at all of them");

    let Some(desk) = Desk::new() else { return };
    let facts = desk.read(nodes[0].port(), &[]);
    assert_eq!(facts.unseen, [], "nothing was refused");
    assert_eq!(expect(facts, "a bundle"), live);
}
