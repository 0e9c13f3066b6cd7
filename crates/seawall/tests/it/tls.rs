//! TLS against a real server: what is carried, what is refused and why, and what a cut proves.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use seawall::blocking::Client;
use seawall::{Cause, Cmd, Error, Kind, Pipeline, Provenance, Value};
use seawall_lab::world::{
    Authority, Bearer, Certificate, Clients, Fault, Relay, Server, Tls, Validity, server_binary,
};

use crate::fake::Fake;
use crate::ground::{asked, client as plain_client, ends, held, number, until};

/// More than loopback's socket buffers hold together (4 MiB to send, 6 MiB to receive).
const BEYOND_THE_BUFFERS: usize = 32 << 20;

/// A server that speaks TLS, and those who sign for it.
struct Scene {
    server: Server,
    authority: Authority,
}

#[expect(
    clippy::print_stderr,
    reason = "a test that could not look at its subject must not pass in silence"
)]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

impl Scene {
    /// `None` where the server that was found was built without TLS, which is told.
    fn new() -> Option<Self> {
        Self::with(Clients::Anybody, &["127.0.0.1", "localhost"], Validity::Now)
    }

    fn with(clients: Clients, names: &[&str], validity: Validity) -> Option<Self> {
        let binary = server_binary(None).expect("a server to test against");
        if !binary.speaks_tls() {
            skipped(&format!("{binary} was built without TLS"));
            return None;
        }
        let authority = Authority::new().expect("an authority");
        let certificate = authority
            .sign("server", names, Bearer::Server, validity)
            .expect("a certificate");
        let tls = Tls {
            authority: &authority,
            certificate: &certificate,
            clients,
        };
        let server = Server::start_with_tls(&binary, &[], &tls).expect("the server starts");
        Some(Self { server, authority })
    }

    fn addr(&self) -> SocketAddr {
        self.server.tls_addr().expect("it speaks TLS")
    }

    /// A client that trusts the authority, with further options.
    fn client(&self, options: &str) -> Client {
        open(self.addr(), &self.authority.certificate(), options).expect("the settings are right")
    }
}

fn open(addr: SocketAddr, ca: &Path, options: &str) -> Result<Client, Error> {
    Client::open(&format!(
        "rediss://{addr}/0?tls_ca_file={}&{options}",
        ca.display()
    ))
}

fn shown(own: &Certificate) -> String {
    let (certificate, key) = (own.certificate.display(), own.key.display());
    format!("tls_cert_file={certificate}&tls_key_file={key}")
}

fn refused(client: &Client) -> Error {
    ends("the call", || client.incr("count")).expect_err("it cannot be had")
}

#[test]
fn calls_pipelines_and_transactions_are_answered() {
    let Some(scene) = Scene::new() else { return };
    let client = scene.client("");
    client.set("key", "value").expect("an answer");
    let value: String = client.get("key").expect("an answer");
    assert_eq!(value, "value");
    let mut pipeline = Pipeline::new();
    pipeline.extend((0..500).map(|_| Cmd::new("INCR").arg("count")));
    let counted = client.pipeline(&pipeline).expect("answers");
    let counted: Vec<Value> = counted
        .into_iter()
        .map(|one| one.expect("a number"))
        .collect();
    assert_eq!(counted, (1..=500).map(Value::Int).collect::<Vec<_>>());
    let pair = Pipeline::new()
        .with(Cmd::new("INCR").arg("count"))
        .with(Cmd::new("GET").arg("count"));
    assert_eq!(client.transaction(&pair).expect("an answer").len(), 2);
    assert_eq!(client.stats().dialled, 1);
}

#[test]
fn twenty_megabytes_go_and_come_back_as_they_were() {
    let Some(scene) = Scene::new() else { return };
    let client = scene.client("deadline=10s");
    let big: Vec<u8> = (0..20_000_000_u32).map(|at| (at % 251) as u8).collect();
    client.set("big", &big).expect("an answer");
    let back: Vec<u8> = client.get("big").expect("an answer");
    assert!(back == big, "{} bytes came back", back.len());
}

#[test]
fn a_lease_is_told_of_replies_and_not_of_what_tls_says_to_itself() {
    let Some(scene) = Scene::new() else { return };
    let client = scene.client("");
    let mut lease = client.lease().expect("a connection");
    // The tickets of a fresh session may lie in the socket: no reply is among them.
    let silent = lease.can_read(Duration::from_millis(50)).expect("it lives");
    assert!(!silent);
    lease.send(&Cmd::new("PING")).expect("it is sent");
    assert!(lease.can_read(Duration::from_secs(5)).expect("it lives"));
    assert_eq!(
        lease.recv().expect("a reply"),
        Value::Simple(b"PONG".to_vec())
    );
    for _ in 0..300 {
        lease.send(&Cmd::new("PING")).expect("it is sent");
    }
    for _ in 0..300 {
        lease.recv().expect("a reply");
    }
}

#[test]
fn a_client_certificate_is_shown_where_the_server_asks_for_one() {
    let names = ["127.0.0.1"];
    let Some(scene) = Scene::with(Clients::Certified, &names, Validity::Now) else {
        return;
    };
    let sign = |authority: &Authority, validity| {
        authority
            .sign("client", &["client"], Bearer::Client, validity)
            .expect("a certificate")
    };
    let own = sign(&scene.authority, Validity::Now);
    scene.client(&shown(&own)).ping().expect("an answer");

    let error = refused(&scene.client(""));
    assert_eq!(
        (error.cause(), error.kind()),
        (Cause::TlsCertificate, Kind::Settings)
    );
    assert!(
        error.to_string().contains("without a client certificate"),
        "{error}"
    );

    let stranger = Authority::new().expect("an authority");
    let error = refused(&scene.client(&shown(&sign(&stranger, Validity::Now))));
    assert_eq!(error.cause(), Cause::TlsCertificate, "{error}");
    assert!(error.to_string().contains("our certificate"), "{error}");

    let error = refused(&scene.client(&shown(&sign(&scene.authority, Validity::Past))));
    assert_eq!(error.cause(), Cause::TlsCertificate, "{error}");
    assert_eq!(asked(&scene.server, "incr"), 0);
}

#[test]
fn a_server_is_refused_that_the_wrong_authority_signed_for() {
    let Some(scene) = Scene::new() else { return };
    let other = Authority::new().expect("an authority");
    let client = open(scene.addr(), &other.certificate(), "").expect("the file is right");
    let error = refused(&client);
    assert_eq!(
        (error.cause(), error.kind()),
        (Cause::TlsCertificate, Kind::Settings)
    );
    assert!(
        error.to_string().contains("no authority that is trusted"),
        "{error}"
    );
    // What was asked for may be given up, by name.
    let trusting = open(scene.addr(), &other.certificate(), "tls_verify=none");
    trusting
        .expect("the file is right")
        .ping()
        .expect("an answer");
    let nameless = open(scene.addr(), &other.certificate(), "tls_check_name=off");
    let error = refused(&nameless.expect("the file is right"));
    assert_eq!(error.cause(), Cause::TlsCertificate, "{error}");
}

#[test]
fn a_server_is_refused_that_goes_by_another_name() {
    let Some(scene) = Scene::with(Clients::Anybody, &["redis.example"], Validity::Now) else {
        return;
    };
    let error = refused(&scene.client(""));
    assert_eq!(error.cause(), Cause::TlsCertificate, "{error}");
    assert!(
        error
            .to_string()
            .contains("is for redis.example, not for 127.0.0.1"),
        "{error}"
    );
    for option in ["tls_server_name=redis.example", "tls_check_name=off"] {
        scene.client(option).ping().expect(option);
    }
}

#[test]
fn a_server_is_refused_whose_certificate_is_out_of_date() {
    let Some(scene) = Scene::with(Clients::Anybody, &["127.0.0.1"], Validity::Past) else {
        return;
    };
    for options in ["", "tls_check_name=off"] {
        let error = refused(&scene.client(options));
        assert_eq!(error.cause(), Cause::TlsCertificate, "{error}");
        assert!(error.to_string().contains("certificate expired"), "{error}");
    }
    scene.client("tls_verify=none").ping().expect("an answer");
}

#[test]
fn a_plain_url_at_a_tls_port_and_a_tls_url_at_a_plain_port_are_told() {
    let Some(scene) = Scene::new() else { return };
    let error = refused(&plain_client(scene.addr(), ""));
    assert_eq!(
        (error.cause(), error.kind()),
        (Cause::NotRedis, Kind::Settings)
    );
    assert!(error.to_string().contains("use rediss://"), "{error}");

    let ca = scene.authority.certificate();
    let client = open(scene.server.addr(), &ca, "connect_timeout=400ms").expect("right settings");
    let error = refused(&client);
    assert_eq!(
        (error.cause(), error.kind()),
        (Cause::TlsHandshake, Kind::Settings)
    );
    assert!(error.to_string().contains("speaks no TLS"), "{error}");
}

#[test]
fn strangers_at_the_port_are_told_from_a_failed_handshake() {
    let authority = Authority::new().expect("an authority");
    for (words, cause) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], Cause::NotRedis),
        (b"-ERR unknown command\r\n", Cause::TlsHandshake),
        // A fatal alert: no version in common.
        (b"\x15\x03\x03\x00\x02\x02\x46", Cause::TlsHandshake),
    ] {
        let stranger = Fake::start(move |mut peer| {
            let mut greeting = [0; 2048];
            let _ = std::io::Read::read(&mut peer.stream, &mut greeting);
            peer.say(words);
        });
        let client = open(stranger.addr(), &authority.certificate(), "").expect("right settings");
        let error = refused(&client);
        assert_eq!(error.cause(), cause, "{error}");
    }
}

#[test]
fn a_server_that_stops_after_it_spoke_tls_is_not_taken_for_one_that_speaks_none() {
    let Some(scene) = Scene::new() else { return };
    let client = scene.client("deadline=2s&ride_out=0ms&connect_timeout=300ms");
    client.ping().expect("an answer");
    scene.server.client_kill_all().expect("they are killed");
    scene.server.freeze().expect("the server stops");
    let mut cause = None;
    until("the outage's cause", || {
        cause = client.ping().err().map(|error| error.cause());
        cause == Some(Cause::ServerUnresponsive)
    });
    scene.server.thaw().expect("the server goes on");
    until("an answer", || client.ping().is_ok());
    assert_eq!(cause, Some(Cause::ServerUnresponsive));
}

#[test]
fn a_write_that_a_frozen_server_took_in_part_did_not_run_and_does_not_run_after_the_thaw() {
    let Some(scene) = Scene::new() else { return };
    let client = scene.client("deadline=800ms&pool_size=1");
    client.ping().expect("an answer");
    scene.server.freeze().expect("the server stops");
    let value = vec![b'x'; BEYOND_THE_BUFFERS];
    let error = ends("the write", || client.set("big", &value)).expect_err("nobody reads");
    assert!(!error.may_have_run(), "{error}");
    assert!(
        matches!(error.provenance(), Provenance::Partly(bytes) if bytes > 0),
        "{error}"
    );
    drop(client);
    scene.server.thaw().expect("the server goes on");
    until("a server without our connections", || {
        number(&scene.server, "clients", "connected_clients") == 1
    });
    assert_eq!(asked(&scene.server, "set"), 0);
    assert_eq!(held(&scene.server, "big"), None);
}

#[test]
fn a_request_that_the_kernel_took_whole_may_have_run_and_ran_once_at_most() {
    let Some(scene) = Scene::new() else { return };
    let client = scene.client("deadline=500ms&pool_size=1");
    client.ping().expect("an answer");
    scene.server.freeze().expect("the server stops");
    let error = ends("the call", || client.incr("count")).expect_err("nobody answers");
    assert!(error.may_have_run(), "{error}");
    assert_eq!(error.provenance(), Provenance::Written);
    scene.server.thaw().expect("the server goes on");
    until("an answer", || client.ping().is_ok());
    let ran = asked(&scene.server, "incr");
    assert!(ran <= 1, "it ran {ran} times");
}

#[test]
fn a_reply_that_is_cut_inside_a_record_is_told_as_cut_and_a_write_is_not_repeated() {
    let Some(scene) = Scene::new() else { return };
    let relay = Relay::start(scene.addr()).expect("the relay starts");
    let ca = scene.authority.certificate();
    let client = open(relay.addr(), &ca, "deadline=2s&pool_size=1").expect("right settings");
    client.set("big", vec![b'x'; 100_000]).expect("an answer");
    // Behind the handshake of a fresh connection, inside the reply's second or third record.
    relay.set(Fault::FinAfterBytes(40_000));
    let error = ends("the read", || client.get::<Vec<u8>>("big")).expect_err("it is always cut");
    assert_eq!(error.cause(), Cause::ClosedMidReply, "{error}");
    assert!(
        error.connection().is_some_and(|lost| lost.partial > 0),
        "{error}"
    );
    relay.clear();
    // GETSET writes, and answers with what was there before.
    until("an answer", || client.ping().is_ok());
    let before = asked(&scene.server, "getset");
    relay.set(Fault::FinAfterBytes(40_000));
    let swap = Cmd::new("GETSET").arg("big").arg("small");
    let error = ends("the write", || client.call::<Vec<u8>>(&swap)).expect_err("it is cut");
    assert!(error.may_have_run(), "{error}");
    assert_eq!(asked(&scene.server, "getset") - before, 1);
}

#[test]
fn a_reset_in_the_middle_is_ridden_out_by_reads() {
    let Some(scene) = Scene::new() else { return };
    let relay = Relay::start(scene.addr()).expect("the relay starts");
    let ca = scene.authority.certificate();
    let client = open(relay.addr(), &ca, "deadline=5s&pool_size=2").expect("right settings");
    client.set("key", "value").expect("an answer");
    for _ in 0..20 {
        relay.set(Fault::ResetAll);
        let value: String = client.get("key").expect("an answer");
        assert_eq!(value, "value");
    }
    assert!(client.stats().dialled > 1);
}

#[test]
fn files_that_cannot_be_used_are_told_when_the_client_is_made() {
    let authority = Authority::new().expect("an authority");
    let own = authority
        .sign("own", &["own"], Bearer::Client, Validity::Now)
        .expect("a certificate");
    let other = authority
        .sign("other", &["other"], Bearer::Client, Validity::Now)
        .expect("a certificate");
    let file = |name: &str, bytes: &[u8]| {
        let path = authority.dir().join(name);
        std::fs::write(&path, bytes).expect("it can be written");
        path.display().to_string()
    };
    let pem = std::fs::read_to_string(authority.certificate()).expect("it can be read");
    let damaged = file("damaged.pem", &pem.as_bytes()[..pem.len() / 2]);
    let nothing = file("nothing.pem", b"no PEM at all\n");
    let garbage = file(
        "garbage.pem",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let encrypted = file(
        "encrypted.key",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let (key, certificate) = (own.key.display(), own.certificate.display());
    let dir = authority.dir().display();
    for (options, words) in [
        (
            "tls_ca_file=/nowhere/ca.pem".to_owned(),
            ["tls_ca_file", "cannot read /nowhere/ca.pem"],
        ),
        (
            format!("tls_ca_file={dir}"),
            ["tls_ca_file", "Is a directory"],
        ),
        (
            format!("tls_ca_file={damaged}"),
            ["damaged.pem is damaged", "END line"],
        ),
        (
            format!("tls_ca_file={nothing}"),
            ["no certificate in", "nothing.pem"],
        ),
        (
            format!("tls_ca_file={garbage}"),
            ["certificate 1 in", "garbage.pem"],
        ),
        (
            format!("tls_ca_file={key}"),
            ["no certificate in", "of another kind"],
        ),
        (
            format!("tls_cert_file={certificate}&tls_key_file={encrypted}"),
            ["no private key in", "under a password"],
        ),
        (
            format!(
                "tls_cert_file={certificate}&tls_key_file={}",
                other.key.display()
            ),
            ["does not belong to the certificate", "other.key"],
        ),
        (
            format!("tls_cert_file={certificate}"),
            ["tls_cert_file", "tls_key_file"],
        ),
    ] {
        let error = Client::open(&format!("rediss://localhost:1/0?{options}"))
            .err()
            .unwrap_or_else(|| panic!("{options} was taken"));
        assert_eq!(
            (error.kind(), error.cause()),
            (Kind::Settings, Cause::BadSettings)
        );
        let text = error.to_string();
        for word in words {
            assert!(text.contains(word), "{text} lacks {word:?}");
        }
    }
}

#[test]
fn many_tasks_share_one_connection_under_tls() {
    let Some(scene) = Scene::new() else { return };
    let url = format!(
        "rediss://{}/0?deadline=5s&tls_ca_file={}",
        scene.addr(),
        scene.authority.certificate().display()
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let client = seawall::asynchronous::Client::open(&url).expect("right settings");
        let big: Vec<u8> = (0..20_000_000_u32).map(|at| (at % 251) as u8).collect();
        client.set("big", &big).await.expect("an answer");
        let back: Vec<u8> = client.get("big").await.expect("an answer");
        assert!(back == big, "{} bytes came back", back.len());
        let tasks: Vec<_> = (0..200_usize)
            .map(|number| {
                let client = client.clone();
                tokio::spawn(async move {
                    let (key, value) = (format!("key:{number}"), "x".repeat(number * 300));
                    client.set(&key, &value).await.expect("an answer");
                    let back: String = client.get(&key).await.expect("an answer");
                    assert!(back == value, "{key} holds another value");
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it ends well");
        }
    });
}
