//! Requests that take long to write, on a link where others are answered meanwhile.

use std::time::Duration;

use seawall::asynchronous;
use seawall_lab::world::{Fault, Relay, Server};

use crate::ground::{asked, client, ends, held, relay, server, url};

const MIB: usize = 1 << 20;

/// A link on which a request of 12 MiB takes a second and a half, and others beside it are answered.
fn slow() -> (Server, Relay) {
    let server = server();
    let relay = relay(&server);
    relay.set(Fault::Bandwidth(8 << 20));
    (server, relay)
}

fn sent_once(server: &Server, value: &[u8]) {
    assert!(held(server, "large").as_deref() == Some(value));
    assert_eq!(asked(server, "set"), 1);
}

#[test]
fn a_large_write_that_goes_on_is_not_taken_for_a_silent_connection() {
    let (server, relay) = slow();
    let client = client(relay.addr(), "deadline=9s&ride_out=9s");
    let value = vec![b'x'; 12 * MIB];
    ends("the write", || client.set("large", &value)).expect("it goes on");
    sent_once(&server, &value);
    assert_eq!(client.stats().retried, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_write_over_the_shared_connection_that_goes_on_is_not_taken_for_silence() {
    let (server, relay) = slow();
    let client = asynchronous::Client::open(&url(relay.addr(), "deadline=9s&ride_out=9s"))
        .expect("the URL is right");
    let value = vec![b'x'; 12 * MIB];
    let write = tokio::time::timeout(Duration::from_secs(10), client.set("large", &value)).await;
    write.expect("it ends").expect("it goes on");
    sent_once(&server, &value);
    assert_eq!(client.stats().retried, 0);
}
