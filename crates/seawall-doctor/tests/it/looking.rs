//! What a look at a live server brings home.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use seawall_doctor::facts::{Look, Reach, Role};
use seawall_doctor::finding::Confidence;
use seawall_doctor::live::{self, Manner};
use seawall_doctor::{diagnose, report};
use seawall_model::Target;

use crate::{GUARD, ask, binary, connect, looked, looked_at, now, server, target, until};

pub(crate) fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("an address").port()
}

fn look_at(server: &seawall_lab::world::Server) -> Look {
    looked_at(server).looks.remove(0)
}

#[test]
fn the_latency_monitor_memory_role_and_settings_are_asked_for() {
    let server = server(&[
        ("latency-monitor-threshold", "5"),
        ("repl-timeout", "77"),
        ("requirepass", "hunter2"),
        ("masterauth", "hunter3"),
    ]);
    server
        .debug_sleep(Duration::from_millis(20))
        .expect("it sleeps");
    let target = target(&server, ":hunter2@");
    until("the event", || {
        !looked(&target, GUARD).looks[0].latency.is_empty()
    });
    let facts = looked(&target, GUARD);
    let look = &facts.looks[0];
    let event = look.latency.iter().find(|event| event.event == "command");
    assert!(event.is_some_and(|event| event.max_ms >= 20), "{event:?}");
    assert!(look.memory.contains_key("peak.allocated"));
    assert!(matches!(look.role, Some(Role::Primary { .. })));
    assert_eq!(look.setting("repl-timeout"), Some(77));
    assert_eq!(look.calls("debug"), Some(1));
    assert_eq!(look.errors("OOM"), Some(0));
    assert_eq!(facts.unseen, []);
    let all = format!("{facts:?}");
    assert!(!all.contains("hunter"), "a secret got into a fact");
}

#[test]
fn whom_the_acl_refused_is_told_without_the_key() {
    let server = server(&[]);
    let words: Vec<&[u8]> = vec![
        b"ACL",
        b"SETUSER",
        b"app",
        b"on",
        b">planted-4711",
        b"~cache:*",
        b"+get",
        b"+auth",
    ];
    server.command(&words).expect("it is set");
    let mut client = connect(&server);
    ask(&mut client, "AUTH app planted-4711");
    ask(&mut client, "GET secret:planted-4711");
    ask(&mut client, "CONFIG GET planted-4711");
    ask(&mut client, "AUTH app wrong-planted-4711");
    let look = look_at(&server);
    let reasons: Vec<_> = look
        .denied
        .iter()
        .map(|denied| (denied.reason.as_str(), denied.command.as_deref()))
        .collect();
    assert!(reasons.contains(&("key", None)), "{reasons:?}");
    assert!(
        reasons.contains(&("command", Some("config|get"))),
        "{reasons:?}"
    );
    assert!(reasons.contains(&("auth", None)), "{reasons:?}");
    assert!(look.denied.iter().all(|denied| denied.at.is_some()));
    assert!(!format!("{look:?}").contains("planted"));
}

#[test]
fn a_cluster_tells_of_its_nodes() {
    // The bus would take a port 10,000 above the server's, which may be too high.
    let bus = free_port().to_string();
    let server = server(&[("cluster-enabled", "yes"), ("cluster-port", &bus)]);
    let look = look_at(&server);
    assert_eq!(
        look.cluster.get("cluster_state").map(String::as_str),
        Some("fail")
    );
    assert_eq!(look.nodes.len(), 1);
    assert!(look.nodes[0].is("myself") && look.nodes[0].slots == 0);
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_sentinel_tells_whom_it_watches_and_whether_a_failover_can_be() {
    let server = server(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let config = folder.path().join("sentinel.conf");
    let text = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor shop 127.0.0.1 {} 2\nsentinel auth-pass shop planted-4711\n",
        folder.path().display(),
        server.port(),
    );
    fs::write(&config, text).expect("it is written");
    let child = Command::new(&binary().path)
        .arg(&config)
        .arg("--sentinel")
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let _sentinel = Killed(child);
    let target = Target::parse(&format!("redis://127.0.0.1:{port}")).expect("the URL is right");
    until("the Sentinel", || {
        looked(&target, GUARD).looks[0].reach == Reach::Answered
    });
    let facts = looked(&target, GUARD);
    let look = &facts.looks[0];
    assert_eq!(look.role, Some(Role::Sentinel(vec!["shop".to_owned()])));
    let [shop] = &look.watched[..] else {
        panic!("{look:?}")
    };
    assert_eq!(shop.addr(), format!("127.0.0.1:{}", server.port()));
    assert!(shop.is("master"));
    let quorum = shop.quorum.as_ref().expect("it was asked");
    assert!(
        quorum
            .as_ref()
            .is_err_and(|words| words.contains("NOQUORUM")),
        "{quorum:?}"
    );
    assert!(!format!("{facts:?}").contains("planted"));
}

#[test]
fn what_rises_while_one_looks_is_seen_to_rise() {
    let server = server(&[]);
    let manner = Manner {
        now: now(),
        within: GUARD,
        between: Duration::from_millis(400),
    };
    let facts = std::thread::scope(|threads| {
        let looking =
            threads.spawn(|| live::look_as(&target(&server, ""), manner).expect("it is set up"));
        let mut client = connect(&server);
        while !looking.is_finished() {
            ask(&mut client, "GET none");
        }
        looking.join().expect("it went well")
    });
    let look = &facts.looks[0];
    assert!(
        look.calls_rose("get").is_some_and(|rose| rose > 0),
        "{:?}",
        look.before
    );
    assert!(look.rate("keyspace_misses").is_some_and(|rate| rate > 0.0));
    assert_eq!(look.rose("rejected_connections"), Some(0));
    assert_eq!(look.rose("no_such_counter"), None);
    let before = look.before.as_ref().expect("it was asked twice");
    assert!(before.span >= manner.between);
}

#[test]
fn a_queue_that_was_named_is_asked_for_its_length_twice_and_no_other_is() {
    let server = server(&[]);
    let mut worker = connect(&server);
    ask(&mut worker, "SUBSCRIBE celery.pidbox");
    let mut web = connect(&server);
    ask(&mut web, "LPUSH celery one two three");
    let queues = ["celery".to_owned()];
    let manner = Manner {
        now: now(),
        within: GUARD,
        between: Duration::from_secs(1),
    };
    let facts = std::thread::scope(|threads| {
        let target = target(&server, "");
        let looking =
            threads.spawn(move || live::look_with(&target, manner, &queues).expect("no TLS"));
        while !looking.is_finished() {
            ask(&mut web, "LPUSH celery four");
            std::thread::sleep(Duration::from_millis(20));
        }
        looking.join().expect("it looks")
    });
    let queue = &facts.looks[0].queues[0];
    assert_eq!((queue.name.as_str(), queue.grew()), ("celery", Some(true)));
    assert_eq!(
        facts.looks[0].calls("llen"),
        Some(1),
        "the second comes after INFO"
    );
    let diagnosis = diagnose(facts);
    let found = diagnosis.findings.iter().any(|finding| {
        finding.code.to_string() == "SW014" && finding.confidence == Confidence::Likely
    });
    assert!(found, "{}", report::text(&diagnosis, true));
    let asked = || {
        server
            .info("commandstats")
            .expect("it tells")
            .get("cmdstat_llen")
            .cloned()
    };
    let before = asked();
    assert_eq!(looked_at(&server).looks[0].queues, []);
    assert_eq!(asked(), before, "nobody named a queue");
}
