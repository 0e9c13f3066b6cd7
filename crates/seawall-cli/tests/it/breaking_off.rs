//! Servers that break while the doctor looks at them: what they told before that is told, what broke is said, and no look lasts
//! longer than it may.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use seawall_lab::world::{Server, server_binary};

use crate::{said, seawall};

/// Tells what hangs from what does not; `--within 2` and the look's own rests are far below.
const HUNG: Duration = Duration::from_secs(20);

/// What a server does from some request on.
#[derive(Clone, Copy, Debug)]
enum Breaks {
    Hangs,
    Closes,
    Garbles,
    /// A reply of 500 MB.
    Floods,
    /// A byte every 100 ms.
    Drips,
    /// A number, whatever it is asked.
    Numbers,
}

fn server() -> Server {
    let binary = server_binary(None).expect("a server to test against");
    Server::start(&binary, &[]).expect("the server starts")
}

/// Stands before a server, and breaks once it was asked so many requests.
fn broken(server: &Server, requests: usize, breaks: Breaks) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (addr, behind) = (listener.local_addr().expect("an address"), server.addr());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || between(client, &behind.to_string(), requests, breaks));
        }
    });
    addr
}

fn between(mut client: TcpStream, behind: &str, requests: usize, breaks: Breaks) -> io::Result<()> {
    let mut server = TcpStream::connect(behind)?;
    let (mut answers, mut back) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || io::copy(&mut answers, &mut back));
    let mut chunk = vec![0; 256 * 1024];
    let mut asked = 0;
    loop {
        let count = client.read(&mut chunk)?;
        if count == 0 {
            return server.shutdown(Shutdown::Both);
        }
        asked += 1;
        if asked > requests {
            return broke(client, breaks);
        }
        server.write_all(&chunk[..count])?;
    }
}

fn broke(mut client: TcpStream, breaks: Breaks) -> io::Result<()> {
    match breaks {
        Breaks::Closes => return client.shutdown(Shutdown::Both),
        Breaks::Hangs => {}
        Breaks::Garbles => client.write_all(b"\x00\xff\x13 planted \x1b[31m\r\n")?,
        Breaks::Floods => {
            client.write_all(b"$500000000\r\n")?;
            for _ in 0..500 {
                client.write_all(&vec![b'x'; 1_000_000])?;
            }
        }
        Breaks::Drips => {
            for byte in b"$5000\r\n".iter().chain(&[b'x'; 5_000]) {
                client.write_all(&[*byte])?;
                thread::sleep(Duration::from_millis(100));
            }
        }
        Breaks::Numbers => loop {
            client.write_all(b":42\r\n")?;
            if client.read(&mut [0; 16 * 1024])? == 0 {
                return Ok(());
            }
        },
    }
    // Until the other end has gone.
    io::copy(&mut client, &mut io::sink()).map(drop)
}

/// What is said of it, and the exit code.
fn doctor(addr: SocketAddr) -> (String, Option<i32>) {
    let state = tempfile::tempdir().expect("a folder");
    let began = Instant::now();
    let url = format!("redis://{addr}");
    let words = ["doctor", "--long", "--within", "2", &url];
    let output = seawall(state.path(), &words);
    assert!(began.elapsed() < HUNG, "it hung");
    let said = said(&output);
    assert!(
        !said.contains("planted") && !said.contains('\u{1b}'),
        "{said}"
    );
    (said, output.status.code())
}

/// PING, CLIENT SETNAME and INFO are answered; what comes then breaks.
const INFO_TOLD: usize = 3;

#[test]
fn what_a_server_told_before_it_broke_is_told_and_how_it_broke() {
    let server = server();
    let cases = [
        (
            Breaks::Hangs,
            "the server stopped answering while it was looked at",
            1,
        ),
        (
            Breaks::Closes,
            "the server closed the doctor's connection while it was looked at",
            1,
        ),
        (
            Breaks::Garbles,
            "the server answers with what is no answer",
            1,
        ),
        (Breaks::Floods, "takes its frame beyond 67108864 bytes", 1),
        (Breaks::Drips, "was answered in part only", 3),
    ];
    let told = cases.map(|(breaks, words, exit)| {
        let addr = broken(&server, INFO_TOLD, breaks);
        thread::spawn(move || (breaks, words, exit, doctor(addr)))
    });
    for told in told {
        let (breaks, words, exit, (said, code)) = told.join().expect("it is told");
        assert!(
            said.starts_with("DID REDIS STAY UP?  yes: run_id "),
            "{breaks:?}: {said}"
        );
        assert!(said.contains(words), "{breaks:?}: {said}");
        assert_eq!(code, Some(exit), "{breaks:?}: {said}");
        assert!(
            said.contains("rejected_connections 0 since start"),
            "{breaks:?}: {said}"
        );
        let unasked = said.matches("would have been asked").count();
        assert_eq!(unasked, 1, "{breaks:?}: {said}");
    }
}

#[test]
fn a_server_that_breaks_before_it_told_anything_is_not_well() {
    let server = server();
    let cases = [
        (
            0,
            Breaks::Hangs,
            "the server accepts connections and does not answer",
        ),
        (0, Breaks::Closes, "the server turned the doctor away"),
        (0, Breaks::Garbles, "what listens there is no Redis"),
        (
            1,
            Breaks::Hangs,
            "the server stopped answering while it was looked at",
        ),
        (
            1,
            Breaks::Closes,
            "the server closed the doctor's connection",
        ),
        (2, Breaks::Drips, "was answered in part only"),
        (2, Breaks::Numbers, "answered with none of its fields"),
    ];
    let told = cases.map(|(requests, breaks, words)| {
        let addr = broken(&server, requests, breaks);
        thread::spawn(move || (breaks, words, doctor(addr)))
    });
    for told in told {
        let (breaks, words, (said, _)) = told.join().expect("it is told");
        assert!(said.contains(words), "{breaks:?}: {said}");
        assert!(said.matches("SW102 ").count() <= 1, "{breaks:?}: {said}");
        assert!(
            said.starts_with("DID REDIS STAY UP?  unknown"),
            "{breaks:?}: {said}"
        );
    }
}

#[test]
fn a_server_that_dies_while_its_counters_are_watched_is_seen_to_die() {
    let server = server();
    let url = format!("redis://{}", server.addr());
    let looking = Command::new(env!("CARGO_BIN_EXE_seawall"))
        .args(["doctor", "--for", "600", &url])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let began = Instant::now();
    // All is asked, and its counters are watched.
    let clients = || {
        let list = server.command(&[b"CLIENT", b"LIST"]).expect("it answers");
        String::from_utf8_lossy(list.as_bytes().unwrap_or_default()).into_owned()
    };
    while !clients()
        .lines()
        .any(|row| row.contains("name=seawall-doctor") && row.contains("cmd=role"))
    {
        assert!(began.elapsed() < HUNG, "it did not come");
        thread::sleep(Duration::from_millis(5));
    }
    drop(server);
    let output = looking.wait_with_output().expect("it ends");
    assert!(
        began.elapsed() < HUNG,
        "it waited for a server that is gone"
    );
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.starts_with("DID REDIS STAY UP?  no: nothing listens at "),
        "{said}"
    );
    assert!(
        said.contains("rejected_connections 0 since start"),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(1), "{said}");
}
