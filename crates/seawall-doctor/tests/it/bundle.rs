//! What the script of `seawall collect` brings home, from real servers.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use seawall_doctor::facts::Look;
use seawall_doctor::read::{self, Given, Kind};
use seawall_doctor::{Diagnosis, Facts, collect, diagnose, report};
use seawall_lab::world::Server;
use tempfile::TempDir;

use crate::{ask, connect, first, log_of, looked, looked_at, now, proved, server, target, until};

/// A place to run the script in, with a dmesg that is allowed to tell nothing: this machine's kernel has seen much.
pub(crate) struct Desk {
    dir: TempDir,
}

impl Desk {
    /// `None` where there is no redis-cli.
    pub(crate) fn new() -> Option<Self> {
        if Command::new("redis-cli").arg("--version").output().is_err() {
            return None;
        }
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("collect.sh"), collect::script()).expect("it is written");
        let dmesg = dir.path().join("dmesg");
        fs::write(&dmesg, "#!/bin/sh\nexit 1\n").expect("it is written");
        fs::set_permissions(&dmesg, fs::Permissions::from_mode(0o755)).expect("it is ours");
        Some(Self { dir })
    }

    fn bundle(&self) -> PathBuf {
        self.dir.path().join("bundle.txt")
    }

    /// The script with these options and a second between its samples.
    fn script(&self, options: &[&str]) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let shell = if Path::new("/usr/bin/dash").exists() {
            "/usr/bin/dash"
        } else {
            "/bin/sh"
        };
        let mut command = Command::new(shell);
        command
            .arg(self.dir.path().join("collect.sh"))
            .args(options)
            .env("PATH", format!("{}:{path}", self.dir.path().display()))
            .env("SEAWALL_OUT", self.bundle())
            .env("SEAWALL_BETWEEN", "1");
        command
    }

    fn collect(&self, port: u16, options: &[&str], with: &[(&str, &str)]) -> PathBuf {
        let out = self.bundle();
        let output = self
            .script(&["-h", "127.0.0.1", "-p", &port.to_string()])
            .args(options)
            .envs(with.iter().copied())
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}");
        out
    }

    pub(crate) fn read(&self, port: u16, with: &[(&str, &str)]) -> Facts {
        self.read_as(port, &[], with)
    }

    /// With options of redis-cli.
    pub(crate) fn read_as(&self, port: u16, options: &[&str], with: &[(&str, &str)]) -> Facts {
        let bundle = fs::File::open(self.collect(port, options, with)).expect("it is there");
        let (kind, facts) =
            read::file("bundle.txt", bundle, Given { now: now() }).expect("it can be read");
        assert_eq!(kind, Kind::Bundle);
        facts
    }
}

fn told(diagnosis: &Diagnosis) -> Vec<String> {
    let all = diagnosis.findings.iter().chain(&diagnosis.ruled_out);
    let mut told: Vec<_> = all
        .map(|one| format!("{} {:?} {:?}", one.code, one.verdict, one.confidence))
        .collect();
    told.sort();
    told
}

/// What the doctor says of the bundle is what it says of the server and its log.
fn agree(desk: &Desk, server: &Server) -> Diagnosis {
    // The laboratory's servers write their logs to standard output.
    let log = server.log_path().display().to_string();
    let of_bundle = diagnose(desk.read(server.port(), &[("SEAWALL_LOG", &log)]));
    let mut live = looked_at(server);
    live.add(log_of(server));
    let live = diagnose(live);
    assert_eq!(
        told(&of_bundle),
        told(&live),
        "{}",
        report::text(&of_bundle, true)
    );
    of_bundle
}

#[test]
fn a_bundle_of_a_healthy_server_says_what_a_look_at_it_says() {
    let Some(desk) = Desk::new() else { return };
    let server = server(&[("maxmemory", "100mb"), ("maxmemory-policy", "noeviction")]);
    let _held = connect(&server);
    let facts = desk.read(server.port(), &[]);
    let live = looked_at(&server);
    let (bundle, look) = (&facts.looks[0], &live.looks[0]);
    assert_eq!(bundle.config, look.config);
    let fields = |look: &Look| -> Vec<_> {
        let own = |name: &&String| !name.starts_with("cmdstat_") && !name.starts_with("latency_");
        look.info.keys().filter(own).cloned().collect()
    };
    assert_eq!(fields(bundle), fields(look));
    assert_eq!(bundle.role, look.role);
    assert!(bundle.memory.keys().eq(look.memory.keys()));
    assert_eq!(facts.hosts.len(), 1);
    assert_eq!(facts.hosts[0].pid, server.pid());
    assert_eq!(facts.unseen, []);
    agree(&desk, &server);
}

#[test]
fn a_bundle_of_a_server_that_closed_a_subscriber_proves_it() {
    let Some(desk) = Desk::new() else { return };
    let server = server(&[
        ("client-output-buffer-limit", "pubsub 1mb 0 0"),
        ("latency-monitor-threshold", "1"),
    ]);
    let mut slow = connect(&server);
    ask(&mut slow, "CLIENT SETNAME metrics");
    ask(&mut slow, "SUBSCRIBE news");
    let message = [b'x'; 4096];
    until("the limit", || {
        for _ in 0..200 {
            let said: [&[u8]; 3] = [b"PUBLISH", b"news", &message];
            server.command(&said).expect("it is taken");
        }
        diagnose(log_of(&server)).first().is_some()
    });
    let diagnosis = agree(&desk, &server);
    assert_eq!(first(&diagnosis), proved("SW301"));
    assert!(diagnosis.findings[0].whom().contains("metrics"));
}

#[test]
fn a_bundle_of_a_server_that_lets_nobody_in_and_of_none_at_all_say_so() {
    let Some(desk) = Desk::new() else { return };
    let server = server(&[("requirepass", "right")]);
    let wrong = diagnose(desk.read(server.port(), &[("REDISCLI_AUTH", "hunter2")]));
    assert_eq!(first(&wrong).0, "SW901");
    server.kill9().expect("it is killed");
    let none = diagnose(desk.read(server.port(), &[]));
    assert_eq!(first(&none).0, "SW101");
}

#[test]
fn a_bundle_of_a_server_that_hangs_is_made_and_says_so() {
    let Some(desk) = Desk::new() else { return };
    let server = server(&[]);
    server.freeze().expect("it is stopped");
    let began = Instant::now();
    let hung = diagnose(desk.read(server.port(), &[("SEAWALL_WITHIN", "3")]));
    assert!(began.elapsed() < Duration::from_secs(60), "{began:?}");
    assert_eq!(first(&hung).0, "SW102");
    let whom = hung.findings[0].whom();
    assert!(
        whom.contains(&format!("127.0.0.1:{}", server.port())),
        "{whom}"
    );
}

#[test]
fn the_script_refuses_what_is_wrong_and_asks_the_server_nothing() {
    let Some(desk) = Desk::new() else { return };
    let empty = tempfile::tempdir().expect("a folder");
    let nothing_here = empty.path().display().to_string();
    let cases: &[(&[&str], &str, &str, &str)] = &[
        (
            &["redis://:hunter2@cache:6379"],
            "",
            "",
            "a URL is given as -u URL",
        ),
        (&["DEL", "hunter2"], "", "", "given as -h HOST"),
        (&["--bigkeys"], "", "", "--bigkeys does not say how"),
        (&["-p"], "", "", "-p has no value"),
        (&["-p", "x"], "", "", "x is no number"),
        (&[], "SEAWALL_BETWEEN", "1.5", "whole seconds, not 1.5"),
        (&[], "PATH", &nothing_here, "not in the PATH: redis-cli awk"),
    ];
    for (options, name, value, says) in cases {
        let mut script = desk.script(options);
        if !name.is_empty() {
            script.env(name, value);
        }
        let output = script.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{options:?}: {said}");
        assert!(said.contains(says), "{options:?}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert!(!desk.bundle().exists(), "{options:?}");
    }
}

#[test]
fn what_is_secret_is_in_no_bundle_and_in_nothing_that_is_said_of_one() {
    const PLANTED: &str = "planted4711";
    let Some(desk) = Desk::new() else { return };
    let server = server(&[
        ("slowlog-log-slower-than", "0"),
        ("client-query-buffer-limit", "1mb"),
        ("latency-monitor-threshold", "1"),
    ]);
    let mut client = connect(&server);
    for command in [
        format!("CLIENT SETNAME {PLANTED}name"),
        format!("CONFIG SET masterauth {PLANTED}"),
        format!("ACL SETUSER {PLANTED}user on >{PLANTED} ~ours:* +get +auth"),
        format!("SET {PLANTED}:key {PLANTED}"),
        format!("SET {PLANTED}:key \"1) 1) (integer) 14\\r\\n2) {PLANTED}\""),
        format!("EVAL \"return '{PLANTED}'\" 1 {PLANTED}"),
        format!("RPUSH many {}", format!("{PLANTED} ").repeat(20).trim_end()),
        format!("SUBSCRIBE {PLANTED}"),
    ] {
        let answer = ask(&mut client, &command);
        assert!(!answer.starts_with('-'), "{command}: {answer}");
    }
    let mut other = connect(&server);
    ask(&mut other, &format!("AUTH {PLANTED}user {PLANTED}"));
    ask(&mut other, &format!("GET {PLANTED}:key"));
    ask(&mut other, &format!("CONFIG GET {PLANTED}"));
    ask(&mut other, &format!("AUTH {PLANTED}user wrong{PLANTED}"));
    let mut greedy = connect(&server);
    let start = format!("*2\r\n$3\r\nGET\r\n$3000000\r\n{}", PLANTED.repeat(200_000));
    let _ = greedy.write_all(start.as_bytes());
    until("the query buffer's limit", || {
        diagnose(log_of(&server)).first().is_some()
    });
    server
        .config_set("requirepass", PLANTED)
        .expect("it is set");
    let log = server.log_path().display().to_string();
    let with = [
        ("REDISCLI_AUTH", PLANTED),
        ("SEAWALL_NAMES", "no"),
        ("SEAWALL_LOG", log.as_str()),
    ];
    let bundle = fs::read_to_string(desk.collect(server.port(), &[], &with)).expect("it is there");
    for (number, line) in bundle.lines().enumerate() {
        // Who was refused is told: that name is no secret.
        let user = line.contains(&format!("{PLANTED}user"))
            && !line
                .replace(&format!("{PLANTED}user"), "")
                .contains(PLANTED);
        assert!(user || !line.contains(PLANTED), "line {number}: {line}");
    }
    assert!(bundle.contains("reached max query buffer length"));
    assert!(bundle.contains("config|get"));
    let facts = desk.read(server.port(), &with);
    assert!(
        facts.looks[0]
            .slow
            .iter()
            .any(|slow| slow.command == "EVAL")
    );
    let reasons: Vec<_> = facts.looks[0]
        .denied
        .iter()
        .map(|one| one.reason.as_str())
        .collect();
    assert!(
        reasons.contains(&"key") && reasons.contains(&"auth"),
        "{reasons:?}"
    );
    let mut live = looked(&target(&server, &format!(":{PLANTED}@")), crate::GUARD);
    assert_eq!(live.looks[0].denied.len(), facts.looks[0].denied.len());
    live.add(facts);
    let diagnosis = diagnose(live);
    assert_eq!(first(&diagnosis), proved("SW305"));
    let said = format!(
        "{}{}{}{}{}",
        report::text(&diagnosis, true),
        report::json(&diagnosis),
        report::markdown(&diagnosis),
        report::sarif(&diagnosis),
        report::junit(&diagnosis),
    );
    let said = said
        .replace(&format!("{PLANTED}user"), "")
        .replace(&format!("{PLANTED}name"), "");
    assert!(!said.contains(PLANTED), "{said}");
}
