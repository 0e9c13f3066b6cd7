//! The facts against the servers that they are about. Without one on the PATH there is nothing to compare with: the
//! tests then say so in a line.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::PathBuf;

use seawall_wire::encode::{self, Protocol};
use seawall_wire::facts::{self, Access, Replay};

use super::resp::{Connection, Reply};
use super::samples::{CALLS, DATA, words};
use super::server::Server;

/// Every pinned server that is installed here, started.
fn servers() -> Vec<(&'static str, Server)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut servers = Vec::new();
    for name in ["redis-server", "valkey-server"] {
        let found: Option<PathBuf> = std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file());
        match found {
            Some(binary) => {
                let debug = ["--enable-debug-command", "yes"];
                servers.push((name, Server::start(&binary, &debug).unwrap()));
            }
            None => println!("skipped: no {name} on the PATH"),
        }
    }
    servers
}

/// A connection, and what DUMP gives of the sample string there.
struct Bench {
    server: &'static str,
    connection: Connection,
    dump: Vec<u8>,
}

impl Bench {
    fn new(server: &'static str, connection: Connection) -> Self {
        let mut bench = Self {
            server,
            connection,
            dump: Vec::new(),
        };
        bench.refill();
        let Reply::Text(dump) = bench.call(&["DUMP", "str"]) else {
            panic!("{server}: DUMP gave no string");
        };
        bench.dump = dump;
        bench
    }

    fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Reply {
        self.connection.call(args).unwrap()
    }

    fn refill(&mut self) {
        self.call(&["FLUSHALL"]);
        for line in DATA {
            let reply = self.call(&words(line, &[]));
            assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply:?}");
        }
    }

    fn digest(&mut self) -> Reply {
        self.call(&["DEBUG", "DIGEST"])
    }

    /// Whether the server knows the command and takes so many arguments.
    fn knows(&mut self, args: &[Vec<u8>]) -> bool {
        let info = self.call(&[&b"COMMAND"[..], b"INFO", &args[0]]);
        info.elements()
            .first()
            .is_some_and(|one| *one != Reply::Null)
    }

    /// The samples that this server knows.
    fn samples(&mut self) -> Vec<(&'static str, Vec<Vec<u8>>)> {
        let dump = self.dump.clone();
        let all = CALLS.iter().map(|&call| (call, words(call, &dump)));
        all.filter(|(_, args)| self.knows(args)).collect()
    }
}

#[test]
fn keys_are_those_that_the_server_finds() {
    for (name, server) in servers() {
        let mut bench = Bench::new(name, server.connect().unwrap());
        for (call, args) in bench.samples() {
            let mut question: Vec<&[u8]> = vec![b"COMMAND", b"GETKEYS"];
            question.extend(args.iter().map(Vec::as_slice));
            let mut found: Vec<Vec<u8>> = bench
                .call(&question)
                .elements()
                .iter()
                .filter_map(|key| key.text().map(|text| text.as_bytes().to_vec()))
                .collect();
            let mut ours: Vec<Vec<u8>> = facts::keys(&args).map(<[u8]>::to_vec).collect();
            found.sort();
            ours.sort();
            assert_eq!(ours, found, "{name}: {call}");
        }
    }
}

#[test]
fn what_may_be_repeated_leaves_the_same_state_and_what_reads_leaves_all_as_it_was() {
    for (name, server) in servers() {
        let mut bench = Bench::new(name, server.connect().unwrap());
        let server = bench.server;
        for (call, args) in bench.samples() {
            let class = facts::classify(&args).replay;
            if class == Replay::Never {
                continue;
            }
            bench.refill();
            let before = bench.digest();
            let first = bench.call(&args);
            let once = bench.digest();
            let second = bench.call(&args);
            let twice = bench.digest();
            for reply in [first, second] {
                assert!(
                    !matches!(reply, Reply::Error(_)),
                    "{server}: {call}: {reply:?}"
                );
            }
            assert_eq!(once, twice, "{server}: {call}");
            if class == Replay::Read {
                assert_eq!(before, once, "{server}: {call}");
            }
        }
    }
}

#[test]
fn an_empty_server_answers_as_the_facts_say() {
    for (name, server) in servers() {
        let mut bench = Bench::new(name, server.connect().unwrap());
        let samples = bench.samples();
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let mut stream = server.connect().unwrap().into_stream();
            if protocol == Protocol::Resp3 {
                stream.write_all(b"HELLO 3\r\n").unwrap();
                let mut chunk = [0; 4096];
                assert!(stream.read(&mut chunk).unwrap() > 0);
            }
            for (call, args) in &samples {
                let Some(answer) = facts::miss(args) else {
                    continue;
                };
                bench.call(&["FLUSHALL"]);
                let mut wanted = Vec::new();
                answer.encode(&mut wanted, args, protocol);
                wanted.extend_from_slice(b"+PONG\r\n");
                let mut request = Vec::new();
                encode::command(&mut request, args);
                request.extend_from_slice(b"PING\r\n");
                stream.write_all(&request).unwrap();
                let mut got = Vec::new();
                while !got.ends_with(b"+PONG\r\n") {
                    let mut chunk = [0; 4096];
                    let read = stream.read(&mut chunk).unwrap();
                    assert!(read > 0, "{name}: {call}: the server closed");
                    got.extend_from_slice(&chunk[..read]);
                }
                let (got, wanted) = (got.escape_ascii(), wanted.escape_ascii());
                assert_eq!(got.to_string(), wanted.to_string(), "{name}: {call}");
            }
        }
    }
}

#[test]
fn there_is_a_sample_for_every_class_and_every_miss_answer() {
    let mut classes = BTreeSet::new();
    let mut answered = BTreeSet::new();
    for call in CALLS {
        let args = words(call, b"payload");
        let found = facts::classify(&args);
        let facts = found.facts.unwrap();
        classes.insert((facts.name, found.replay));
        if facts::miss(&args).is_some() {
            answered.insert(facts.name);
        }
    }
    // What these read belongs to the server's settings, or needs a script or library that is there.
    let unsampled = [
        "clusterscan",
        "evalsha_ro",
        "fcall_ro",
        "lolwut",
        "object freq",
    ];
    for facts in facts::ALL {
        if facts.access == Access::Neither || unsampled.contains(&facts.name) {
            continue;
        }
        let best = facts.replay_at_best;
        assert!(
            best == Replay::Never
                || classes.contains(&(facts.name, best))
                || facts.name.starts_with("xinfo"),
            "{}: no sample that is {best}",
            facts.name
        );
        assert!(
            facts.miss.is_none() || answered.contains(facts.name),
            "{}: no sample with a miss answer",
            facts.name
        );
    }
}
