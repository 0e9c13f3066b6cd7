//! Clients that a real server closes, refuses or lets watch.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use seawall_doctor::finding::{Confidence, Finding, Verdict};
use seawall_doctor::{Diagnosis, Facts, diagnose};
use seawall_lab::world::Server;

use super::{
    GUARD, all_of, application, ask, connect, first, log_of, looked_at, now, proved, server, until,
};

fn of(diagnosis: &Diagnosis, code: u16) -> &Finding {
    let found = diagnosis.findings.iter();
    let mut found = found.filter(|finding| finding.code.0 == code);
    found
        .next()
        .unwrap_or_else(|| panic!("no SW{code:03}: {:?}", diagnosis.findings))
}

fn addr(stream: &TcpStream) -> String {
    stream.local_addr().expect("a socket").to_string()
}

/// What a client of Go's would write. A socket that was reset no longer knows its peer.
fn told(server: &Server, stream: &TcpStream, how: &str) -> String {
    let peer = server.addr();
    format!(
        "{} redis: read tcp {}->{peer}: {how}\n",
        now(),
        addr(stream)
    )
}

#[test]
fn a_pipeline_that_nobody_reads_is_told_from_one_large_reply() {
    let server = server(&[("client-output-buffer-limit", "normal 1mb 0 0")]);
    let value = vec![b'x'; 4096];
    server
        .command(&[b"SET", b"large", &value])
        .expect("it is taken");
    let mut client = connect(&server);
    client
        .set_write_timeout(Some(Duration::from_millis(200)))
        .expect("a socket");
    let requests = b"GET large\r\n".repeat(20_000);
    until("the limit", || {
        let _ = client.write(&requests);
        diagnose(log_of(&server)).first().is_some()
    });
    let diagnosis = all_of(
        &server,
        application(&told(&server, &client, "read: connection reset by peer")),
    );
    assert_eq!(first(&diagnosis), proved("SW303"));
    let finding = of(&diagnosis, 303);
    assert!(
        finding.whom().contains(&addr(&client)),
        "{}",
        finding.whom()
    );
    let joined = finding
        .supports
        .iter()
        .any(|one| one.says.contains("noticed"));
    assert!(joined, "{:?}", finding.supports);
}

#[test]
fn bytes_that_are_no_request_name_their_client_and_none_of_them_is_shown() {
    let server = server(&[("loglevel", "verbose")]);
    let mut client = connect(&server);
    client
        .write_all(b"*1\r\n$9999999999\r\nplanted-4711")
        .expect("it is sent");
    let _ = client.read_to_end(&mut Vec::new());
    let diagnosis = diagnose(log_of(&server));
    assert_eq!(first(&diagnosis), proved("SW309"));
    assert!(of(&diagnosis, 309).whom().contains(&addr(&client)));
    assert!(!format!("{diagnosis:?}").contains("planted-4711"));

    server
        .config_set("requirepass", "secret")
        .expect("it is set");
    let mut early = connect(&server);
    early
        .write_all(b"*2\r\n$3\r\nGET\r\n$20000\r\n")
        .expect("it is sent");
    let _ = early.read_to_end(&mut Vec::new());
    assert!(
        of(&diagnose(log_of(&server)), 306)
            .whom()
            .contains(&addr(&early))
    );
}

#[test]
fn what_an_acl_refused_is_told_with_the_line_that_permits_it() {
    let server = server(&[]);
    let words: [&[u8]; 7] = [
        b"ACL", b"SETUSER", b"app", b"on", b">secret", b"+get", b"~*",
    ];
    server.command(&words).expect("it is set");
    let mut client = connect(&server);
    assert!(ask(&mut client, "AUTH app secret").starts_with("+OK"));
    let refused = ask(&mut client, "SET planted-4711 planted-4711");
    assert!(refused.starts_with("-NOPERM"), "{refused}");
    let line = format!(
        "{} redis.exceptions.NoPermissionError: {}",
        now(),
        &refused[1..]
    );
    let diagnosis = all_of(&server, application(&line));
    assert_eq!(
        first(&diagnosis),
        ("SW902".to_owned(), Verdict::Cause, Confidence::Strong)
    );
    let finding = of(&diagnosis, 902);
    assert_eq!(finding.fixes[0].action, "redis-cli ACL SETUSER app +set");
    assert!(!format!("{finding:?}").contains("planted-4711"));
}

#[test]
fn clients_that_somebody_killed_are_told_from_a_restart() {
    let server = server(&[]);
    let clients: Vec<_> = (0..4).map(|_| connect(&server)).collect();
    let mut killed = clients;
    for client in &mut killed {
        assert!(ask(client, "PING").starts_with("+PONG"));
    }
    server.client_kill_all().expect("it is told");
    let text: String = killed
        .iter()
        .map(|client| told(&server, client, "EOF"))
        .collect();
    let mut facts = looked_at(&server);
    // As if it had been up for a day: a server that began a moment ago may have ended them by that.
    facts.looks[0]
        .info
        .insert("uptime_in_seconds".to_owned(), "86400".to_owned());
    facts.add(application(&text));
    let diagnosis = diagnose(facts);
    let (code, verdict, confidence) = first(&diagnosis);
    assert_eq!(
        (&*code, verdict, confidence),
        ("SW308", Verdict::Cause, Confidence::Likely)
    );
}

#[test]
fn who_watches_everything_is_named() {
    let server = server(&[]);
    let mut watcher = connect(&server);
    assert!(ask(&mut watcher, "MONITOR").starts_with("+OK"));
    let diagnosis = diagnose(looked_at(&server));
    let finding = of(&diagnosis, 311);
    assert_eq!(finding.verdict, Verdict::Risk);
    assert!(
        finding.whom().contains(&addr(&watcher)),
        "{}",
        finding.whom()
    );
}

#[test]
fn a_connection_that_rested_longer_than_the_server_allows_is_joined_with_its_setting() {
    let server = server(&[("timeout", "1")]);
    let mut resting = connect(&server);
    assert!(ask(&mut resting, "PING").starts_with("+PONG"));
    let began = std::time::Instant::now();
    let end = resting.read(&mut [0; 16]).expect("it ends in order");
    assert_eq!(end, 0);
    let idle = began.elapsed().as_millis();
    assert!(began.elapsed() < GUARD);
    let mut facts = looked_at(&server);
    // As above.
    facts.looks[0]
        .info
        .insert("uptime_in_seconds".to_owned(), "86400".to_owned());
    let line = format!(
        "{} redis: Connection closed by server. idle_ms={idle}\n",
        now()
    );
    facts.add(application(&line));
    let diagnosis = diagnose(facts);
    assert_eq!(
        first(&diagnosis),
        ("SW201".to_owned(), Verdict::Cause, Confidence::Strong)
    );
    assert_eq!(diagnose(Facts::default()).findings, []);
}
