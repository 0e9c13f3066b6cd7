//! What is kept of outages and connections, in memory and on disk, whatever becomes of the process or of the disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seawall::blocking::Client;
use seawall::journal::{
    Event, HealthState, JournalContents, OutagePolicy, Record, Restarted, read,
};
use seawall::{Cause, Cmd, Value};
use seawall_lab::world::{Fault, Server};
use tempfile::TempDir;

use crate::alone::alone;
use crate::forks::Child;
use crate::ground::{Heard, client, relay, server, until, url};

/// The longest record: what a death in the middle of a write can spoil.
const RECORD_BYTES_MAX: u64 = 1_033;

fn temp() -> (TempDir, PathBuf) {
    let temp = TempDir::new().expect("a directory");
    let dir = temp.path().join("state");
    (temp, dir)
}

/// Options of a client that keeps its journal in `dir`.
fn kept_in(dir: &Path) -> String {
    format!("state_dir={}&client_name=shop:test", dir.display())
}

fn on_disk(dir: &Path) -> Option<JournalContents> {
    read(dir).ok()
}

fn events(records: &[Record]) -> Vec<&Event> {
    records.iter().map(|record| &record.event).collect()
}

fn has(records: &[Record], is: impl Fn(&Event) -> bool) -> bool {
    records.iter().any(|record| is(&record.event))
}

/// A server that was killed and came back under a client that keeps its journal in `dir`.
fn outage(dir: &Path) -> (Server, Client) {
    let server = server();
    let options = format!("ride_out=50ms&deadline=500ms&{}", kept_in(dir));
    let client = client(server.addr(), &options);
    client
        .set("a-secret-key", "a-secret-value")
        .expect("an answer");
    server.kill9().expect("it is killed");
    until("refusals", || {
        let _ = client.get::<Value>("a-secret-key");
        client.stats().refused >= 3
    });
    server.start_again().expect("it starts");
    until("an answer", || client.get::<Value>("a-secret-key").is_ok());
    until("the end of the outage", || {
        has(&client.journal(), |event| {
            matches!(event, Event::OutageEnded { .. })
        })
    });
    (server, client)
}

#[test]
fn an_outage_is_kept_with_its_cause_its_end_and_what_became_of_its_calls() {
    let (_temp, dir) = temp();
    let (server, client) = outage(&dir);
    let records = client.journal();
    let all = events(&records);
    let place = |what: &str, is: &dyn Fn(&Event) -> bool| {
        all.iter()
            .position(|event| is(event))
            .unwrap_or_else(|| panic!("{what} is not in {all:#?}"))
    };
    let opened = place("an opened connection", &|event| {
        matches!(
            event,
            Event::Opened { client_id: Some(_), run_id_hash: Some(_), peer: Some(peer), local: Some(_), .. }
                if *peer == server.addr()
        )
    });
    let lost = place("the lost connection", &|event| {
        matches!(
            event,
            Event::Closed {
                cause: Some(_),
                bytes_in: 1..,
                bytes_out: 1..,
                replies: 1..,
                ..
            }
        )
    });
    let down = place("the health", &|event| {
        matches!(
            event,
            Event::HealthChanged {
                state: HealthState::Down,
                ..
            }
        )
    });
    let started = place("the outage", &|event| {
        matches!(
            event,
            Event::OutageStarted {
                cause: Cause::ConnectionRefused,
                ..
            }
        )
    });
    let refused = place("the refusals", &|event| {
        matches!(
            event,
            Event::AnsweredByPolicy {
                policy: OutagePolicy::Fail,
                count: 3..
            }
        )
    });
    let ended = place("its end", &|event| {
        matches!(
            event,
            Event::OutageEnded {
                cause: Cause::ConnectionRefused,
                restarted: Restarted::Yes,
                failed: 3..,
                ..
            }
        )
    });
    assert!(opened < lost && lost < started, "{all:#?}");
    assert!(
        down < refused && started < refused && refused < ended,
        "{all:#?}"
    );
    assert!(records.iter().all(|record| record.wall_unix_ms.is_some()));
}

#[test]
fn an_outage_is_counted_and_on_disk_as_in_memory_without_keys_and_values() {
    let (_temp, dir) = temp();
    let (server, client) = outage(&dir);
    let stats = client.stats();
    assert_eq!(stats.outages, 1, "{stats}");
    let last = stats.last_outage.expect("one ended");
    assert_eq!(
        (last.cause, last.restarted),
        (Cause::ConnectionRefused, Restarted::Yes)
    );
    assert_eq!(
        stats.calls,
        stats.answered + stats.failed.total(),
        "{stats}"
    );
    assert_eq!(
        stats.dials_failed.of(Cause::ConnectionRefused),
        stats.dials_failed.total()
    );

    until("the file", || {
        let contents = on_disk(&dir).expect("there is one");
        let records: Vec<_> = contents
            .entries
            .into_iter()
            .map(|entry| entry.record)
            .collect();
        records == client.journal()
    });
    let file = client.stats().journal_file.expect("there is one");
    let bytes = fs::read(&file).expect("it is there");
    assert!(!bytes.windows(8).any(|window| window == b"a-secret"));
    let name = file.file_name().expect("it has one").to_string_lossy();
    let start = format!("shop-127.0.0.1_{}-{}-", server.port(), std::process::id());
    assert!(name.starts_with(&start), "{name}");
}

#[test]
fn a_retry_and_a_refusal_to_retry_are_kept_with_their_commands() {
    let server = server();
    let relay = relay(&server);
    // So many that the relay is healed before the last of them is lost as well.
    let client = client(relay.addr(), "deadline=2s&attempts=10");
    client.ping().expect("an answer");
    let lose = |only: &str| Fault::LoseReply {
        every: 1,
        then: seawall_lab::world::Lost::Reset,
        only: Some([only.to_owned()].into()),
    };
    relay.set(lose("INCR"));
    client.incr("count").expect_err("its reply is lost");
    relay.set(lose("GET"));
    let heard = thread::scope(|scope| {
        let call = scope.spawn(|| client.get::<Option<String>>("key"));
        until("a retry", || client.stats().retried > 0);
        relay.clear();
        call.join().expect("no panic")
    });
    heard.expect("a read is sent again");
    let records = client.journal();
    let named = |name: &str| Some(seawall::journal::CommandName::from(name));
    assert!(
        has(&records, |event| matches!(
            event,
            Event::RetryRefused { why: seawall::journal::RetryRefusal::MayHaveRun, command, .. } if *command == named("INCR")
        )),
        "{records:#?}"
    );
    assert!(
        has(&records, |event| matches!(
            event,
            Event::Retried { attempt: 2, command, .. } if *command == named("GET")
        )),
        "{records:#?}"
    );
    assert!(
        has(&records, |event| matches!(
            event,
            Event::Closed { command, in_flight: 1, cause: Some(_), .. } if *command == named("INCR")
        )),
        "{records:#?}"
    );
    let stats = client.stats();
    assert_eq!(
        (stats.may_have_run, stats.retries_refused),
        (1, 1),
        "{stats}"
    );
    assert_eq!(stats.lost.total(), 1 + stats.retried, "{stats}");
}

#[test]
fn an_error_about_the_command_itself_is_an_answer_and_a_refused_write_is_none() {
    let server = server();
    let client = client(server.addr(), "");
    client.set("text", "x").expect("an answer");
    client.incr("text").expect_err("it is no number");
    let stats = client.stats();
    assert_eq!(
        (stats.calls, stats.answered, stats.failed.total()),
        (2, 2, 0),
        "{stats}"
    );
    server
        .command(&[b"REPLICAOF", b"127.0.0.1", b"1"])
        .expect("an answer");
    let error = client.set("text", "y").expect_err("it is a replica");
    let stats = client.stats();
    assert_eq!(stats.failed.of(error.cause()), 1, "{stats}");
    assert_eq!((stats.answered, stats.may_have_run), (2, 0), "{stats}");
}

/// The URL that this process is to hammer, if it was started for that.
const HAMMER: &str = "SEAWALL_TEST_HAMMER";

/// This binary again, with this test alone, to hammer a URL until it is killed.
fn hammering(test: &str, url: &str) -> std::process::Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args([test, "--exact", "--test-threads=1"])
        .env(HAMMER, url)
        .stdout(Stdio::null())
        .spawn()
        .expect("this binary runs again")
}

fn hammer(url: &str) {
    let client = Client::open(url).expect("the URL is right");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    // Whether it is answered is not asked here.
                    let _ = client.get::<Value>("key");
                }
            });
        }
    });
}

#[test]
fn two_writers_killed_in_the_middle_of_events_leave_a_readable_journal_each() {
    let name = "journal::two_writers_killed_in_the_middle_of_events_leave_a_readable_journal_each";
    if let Ok(url) = std::env::var(HAMMER) {
        return hammer(&url);
    }
    let (_temp, dir) = temp();
    let server = server();
    let relay = relay(&server);
    let url = url(relay.addr(), &kept_in(&dir));
    let mut children = [hammering(name, &url), hammering(name, &url)];
    until("events of both", || {
        relay.set(Fault::ResetAll);
        on_disk(&dir).is_some_and(|contents| {
            contents.files.len() == 2 && contents.files.iter().all(|file| file.records > 300)
        })
    });
    let before = on_disk(&dir).expect("there are two").entries.len();
    for child in &mut children {
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
    }
    let contents = on_disk(&dir).expect("there are two");
    let mut writers: Vec<_> = contents.files.iter().map(|file| file.process).collect();
    writers.sort_unstable();
    let mut started: Vec<_> = children.iter().map(|child| Some(child.id())).collect();
    started.sort_unstable();
    assert_eq!(writers, started, "one file a process");
    for file in &contents.files {
        assert!(
            file.trouble.is_none() && file.unknown_records == 0,
            "{file:?}"
        );
        assert!(file.damaged_bytes <= RECORD_BYTES_MAX, "{file:?}");
    }
    assert!(contents.entries.len() >= before);
    let lost = |event: &Event| matches!(event, Event::Closed { cause: Some(_), .. });
    assert!(
        contents
            .entries
            .iter()
            .filter(|entry| lost(&entry.record.event))
            .count()
            > 100
    );
}

#[test]
fn where_no_file_of_its_size_may_be_made_the_application_goes_on_in_memory() {
    let name = "journal::where_no_file_of_its_size_may_be_made_the_application_goes_on_in_memory";
    alone(name, || {
        let (_temp, dir) = temp();
        let server = server();
        let before = limit_files(4_096);
        let client = client(server.addr(), &kept_in(&dir));
        client.set("key", "value").expect("an answer");
        until("an attempt", || {
            dir.exists() && fs::read_dir(&dir).expect("it is ours").count() == 0
        });
        server.client_kill_all().expect("an answer");
        client.get::<String>("key").expect("an answer");
        assert!(has(&client.journal(), |event| matches!(
            event,
            Event::Opened { .. }
        )));
        assert_eq!(client.stats().journal_file, None);
        lift_limit(before);
    });
}

#[test]
fn where_the_disk_takes_no_more_the_application_goes_on_in_memory() {
    alone(
        "journal::where_the_disk_takes_no_more_the_application_goes_on_in_memory",
        || {
            let (_temp, dir) = temp();
            let server = server();
            let client = client(server.addr(), &kept_in(&dir));
            client.set("key", "value").expect("an answer");
            until("the file", || client.stats().journal_file.is_some());
            let kept = client.journal().len();
            let before = limit_files(1);
            until("the end of the file", || {
                server.client_kill_all().expect("an answer");
                client.get::<String>("key").expect("an answer");
                client.stats().journal_file.is_none()
            });
            assert!(client.journal().len() > kept);
            client.get::<String>("key").expect("an answer");
            lift_limit(before);
            assert!(on_disk(&dir).is_some(), "what was written stays");
        },
    );
}

/// From here on no file of this process grows beyond `bytes`; a write that would ends it by SIGXFSZ, unless that is
/// blocked.
fn limit_files(bytes: u64) -> Rlimit {
    let before = getrlimit(Resource::Fsize);
    let limit = Rlimit {
        current: Some(bytes),
        maximum: before.maximum,
    };
    setrlimit(Resource::Fsize, limit).expect("it is lowered");
    before
}

fn lift_limit(before: Rlimit) {
    setrlimit(Resource::Fsize, before).expect("it is as it was");
}

#[test]
fn a_forked_child_keeps_a_journal_of_its_own() {
    alone("journal::a_forked_child_keeps_a_journal_of_its_own", || {
        let (_temp, dir) = temp();
        let server = server();
        let client = client(server.addr(), &kept_in(&dir));
        client.set("key", "value").expect("an answer");
        until("the parent's file", || {
            client.stats().journal_file.is_some()
        });
        let parents = client.journal();
        let file = client.stats().journal_file.expect("there is one");
        let child = Child::run(|| {
            assert_eq!(client.journal(), [], "it begins anew");
            client.get::<String>("key").expect("an answer");
            until("the child's file", || {
                let stats = client.stats();
                stats.journal_file.is_some_and(|own| own != file)
            });
            let own = client.journal();
            assert!(has(&own, |event| matches!(event, Event::Opened { .. })));
            assert!(own.iter().all(|record| !parents.contains(record)));
        });
        child.ends_well();
        assert_eq!(client.journal(), parents, "nothing of the child's");
        let contents = on_disk(&dir).expect("there are two");
        let writers: Vec<_> = contents.files.iter().map(|file| file.process).collect();
        assert_eq!(writers.len(), 2);
        assert_ne!(writers[0], writers[1]);
    });
}

#[test]
fn a_storm_of_lost_connections_does_not_push_an_outage_out_of_a_small_journal() {
    let server = server();
    let relay = relay(&server);
    let heard = Heard::default();
    let client = heard.client(
        relay.addr(),
        "journal_bytes=16KiB&ride_out=0&deadline=300ms",
    );
    client.ping().expect("an answer");
    relay.set(Fault::Refuse);
    server.client_kill_all().expect("an answer");
    until("an outage", || {
        let _ = client.ping();
        client.stats().outages == 1
    });
    relay.clear();
    until("its end", || client.ping().is_ok());
    until("a storm", || {
        server.client_kill_all().expect("an answer");
        let _ = client.call::<Value>(&Cmd::new("PING"));
        client.stats().lost.total() > 400
    });
    let records = client.journal();
    assert!(has(&records, |event| matches!(
        event,
        Event::OutageStarted { .. }
    )));
    assert!(has(&records, |event| matches!(
        event,
        Event::OutageEnded { .. }
    )));
    assert!(heard.count(&["Lost"]) > 400, "they happened, and were told");
}
