use std::io;
use std::net::TcpStream;
use std::time::Duration;

use seawall_lab::world::{AdminError, Server, ServerError, Value};

use super::{Client, GUARD, start};

fn refusal<T: std::fmt::Debug>(result: Result<T, ServerError>) -> String {
    match result {
        Err(ServerError::Admin(AdminError::Refused { message, .. })) => message,
        other => panic!("not refused: {other:?}"),
    }
}

fn set(server: &Server, key: &str, value: &str) {
    server
        .command(&[b"SET", key.as_bytes(), value.as_bytes()])
        .expect("SET is taken");
}

fn get(server: &Server, key: &str) -> Value {
    server
        .command(&[b"GET", key.as_bytes()])
        .expect("GET is answered")
}

#[test]
fn acknowledged_writes_survive_sigkill_on_the_same_port() {
    let server = start(&[]);
    let addr = server.addr();
    let mut client = Client::connect(addr);
    for _ in 0..200 {
        client.ask("INCR n");
    }
    server.kill9().unwrap();
    assert_eq!(server.pid(), None);
    assert_eq!(
        TcpStream::connect(addr).unwrap_err().kind(),
        io::ErrorKind::ConnectionRefused
    );
    server.start_again().unwrap();
    assert_eq!(server.addr(), addr);
    assert_eq!(get(&server, "n").as_integer(), Some(200));
}

#[test]
fn sigterm_ends_it_in_order_and_a_restart_brings_another_process_with_the_data() {
    let server = start(&[]);
    set(&server, "k", "v");
    let before = server.pid();
    server.restart().unwrap();
    assert_ne!(server.pid(), before);
    assert_eq!(get(&server, "k").as_bytes(), Some(&b"v"[..]));
    let log = std::fs::read_to_string(server.log_path()).unwrap();
    assert!(
        log.contains("Received SIGTERM") && log.contains("bye bye"),
        "{log}"
    );
}

#[test]
fn a_server_that_is_down_says_so_and_one_that_runs_is_not_started_twice() {
    let server = start(&[]);
    assert!(matches!(
        server.begin_again(),
        Err(ServerError::Running { .. })
    ));
    server.kill9().unwrap();
    assert!(matches!(server.kill9(), Err(ServerError::Down { .. })));
    assert!(matches!(server.freeze(), Err(ServerError::Down { .. })));
}

#[test]
fn a_frozen_server_takes_bytes_answers_nothing_and_runs_them_when_it_thaws() {
    let server = start(&[]);
    let mut client = Client::connect(server.addr());
    assert_eq!(client.ask("PING"), "+PONG");
    server.freeze().unwrap();
    client.send("INCR n");
    client
        .stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let silence = io::Read::read(&mut client.stream, &mut [0]).unwrap_err();
    assert_eq!(silence.kind(), io::ErrorKind::WouldBlock);
    TcpStream::connect(server.addr()).expect("the kernel accepts in its place");
    server.thaw().unwrap();
    client.stream.set_read_timeout(Some(GUARD)).unwrap();
    assert_eq!(client.line(), ":1");
}

#[test]
fn killing_every_client_leaves_a_healthy_server() {
    let server = start(&[]);
    let mut clients = [
        Client::connect(server.addr()),
        Client::connect(server.addr()),
    ];
    for client in &mut clients {
        assert_eq!(client.ask("PING"), "+PONG");
    }
    assert_eq!(server.client_kill_all().unwrap(), 2);
    for client in &mut clients {
        assert_eq!(
            io::Read::read(&mut client.stream, &mut [0]).unwrap(),
            0,
            "a kill is a close in order"
        );
    }
    assert_eq!(Client::connect(server.addr()).ask("PING"), "+PONG");
}

#[test]
fn a_failed_save_refuses_writes_and_not_reads_until_it_is_repaired() {
    let server = start(&[]);
    set(&server, "k", "v");
    server.break_saves().unwrap();
    assert!(refusal(server.command(&[b"SET", b"k", b"w"])).starts_with("MISCONF"));
    assert_eq!(get(&server, "k").as_bytes(), Some(&b"v"[..]));
    server.repair_saves().unwrap();
    set(&server, "k", "w");
    assert_eq!(server.config_get("save").unwrap().as_deref(), Some(""));
    server.sigterm().unwrap();
}

#[test]
fn saves_can_fail_twice_and_an_older_snapshot_is_kept() {
    let server = start(&[("save", "3600 1")]);
    server.command(&[b"SAVE"]).unwrap();
    for _ in 0..2 {
        server.break_saves().unwrap();
        assert!(refusal(server.command(&[b"SET", b"k", b"v"])).starts_with("MISCONF"));
        server.repair_saves().unwrap();
    }
    assert!(server.dir().join("dump.rdb").is_file());
    assert_eq!(
        server.config_get("save").unwrap().as_deref(),
        Some("3600 1")
    );
}

#[test]
fn a_server_whose_saves_are_broken_is_still_removed() {
    let server = start(&[]);
    server.break_saves().unwrap();
    let (addr, dir) = (server.addr(), server.dir().to_owned());
    drop(server);
    assert!(TcpStream::connect(addr).is_err());
    assert!(!dir.exists());
}

#[test]
fn a_loading_server_says_so_and_then_has_its_data() {
    for config in [&[][..], &[("appendonly", "no")]] {
        let server = start(config);
        set(&server, "k", "v");
        server
            .restart_loading_for(Duration::from_millis(300))
            .unwrap();
        let answer = Client::connect(server.addr()).ask("GET k");
        assert!(answer.starts_with("-LOADING"), "{answer}");
        server.wait_until_serving(GUARD).unwrap();
        assert_eq!(get(&server, "k").as_bytes(), Some(&b"v"[..]));
        server.restart().unwrap();
        assert_eq!(
            get(&server, "k").as_bytes(),
            Some(&b"v"[..]),
            "the delay is gone, the data are not"
        );
    }
}

#[test]
fn a_server_that_reads_its_data_anew_says_so_on_the_connections_that_stand() {
    let server = start(&[]);
    set(&server, "k", "v");
    let mut client = Client::connect(server.addr());
    assert_eq!(client.ask("EXISTS k"), ":1");
    server.reload_for(Duration::from_millis(300)).unwrap();
    let answer = client.ask("GET k");
    assert!(answer.starts_with("-LOADING"), "{answer}");
    server.wait_until_serving(GUARD).unwrap();
    assert_eq!(client.ask("EXISTS k"), ":1");
}

#[test]
fn the_laboratory_gets_in_past_maxclients_and_a_changed_password() {
    let server = start(&[("requirepass", "old")]);
    server.config_set("requirepass", "new").unwrap();
    let mut client = Client::connect(server.addr());
    assert!(client.ask("AUTH old").starts_with("-WRONGPASS"));
    assert_eq!(client.ask("AUTH new"), "+OK");
    server.config_set("maxclients", "1").unwrap();
    assert_eq!(
        Client::connect(server.addr()).line(),
        "-ERR max number of clients reached"
    );
    server.config_set("maxclients", "100").unwrap();
    assert!(
        Client::connect(server.addr())
            .ask("PING")
            .starts_with("-NOAUTH")
    );
}

#[test]
fn a_connection_that_the_server_reaped_is_replaced_before_the_next_command() {
    let server = start(&[]);
    let id = server.command(&[b"CLIENT", b"ID"]).unwrap();
    // Killed by another: the server closes it before it answers.
    assert_eq!(
        Client::connect(server.addr()).ask("CLIENT KILL USER seawall-lab"),
        ":1"
    );
    assert_ne!(server.command(&[b"CLIENT", b"ID"]).unwrap(), id);
}

#[test]
fn a_deaf_server_answers_when_its_sleep_is_over() {
    let server = start(&[]);
    let mut client = Client::connect(server.addr());
    server.debug_sleep(Duration::from_millis(50)).unwrap();
    assert_eq!(client.ask("PING"), "+PONG");
}

#[test]
fn info_comes_as_fields() {
    let server = start(&[]);
    let facts = server.info("server").unwrap();
    assert_eq!(
        facts.get("process_id").map(String::as_str),
        server.pid().map(|pid| pid.to_string()).as_deref()
    );
}

#[test]
fn a_setting_that_the_server_does_not_know_is_an_error_with_its_own_words() {
    let binary = seawall_lab::world::server_binary(None).unwrap();
    let error = Server::start(&binary, &[("no-such-setting", "1")]).unwrap_err();
    assert!(
        matches!(&error, ServerError::Ended { log, .. } if log.contains("no-such-setting")),
        "{error}"
    );
}

#[test]
fn a_dropped_server_leaves_neither_process_nor_port_nor_directory() {
    let server = start(&[]);
    let (addr, dir, pid) = (
        server.addr(),
        server.dir().to_owned(),
        server.pid().unwrap(),
    );
    server.freeze().unwrap();
    drop(server);
    assert!(!dir.exists());
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    std::net::TcpListener::bind(addr).expect("the port is free");
}
