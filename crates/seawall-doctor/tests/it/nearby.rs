//! What this host tells of a server that runs on it.

use seawall_doctor::files::Files;
use seawall_doctor::read::Given;
use seawall_doctor::{Need, diagnose, nearby};

use crate::{connect, log_of, looked_at, now, server, until};
use seawall_doctor::finding::{Confidence, Verdict};

#[test]
fn the_host_of_a_local_server_tells_of_its_process() {
    let server = server(&[]);
    let facts = looked_at(&server);
    let look = &facts.looks[0];
    assert_eq!(nearby::process(look), server.pid());
    let told = nearby::host(Some(look), now());
    let host = &told.hosts[0];
    assert_eq!(host.pid, server.pid());
    for name in [
        "somaxconn",
        "overcommit_memory",
        "memtotal_kb",
        "max_open_files",
        "vmrss_kb",
    ] {
        assert!(host.number(name).is_some(), "{name}: {:?}", host.values);
    }
    assert!(host.number("open_files").is_some_and(|open| open > 3));
    assert!(host.local_ports().is_some_and(|ports| ports > 0));
}

#[test]
fn a_number_that_is_another_process_here_is_not_taken_for_the_server() {
    let server = server(&[]);
    let mut facts = looked_at(&server);
    let look = &mut facts.looks[0];
    look.info
        .insert("process_id".to_owned(), std::process::id().to_string());
    assert_eq!(nearby::process(look), None);
    let pid = server.pid().expect("it runs").to_string();
    look.info.insert("process_id".to_owned(), pid);
    look.info
        .insert("uptime_in_seconds".to_owned(), "86400".to_owned());
    assert_eq!(nearby::process(look), None, "it is younger");
    assert_eq!(nearby::host(Some(&*look), now()).hosts[0].pid, None);
}

#[test]
fn the_log_is_found_where_the_server_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("own.log");
    let server = server(&[
        ("logfile", &path.display().to_string()),
        ("loglevel", "notice"),
    ]);
    let facts = looked_at(&server);
    let log = nearby::server_log(&facts.looks[0], &mut Files::once(), Given { now: now() });
    assert!(log.had.contains(&Need::ServerLog), "{log:?}");
    let mut away = facts.looks[0].clone();
    away.info.insert("process_id".to_owned(), "1".to_owned());
    let log = nearby::server_log(&away, &mut Files::once(), Given { now: now() });
    assert!(log.unseen[0].why.contains("does not run on this host"));
    // Whatever this user may read, it is told or said to be unseen.
    let kernel = nearby::kernel_log(Given { now: now() });
    assert!(kernel.had.contains(&Need::Kernel) || !kernel.unseen.is_empty());
    let _ = diagnose(kernel);
}

#[test]
fn a_process_that_has_no_file_left_is_told_by_its_host_and_proved_by_its_log() {
    let server = server(&[]);
    let mut facts = looked_at(&server);
    let open = || {
        let host = nearby::host(Some(&facts.looks[0]), now()).hosts.remove(0);
        host.number("open_files").expect("they are counted")
    };
    until("the end of the look's connection", || {
        server.info("clients").expect("it tells")["connected_clients"] == "1"
    });
    let before = open();
    let pid = server.pid().expect("it runs").to_string();
    let limit = format!("--nofile={}", before + 1);
    let Ok(set) = std::process::Command::new("prlimit")
        .args(["--pid", &pid, &limit])
        .status()
    else {
        eprintln!("not tried: there is no prlimit");
        return;
    };
    assert!(set.success());
    let told = |facts: seawall_doctor::Facts| {
        let diagnosis = diagnose(facts);
        let found = diagnosis.findings.iter().find(|one| one.code.0 == 106);
        found.map(|one| (one.verdict, one.confidence))
    };
    // What the server has open for a moment only may have been counted too: there is room for one or two more.
    let mut held = vec![connect(&server)];
    until("the last file", || {
        let full = open() > before;
        if !full {
            held.push(connect(&server));
        }
        full
    });
    facts.add(nearby::host(Some(&facts.looks[0]), now()));
    assert_eq!(
        told(facts.clone()),
        Some((Verdict::Risk, Confidence::Likely))
    );
    until("the line of the log", || {
        held.push(connect(&server));
        told(log_of(&server)).is_some()
    });
    facts.add(log_of(&server));
    assert_eq!(told(facts), Some((Verdict::Cause, Confidence::Proved)));
}
