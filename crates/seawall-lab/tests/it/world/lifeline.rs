use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{GUARD, start};

/// Set in the process that is to be killed: this test again.
const VICTIM: &str = "SEAWALL_LAB_TEST_VICTIM";

const NAME: &str = "world::lifeline::a_killed_laboratory_leaves_no_server_and_no_directory_behind";

#[test]
fn a_killed_laboratory_leaves_no_server_and_no_directory_behind() {
    if std::env::var_os(VICTIM).is_some() {
        let server = start(&[]);
        server.freeze().unwrap();
        println!("victim {} {}", server.addr(), server.dir().display());
        thread::sleep(GUARD);
        return;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(victim.stdout.take().unwrap());
    let line = output.lines().map_while(Result::ok).find_map(|line| {
        line.split_once("victim ")
            .map(|(_, words)| words.to_owned())
    });
    let line = line.expect("the victim says where its server is");
    let (addr, dir) = line.split_once(' ').unwrap();
    let addr: SocketAddr = addr.parse().unwrap();
    TcpStream::connect(addr).expect("a frozen server's kernel accepts");
    assert!(Path::new(dir).is_dir());

    victim.kill().unwrap();
    victim.wait().unwrap();
    let started = Instant::now();
    while TcpStream::connect(addr).is_ok() || Path::new(dir).exists() {
        assert!(started.elapsed() < GUARD, "still there: {addr} {dir}");
        thread::sleep(Duration::from_millis(5));
    }
}
