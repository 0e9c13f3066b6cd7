//! Services that run the server for others, by what they refuse: a real server with commands renamed away, and users of its ACL
//! that may as little as there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use seawall_doctor::facts::Unseen;
use seawall_doctor::finding::{Confidence, Verdict};
use seawall_doctor::{Facts, diagnose, report};
use seawall_lab::world::Server;

use crate::bundle::Desk;
use crate::{GUARD, application, ask, connect, looked, now, server, target};

/// What a service takes away, what of it the user may not, and what the doctor asks of that.
struct Fixture {
    name: &'static str,
    /// rename-command COMMAND "": no ACL gives these back.
    renamed: &'static [&'static str],
    /// The rules of the user `app`, beyond its password.
    rules: &'static str,
    /// What the doctor asks, and is refused because there is no such command.
    unknown: &'static [&'static str],
    /// What it asks, and that user may not.
    forbidden: &'static [&'static str],
}

const FIXTURES: &[Fixture] = &[
    // "Restricted commands" of ElastiCache's guide, and of its page on RBAC: of ACL only these four are answered.
    Fixture {
        name: "ElastiCache",
        renamed: &[
            "BGREWRITEAOF",
            "BGSAVE",
            "CONFIG",
            "DEBUG",
            "MIGRATE",
            "REPLICAOF",
            "SAVE",
            "SLAVEOF",
            "SHUTDOWN",
            "SYNC",
            "PSYNC",
        ],
        rules: "~* &* +@all -acl +acl|cat +acl|list +acl|users +acl|whoami",
        unknown: &["CONFIG GET"],
        forbidden: &["ACL LOG"],
    },
    // The same, and an access string as people write them (`+@all -@admin -@dangerous`): INFO is among the dangerous.
    Fixture {
        name: "ElastiCache with a careful access string",
        renamed: &[
            "CONFIG",
            "DEBUG",
            "MIGRATE",
            "REPLICAOF",
            "SLAVEOF",
            "SHUTDOWN",
            "SYNC",
        ],
        rules: "~* &* +@all -@admin -@dangerous",
        unknown: &["CONFIG GET"],
        forbidden: &[
            "INFO",
            "CLIENT LIST",
            "SLOWLOG GET",
            "LATENCY LATEST",
            "ACL LOG",
            "ROLE",
        ],
    },
    // "Redis commands not supported in Azure Cache for Redis", and its data access policies, which make ACL nobody's.
    Fixture {
        name: "Azure",
        renamed: &[
            "ACL",
            "BGREWRITEAOF",
            "BGSAVE",
            "CONFIG",
            "DEBUG",
            "MIGRATE",
            "PSYNC",
            "REPLICAOF",
            "SAVE",
            "SHUTDOWN",
            "SLAVEOF",
            "SYNC",
        ],
        rules: "~* &* +@all",
        unknown: &["CONFIG GET", "ACL LOG"],
        forbidden: &[],
    },
    // "Blocked Redis commands" of Memorystore's product constraints; CLIENT before its version 6.
    Fixture {
        name: "Memorystore",
        renamed: &[
            "ACL",
            "BGREWRITEAOF",
            "BGSAVE",
            "CLIENT",
            "CLUSTER",
            "COMMAND",
            "CONFIG",
            "DEBUG",
            "LASTSAVE",
            "MIGRATE",
            "MONITOR",
            "OBJECT",
            "SHUTDOWN",
            "REPLICAOF",
            "SAVE",
        ],
        rules: "~* &* +@all",
        unknown: &["CONFIG GET", "CLIENT LIST", "ACL LOG"],
        forbidden: &[],
    },
    // No service: an exporter's user, as redis_exporter's manual has it, without SLOWLOG and LATENCY.
    Fixture {
        name: "a user of one's own",
        renamed: &[],
        rules: "~* &* -@all +ping +info +client|setname +client|list",
        unknown: &[],
        forbidden: &[
            "CONFIG GET",
            "SLOWLOG GET",
            "LATENCY LATEST",
            "MEMORY STATS",
            "ACL LOG",
            "ROLE",
        ],
    },
];

impl Fixture {
    fn server(&self, more: &[(&str, &str)]) -> Server {
        let user = format!("app on >pass {}", self.rules);
        let renamed: Vec<_> = self
            .renamed
            .iter()
            .map(|command| format!("{command} \"\""))
            .collect();
        let mut config = vec![("user", user.as_str())];
        config.extend(renamed.iter().map(|line| ("rename-command", line.as_str())));
        config.extend_from_slice(more);
        server(&config)
    }
}

/// What the user that may as little as there is told.
fn as_app(server: &Server) -> Facts {
    looked(&target(server, "app:pass@"), GUARD)
}

/// What was not answered, by its command.
fn refused(facts: &Facts) -> BTreeMap<String, Unseen> {
    let told = facts.unseen.iter().filter_map(|one| {
        let (command, _) = one.what.split_once(" of ")?;
        Some((command.to_owned(), one.clone()))
    });
    told.collect()
}

#[test]
fn each_refusal_is_told_with_what_it_costs_and_how_to_have_it_all_the_same() {
    for fixture in FIXTURES {
        let server = fixture.server(&[]);
        let facts = as_app(&server);
        let mut told = refused(&facts);
        let together = format!("{} commands", fixture.forbidden.len());
        assert_eq!(
            told.remove(&together).is_some(),
            fixture.forbidden.len() > 1,
            "{}: {told:?}",
            fixture.name
        );
        let mut expected: Vec<_> = [fixture.unknown, fixture.forbidden].concat();
        expected.sort_unstable();
        assert_eq!(
            told.keys().collect::<Vec<_>>(),
            expected,
            "{}",
            fixture.name
        );
        for (command, one) in &told {
            let costs = one.why.contains("SW") || one.why.contains("no verdict needs it");
            assert!(costs, "{}: {one:?}", fixture.name);
            let grants = one.how.starts_with("redis-cli ACL SETUSER app ");
            let forbidden = fixture.forbidden.contains(&command.as_str());
            assert_eq!(grants, forbidden, "{}: {one:?}", fixture.name);
        }
        let diagnosis = diagnose(facts);
        assert_eq!(diagnosis.findings, [], "{}: nothing is wrong", fixture.name);
        let screen = report::text(&diagnosis, false);
        assert!(screen.contains("UNSEEN"), "{screen}");
    }
}

/// A redis-cli that needs no host and no password, for commands as the report has them.
fn administrator(server: &Server) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let tool = dir.path().join("redis-cli");
    let path = std::env::var("PATH").unwrap_or_default();
    let script = format!(
        "#!/bin/sh\nPATH={path}\nexec redis-cli --no-auth-warning -p {} --user seawall-lab --pass seawall-lab \"$@\"\n",
        server.port()
    );
    fs::write(&tool, script).expect("it is written");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).expect("it is ours");
    dir
}

/// Runs the command of such a line in a shell, without what is said beside it.
fn run(line: &str, tools: &tempfile::TempDir) {
    let command = line.split(" (").next().expect("the command");
    let output = Command::new("sh")
        .args(["-c", command])
        .env("PATH", format!("{}:/usr/bin:/bin", tools.path().display()))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), "OK", "{command}: {output:?}");
}

#[test]
fn the_lines_that_unlock_do_so_one_by_one_and_all_in_one() {
    if Command::new("redis-cli").arg("--version").output().is_err() {
        return;
    }
    for fixture in FIXTURES
        .iter()
        .filter(|fixture| fixture.forbidden.len() > 1)
    {
        for all in [true, false] {
            let server = fixture.server(&[]);
            let tools = administrator(&server);
            let facts = as_app(&server);
            let lines = facts
                .unseen
                .iter()
                .filter(|one| one.what.contains(" commands of ") == all);
            for one in lines.filter(|one| one.how.contains("ACL SETUSER")) {
                run(&one.how, &tools);
            }
            let left = refused(&as_app(&server));
            assert_eq!(
                left.keys().collect::<Vec<_>>(),
                fixture.unknown,
                "{}",
                fixture.name
            );
        }
    }
}

/// The code of the first finding, and how sure it is.
fn first(facts: Facts) -> (u16, Verdict, Confidence) {
    let diagnosis = diagnose(facts);
    let first = diagnosis
        .first()
        .unwrap_or_else(|| panic!("nothing was found:\n{}", report::text(&diagnosis, true)));
    (first.code.0, first.verdict, first.confidence)
}

/// What an administrator's look says beside an application's log, and what one of `app` says: weaker, and not something else.
fn weaker(
    fixture: &Fixture,
    server: &Server,
    log: &str,
    code: u16,
    from: Confidence,
    to: Confidence,
) {
    let mut whole = looked(&target(server, "seawall-lab:seawall-lab@"), GUARD);
    let mut part = as_app(server);
    whole.add(application(log));
    part.add(application(log));
    assert_eq!(
        first(whole),
        (code, Verdict::Cause, from),
        "an administrator of {}",
        fixture.name
    );
    assert_eq!(first(part), (code, Verdict::Cause, to), "{}", fixture.name);
}

#[test]
fn a_slow_log_that_is_refused_is_not_taken_for_an_empty_one() {
    let fixture = &FIXTURES[4];
    let server = fixture.server(&[]);
    let mut blocked = connect(&server);
    ask(&mut blocked, "AUTH seawall-lab seawall-lab");
    std::io::Write::write_all(&mut blocked, b"BLPOP jobs 0\r\n").expect("it is sent");
    crate::until("the blocked client", || {
        server.info("clients").expect("it tells")["blocked_clients"] == "1"
    });
    let told = "redis.exceptions.TimeoutError: Timeout reading from cache:6379";
    let trace = "Traceback (most recent call last):\n  File \"/v/redis/commands/core.py\", line 2633, in blpop\n    return self.execute_command(";
    let lines: Vec<_> = (1..5)
        .map(|ago| {
            format!(
                "{} ERROR worker\n{trace}\n{told}\n",
                now().plus_seconds(-ago)
            )
        })
        .collect();
    let log = lines.concat();
    weaker(
        fixture,
        &server,
        &log,
        208,
        Confidence::Strong,
        Confidence::Likely,
    );
}

#[test]
fn refusals_that_the_acl_log_would_have_named_are_likely_without_it() {
    let fixture = &FIXTURES[0];
    let server = fixture.server(&[("user", "shop on >pass ~cart:* +get")]);
    let mut client = connect(&server);
    ask(&mut client, "AUTH shop pass");
    let answer = ask(&mut client, "GET order:1");
    assert!(answer.starts_with("-NOPERM"), "{answer}");
    let log = format!(
        "{} redis.exceptions.NoPermissionError: {}\n",
        now(),
        &answer[1..].trim()
    );
    weaker(
        fixture,
        &server,
        &log,
        902,
        Confidence::Strong,
        Confidence::Likely,
    );
}

#[test]
fn whether_the_server_closed_what_rested_is_left_open_where_its_timeout_is_not_told() {
    let lines: Vec<_> = (1..6)
        .map(|n| {
            let at = now().plus_seconds(-n * 700);
            format!(
                "{at} Connection closed by server. idle_ms={}\n",
                600_200 + n * 900
            )
        })
        .collect();
    let rested = lines.concat();
    for fixture in [&FIXTURES[0], &FIXTURES[2], &FIXTURES[3]] {
        // No time passes in this test: the server is younger than the log, which speaks of its earlier life.
        let server = fixture.server(&[("timeout", "600")]);
        let aged = |mut facts: Facts| {
            for look in &mut facts.looks {
                look.info
                    .insert("uptime_in_seconds".to_owned(), "900000".to_owned());
                look.before = None;
            }
            facts.add(application(&rested));
            diagnose(facts)
        };
        let part = aged(as_app(&server));
        let first = part.first().expect("it is told");
        assert_eq!(
            (first.code.0, first.confidence),
            (204, Confidence::Likely),
            "{}",
            report::text(&part, true)
        );
        assert!(
            first.claim.contains("The server's `timeout`"),
            "{}",
            first.claim
        );
        let unseen = part
            .unseen
            .iter()
            .any(|one| one.what.starts_with("CONFIG GET") && one.why.contains("SW201"));
        assert!(unseen, "{:?}", part.unseen);
    }
    let open = server(&[("timeout", "600")]);
    let mut whole = crate::looked_at(&open);
    whole.looks[0]
        .info
        .insert("uptime_in_seconds".to_owned(), "900000".to_owned());
    whole.looks[0].before = None;
    whole.add(application(&rested));
    assert_eq!(first(whole), (201, Verdict::Cause, Confidence::Strong));
}

#[test]
fn the_script_goes_on_where_it_is_refused_and_its_bundle_says_what_was() {
    let Some(desk) = Desk::new() else { return };
    for fixture in FIXTURES {
        let server = fixture.server(&[]);
        let with = [("REDISCLI_AUTH", "pass")];
        let facts = desk.read_as(server.port(), &["--user", "app"], &with);
        let live = as_app(&server);
        let ways = |facts: &Facts| -> Vec<_> {
            let told = refused(facts).into_iter();
            told.map(|(command, one)| (command, one.how)).collect()
        };
        let (mut told, known) = (ways(&facts), ways(&live));
        // Of a version that INFO did not tell it is not known what such a server has: it is asked, and says so itself.
        told.retain(|(command, _)| {
            command != "MEMORY STATS" || !fixture.forbidden.contains(&"INFO")
        });
        assert_eq!(told, known, "{}", fixture.name);
        let look = &facts.looks[0];
        let answered = fixture.forbidden.contains(&"INFO") || look.major() > 0;
        assert!(answered, "{}", fixture.name);
        let diagnosis = diagnose(facts);
        assert_eq!(diagnosis.findings, [], "{}", fixture.name);
    }
}
