use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use seawall_lab::world::{Fault, Relay, Server};
use socket2::SockRef;

use super::{Client, GUARD, Saw, start, until};

const LONG: Duration = Duration::from_secs(3600);

fn world() -> (Server, Relay) {
    let server = start(&[]);
    let relay = Relay::start(server.addr()).expect("a relay");
    (server, relay)
}

/// A client that was answered once, so that its connection stands on both sides of the relay.
fn greeted(relay: &Relay) -> Client {
    let mut client = Client::connect(relay.addr());
    assert_eq!(client.ask("PING"), "+PONG");
    client
}

fn count(server: &Server, key: &str) -> i64 {
    let reply = server
        .command(&[b"GET", key.as_bytes()])
        .expect("GET is answered");
    reply.as_integer().unwrap_or(0)
}

fn connect_error(addr: SocketAddr, limit: Duration) -> io::ErrorKind {
    TcpStream::connect_timeout(&addr, limit)
        .expect_err("no connection")
        .kind()
}

#[test]
fn without_a_fault_commands_pipelines_and_large_replies_pass_unchanged() {
    let (server, relay) = world();
    let value: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    server.command(&[b"SET", b"big", &value]).unwrap();
    let mut client = greeted(&relay);
    client.send("GET big\r\nINCR n\r\nINCR n");
    assert_eq!(client.line(), "$5000000");
    let mut reply = vec![0; value.len() + 2];
    client.stream.read_exact(&mut reply).unwrap();
    assert!(reply.starts_with(&value) && reply.ends_with(b"\r\n"));
    assert_eq!((client.line(), client.line()), (":1".into(), ":2".into()));

    let counters = relay.counters();
    assert_eq!(
        (counters.accepted, counters.live, counters.resets),
        (1, 1, 0)
    );
    assert_eq!(
        counters.bytes_up,
        "PING\r\nGET big\r\nINCR n\r\nINCR n\r\n".len() as u64
    );
    assert_eq!(
        counters.bytes_down,
        "+PONG\r\n$5000000\r\n\r\n:1\r\n:2\r\n".len() as u64 + 5_000_000
    );
}

#[test]
fn bytes_that_are_no_redis_pass_in_both_directions() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = Relay::start(listener.local_addr().unwrap()).unwrap();
    let mut client = Client::connect(relay.addr());
    let (mut upstream, _) = listener.accept().unwrap();
    for bytes in [&b"\x16\x03\x01\x02\x00*-9\r\n"[..], b"\r\n\0\xff*3\r\n$x"] {
        client.stream.write_all(bytes).unwrap();
        let mut there = vec![0; bytes.len()];
        upstream.read_exact(&mut there).unwrap();
        upstream.write_all(&there).unwrap();
        let mut back = vec![0; bytes.len()];
        client.stream.read_exact(&mut back).unwrap();
        assert_eq!(back, bytes);
    }
}

#[test]
fn a_refusing_relay_refuses_new_connections_alone_and_opens_on_the_same_port() {
    let (_server, relay) = world();
    let mut client = greeted(&relay);
    for _ in 0..3 {
        relay.set(Fault::Refuse);
        assert_eq!(
            connect_error(relay.addr(), GUARD),
            io::ErrorKind::ConnectionRefused
        );
        assert_eq!(client.ask("PING"), "+PONG");
        relay.clear();
        greeted(&relay);
    }
}

#[test]
fn every_live_connection_is_reset_and_the_next_one_is_not() {
    let (_server, relay) = world();
    let mut clients = [greeted(&relay), greeted(&relay)];
    relay.set(Fault::ResetAll);
    for client in &mut clients {
        assert_eq!(client.saw(), Saw::Reset);
    }
    assert_eq!((relay.counters().resets, relay.counters().live), (2, 0));
    assert_eq!(greeted(&relay).ask("PING"), "+PONG");
}

#[test]
fn when_the_server_is_gone_nobody_comes_in_between_reset_and_refusal() {
    let (_server, relay) = world();
    let mut client = greeted(&relay);
    let (addr, over) = (relay.addr(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                drop(TcpStream::connect(addr));
            }
        });
        relay.set(Fault::Gone);
        let live = relay.counters().live;
        over.store(true, Ordering::Relaxed);
        assert_eq!(live, 0);
    });
    assert_eq!(client.saw(), Saw::Reset);
    assert_eq!(
        connect_error(relay.addr(), GUARD),
        io::ErrorKind::ConnectionRefused
    );
    relay.clear();
    assert_eq!(greeted(&relay).ask("PING"), "+PONG");
}

#[test]
fn every_live_connection_is_closed_in_order_and_later_bytes_are_answered_by_a_reset() {
    let (_server, relay) = world();
    let mut client = greeted(&relay);
    relay.set(Fault::FinAll);
    assert_eq!(client.saw(), Saw::Fin);
    client.send("PING");
    until(
        "the reset",
        || matches!(client.stream.write(b"PING\r\n"), Err(error) if error.kind() == io::ErrorKind::BrokenPipe),
    );
    greeted(&relay);
}

#[test]
fn a_flow_that_was_idle_too_long_is_answered_by_a_reset_and_its_command_does_not_run() {
    let (server, relay) = world();
    relay.set(Fault::ResetAfterIdle(Duration::from_millis(5)));
    let mut client = Client::connect(relay.addr());
    thread::sleep(Duration::from_millis(20));
    client.send("INCR n");
    assert_eq!(client.saw(), Saw::Reset);
    assert_eq!(count(&server, "n"), 0);
}

#[test]
fn a_forgotten_flow_stays_forgotten_when_the_fault_is_cleared() {
    let (_server, relay) = world();
    let mut forgotten = greeted(&relay);
    thread::sleep(Duration::from_millis(20));
    relay.set(Fault::ResetAfterIdle(Duration::from_millis(5)));
    relay.clear();
    forgotten.hears_nothing();
    forgotten.send("PING");
    assert_eq!(forgotten.saw(), Saw::Reset);
}

#[test]
fn what_the_server_says_on_a_forgotten_flow_is_not_heard() {
    let (server, relay) = world();
    let mut client = greeted(&relay);
    thread::sleep(Duration::from_millis(20));
    relay.set(Fault::ResetAfterIdle(Duration::from_millis(5)));
    relay.clear();
    assert_eq!(server.client_kill_all().unwrap(), 1);
    client.hears_nothing();
    client.send("PING");
    assert_eq!(client.saw(), Saw::Reset);
}

#[test]
fn a_flow_in_use_outlives_an_idle_limit() {
    let (_server, relay) = world();
    for fault in [Fault::ResetAfterIdle(LONG), Fault::SwallowAfterIdle(LONG)] {
        relay.set(fault);
        assert_eq!(greeted(&relay).ask("PING"), "+PONG");
    }
    assert_eq!(
        (relay.counters().resets, relay.counters().swallowed),
        (0, 0)
    );
}

#[test]
fn a_swallowed_flow_is_silent_for_ever_and_a_fresh_one_is_not() {
    let (server, relay) = world();
    let mut client = greeted(&relay);
    relay.set(Fault::SwallowAfterIdle(Duration::from_millis(5)));
    until("the swallowing", || relay.counters().swallowed == 1);
    client.send("INCR n");
    client.hears_nothing();
    relay.clear();
    assert_eq!(greeted(&relay).ask("PING"), "+PONG");
    client.hears_nothing();
    assert_eq!(count(&server, "n"), 0);
    SockRef::from(&client.stream)
        .set_tcp_user_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    client.send("INCR n");
    assert_eq!(
        client.saw(),
        Saw::GaveUp,
        "nothing acknowledges what was sent"
    );
}

#[test]
fn a_partition_holds_everything_back_closes_nothing_and_heals() {
    let (server, relay) = world();
    let mut client = greeted(&relay);
    relay.set(Fault::BlackHole);
    client.send("INCR n");
    client.hears_nothing();
    assert_eq!(
        connect_error(relay.addr(), Duration::from_millis(100)),
        io::ErrorKind::TimedOut
    );
    assert_eq!(count(&server, "n"), 0);
    relay.clear();
    assert_eq!(greeted(&relay).ask("PING"), "+PONG");
    assert_eq!(
        client.line(),
        ":1",
        "what was held back arrives when the sender's kernel sends it again"
    );
    assert_eq!(client.ask("INCR n"), ":2");
}

#[test]
fn a_connection_attempt_that_began_in_a_partition_succeeds_after_it() {
    let (_server, relay) = world();
    relay.set(Fault::BlackHole);
    let addr = relay.addr();
    let attempt = thread::spawn(move || Client::connect(addr).ask("PING"));
    thread::sleep(Duration::from_millis(20));
    relay.clear();
    assert_eq!(attempt.join().unwrap(), "+PONG");
}

#[test]
fn a_client_in_a_partition_is_given_up_by_its_own_kernel() {
    let (_server, relay) = world();
    let mut client = greeted(&relay);
    SockRef::from(&client.stream)
        .set_tcp_user_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    relay.set(Fault::BlackHole);
    client.send("PING");
    assert_eq!(client.saw(), Saw::GaveUp);
}

#[test]
fn replies_of_the_server_are_held_back_in_a_partition_too() {
    let (server, relay) = world();
    let mut client = greeted(&relay);
    client.send("BLPOP list 0");
    until("the wait", || {
        server.info("clients").unwrap()["blocked_clients"] == "1"
    });
    relay.set(Fault::BlackHole);
    server.command(&[b"RPUSH", b"list", b"v"]).unwrap();
    client.hears_nothing();
    relay.clear();
    assert_eq!(client.line(), "*2");
}

#[test]
fn delayed_bytes_arrive_when_they_are_due_or_the_delay_ends() {
    let (server, relay) = world();
    relay.set(Fault::Delay(Duration::from_millis(5)));
    let mut client = greeted(&relay);
    relay.set(Fault::Delay(LONG));
    client.send("INCR n");
    client.hears_nothing();
    assert_eq!(count(&server, "n"), 0);
    relay.clear();
    assert_eq!(client.line(), ":1");
}

#[test]
fn a_slow_link_delivers_all_bytes_in_order() {
    let (server, relay) = world();
    let value: String = ('a'..='z').cycle().take(20_000).collect();
    server.command(&[b"SET", b"k", value.as_bytes()]).unwrap();
    relay.set(Fault::Bandwidth(200_000));
    let mut client = Client::connect(relay.addr());
    assert_eq!(
        (client.ask("GET k"), client.line()),
        ("$20000".into(), value)
    );
    relay.set(Fault::Bandwidth(1));
    client.send("PING");
    client.hears_nothing();
    relay.clear();
    assert_eq!(client.line(), "+PONG");
}

#[test]
fn a_half_closed_client_hears_a_fin_and_what_it_writes_still_runs() {
    let (server, relay) = world();
    let mut client = greeted(&relay);
    relay.set(Fault::HalfClose);
    assert_eq!(client.saw(), Saw::Fin);
    client.send("INCR n");
    until("the run", || count(&server, "n") == 1);
}

#[test]
fn the_connection_ends_in_order_after_so_many_bytes() {
    let (_server, relay) = world();
    let mut older = greeted(&relay);
    relay.set(Fault::FinAfterBytes(10));
    for client in [&mut older, &mut Client::connect(relay.addr())] {
        client.send("PING\r\nPING");
        assert_eq!(
            client.saw_to_the_end(),
            (b"+PONG\r\n+PO".to_vec(), Saw::Fin)
        );
    }
    assert_eq!(relay.counters().fins, 2);
}

#[test]
fn a_client_that_ends_its_half_gets_its_replies_and_then_the_servers_fin() {
    let (_server, relay) = world();
    let mut client = greeted(&relay);
    client.send("PING\r\nPING");
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        client.saw_to_the_end(),
        (b"+PONG\r\n+PONG\r\n".to_vec(), Saw::Fin)
    );
    until("the end", || relay.counters().live == 0);
}

#[test]
fn a_server_that_refuses_is_passed_on_as_a_reset() {
    let (server, relay) = world();
    server.kill9().unwrap();
    // The reset may come before the accepted connection is reported, or after.
    let seen = TcpStream::connect(relay.addr()).and_then(|mut stream| stream.read(&mut [0]));
    assert_eq!(seen.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(relay.counters().upstream_refused, 1);
    server.start_again().unwrap();
    greeted(&relay);
}

#[test]
fn the_servers_fin_is_passed_on_as_a_fin_and_its_reset_as_a_reset() {
    let (server, relay) = world();
    let mut client = greeted(&relay);
    server.client_kill_all().unwrap();
    assert_eq!(client.saw(), Saw::Fin);

    let mut client = greeted(&relay);
    server.freeze().unwrap();
    let up = relay.counters().bytes_up;
    client.send("PING");
    until("the request's way to the frozen server", || {
        relay.counters().bytes_up > up
    });
    server.kill9().unwrap();
    assert_eq!(
        client.saw(),
        Saw::Reset,
        "a process that dies with unread requests resets its connections"
    );
}

#[test]
fn the_servers_last_words_are_heard() {
    let (server, relay) = world();
    server.config_set("maxclients", "1").unwrap();
    let mut client = Client::connect(relay.addr());
    // Whether it ends in a FIN or a RST depends on whether the request was read, as without a relay.
    let _ = client.stream.write_all(b"PING\r\n");
    let words = client.saw();
    assert_eq!(
        words,
        Saw::Bytes(b"-ERR max number of clients reached\r\n".to_vec())
    );
}

#[test]
fn a_client_that_resets_its_connection_resets_the_servers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = Relay::start(listener.local_addr().unwrap()).unwrap();
    let client = Client::connect(relay.addr());
    let (mut upstream, _) = listener.accept().unwrap();
    SockRef::from(&client.stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    let error = upstream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn a_client_that_does_not_read_makes_the_server_wait() {
    const REPLIES: usize = 64;
    const VALUE: usize = 1 << 20;
    let (server, relay) = world();
    server.command(&[b"SET", b"k", &vec![b'v'; VALUE]]).unwrap();
    let mut client = greeted(&relay);
    let already = relay.counters().bytes_down;
    client.send(&["GET k"; REPLIES].join("\r\n"));
    until("the last run", || {
        server
            .info("commandstats")
            .unwrap()
            .get("cmdstat_get")
            .is_some_and(|row| row.starts_with("calls=64,"))
    });
    let total = (REPLIES * (VALUE + "$1048576\r\n\r\n".len())) as u64;
    assert!(
        relay.counters().bytes_down < total / 2,
        "the relay does not take what nobody reads"
    );
    let mut taken = vec![0; 1 << 16];
    let mut left = total;
    while left > 0 {
        let bytes = client.stream.read(&mut taken).unwrap() as u64;
        assert!(bytes > 0, "{left} bytes are missing");
        left -= bytes;
    }
    assert_eq!(relay.counters().bytes_down - already, total);
}

#[test]
fn a_dropped_relay_resets_its_clients_and_frees_its_port() {
    let (_server, relay) = world();
    let mut client = greeted(&relay);
    let addr = relay.addr();
    drop(relay);
    assert_eq!(client.saw(), Saw::Reset);
    TcpListener::bind(addr).expect("the port is free");
}

#[test]
fn a_storm_of_connections_is_accepted() {
    let (_server, relay) = world();
    let mut clients: Vec<Client> = (0..200).map(|_| Client::connect(relay.addr())).collect();
    for client in &mut clients {
        client.send("PING");
    }
    for client in &mut clients {
        assert_eq!(client.line(), "+PONG");
    }
    drop(clients);
    until("their end", || relay.counters().live == 0);
}
