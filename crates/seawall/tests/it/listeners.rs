//! Listeners that call, on whatever thread they are told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use seawall::blocking::Client;
use seawall::{Event, Kind};
use seawall_lab::world::Fault;

use crate::ground::{client, ends, relay, server, until, url};

#[test]
fn a_listener_that_calls_where_connections_are_made_holds_up_no_other_client() {
    let server = server();
    let relay = relay(&server);
    let own: Arc<OnceLock<Client>> = Arc::default();
    let called = Arc::new(Mutex::new(Vec::new()));
    let begun = Arc::new(AtomicBool::new(false));
    let (client_there, heard) = (Arc::clone(&own), Arc::clone(&called));
    let begins = Arc::clone(&begun);
    let listening = Client::builder(&url(relay.addr(), "deadline=8s&ride_out=8s"))
        .expect("the URL is right")
        .on_event(move |event| {
            if let (Event::DialFailed { .. }, Some(client)) = (event, client_there.get()) {
                begins.store(true, Ordering::Release);
                let outcome = client.ping();
                heard.lock().expect("no panic").push(outcome);
            }
        })
        .build()
        .expect("the settings fit together");
    let listening = own.get_or_init(|| listening);
    listening.ping().expect("the server is well");
    relay.set(Fault::Gone);
    thread::scope(|scope| {
        let waits = scope.spawn(|| listening.ping());
        until("a call of the listener's", || begun.load(Ordering::Acquire));
        for _ in 0..4 {
            let other = client(server.addr(), "deadline=2s");
            ends("another client's call", || other.ping()).expect("its server is well");
            thread::sleep(Duration::from_millis(50));
        }
        relay.clear();
        waits
            .join()
            .expect("no panic")
            .expect("it waited for the server");
    });
    let called = called.lock().expect("no panic");
    let first = called.first().expect("it called");
    let error = first.as_ref().expect_err("nobody was there");
    assert_eq!(error.kind(), Kind::Refused, "{error}");
    assert!(error.to_string().contains("a listener"), "{error}");
}
