use super::start;
use seawall_lab::world::{Authority, Bearer, Clients, Server, Tls, Validity, server_binary};
use std::io::Read;
use std::net::TcpStream;

#[expect(
    clippy::print_stderr,
    reason = "a test that could not look at its subject must not pass in silence"
)]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

#[test]
fn a_server_with_tls_answers_the_laboratory_in_plain_and_strangers_in_tls_alone() {
    let binary = server_binary(None).expect("a server to test against");
    if !binary.speaks_tls() {
        skipped(&format!("{binary} was built without TLS"));
        return;
    }
    let authority = Authority::new().unwrap();
    let certificate = authority
        .sign("server", &["localhost"], Bearer::Server, Validity::Now)
        .unwrap();
    let tls = Tls {
        authority: &authority,
        certificate: &certificate,
        clients: Clients::Anybody,
    };
    let server = Server::start_with_tls(&binary, &[], &tls).unwrap();
    assert!(server.command(&[b"PING"]).is_ok());
    let mut stranger = TcpStream::connect(server.tls_addr().unwrap()).unwrap();
    std::io::Write::write_all(&mut stranger, b"PING\r\n").unwrap();
    let mut answer = [0; 64];
    let heard = stranger.read(&mut answer).unwrap_or(0);
    assert!(!answer[..heard].starts_with(b"+PONG"));
    server.restart().unwrap();
    assert!(TcpStream::connect(server.tls_addr().unwrap()).is_ok());
}

#[test]
fn a_server_without_tls_has_no_tls_address() {
    assert_eq!(start(&[]).tls_addr(), None);
}

#[test]
fn an_authority_leaves_nothing_behind() {
    let authority = Authority::new().unwrap();
    let dir = authority.dir().to_owned();
    let signed = authority
        .sign("client", &["client"], Bearer::Client, Validity::Past)
        .unwrap();
    assert!(signed.key.exists() && authority.certificate().exists());
    drop(authority);
    assert!(!dir.exists());
}
