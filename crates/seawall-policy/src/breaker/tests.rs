use super::*;
use proptest::prelude::*;

const START: Moment = Moment::from_nanos(3_600_000_000_000);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn breaker(change: impl FnOnce(&mut BreakerSettings)) -> Breaker {
    let mut settings = BreakerSettings::default();
    change(&mut settings);
    Breaker::new(settings, 7)
}

/// A call that takes no time.
fn call(breaker: &mut Breaker, now: Moment, outcome: Outcome) -> Option<Change> {
    let (Admission::Pass(permit), before) = breaker.admit(now) else {
        panic!("refused in state {:?}", breaker.state())
    };
    breaker.ended(now, permit, outcome).or(before)
}

fn refused(breaker: &mut Breaker, now: Moment) -> Option<Moment> {
    match breaker.admit(now).0 {
        Admission::Refuse { retry_at } => retry_at,
        Admission::Pass(_) => panic!("let through in state {:?}", breaker.state()),
    }
}

/// Opens it by failures in a row, and answers until when.
fn trip(breaker: &mut Breaker, now: Moment) -> Moment {
    for _ in 0..5 {
        call(breaker, now, Outcome::Failed);
    }
    match breaker.state() {
        State::Open { until, .. } => until,
        other => panic!("five failures left it {other:?}"),
    }
}

#[test]
fn failures_in_a_row_open_it_and_a_success_between_them_begins_a_new_row() {
    let mut breaker = breaker(|_| {});
    for _ in 0..4 {
        assert_eq!(call(&mut breaker, START, Outcome::Failed), None);
    }
    call(&mut breaker, START, Outcome::Good);
    for _ in 0..4 {
        assert_eq!(call(&mut breaker, START, Outcome::Failed), None);
    }
    call(&mut breaker, START, Outcome::Abandoned);
    let change = call(&mut breaker, START, Outcome::Failed);
    let why = Trip::InARow { failures: 5 };
    assert!(matches!(change, Some(Change::Opened { why: found, .. }) if found == why));
}

#[test]
fn a_share_of_failures_opens_it_once_there_are_enough_calls() {
    let mut breaker = breaker(|_| {});
    for turn in 0..9 {
        let now = START + millis(turn * 100);
        assert_eq!(call(&mut breaker, now, Outcome::Failed), None);
        assert_eq!(call(&mut breaker, now, Outcome::Good), None);
    }
    let now = START + millis(900);
    assert_eq!(call(&mut breaker, now, Outcome::Good), None);
    let Some(Change::Opened { why, .. }) = call(&mut breaker, now, Outcome::Failed) else {
        panic!("ten failures of twenty did not open it")
    };
    assert_eq!(why.to_string(), "10 of the last 20 calls failed");
}

#[test]
fn failures_that_left_the_window_are_forgotten() {
    let mut breaker = breaker(|settings| settings.failures_max = None);
    for _ in 0..19 {
        call(&mut breaker, START, Outcome::Failed);
    }
    let later = START + millis(10_000);
    for _ in 0..19 {
        assert_eq!(call(&mut breaker, later, Outcome::Failed), None);
    }
    assert!(call(&mut breaker, later, Outcome::Failed).is_some());
}

#[test]
fn slow_calls_open_it_though_they_succeed() {
    let mut breaker = breaker(|settings| {
        settings.slow = Some(Slow {
            after: millis(100),
            share: 1.0,
        });
    });
    let mut now = START;
    for turn in 1..=20 {
        let Admission::Pass(permit) = breaker.admit(now).0 else {
            panic!("refused at call {turn}")
        };
        now += millis(100);
        let change = breaker.ended(now, permit, Outcome::Good);
        assert_eq!(change.is_some(), turn == 20, "call {turn}");
    }
    assert!(
        matches!(breaker.state(), State::Open { why: Trip::Slow(tally), .. } if tally.slow == 20)
    );
}

#[test]
fn the_time_open_grows_and_is_forgotten_after_a_calm_window() {
    let mut breaker = breaker(|settings| settings.jitter_percent = 0);
    let mut now = START;
    let mut until = trip(&mut breaker, now);
    for wanted in [5, 10, 20, 40, 60, 60] {
        assert_eq!(until, now + Duration::from_secs(wanted));
        now = until;
        let Some(Change::Opened { why, until: next }) = call(&mut breaker, now, Outcome::Failed)
        else {
            panic!("a failed trial did not open it")
        };
        assert_eq!(why, Trip::Trial);
        until = next;
    }
    now = until;
    assert!(matches!(
        call(&mut breaker, now, Outcome::Good),
        Some(Change::Closed { .. })
    ));
    let flapping = trip(&mut breaker, now + millis(9_999));
    assert_eq!(flapping, now + millis(9_999) + Duration::from_secs(60));
    now = flapping;
    call(&mut breaker, now, Outcome::Good);
    now += millis(10_000);
    assert_eq!(trip(&mut breaker, now), now + Duration::from_secs(5));
}

#[test]
fn fifty_at_half_open_are_one_trial() {
    let mut breaker = breaker(|_| {});
    let now = trip(&mut breaker, START);
    let admitted = (0..50)
        .filter(|_| matches!(breaker.admit(now).0, Admission::Pass(_)))
        .count();
    assert_eq!(admitted, 1);
}

#[test]
fn an_abandoned_trial_frees_its_place() {
    let mut breaker = breaker(|_| {});
    let now = trip(&mut breaker, START);
    assert_eq!(
        call(&mut breaker, now, Outcome::Abandoned),
        Some(Change::HalfOpen)
    );
    let closed = call(&mut breaker, now, Outcome::Good);
    assert!(matches!(closed, Some(Change::Closed { .. })));
}

#[test]
fn a_trial_that_never_ends_opens_it_again_and_decides_nothing_later() {
    let mut breaker = breaker(|_| {});
    let now = trip(&mut breaker, START);
    let Admission::Pass(hung) = breaker.admit(now).0 else {
        panic!("no trial")
    };
    assert_eq!(refused(&mut breaker, now + millis(59_999)), None);
    let now = now + millis(60_000);
    let until = refused(&mut breaker, now).expect("it opens again");
    assert!(matches!(
        breaker.state(),
        State::Open {
            why: Trip::TrialOverdue,
            ..
        }
    ));
    assert_eq!(breaker.ended(now, hung, Outcome::Good), None);
    assert!(matches!(breaker.state(), State::Open { .. }));
    assert!(matches!(
        call(&mut breaker, until, Outcome::Good),
        Some(Change::Closed { .. })
    ));
}

#[test]
fn calls_from_before_decide_nothing() {
    let mut breaker = breaker(|_| {});
    let early: Vec<_> = (0..6)
        .map(|_| match breaker.admit(START).0 {
            Admission::Pass(permit) => permit,
            Admission::Refuse { .. } => panic!("refused while closed"),
        })
        .collect();
    let until = trip(&mut breaker, START);
    let Admission::Pass(trial) = breaker.admit(until).0 else {
        panic!("no trial")
    };
    assert_eq!(breaker.ended(until, early[0], Outcome::Good), None);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.ended(until, trial, Outcome::Good);
    for permit in &early[1..] {
        assert_eq!(breaker.ended(until, *permit, Outcome::Failed), None);
    }
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.counts().failed, 10, "they are counted");
}

#[test]
fn what_a_hand_set_only_a_hand_ends() {
    let mut breaker = breaker(|_| {});
    assert_eq!(breaker.isolate(START), Some(Change::Isolated));
    assert_eq!(
        refused(&mut breaker, START + Duration::from_secs(86_400)),
        None
    );
    assert!(matches!(
        breaker.close(START),
        Some(Change::Closed { refused: 1, .. })
    ));
    assert_eq!(breaker.disable(START), Some(Change::Disabled));
    for _ in 0..100 {
        assert_eq!(call(&mut breaker, START, Outcome::Failed), None);
    }
    assert!(breaker.close(START).is_some());
    assert_eq!(call(&mut breaker, START, Outcome::Failed), None);
    let until = match breaker.open(START) {
        Change::Opened { until, .. } => until,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&mut breaker, START), Some(until));
    assert!(matches!(
        call(&mut breaker, until, Outcome::Good),
        Some(Change::Closed { .. })
    ));
}

proptest! {
    /// Beside an account that keeps every outcome and adds them up anew each time.
    #[test]
    fn it_opens_exactly_when_its_numbers_are_reached(
        failures_max in prop::option::of(1_u32..6),
        calls_min in 1_u32..12,
        failed_share in prop::option::of(0.05_f64..=1.0),
        slow_share in prop::option::of(0.05_f64..=1.0),
        steps in prop::collection::vec((0_u64..400, 0_u8..7, 0_u64..40), 1..400),
    ) {
        let slow = slow_share.map(|share| Slow { after: millis(20), share });
        let settings = BreakerSettings {
            failures_max, calls_min, failed_share, slow, window: millis(1_000),
            ..BreakerSettings::default()
        };
        let mut breaker = Breaker::new(settings, 3);
        let mut ended: Vec<(u64, bool, bool)> = Vec::new();
        let mut row = 0;
        let mut now = START;
        for (pause, what, takes) in steps {
            now += millis(pause);
            let Admission::Pass(permit) = breaker.admit(now).0 else { unreachable!("closed") };
            now += millis(takes);
            let outcome = match what {
                0..3 => Outcome::Good,
                3..6 => Outcome::Failed,
                _ => Outcome::Abandoned,
            };
            let change = breaker.ended(now, permit, outcome);
            if outcome == Outcome::Abandoned {
                prop_assert_eq!(change, None);
                continue;
            }
            let failed = outcome == Outcome::Failed;
            let is_slow = slow.is_some() && takes >= 20;
            row = if failed { row + 1 } else { 0 };
            let part = now.as_nanos() / 100_000_000;
            ended.push((part, failed, is_slow));
            let inside: Vec<_> = ended.iter().filter(|(at, ..)| at + PARTS > part).collect();
            let share = |count: usize| count as f64 / inside.len() as f64;
            let enough = inside.len() >= calls_min as usize;
            let (bad, late) = (
                inside.iter().filter(|(_, failed, _)| *failed).count(),
                inside.iter().filter(|(.., slow)| *slow).count(),
            );
            let reached = failures_max.is_some_and(|max| row >= max)
                || enough && failed_share.is_some_and(|most| bad > 0 && share(bad) >= most)
                || enough && slow_share.is_some_and(|most| late > 0 && share(late) >= most);
            let opens = reached && (failed || is_slow);
            prop_assert_eq!(matches!(change, Some(Change::Opened { .. })), opens, "{:?}", change);
            if opens {
                breaker.close(now);
                ended.clear();
                row = 0;
            }
        }
    }

    #[test]
    fn the_time_open_stays_within_its_limits(
        seed: u64, first in 0_u64..100_000, longest in 0_u64..100_000, jitter: u8, openings in 1_u32..40,
    ) {
        let settings = BreakerSettings {
            open_first: millis(first), open_longest: millis(longest), jitter_percent: jitter,
            ..BreakerSettings::default()
        };
        let mut breaker = Breaker::new(settings.clone(), seed);
        let mut now = trip(&mut breaker, START);
        for opening in 2..=openings {
            call(&mut breaker, now, Outcome::Failed);
            let State::Open { until, .. } = breaker.state() else { panic!("not open") };
            let (least, most) = settings.open_span(opening);
            prop_assert!(least >= settings.open_first);
            prop_assert!((least..=most).contains(&until.since(now)));
            now = until;
        }
    }
}
