//! The doctor before real servers that are really broken.

mod bundle;
mod closed;
mod extremes;
mod incidents;
mod keeping;
mod load;
mod looking;
mod managed;
mod mending;
mod nearby;
mod tls;
mod topology;

mod sources;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use seawall_doctor::finding::{Confidence, Verdict};
use seawall_doctor::read::{self, Given};
use seawall_doctor::stamp::Stamp;
use seawall_doctor::{Diagnosis, Facts, diagnose, live, report};
use seawall_lab::world::{Server, ServerBinary, server_binary};
use seawall_model::Target;

/// Keeps a test from hanging; never a measure.
const GUARD: Duration = Duration::from_secs(10);

fn binary() -> &'static ServerBinary {
    static BINARY: OnceLock<ServerBinary> = OnceLock::new();
    BINARY.get_or_init(|| server_binary(None).expect("a server to test against"))
}

fn server(config: &[(&str, &str)]) -> Server {
    Server::start(binary(), config).expect("the server starts")
}

fn now() -> Stamp {
    let since = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("a clock");
    Stamp(i64::try_from(since.as_millis()).expect("not yet"))
}

fn target(server: &Server, login: &str) -> Target {
    Target::parse(&format!("redis://{login}{}", server.addr())).expect("the URL is right")
}

fn looked(target: &Target, within: Duration) -> Facts {
    live::look(target, within, now()).expect("it is set up")
}

fn looked_at(server: &Server) -> Facts {
    looked(&target(server, ""), GUARD)
}

fn log_of(server: &Server) -> Facts {
    let file = File::open(server.log_path()).expect("it has a log");
    // No further than it is long now: a server that fails again and again writes faster than a test reads.
    let length = file.metadata().expect("it is open").len();
    let log = file.take(length);
    let (_, facts) = read::file("redis.log", log, Given { now: now() }).expect("it can be read");
    facts
}

fn application(text: &str) -> Facts {
    let (_, facts) =
        read::file("app.log", text.as_bytes(), Given { now: now() }).expect("it is in memory");
    facts
}

/// Everything there is about a server, in either order.
fn all_of(server: &Server, more: Facts) -> Diagnosis {
    let mut one = looked_at(server);
    let mut other = more.clone();
    one.add(log_of(server));
    one.add(more);
    other.add(log_of(server));
    other.add(looked_at(server));
    let diagnosis = diagnose(one);
    let again = diagnose(other);
    let codes = |diagnosis: &Diagnosis| -> Vec<_> {
        diagnosis
            .findings
            .iter()
            .map(|finding| (finding.code, finding.verdict, finding.confidence))
            .collect()
    };
    assert_eq!(
        codes(&diagnosis),
        codes(&again),
        "the order of the sources changed the verdict"
    );
    diagnosis
}

fn first(diagnosis: &Diagnosis) -> (String, Verdict, Confidence) {
    let first = diagnosis
        .first()
        .unwrap_or_else(|| panic!("nothing was found:\n{}", report::text(diagnosis, true)));
    (first.code.to_string(), first.verdict, first.confidence)
}

fn proved(code: &str) -> (String, Verdict, Confidence) {
    (code.to_owned(), Verdict::Cause, Confidence::Proved)
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < GUARD, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.addr()).expect("it listens");
    stream.set_read_timeout(Some(GUARD)).expect("a socket");
    stream
}

fn ask(stream: &mut TcpStream, command: &str) -> String {
    stream
        .write_all(format!("{command}\r\n").as_bytes())
        .expect("it takes it");
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .expect("it answers");
    line
}

#[test]
fn a_healthy_server_is_told_so_and_nothing_was_written_to_it() {
    let server = server(&[("maxmemory", "100mb"), ("maxmemory-policy", "noeviction")]);
    let before = server.info("keyspace").expect("it tells");
    let diagnosis = all_of(&server, Facts::default());
    assert_eq!(diagnosis.findings, [], "{}", report::text(&diagnosis, true));
    assert_eq!(server.info("keyspace").expect("it tells"), before);
    assert!(report::text(&diagnosis, false).starts_with("DID REDIS STAY UP?  yes: run_id "));
}

#[test]
fn a_subscriber_over_its_limit_is_proved_by_the_log() {
    let server = server(&[("client-output-buffer-limit", "pubsub 1mb 0 0")]);
    let mut slow = connect(&server);
    ask(&mut slow, "CLIENT SETNAME metrics");
    ask(&mut slow, "SUBSCRIBE news");
    // Small ones: Valkey 9 does not count large ones that it sends without a copy.
    let message = [b'x'; 4096];
    until("the limit", || {
        for _ in 0..200 {
            server
                .command(&[b"PUBLISH", b"news", &message])
                .expect("it is taken");
        }
        diagnose(log_of(&server)).first().is_some()
    });
    let diagnosis = all_of(&server, Facts::default());
    assert_eq!(first(&diagnosis), proved("SW301"));
    let subject = diagnosis.findings[0].whom();
    let addr = slow.local_addr().expect("a socket").to_string();
    assert!(subject.contains(&addr), "{subject}");
}

#[test]
fn a_reply_over_the_limit_is_proved_by_the_log() {
    let server = server(&[("client-output-buffer-limit", "normal 1mb 0 0")]);
    let element = [b'x'; 4096];
    let mut push: Vec<&[u8]> = vec![b"RPUSH", b"large"];
    push.extend(std::iter::repeat_n(&element[..], 2000));
    server.command(&push).expect("it is taken");
    let mut client = connect(&server);
    client
        .write_all(b"LRANGE large 0 -1\r\n")
        .expect("it is sent");
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest);
    let told = format!(
        "{} redis.exceptions.ConnectionError: Connection closed by server.\n",
        now()
    );
    let diagnosis = all_of(&server, application(&told));
    assert_eq!(first(&diagnosis), proved("SW302"));
    assert!(
        diagnosis.findings[0].title.contains("LRANGE"),
        "{}",
        diagnosis.findings[0].title
    );
}

#[test]
fn a_stop_by_sigterm_is_the_cause_and_the_refusals_after_it_are_not() {
    let server = server(&[]);
    server.sigterm().expect("it is signalled");
    until("the farewell", || {
        diagnose(log_of(&server)).first().is_some()
    });
    let told = now();
    let mut facts = log_of(&server);
    facts.add(application(
        &format!("{told} Error 111 connecting to cache:6379. Connection refused.\n").repeat(3),
    ));
    let diagnosis = diagnose(facts);
    let (code, verdict, confidence) = first(&diagnosis);
    assert_eq!(
        (code.as_str(), verdict, confidence),
        ("SW401", Verdict::Cause, Confidence::Proved)
    );
    let refused = diagnosis
        .findings
        .iter()
        .find(|finding| finding.code.0 == 101)
        .expect("it is told as well");
    assert_eq!(
        (refused.verdict, refused.behind.map(|code| code.0)),
        (Verdict::Consequence, Some(401))
    );
    assert!(
        report::text(&diagnosis, false).starts_with("DID REDIS STAY UP?  no: it ended in order")
    );
}

#[test]
fn a_kill_of_the_process_is_not_taken_for_an_orderly_stop() {
    let server = server(&[]);
    server.kill9().expect("it is killed");
    server.start_again().expect("it starts");
    let diagnosis = diagnose(log_of(&server));
    let (code, verdict, confidence) = first(&diagnosis);
    assert_eq!(
        (code.as_str(), verdict, confidence),
        ("SW408", Verdict::Cause, Confidence::Strong)
    );
    let text = report::text(&diagnosis, false);
    assert!(
        text.starts_with("DID REDIS STAY UP?  no: it began again at ")
            && text.contains("without a farewell (redis.log:"),
        "{text}"
    );
}

#[test]
fn a_full_house_is_named_though_the_doctor_is_not_let_in() {
    let server = server(&[]);
    server.config_set("maxclients", "1").expect("it is set");
    let mut held = Vec::new();
    until("maxclients", || {
        held.push(connect(&server));
        looked(&target(&server, ""), GUARD).looks[0].info.is_empty()
    });
    let diagnosis = diagnose(looked_at(&server));
    assert_eq!(first(&diagnosis), proved("SW105"));
}

#[test]
fn a_wrong_password_is_named_and_never_shown() {
    let server = server(&[("requirepass", "right")]);
    let facts = looked(&target(&server, ":hunter2@"), GUARD);
    let diagnosis = diagnose(facts);
    assert_eq!(first(&diagnosis), proved("SW901"));
    let text = format!(
        "{}{}",
        report::text(&diagnosis, true),
        report::json(&diagnosis)
    );
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(
        first(&diagnose(looked_at(&server))),
        proved("SW901"),
        "without a password"
    );
}

#[test]
fn a_slow_command_and_the_timeouts_beside_it_are_joined() {
    let server = server(&[]);
    server
        .debug_sleep(Duration::from_millis(300))
        .expect("it sleeps");
    until("the end of it", || {
        !looked_at(&server).looks[0].slow.is_empty()
    });
    let told = format!(
        "{} redis.exceptions.TimeoutError: Timeout reading from cache:6379\n",
        now()
    );
    let diagnosis = all_of(&server, application(&told));
    let (code, verdict, confidence) = first(&diagnosis);
    assert_eq!(
        (code.as_str(), verdict, confidence),
        ("SW601", Verdict::Cause, Confidence::Strong)
    );
}

#[test]
fn a_server_that_loads_is_looked_at_though_it_refuses_ping() {
    let server = server(&[]);
    server
        .reload_for(Duration::from_millis(800))
        .expect("it reads its data anew");
    let url = Target::parse(&format!(
        "redis://seawall-lab:seawall-lab@{}",
        server.addr()
    ));
    let facts = looked(&url.expect("the URL is right"), GUARD);
    assert_eq!(facts.looks[0].number("loading"), Some(1));
    assert_eq!(first(&diagnose(facts)).0, "SW406");
}

#[test]
fn what_an_acl_refuses_is_said_with_what_it_leaves_open() {
    let server = server(&[]);
    let words: Vec<&[u8]> = vec![
        b"ACL", b"SETUSER", b"app", b"on", b">secret", b"+@all", b"-config", b"-client",
    ];
    server.command(&words).expect("it is set");
    let facts = looked(&target(&server, "app:secret@"), GUARD);
    let unseen: Vec<_> = facts.unseen.iter().map(|one| one.how.as_str()).collect();
    let line = |rules: &str| format!("redis-cli ACL SETUSER app {rules} (as an administrator)");
    let both = line("'+config|get' '+client|list'");
    let known = [line("'+config|get'"), line("'+client|list'"), both];
    assert_eq!(unseen, known);
    assert!(!facts.looks[0].info.is_empty());
    let diagnosis = diagnose(facts);
    assert_eq!(
        diagnosis.findings,
        [],
        "its own refusals are no finding of the doctor's"
    );
}

#[test]
fn a_frozen_server_and_one_that_speaks_http_end_in_time() {
    let server = server(&[]);
    server.freeze().expect("it stands still");
    let began = Instant::now();
    let facts = looked(&target(&server, ""), Duration::from_millis(300));
    assert!(began.elapsed() < GUARD);
    assert_eq!(
        facts.looks[0].reach,
        seawall_doctor::facts::Reach::Silent { connected: true }
    );
    server.thaw().expect("it goes on");

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("redis://{}", listener.local_addr().expect("an address"));
    let web = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the doctor comes");
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let facts = looked(&Target::parse(&url).expect("the URL is right"), GUARD);
    assert!(
        matches!(
            facts.looks[0].reach,
            seawall_doctor::facts::Reach::NotRedis(_)
        ),
        "{:?}",
        facts.looks[0].reach
    );
    web.join().expect("it went well");
}

#[test]
fn keys_values_and_passwords_that_stand_everywhere_are_in_no_output() {
    const PLANTED: &str = "planted-4711";
    let server = server(&[
        ("slowlog-log-slower-than", "0"),
        ("client-query-buffer-limit", "1mb"),
    ]);
    let mut client = connect(&server);
    for command in [
        format!("SET {PLANTED} {PLANTED}"),
        format!("EVAL \"return 1\" 1 {PLANTED}"),
        format!("KEYS {PLANTED}*"),
    ] {
        ask(&mut client, &command);
    }
    let mut greedy = connect(&server);
    let _ = greedy.write_all(
        format!("*2\r\n$3\r\nGET\r\n$3000000\r\n{}", PLANTED.repeat(200_000)).as_bytes(),
    );
    until("the query buffer's limit", || {
        diagnose(log_of(&server)).first().is_some()
    });
    let told = format!(
        "{} ConnectionError: Connection reset by peer while SET {PLANTED} {PLANTED}\n",
        now()
    );
    let diagnosis = all_of(&server, application(&told));
    assert_eq!(first(&diagnosis), proved("SW305"));
    let text = format!(
        "{}{}",
        report::text(&diagnosis, true),
        report::json(&diagnosis)
    );
    assert!(!text.contains(PLANTED), "{text}");
}

#[test]
fn a_socket_that_is_not_there_and_one_that_is_forbidden_are_told_apart_from_a_silent_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("unix://{}/none.sock", folder.path().display());
    let facts = looked(&Target::parse(&url).expect("the URL is right"), GUARD);
    assert_eq!(first(&diagnose(facts)).0, "SW102");
}

#[test]
fn a_flood_of_one_meaning_hides_no_other_and_is_said() {
    use std::fmt::Write as _;
    let mut text =
        String::from("9:signal-handler (1795402691) Received SIGTERM scheduling shutdown...\n");
    for number in 0..30_000_u32 {
        let _ = writeln!(
            text,
            "9:M 23 Nov 2026 02:58:11.000 # Client id={number} addr=10.0.0.{}:{} name= flags=P omem=33600000 cmd=subscribe \
             scheduled to be closed ASAP for overcoming of output buffer limits.",
            number % 250,
            number % 60_000,
        );
    }
    text.push_str("9:M 23 Nov 2026 02:58:12.000 # Redis is now ready to exit, bye bye...\n");
    let (_, facts) =
        read::file("redis.log", text.as_bytes(), Given { now: now() }).expect("it is in memory");
    let began = Instant::now();
    let diagnosis = diagnose(facts);
    assert!(began.elapsed() < GUARD, "{:?}", began.elapsed());
    let stop = diagnosis
        .findings
        .iter()
        .find(|finding| finding.code.0 == 401)
        .expect("it is told");
    assert!(stop.title.contains("SIGTERM"), "{}", stop.title);
    let flood = diagnosis
        .findings
        .iter()
        .find(|finding| finding.code.0 == 301)
        .expect("it is told");
    assert_eq!(
        (flood.subjects.len(), flood.supports.len(), flood.more),
        (10_000, 50, 9_950)
    );
    assert!(
        diagnosis
            .assumed
            .iter()
            .any(|words| words.contains("20000 were passed over")),
        "{:?}",
        diagnosis.assumed
    );
}

#[test]
fn no_word_of_a_log_steers_the_terminal() {
    let told =
        "2026-11-23T02:58:11Z Error 111 connecting to \u{1b}[2Jcache:6379. Connection refused.\n";
    let text = report::text(&diagnose(application(&told.repeat(2))), true);
    assert!(
        text.contains("cache:6379") && !text.contains('\u{1b}'),
        "{text:?}"
    );
}
