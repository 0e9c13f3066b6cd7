use crate::ground::*;
use seawall::Cmd;
use std::time::{Duration, Instant};

fn show<T: std::fmt::Debug>(what: &str, r: Result<T, seawall::Error>, t: Instant) {
    match r {
        Ok(v) => eprintln!("== {what}: Ok({v:?}) in {:?}", t.elapsed()),
        Err(e) => eprintln!("== {what}: cause={} kind={:?} perhaps={} prov={} attempts={} in {:?}\n{e}", e.cause(), e.kind(), e.may_have_run(), e.provenance(), e.attempts(), t.elapsed()),
    }
}

#[test]
fn db_out_of_range() {
    let s = server();
    let c = seawall::blocking::Client::open(&format!("redis://{}/99", s.addr())).expect("url");
    let t = Instant::now();
    show("db99", c.get::<Option<String>>("k"), t);
    eprintln!("selects {} conns {}", asked(&s, "select"), number(&s, "stats", "total_connections_received"));
}
#[test]
fn misconf_ping() {
    let s = server();
    let c = client(s.addr(), "");
    c.ping().expect("ping");
    s.break_saves().expect("break");
    let before = asked(&s, "ping");
    let t = Instant::now();
    show("misconf ping", c.ping(), t);
    eprintln!("pings {}", asked(&s, "ping") - before);
    let t = Instant::now();
    show("misconf set", c.set("a", "b"), t);
    let t = Instant::now();
    show("misconf get", c.get::<Option<String>>("a"), t);
    let t = Instant::now();
    show("misconf tx", c.transaction(&seawall::Pipeline::new().with(Cmd::new("SET").arg("a").arg("b"))), t);
}
#[test]
fn sort_on_replica() {
    let s = server();
    let c = client(s.addr(), "");
    c.ping().expect("ping");
    s.command(&[b"REPLICAOF", b"127.0.0.1", b"1"]).expect("replicaof");
    for cmd in [Cmd::new("SORT").arg("l"), Cmd::new("GEORADIUS").arg("g").arg("1").arg("1").arg("1").arg("m"), Cmd::new("PFCOUNT").arg("h"), Cmd::new("SET").arg("a").arg(1), Cmd::new("GET").arg("a"),Cmd::new("GETEX").arg("a"),Cmd::new("BITFIELD").arg("a").arg("GET").arg("u8").arg("0"), Cmd::new("PUBLISH").arg("a").arg("b"), Cmd::new("EVAL").arg("return redis.call('set','a','b')").arg(0)] {
        let n0 = number(&s, "stats", "total_connections_received");
        let name = cmd.name().to_lowercase();
        let b = asked(&s, &name);
        let t = Instant::now();
        show(&name, c.call::<seawall::Value>(&cmd), t);
        eprintln!("{name} asked {} conns {}", asked(&s, &name)-b, number(&s, "stats", "total_connections_received")-n0);
    }
}
#[test]
fn clusterdown() {
    let s = server_with(&[("cluster-enabled", "yes")]);
    let c = client(s.addr(), "");
    for _ in 0..3 {
    let b = asked(&s, "get");
    let t = Instant::now();
    show("clusterdown", c.get::<Option<String>>("k"), t);
    eprintln!("asked {}", asked(&s, "get") - b);
    }
}
#[test]
fn busy() {
    let s = server_with(&[("busy-reply-threshold", "100")]);
    let c = client(s.addr(), "");
    c.ping().expect("ping");
    let c2 = c.clone();
    let h = std::thread::spawn(move || c2.call_within::<seawall::Value>(&Cmd::new("EVAL").arg("while true do end").arg(0), Duration::from_secs(3)));
    std::thread::sleep(Duration::from_millis(300));
    let t = Instant::now();
    show("busy get", c.get::<Option<String>>("k"), t);
    let t = Instant::now();
    show("busy get", c.get::<Option<String>>("k"), t);
    let t = Instant::now();
    show("busy kill", c.call::<seawall::Value>(&Cmd::new("SCRIPT KILL")), t);
    show("eval", h.join().expect("join"), t);
}
#[test]
fn oom() {
    let s = server_with(&[("maxmemory", "1"), ("maxmemory-policy", "noeviction")]);
    let c = client(s.addr(), "");
    for cmd in [Cmd::new("SET").arg("a").arg(1), Cmd::new("GET").arg("a"), Cmd::new("PUBLISH").arg("a").arg("b"), Cmd::new("EVAL").arg("return 1").arg(0), Cmd::new("DEL").arg("a"), Cmd::new("BITFIELD").arg("a").arg("GET").arg("u8").arg("0"), Cmd::new("SORT").arg("l"), Cmd::new("GETEX").arg("a").arg("EX").arg("10")] {
        let name = cmd.name().to_lowercase();
        let b = asked(&s, &name);
        let t = Instant::now();
        show(&name, c.call::<seawall::Value>(&cmd), t);
        eprintln!("{name} asked {}", asked(&s, &name)-b);
    }
}
#[test]
fn unknown_cmd() {
    let s = server();
    let c = client(s.addr(), "");
    let t = Instant::now();
    show("unknown", c.call::<seawall::Value>(&Cmd::new("NOSUCH").arg("secret")), t);
    show("wrongtype", c.set("a", "x").and_then(|()| c.call::<seawall::Value>(&Cmd::new("LPUSH").arg("a").arg("y"))), t);
    show("wrong type", c.get::<i64>("a"), t);
    show("huge", c.call_within::<seawall::Value>(&Cmd::new("GET").arg("a"), Duration::MAX), t);
    show("zero", c.call_within::<seawall::Value>(&Cmd::new("GET").arg("a"), Duration::ZERO), t);
    show("empty", c.call::<seawall::Value>(&Cmd::new("")), t);
}
#[test]
fn closed_port() {
    let l = std::net::TcpListener::bind("127.0.0.1:0").expect("b").local_addr().expect("a");
    let c = client(l, "");
    let t = Instant::now();
    show("closed", c.get::<Option<String>>("k"), t);
    let t = Instant::now();
    show("closed2", c.get::<Option<String>>("k"), t);
    let c = seawall::blocking::Client::open("redis://nonexistent.invalid").expect("url");
    let t = Instant::now();
    show("dns", c.get::<Option<String>>("k"), t);
    for u in ["http://x", "redis://", "redis://h:99999", "redis://h/abc", "redis://h?deadlin=1s", "redis://h?deadline=1parsec", "", "localhost:6379", "redis://h?pool_size=0", "unix://", "rediss://127.0.0.1:1/0"] {
        let t = Instant::now();
        show(u, seawall::blocking::Client::open(u), t);
    }
}
