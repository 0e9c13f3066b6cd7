use crate::sim::{CallAt, End, Fault, FaultAt, Flaw, Outcome, Schedule, run, shortest};
use seawall_model::{Cause, Moment};
use std::fmt::Write as _;
use std::time::Duration;

/// How many seeds `cargo test` tries; `SEAWALL_SIM_SEEDS=100000` for a longer look.
const SEEDS: u64 = 3_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

/// What to print for a seed that broke a rule.
fn account(seed: u64) -> String {
    let schedule = Schedule::of(seed);
    let broken = run(&schedule, Flaw::None)
        .broken
        .expect("called for a seed that breaks a rule");
    let (short, broken) = shortest(&schedule, Flaw::None, broken.rule);
    let mut text = format!(
        "seed {seed} breaks {:?} at {}: {}\n",
        broken.rule, broken.at, broken.what
    );
    let kept = (short.entries.len(), schedule.entries.len());
    let _ = writeln!(
        text,
        "the shortest schedule that does so has {} of its {} entries:\n{short}",
        kept.0, kept.1
    );
    let _ = write!(
        text,
        "rerun: SEAWALL_SIM_SEED={seed} cargo test -p seawall-policy --test it one_seed"
    );
    text
}

/// Runs seeds on both halves of the machine; the first that breaks a rule wins.
fn first_broken(seeds: u64) -> (Vec<Outcome>, Option<u64>) {
    let half = |parity: u64| {
        let mut outcomes = Vec::new();
        for seed in (0..seeds).filter(|seed| seed % 2 == parity) {
            let outcome = run(&Schedule::of(seed), Flaw::None);
            if outcome.broken.is_some() {
                return (outcomes, Some(seed));
            }
            outcomes.push(outcome);
        }
        (outcomes, None)
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let (mut outcomes, even) = half(0);
        let (more, odd) = other.join().expect("the other half panicked");
        outcomes.extend(more);
        (outcomes, even.into_iter().chain(odd).min())
    })
}

#[test]
fn whatever_breaks_the_rules_hold() {
    let (outcomes, broken) = first_broken(number("SEAWALL_SIM_SEEDS").unwrap_or(SEEDS));
    assert!(
        broken.is_none(),
        "{}",
        broken.map(account).unwrap_or_default()
    );
    let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>();
    let (answered, outages) = (sum(Outcome::answered), sum(|o| o.outages));
    let (retries, carried) = (sum(|o| o.retries), sum(|o| o.carried));
    println!(
        "{} runs: {answered} calls answered, {retries} retries, {carried} carried over, {outages} outages",
        outcomes.len()
    );
    assert!(
        answered > 10 * outcomes.len(),
        "the simulation has to let calls through"
    );
    assert!(
        retries > outcomes.len() / 10,
        "the simulation has to bring about retries"
    );
    assert!(
        carried > outcomes.len() / 10,
        "the simulation has to bring about connections that take calls along"
    );
    assert!(
        outages > outcomes.len() / 10,
        "the simulation has to bring about outages"
    );
}

#[test]
fn one_seed() {
    let seed = number("SEAWALL_SIM_SEED").unwrap_or(1);
    let broken = run(&Schedule::of(seed), Flaw::None).broken;
    assert!(broken.is_none(), "{}", account(seed));
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let traces = |_| {
        (0..60)
            .map(|seed| run(&Schedule::of(seed), Flaw::None).trace)
            .collect::<Vec<_>>()
    };
    let [once, twice] = [0, 1].map(traces);
    assert_eq!(once, twice);
    let different: std::collections::HashSet<_> = once.iter().collect();
    assert_eq!(different.len(), once.len());
}

#[test]
fn every_broken_policy_is_caught_by_its_rule_and_shrunk() {
    for &(flaw, rule, entries_max) in Flaw::ALL {
        let caught = (0..SEEDS).find(|seed| {
            run(&Schedule::of(*seed), flaw)
                .broken
                .is_some_and(|broken| broken.rule == rule)
        });
        let seed = caught.unwrap_or_else(|| panic!("{flaw:?} went by unnoticed"));
        let whole = Schedule::of(seed);
        let (short, broken) = shortest(&whole, flaw, rule);
        println!(
            "{flaw:?}: seed {seed}, {} entries of {}: {}\n{short}",
            short.entries.len(),
            whole.entries.len(),
            broken.what
        );
        assert!(short.entries.len() <= entries_max, "{flaw:?}: {short}");
        assert!(
            run(&short, Flaw::None).broken.is_none(),
            "{flaw:?}: the real policy fails as well: {short}"
        );
    }
}

fn at(millis: u64) -> Moment {
    Moment::ORIGIN + Duration::from_millis(millis)
}

/// A fault that begins after a second, with a read every 20 ms before, during and after it.
fn with_reads(seed: u64, fault: Fault, lasts: Duration) -> Outcome {
    let fault = FaultAt {
        at: at(1_000) + Duration::from_micros(seed * 97),
        lasts,
        fault,
    };
    let schedule = Schedule::crafted(
        seed,
        fault,
        CallAt::read(at(500)),
        Duration::from_millis(20),
    );
    let outcome = run(&schedule, Flaw::None);
    assert!(outcome.broken.is_none(), "{:?}: {schedule}", outcome.broken);
    outcome
}

#[test]
fn a_blip_of_300_ms_is_seen_by_no_read() {
    for fault in [
        Fault::Restart,
        Fault::Loading,
        Fault::Freeze,
        Fault::Partition,
        Fault::Kill,
    ] {
        for seed in 0..100 {
            let outcome = with_reads(seed, fault, Duration::from_millis(300));
            let unanswered = outcome
                .ends
                .iter()
                .filter(|end| **end != Some(End::Answered))
                .count();
            assert_eq!(unanswered, 0, "{fault:?}, seed {seed}: {:?}", outcome.ends);
        }
    }
}

#[test]
fn a_server_that_is_back_is_found_within_100_ms_at_the_median() {
    for fault in [
        Fault::Restart,
        Fault::Freeze,
        Fault::Partition,
        Fault::Loading,
    ] {
        let outage = |seed| with_reads(seed, fault, Duration::from_millis(4_000 + seed * 40));
        let mut found: Vec<_> = (0..50)
            .filter_map(|seed| outage(seed).found_after)
            .collect();
        found.sort();
        assert_eq!(found.len(), 50, "{fault:?}: every run has an outage");
        assert!(
            found[25] <= Duration::from_millis(100),
            "{fault:?}: {found:?}"
        );
    }
}

#[test]
fn a_server_with_too_many_clients_serves_those_it_has() {
    for seed in 0..50 {
        let outcome = with_reads(seed, Fault::MaxClients, Duration::from_secs(2));
        assert!(
            outcome.ends.iter().all(|end| *end == Some(End::Answered)),
            "seed {seed}"
        );
        assert_eq!(outcome.outages, 0, "nobody had to dial");
    }
}

#[test]
fn reads_that_others_losses_take_along_are_answered_and_stay_within_the_bounds() {
    for seed in 0..50 {
        let fault = FaultAt {
            at: at(1_000),
            lasts: Duration::from_secs(2),
            fault: Fault::Lossy,
        };
        // Seven are always under way on the one connection, and it lives for twenty answers.
        let read = CallAt::read(at(500));
        let schedule = Schedule::crafted(seed, fault, read, Duration::from_millis(3)).shared();
        let outcome = run(&schedule, Flaw::None);
        assert!(outcome.broken.is_none(), "{:?}", outcome.broken);
        let calls = outcome.ends.len();
        let ended = |how| outcome.ends.iter().filter(|end| **end == Some(how)).count();
        // The waiting room is small here, and may be full while a connection is made.
        let turned_away = ended(End::Refused(Cause::TooManyWaiting));
        let lost = calls - outcome.answered() - turned_away;
        let (carried, retries) = (outcome.carried, outcome.retries);
        let account = format!(
            "seed {seed}: {calls} calls, {lost} lost, {turned_away} turned away, {carried} carried over, {retries} retried"
        );
        assert!(carried > calls / 10, "{account}");
        assert!(turned_away * 20 < calls, "{account}");
        // One that is three times the oldest of those that are lost gives up.
        assert!(lost * 500 < calls, "{account}");
    }
}
