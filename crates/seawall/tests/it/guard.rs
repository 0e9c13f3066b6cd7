//! The guard under threads, panics, dropped futures and forks.

use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use seawall::Moment;
use seawall::guard::{
    AgainSettings, BreakerSettings, Change, Failure, Guard, GuardSettings, Next, Outcome, Refused,
    Spent, State,
};

use crate::forks::Child;

/// A guard that opens at the first failure and is due for a trial as soon as the test wants it.
fn touchy(open: Duration) -> Guard {
    let breaker = BreakerSettings {
        failures_max: Some(1),
        open_first: open,
        open_longest: open,
        ..BreakerSettings::default()
    };
    Guard::new(
        "touchy",
        GuardSettings {
            breaker,
            again: None,
        },
    )
}

const AT_ONCE: Duration = Duration::ZERO;
const NOT_IN_THIS_TEST: Duration = Duration::from_secs(3_600);

fn fail(guard: &Guard) {
    assert_eq!(
        guard.call(|| Err::<(), _>("no")),
        Err(Failure::Failed("no"))
    );
}

fn is_open(guard: &Guard) -> bool {
    matches!(guard.stats().state, State::Open { .. })
}

#[test]
fn an_open_guard_does_not_call_and_says_for_how_long() {
    let guard = touchy(NOT_IN_THIS_TEST);
    fail(&guard);
    let refused = guard.call(|| -> Result<(), &str> { panic!("called") });
    let Err(Failure::Refused(Refused { retry_after, .. })) = &refused else {
        panic!("{refused:?}")
    };
    assert!(retry_after.is_some_and(|left| left > NOT_IN_THIS_TEST / 2));
    let text = refused.unwrap_err().to_string();
    assert!(
        text.starts_with("guard \"touchy\" is open for another "),
        "{text}"
    );
    assert!(
        text.ends_with(": a call failed; it was not called"),
        "{text}"
    );
    assert_eq!(guard.stats().counts.refused, 1);
}

#[test]
fn of_fifty_threads_at_half_open_one_gets_through_and_nobody_waits_for_it() {
    let guard = touchy(AT_ONCE);
    fail(&guard);
    let (called, start) = (AtomicU32::new(0), Barrier::new(50));
    let (held, release) = (AtomicBool::new(false), Mutex::new(()));
    let lock = release.lock().expect("nobody panics");
    thread::scope(|scope| {
        let refused: Vec<_> = (0..50)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    let answer = guard.call(|| {
                        called.fetch_add(1, Ordering::Relaxed);
                        held.store(true, Ordering::Release);
                        drop(release.lock());
                        Ok::<_, ()>(())
                    });
                    matches!(answer, Err(Failure::Refused(_)))
                })
            })
            .collect();
        // All but one end while the trial is held.
        while refused.iter().filter(|thread| thread.is_finished()).count() < 49 {
            thread::yield_now();
        }
        assert!(held.load(Ordering::Acquire));
        drop(lock);
        let refused = refused.into_iter().map(thread::ScopedJoinHandle::join);
        assert_eq!(
            refused
                .filter(|refused| matches!(refused, Ok(true)))
                .count(),
            49
        );
    });
    assert_eq!(called.load(Ordering::Relaxed), 1);
    assert_eq!(guard.stats().state, State::Closed);
}

#[test]
fn calls_through_one_guard_run_at_the_same_time() {
    let guard = touchy(AT_ONCE);
    let inside = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            // The barrier opens only if all four are inside at once.
            scope.spawn(|| guard.call(|| Ok::<_, ()>(inside.wait())).is_ok());
        }
    });
    assert_eq!(guard.stats().counts.succeeded, 4);
}

#[test]
fn a_panic_is_a_failure_and_poisons_nothing() {
    let guard = touchy(NOT_IN_THIS_TEST);
    let call = || guard.call(|| -> Result<(), ()> { panic!("on purpose") });
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    assert!(is_open(&guard));
    guard.close();
    assert!(guard.call(|| Ok::<_, ()>(())).is_ok());
}

#[test]
fn a_dropped_future_counts_neither_way_and_frees_its_trial() {
    let guard = touchy(AT_ONCE);
    fail(&guard);
    {
        let mut trial = pin!(guard.watch(pending::<Result<(), ()>>()));
        let mut context = Context::from_waker(Waker::noop());
        assert!(trial.as_mut().poll(&mut context).is_pending());
        assert_eq!(guard.stats().state, State::HalfOpen);
        assert!(guard.admit().is_err(), "the trial's place is taken");
    }
    assert_eq!(guard.stats().counts.abandoned, 1);
    let mut next = pin!(guard.watch(ready(Ok::<_, ()>(5))));
    let poll = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(poll, Poll::Ready(Ok(5)));
    assert_eq!(guard.stats().state, State::Closed);
}

#[test]
fn an_error_that_does_not_count_shows_that_it_works() {
    let guard = touchy(AT_ONCE);
    fail(&guard);
    let answer = guard.call_if(|status| *status >= 500, || Err::<(), _>(404));
    assert_eq!(answer, Err(Failure::Failed(404)));
    assert_eq!(guard.stats().state, State::Closed);
}

#[test]
fn a_listener_hears_changes_in_order_and_its_panic_goes_no_further() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let guard = touchy(AT_ONCE).with_listener(move |name, change| {
        let word = match change {
            Change::Opened { .. } => "opened",
            Change::HalfOpen => "half open",
            Change::Closed { .. } => "closed",
            Change::Isolated => "isolated",
            Change::Disabled => "disabled",
        };
        ear.lock()
            .expect("not poisoned")
            .push(format!("{name} {word}"));
        assert!(word != "isolated", "on purpose");
    });
    fail(&guard);
    assert!(guard.call(|| Ok::<_, ()>(())).is_ok());
    guard.isolate();
    assert!(guard.admit().is_err());
    guard.close();
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted = ["opened", "half open", "closed", "isolated", "closed"];
    assert_eq!(*heard, wanted.map(|word| format!("touchy {word}")));
}

#[test]
fn repetitions_are_paid_for() {
    let settings = GuardSettings {
        again: Some(AgainSettings::default()),
        ..GuardSettings::default()
    };
    let guard = Guard::new("again", settings);
    let (ticket, _) = guard.begin(true);
    let ticket = ticket.expect("closed");
    assert!(ticket.began() > Moment::ORIGIN);
    guard.end(ticket, Outcome::Failed);
    let mut paid = 0;
    while let Next::After(_) = guard.again(ticket.began(), 1, Moment::NEVER, None) {
        paid += 1;
        assert!(paid <= 100, "without an end");
    }
    let next = guard.again(ticket.began(), 1, Moment::NEVER, None);
    assert_eq!(next, Next::GiveUp(Spent::Budget));
    assert_eq!((guard.stats().repeated, guard.stats().unpaid), (100, 2));
    let unasked = Guard::new("once", GuardSettings::default());
    let next = unasked.again(Moment::ORIGIN, 1, Moment::NEVER, None);
    assert_eq!(next, Next::GiveUp(Spent::Attempts));
}

#[test]
fn a_forked_child_goes_on_with_a_lock_and_trials_of_its_own() {
    let guard = touchy(AT_ONCE);
    fail(&guard);
    let trial = guard.admit().expect("a trial");
    assert!(guard.admit().is_err());
    let (entered, wait) = mpsc::channel::<()>();
    let isolated = touchy(AT_ONCE);
    isolated.isolate();
    let (stop, busy) = (&AtomicBool::new(false), &touchy(AT_ONCE));
    thread::scope(|scope| {
        // Somebody goes on deciding while the fork happens, so that now and then the lock is held in it.
        scope.spawn(move || {
            entered.send(()).expect("the test waits");
            while !stop.load(Ordering::Relaxed) {
                let _ = busy.call(|| Ok::<_, ()>(()));
            }
        });
        wait.recv().expect("it has begun");
        for _ in 0..20 {
            let child = Child::run(|| {
                assert!(busy.call(|| Ok::<_, ()>(())).is_ok());
                assert_eq!(busy.stats().counts.succeeded, 1, "it counts anew");
                assert_eq!(guard.stats().state, State::HalfOpen);
                assert!(guard.call(|| Ok::<_, ()>(())).is_ok(), "its own trial");
                assert_eq!(guard.stats().state, State::Closed);
                assert_eq!(isolated.stats().state, State::Isolated);
                fail(&guard);
                let grandchild = Child::run(|| {
                    assert!(is_open(&guard));
                    assert!(guard.call(|| Ok::<_, ()>(())).is_ok());
                    assert_eq!(guard.stats().state, State::Closed);
                    assert_eq!(isolated.stats().state, State::Isolated);
                    isolated.close();
                    let last = Child::run(|| assert_eq!(isolated.stats().state, State::Closed));
                    last.ends_well();
                });
                grandchild.ends_well();
                assert!(is_open(&guard));
            });
            child.ends_well();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(
        guard.stats().state,
        State::HalfOpen,
        "the parent's is its own"
    );
    trial.succeeded();
    assert_eq!(guard.stats().state, State::Closed);
}
