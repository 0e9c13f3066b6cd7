use seawall_lab::oracle::Score;
use seawall_lab::report::Verdict;
use seawall_lab::run::{self, Contender, LabError, Options, Selection};
use seawall_model::Cause;

const NAIVE: &str = env!("CARGO_BIN_EXE_seawall-lab-naive");

/// Runs one scenario against the naive client with a habit.
fn score(scenario: &str, habit: &str) -> Score {
    let mut options = Options::new(vec![Contender::judged("naive", [NAIVE, habit])]);
    options.scenarios = Selection::Named(vec![scenario.to_owned()]);
    // Where the way is long, each call holds its worker for as long as it is under way.
    options.workers = if scenario == "cancelled-calls" { 64 } else { 8 };
    let mut report = run::run(&options).expect("a server and a scenario of that name");
    let run = report.runs.swap_remove(0);
    run.result.expect("the run came to its end")
}

#[test]
fn an_honest_client_of_a_healthy_server_has_every_call_answered() {
    let score = score("steady", "--honest");
    assert_eq!(score.shortfalls, Vec::<String>::new());
    assert_eq!(score.availability.all.possible, 4000);
    assert_eq!(score.naming.verdict, None);
    assert!(
        score
            .stats
            .iter()
            .any(|(name, dials)| name == "dials" && *dials == 8),
        "{:?}",
        score.stats
    );
}

#[test]
fn a_client_that_resends_after_a_lost_reply_is_caught_doubling() {
    let score = score("lost-incr", "--resend");
    assert!(score.effects.doubled >= 30, "{:?}", score.effects);
    assert!(
        score.effects.defects[0].what.contains("ran 2 times"),
        "{:?}",
        score.effects
    );
    assert_eq!(
        (score.effects.lost, score.effects.mismatched),
        (0, 0),
        "{:?}",
        score.effects
    );
}

#[test]
fn a_client_that_reports_doubt_instead_is_not() {
    let score = score("lost-incr", "--honest");
    assert_eq!(
        (score.effects.doubled, score.effects.lost),
        (0, 0),
        "{:?}",
        score.effects
    );
    assert!(
        score.availability.in_doubt >= 30,
        "{:?}",
        score.availability
    );
    assert_eq!(score.naming.verdict, Some(Cause::ConnectionReset));
}

#[test]
fn replies_given_to_the_wrong_callers_are_found() {
    let score = score("steady", "--mix-up");
    assert!(score.effects.mismatched >= 10, "{:?}", score.effects);
}

#[test]
fn calls_that_are_never_answered_hang() {
    let score = score("steady", "--forget");
    assert_eq!(score.timing.hung, 40);
    assert_eq!(score.availability.all.answered, 3960);
}

#[test]
fn calls_that_are_given_up_with_their_connections_shift_no_reply() {
    let score = score("cancelled-calls", "--honest");
    assert_eq!(
        (score.effects.mismatched, score.effects.doubled),
        (0, 0),
        "{:?}",
        score.effects
    );
    assert!(
        score.availability.given_up >= 50,
        "{:?}",
        score.availability
    );
}

#[test]
fn a_reply_left_on_the_connection_of_a_call_that_was_given_up_is_found() {
    let score = score("cancelled-calls", "--shift");
    assert!(score.effects.mismatched >= 10, "{:?}", score.effects);
}

#[test]
fn a_client_that_dials_for_each_call_storms_the_server_that_returns() {
    let score = score("connect-storm", "--storm");
    assert!(
        score
            .shortfalls
            .iter()
            .any(|short| short.contains("connections came")),
        "{:?}",
        score.shortfalls
    );
}

#[test]
fn a_subscriber_that_tells_its_gaps_loses_nothing_without_a_word() {
    let score = score("subscriber-cut", "--honest");
    let hearing = score.hearing.expect("there are subscriptions");
    assert_eq!(hearing.shortfalls, Vec::<String>::new());
    assert!(hearing.gaps >= 6, "{hearing:?}");
}

#[test]
fn a_subscriber_that_reads_too_late_and_says_nothing_is_found() {
    let score = score("slow-subscriber", "--mute");
    let hearing = score.hearing.expect("there are subscriptions");
    assert!(hearing.lost > 0 && hearing.told == 0, "{hearing:?}");
}

#[test]
fn a_contender_that_cannot_do_what_is_asked_is_left_out_and_not_judged() {
    let script = "read hello; echo ready sh 1; cat > /dev/null";
    let mut options = Options::new(vec![
        Contender::judged("shell", ["sh", "-c", script]),
        Contender::judged("naive", [NAIVE]),
    ]);
    options.scenarios = Selection::Named(vec!["subscriber-cut".to_owned()]);
    let report = run::run(&options).unwrap();
    assert_eq!(
        report.runs[0].shortfalls(),
        ["left out: it has no subscriptions (no `subscribe` in its `ready`)"]
    );
    let verdicts: Vec<_> = report.runs.iter().map(run_verdict).collect();
    assert_eq!(verdicts[0], ("shell", Verdict::LeftOut));
    assert_ne!(report.verdict(), Verdict::NotRun);
}

#[test]
fn a_contender_that_cannot_start_spoils_its_own_run_only() {
    let mut options = Options::new(vec![
        Contender::judged("nobody", ["/nowhere/contender"]),
        Contender::judged("naive", [NAIVE]),
    ]);
    options.scenarios = Selection::Named(vec!["steady".to_owned()]);
    let report = run::run(&options).unwrap();
    let verdicts: Vec<_> = report.runs.iter().map(run_verdict).collect();
    assert_eq!(
        verdicts,
        [("nobody", Verdict::NotRun), ("naive", Verdict::Ok)]
    );
    assert!(matches!(report.runs[0].result, Err(LabError::Contender(_))));
    assert_eq!(run::exit_code(&Ok(report)), 2);
}

fn run_verdict(run: &seawall_lab::report::Run) -> (&str, Verdict) {
    (&run.contender, run.verdict())
}
