//! The doctor before every case, and before servers with which nothing is wrong.

use std::path::Path;

use seawall_clinic::{Case, Options, Place, Report, cases, report, run};
use seawall_lab::run::Interrupt;
use seawall_lab::world::server_binary;

fn ran(cases: Vec<&'static Case>, healthy: bool) -> Report {
    let binary = server_binary(None).expect("a server to break");
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let venv = project.ancestors().nth(2).map(|root| root.join(".venv"));
    run(&Options {
        binary: &binary,
        venv: venv.as_deref(),
        contenders: Vec::new(),
        cases,
        healthy,
        progress: &|_| {},
        interrupt: Interrupt::never(),
    })
}

#[test]
fn the_doctor_tells_the_truth_first_and_proves_nothing_that_is_none() {
    let own = cases().into_iter().filter(|case| case.scenario.is_none());
    let report = ran(own.collect(), false);
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
        assert_eq!(seen.place, Place::First, "{name}:\n{screen}");
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
