//! TLS before real servers, and what goes wrong with it.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use seawall_doctor::diagnose;
use seawall_doctor::facts::{Reach, TlsTrouble};
use seawall_doctor::live;
use seawall_lab::world::{
    Authority, Bearer, Certificate, Clients, NameServer, Says, Seclusion, Server, Tls, Validity,
};
use seawall_model::Target;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{GUARD, binary, first, looked, now, server};

struct Secured {
    authority: Authority,
    server: Server,
}

fn secured(names: &[&str], validity: Validity, clients: Clients) -> Secured {
    let authority = Authority::new().expect("an authority");
    let certificate = signed(&authority, names, validity);
    let server = Server::start_with_tls(
        binary(),
        &[],
        &Tls {
            authority: &authority,
            certificate: &certificate,
            clients,
        },
    )
    .expect("the server starts");
    Secured { authority, server }
}

fn signed(authority: &Authority, names: &[&str], validity: Validity) -> Certificate {
    authority
        .sign("server", names, Bearer::Server, validity)
        .expect("it is signed")
}

fn url(addr: SocketAddr, options: &str) -> Target {
    Target::parse(&format!("rediss://{addr}?{options}")).expect("the URL is right")
}

fn trusting(authority: &Authority) -> String {
    format!("tls_ca_file={}", authority.certificate().display())
}

fn reach(target: &Target) -> Reach {
    looked(target, GUARD).looks.remove(0).reach
}

fn trouble(target: &Target) -> TlsTrouble {
    match reach(target) {
        Reach::Tls(trouble) => trouble,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_speaks_tls_is_looked_at_as_any_other() {
    let secured = secured(&["127.0.0.1"], Validity::Now, Clients::Anybody);
    let addr = secured.server.tls_addr().expect("it speaks TLS");
    for options in [
        trusting(&secured.authority),
        "tls_verify=none".to_owned(),
        format!("{}&tls_check_name=off", trusting(&secured.authority)),
    ] {
        let facts = looked(&url(addr, &options), GUARD);
        let look = &facts.looks[0];
        assert_eq!(look.reach, Reach::Answered, "{options}");
        assert!(look.before.is_some() && !look.clients.is_empty());
        assert_eq!(facts.unseen, []);
    }
}

#[test]
fn certificates_that_are_not_accepted_are_told_apart() {
    let authority = Authority::new().expect("an authority");
    let now = secured(&["127.0.0.1"], Validity::Now, Clients::Certified);
    let addr = now.server.tls_addr().expect("it speaks TLS");
    assert_eq!(
        trouble(&url(addr, &trusting(&authority))),
        TlsTrouble::UnknownAuthority
    );
    // In TLS 1.3 the server says so after the handshake.
    assert_eq!(
        trouble(&url(addr, &trusting(&now.authority))),
        TlsTrouble::OursMissing
    );
    let stranger = authority
        .sign("client", &["client"], Bearer::Client, Validity::Now)
        .expect("it is signed");
    let own = |certificate: &Certificate| {
        let path = |path: &Path| path.display().to_string();
        format!(
            "{}&tls_cert_file={}&tls_key_file={}",
            trusting(&now.authority),
            path(&certificate.certificate),
            path(&certificate.key)
        )
    };
    let refused = trouble(&url(addr, &own(&stranger)));
    assert!(matches!(refused, TlsTrouble::OursRefused(_)), "{refused:?}");
    let known = now
        .authority
        .sign("client", &["client"], Bearer::Client, Validity::Now)
        .expect("it is signed");
    assert_eq!(reach(&url(addr, &own(&known))), Reach::Answered);

    let past = secured(&["127.0.0.1"], Validity::Past, Clients::Anybody);
    let addr = past.server.tls_addr().expect("it speaks TLS");
    let old = trouble(&url(addr, &trusting(&past.authority)));
    assert!(
        matches!(&old, TlsTrouble::OutOfDate(words) if words.starts_with("expired")),
        "{old:?}"
    );

    let other = secured(&["cache.internal"], Validity::Now, Clients::Anybody);
    let addr = other.server.tls_addr().expect("it speaks TLS");
    let name = trouble(&url(addr, &trusting(&other.authority)));
    assert!(
        matches!(&name, TlsTrouble::WrongName(names) if names.contains("cache.internal")),
        "{name:?}"
    );
    let named = format!(
        "{}&tls_server_name=cache.internal",
        trusting(&other.authority)
    );
    assert_eq!(reach(&url(addr, &named)), Reach::Answered);
}

#[test]
fn tls_to_a_plain_port_and_plain_to_a_port_of_tls_are_named() {
    let secured = secured(&["127.0.0.1"], Validity::Now, Clients::Anybody);
    let plain = secured.server.addr();
    let within = Duration::from_secs(3);
    let tls = looked(&url(plain, "tls_verify=none"), within);
    assert_eq!(tls.looks[0].reach, Reach::Tls(TlsTrouble::PlainPort));
    assert_eq!(first(&diagnose(tls)).0, "SW109");

    let addr = secured.server.tls_addr().expect("it speaks TLS");
    for login in ["", ":hunter2@"] {
        let target = Target::parse(&format!("redis://{login}{addr}")).expect("the URL is right");
        assert_eq!(trouble(&target), TlsTrouble::TlsPort);
        assert_eq!(first(&diagnose(looked(&target, within))).0, "SW108");
    }
}

#[test]
fn a_frozen_server_is_silent_and_not_taken_for_one_without_tls() {
    let secured = secured(&["127.0.0.1"], Validity::Now, Clients::Anybody);
    let addr = secured.server.tls_addr().expect("it speaks TLS");
    secured.server.freeze().expect("it stands still");
    let began = Instant::now();
    let facts = looked(&url(addr, "tls_verify=none"), Duration::from_millis(600));
    assert!(began.elapsed() < GUARD);
    assert_eq!(facts.looks[0].reach, Reach::Silent { connected: true });
    secured.server.thaw().expect("it goes on");
}

#[test]
fn a_peer_that_says_tls_drop_by_drop_does_not_keep_the_doctor() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the doctor comes");
        let _ = stream.read(&mut [0; 1024]);
        // A record that is announced to be long, and never ends.
        let record = [0x16, 3, 3, 0x3f, 0xff];
        for byte in record.into_iter().chain(std::iter::repeat(0)) {
            if std::io::Write::write_all(&mut stream, &[byte]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let began = Instant::now();
    let facts = looked(&url(addr, "tls_verify=none"), Duration::from_millis(500));
    assert!(began.elapsed() < GUARD);
    assert!(
        matches!(facts.looks[0].reach, Reach::Silent { .. }),
        "{:?}",
        facts.looks[0].reach
    );
}

#[test]
fn files_that_are_not_there_are_named_with_what_to_do() {
    let target = Target::parse("rediss://127.0.0.1:1?tls_ca_file=/nowhere/ca.pem").expect("a URL");
    let unset = live::look(&target, GUARD, now()).expect_err("there is no such file");
    assert!(unset.to_string().contains("/nowhere/ca.pem"), "{unset}");
    assert!(!unset.hint().is_empty());
    let server = server(&[]);
    let secret = format!("{}/redis.conf", server.dir().display());
    let target = Target::parse(&format!("rediss://127.0.0.1:1?tls_ca_file={secret}"));
    let unset = live::look(&target.expect("a URL"), GUARD, now()).expect_err("it is no PEM");
    assert!(!unset.hint().is_empty());
}

#[test]
fn a_unix_socket_whose_queue_is_full_ends_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("full.sock");
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    let address = SockAddr::unix(&path).expect("a path");
    listener.bind(&address).expect("it is free");
    // Room for one that nobody accepts.
    listener.listen(0).expect("it listens");
    let _held = UnixStream::connect(&path).expect("the first finds room");
    let target = Target::parse(&format!("unix://{}", path.display())).expect("the URL is right");
    let began = Instant::now();
    let facts = looked(&target, Duration::from_millis(300));
    assert!(began.elapsed() < GUARD);
    assert_eq!(facts.looks[0].reach, Reach::Silent { connected: false });
}

#[test]
fn a_name_service_that_swallows_questions_does_not_keep_the_doctor() {
    const SECLUDED: &str = "SEAWALL_TEST_SECLUDED";
    if std::env::var_os(SECLUDED).is_some() {
        let target = Target::parse("redis://swallowed.test").expect("the URL is right");
        let began = Instant::now();
        let facts = looked(&target, Duration::from_millis(500));
        // The resolver itself asks for 10 s.
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(facts.looks[0].reach, Reach::Silent { connected: false });
        return;
    }
    if let Err(why) = Seclusion::try_out() {
        eprintln!("not tried: {why}");
        return;
    }
    let names = NameServer::start("swallowed.test", Says::Nothing).expect("port 53");
    let seclusion = Seclusion::new(names.addr()).expect("a folder");
    // This very test again, where names are asked for in vain.
    let me = std::env::current_exe().expect("it has a path");
    let itself = "tls::a_name_service_that_swallows_questions_does_not_keep_the_doctor";
    let words = [
        me.display().to_string(),
        itself.to_owned(),
        "--exact".to_owned(),
    ];
    let command = seclusion.around(&words);
    let output = Command::new(&command[0])
        .args(&command[1..])
        .env(SECLUDED, "1")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}
