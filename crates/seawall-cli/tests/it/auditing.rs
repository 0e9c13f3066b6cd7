//! `--audit`.

use std::fs;

use seawall_lab::world::{Server, server_binary};

use super::{said, seawall};

fn server(config: &[(&str, &str)]) -> (Server, String) {
    let binary = server_binary(None).expect("a server to test against");
    let server = Server::start(&binary, config).expect("it starts");
    let url = format!("redis://seawall-lab:seawall-lab@{}", server.addr());
    (server, url)
}

#[test]
fn pools_and_timeouts_are_held_against_the_server_and_the_grade_is_the_exit_code() {
    let (server, url) = server(&[("timeout", "60"), ("maxclients", "100")]);
    let state = tempfile::tempdir().expect("a folder");
    let client = "timeout=off,connect_timeout=100ms,pool=50,processes=8,max_idle=300";
    let output = seawall(
        state.path(),
        &["doctor", &url, "--audit", "--client", client],
    );
    let text = said(&output);
    for check in [
        "CRITICAL  read-timeout",
        "WARN      connect-timeout",
        "CRITICAL  pool-times-processes: 8 processes with 50 connections each are 400",
        "CRITICAL  pool-age",
        "WARN      maxmemory: no maxmemory",
        "GRADE     F",
    ] {
        assert!(text.contains(check), "{check}:\n{text}");
    }
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(!text.contains("seawall-lab:"), "{text}");
    drop(server);
}

#[test]
fn the_costliest_commands_come_with_what_to_use_instead() {
    let (server, url) = server(&[]);
    server.command(&[b"KEYS", b"*"]).expect("it answers");
    let state = tempfile::tempdir().expect("a folder");
    let output = seawall(state.path(), &["doctor", &url, "--audit", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let remarks = json["remarks"].as_array().expect("there are some");
    let keys = remarks
        .iter()
        .find(|remark| remark["check"] == "big-replies")
        .expect("KEYS was used");
    assert!(
        keys["claim"]
            .as_str()
            .is_some_and(|claim| claim.starts_with("KEYS: 1 calls")),
        "{keys}"
    );
    assert!(
        keys["advice"]
            .as_str()
            .is_some_and(|advice| advice.starts_with("SCAN")),
        "{keys}"
    );
}

#[test]
fn what_cannot_be_read_of_the_client_is_named_and_nothing_is_audited() {
    let state = tempfile::tempdir().expect("a folder");
    let file = state.path().join("seawall.toml");
    fs::write(&file, "[client]\npoool = 3\n").expect("it is written");
    let file = file.display().to_string();
    for (client, words) in [
        ("timout=1", "\"timout\""),
        ("pool=many", "pool=\"many\""),
        (&*file, "\"poool\""),
        ("/nowhere/seawall.toml", "cannot be read"),
    ] {
        let output = seawall(state.path(), &["doctor", "--audit", "--client", client]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(
            text.contains(words) && output.stdout.is_empty(),
            "{words}:\n{text}"
        );
    }
}
