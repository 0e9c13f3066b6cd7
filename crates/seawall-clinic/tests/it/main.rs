//! The doctor before every case, and before servers with which nothing is wrong.

use seawall_clinic::{Case, Options, Place, Report, cases, report, run};
use seawall_lab::run::Interrupt;
use seawall_lab::world::server_binary;

/// Cases that last too short for their rule: it wants a server that was up for a minute, connections that rest for an hour,
/// or to know how long one had rested. The truth need not be told first. What is told must not be wrong all the same.
const TOO_SHORT: &[&str] = &["client-kill", "leaked-connections", "server-timeout"];

fn ran(cases: Vec<&'static Case>, healthy: bool) -> Report {
    let binary = server_binary(None).expect("a server to break");
    run(&Options {
        binary: &binary,
        cases,
        healthy,
        progress: &|_| {},
        interrupt: Interrupt::never(),
    })
}

#[test]
fn the_doctor_tells_the_truth_first_and_proves_nothing_that_is_none() {
    let report = ran(cases(), false);
    let table = report::text(&report);
    let came_about = report.ran.iter().filter(|ran| ran.result.is_ok()).count();
    assert!(came_about >= 25, "too few causes came about:\n{table}");
    for ran in &report.ran {
        let name = ran.case.name;
        let seen = match &ran.result {
            Ok(seen) => seen,
            Err(_) if ran.is_left_out() => continue,
            Err(trouble) => panic!("{name}: {trouble}"),
        };
        let screen = &seen.screen;
        assert_eq!(seen.wrongly_proved, [], "{name}:\n{screen}");
        assert!(!seen.wrongly_ruled_out, "{name}:\n{screen}");
        let excused = TOO_SHORT.contains(&name);
        assert!(excused || seen.place == Place::First, "{name}:\n{screen}");
    }
}

#[test]
fn the_doctor_is_silent_where_nothing_is_wrong() {
    let report = ran(Vec::new(), true);
    assert!(report.calm.len() >= 10);
    for calm in &report.calm {
        let (told, screen) = match &calm.result {
            Ok(said) => said,
            Err(trouble) => panic!("{}: {trouble}", calm.server.name),
        };
        assert_eq!(told, &[], "{}:\n{screen}", calm.server.name);
        assert!(
            calm.rounds > 100,
            "{}: {} rounds",
            calm.server.name,
            calm.rounds
        );
    }
}
