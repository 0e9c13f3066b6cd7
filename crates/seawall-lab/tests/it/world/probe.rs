use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use seawall_lab::world::{Access, Fault, Interval, Probe, Relay, Server, Serving, Timeline, clock};
use seawall_model::Moment;

use super::{GUARD, start, until};

fn probe(server: &Server) -> Probe {
    let probe = Probe::start(server.addr(), server.access()).expect("a probe");
    assert!(probe.wait_until_serving(GUARD));
    probe
}

/// Waits until the probe's newest finding is `serving`, from a moment after this call.
fn until_seen(probe: &Probe, serving: Serving) {
    let now = clock::now();
    until(&format!("{serving:?}"), || {
        probe
            .so_far()
            .intervals()
            .last()
            .is_some_and(|last| last.serving == serving && last.to > now)
    });
}

/// The state at `moment`.
fn at(line: &Timeline, moment: Moment) -> Option<Serving> {
    let holds = |interval: &&Interval| interval.from <= moment && moment <= interval.to;
    line.intervals()
        .iter()
        .find(holds)
        .map(|interval| interval.serving)
}

#[test]
fn a_killed_server_is_seen_to_serve_nothing_until_it_is_back() {
    let server = start(&[]);
    let probe = probe(&server);
    server.kill9().unwrap();
    until_seen(&probe, Serving::Nothing);
    let dead = clock::now();
    until_seen(&probe, Serving::Nothing);
    let still_dead = clock::now();
    server.start_again().unwrap();
    until_seen(&probe, Serving::All);
    let line = probe.finish();
    assert!(!line.serving_overlaps(dead, still_dead), "{line:?}");
    assert!(line.first_serving_after(still_dead).is_some());
    assert!(line.intervals().is_sorted_by_key(|interval| interval.from));
}

#[test]
fn a_frozen_server_serves_nothing_and_a_thawed_one_does_again() {
    let server = start(&[]);
    let probe = probe(&server);
    server.freeze().unwrap();
    until_seen(&probe, Serving::Nothing);
    let frozen = clock::now();
    until_seen(&probe, Serving::Nothing);
    server.thaw().unwrap();
    until_seen(&probe, Serving::All);
    assert_eq!(at(&probe.finish(), frozen), Some(Serving::Nothing));
}

#[test]
fn a_loading_server_serves_nothing() {
    let server = start(&[]);
    let probe = probe(&server);
    server
        .restart_loading_for(Duration::from_millis(500))
        .unwrap();
    until_seen(&probe, Serving::Nothing);
    let loading = clock::now();
    until_seen(&probe, Serving::All);
    assert_eq!(at(&probe.finish(), loading), Some(Serving::Nothing));
}

#[test]
fn a_server_that_cannot_save_still_serves_reads() {
    let server = start(&[]);
    let probe = probe(&server);
    server.break_saves().unwrap();
    until_seen(&probe, Serving::ReadsOnly);
    let broken = clock::now();
    until_seen(&probe, Serving::ReadsOnly);
    let seen = clock::now();
    server.repair_saves().unwrap();
    until_seen(&probe, Serving::All);
    let line = probe.finish();
    assert!(line.serving_overlaps(broken, seen) && !line.taking_writes_overlaps(broken, seen));
}

#[test]
fn a_probe_has_its_place_before_maxclients_is_reached_and_passwords_do_not_matter() {
    let server = start(&[("requirepass", "secret")]);
    let probe = probe(&server);
    server.config_set("maxclients", "2").unwrap();
    server.config_set("requirepass", "changed").unwrap();
    until_seen(&probe, Serving::All);
    let late = Probe::start(server.addr(), server.access()).unwrap();
    until_seen(&late, Serving::Nothing);
    until_seen(&probe, Serving::All);
}

#[test]
fn a_probe_that_is_not_let_in_sees_nothing_served() {
    let server = start(&[("requirepass", "secret")]);
    let probe = Probe::start(server.addr(), Access::default()).unwrap();
    until_seen(&probe, Serving::Nothing);
    assert!(!probe.wait_until_serving(Duration::ZERO));
}

#[test]
fn a_probe_whose_connection_was_killed_goes_on_with_a_fresh_one() {
    let server = start(&[]);
    let probe = probe(&server);
    for _ in 0..5 {
        assert!(server.client_kill_all().unwrap() > 0);
        until_seen(&probe, Serving::All);
    }
}

#[test]
fn through_a_relay_a_partition_is_seen_and_its_end_on_a_fresh_connection() {
    let server = start(&[]);
    let relay = Relay::start(server.addr()).unwrap();
    let through = Probe::start(relay.addr(), server.access()).unwrap();
    let direct = probe(&server);
    assert!(through.wait_until_serving(GUARD));
    relay.set(Fault::BlackHole);
    until_seen(&through, Serving::Nothing);
    let cut = clock::now();
    until_seen(&through, Serving::Nothing);
    let still_cut = clock::now();
    until_seen(&direct, Serving::All);
    relay.clear();
    until_seen(&through, Serving::All);
    assert!(!through.finish().serving_overlaps(cut, still_cut));
    assert!(direct.finish().serving_overlaps(cut, still_cut));
}

#[test]
fn what_is_no_redis_serves_nothing() {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let probe = Probe::start(listener.local_addr().unwrap(), Access::default()).unwrap();
    until_seen(&probe, Serving::Nothing);
    drop(listener);
    until_seen(&probe, Serving::Nothing);
    assert_eq!(probe.finish().intervals().len(), 1);
}
