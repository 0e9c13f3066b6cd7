//! Servers that let nobody in any more, and connections that are there.

use std::thread;
use std::time::Duration;

use seawall::blocking::{Client, Patience};
use seawall::{Cause, Cmd, Value, asynchronous};
use seawall_lab::world::Server;

use crate::ground::{IfFailed, client, number, server, until, url};

/// How the server turns new connections away.
const DOORS: [(&str, &str, Cause); 2] = [
    ("maxclients", "1", Cause::MaxClients),
    ("requirepass", "secret", Cause::AuthRequired),
];

/// Has another client find that it is let in no more, for as long as that may take to be believed.
fn find_it_down(client: &Client, cause: Cause) {
    // One at rest would serve.
    let _others: Vec<_> = (0..8).filter_map(|_| client.lease().ok()).collect();
    until("an outage", || {
        let _ = client.lease();
        client.stats().state.name() == "down"
    });
    let error = client.lease().expect_err("nobody is let in");
    assert_eq!(error.cause(), cause, "{error}");
    // Those who wait look twice a second how things stand.
    thread::sleep(Duration::from_millis(1200));
}

fn open(server: &Server) {
    server.config_set("maxclients", "1000").expect("it is set");
    server.config_set("requirepass", "").expect("it is set");
}

#[test]
fn a_subscription_goes_on() {
    for (setting, value, cause) in DOORS {
        let server = server();
        let client = client(server.addr(), "deadline=2s&ride_out=0ms");
        let mut lease = client.lease().expect("a connection");
        lease
            .send(&Cmd::new("SUBSCRIBE").arg("news"))
            .expect("it is sent");
        lease.recv().expect("it is subscribed");
        server.config_set(setting, value).expect("it is set");
        thread::scope(|scope| {
            let publish = || server.command(&[b"PUBLISH", b"news", b"something"]);
            let _wakes = IfFailed(|| drop(publish()));
            let next = scope
                .spawn(move || lease.recv_frame(Patience::Forever, |frame, _| Ok(frame.to_vec())));
            find_it_down(&client, cause);
            publish().expect("it is published");
            let next = next.join().expect("no panic");
            let next = next.unwrap_or_else(|error| panic!("{cause}: {error}"));
            let next = next.expect("a message");
            assert!(String::from_utf8_lossy(&next).contains("something"));
        });
        open(&server);
    }
}

#[test]
fn a_wait_without_an_end_goes_on() {
    for (setting, value, cause) in DOORS {
        let server = server();
        let options = "deadline=2s&ride_out=0ms";
        let client = client(server.addr(), options);
        let tasks =
            asynchronous::Client::open(&url(server.addr(), options)).expect("the URL is right");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let pop = || Cmd::new("BLPOP").arg("queue").arg(0);
        client.ping().expect("it is let in");
        let push = || server.command(&[b"RPUSH", b"queue", b"job", b"job"]);
        thread::scope(|scope| {
            let _wakes = IfFailed(|| drop(push()));
            let thread = scope.spawn(|| client.call::<Value>(&pop()));
            let task = runtime.spawn(async move { tasks.call::<Value>(&pop()).await });
            until("two who wait", || {
                number(&server, "clients", "blocked_clients") == 2
            });
            server.config_set(setting, value).expect("it is set");
            find_it_down(&client, cause);
            push().expect("it is pushed");
            let thread = thread.join().expect("no panic");
            assert!(thread.is_ok(), "{cause}: {thread:?}");
            let task = runtime.block_on(task).expect("no panic");
            assert!(task.is_ok(), "{cause}: {task:?}");
        });
        open(&server);
    }
}
