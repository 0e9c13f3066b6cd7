//! Thousands of callers, and no descriptors.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seawall::{Cause, Cmd, Error, Kind, Value, asynchronous};

use crate::alone::{alone, descriptors};
use crate::ground::{client, ends, number, server, until, url};

/// How calls ended: by an answer, or by a cause.
#[derive(Default)]
struct Ends(Mutex<BTreeMap<Option<&'static str>, usize>>);

impl Ends {
    fn note<T>(&self, outcome: Result<T, Error>) {
        let end = outcome.err().map(|error| {
            assert!(!error.may_have_run(), "{error}");
            error.cause().name()
        });
        let mut ends = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *ends.entry(end).or_default() += 1;
    }

    fn of(&self, cause: Option<Cause>) -> usize {
        let ends = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        ends.get(&cause.map(Cause::name)).copied().unwrap_or(0)
    }
}

#[test]
fn leases_beyond_two_hundred_and_fifty_six_are_had_from_a_pool_of_that_size() {
    let server = server();
    let client = client(server.addr(), "pool_size=300&deadline=5s");
    let mut leases: Vec<_> = (0..300)
        .map(|place| {
            client
                .lease()
                .unwrap_or_else(|error| panic!("{place}: {error}"))
        })
        .collect();
    for lease in &mut leases {
        lease.send(&Cmd::new("PING")).expect("it is sent");
        assert!(matches!(lease.recv(), Ok(Value::Simple(_))));
    }
    assert_eq!(client.stats().in_use, 300);
    drop(leases);
    assert_eq!((client.stats().in_use, client.stats().idle), (0, 300));
}

#[test]
fn a_thousand_threads_at_a_pool_of_eight_are_answered_or_refused_by_name() {
    let server = server();
    let few = client(server.addr(), "deadline=8s&ride_out=8s&waiters_max=100");
    let many = client(server.addr(), "deadline=8s&ride_out=8s&waiters_max=1000");
    for (client, all) in [(&few, false), (&many, true)] {
        let outcomes = Ends::default();
        ends("the threads", || {
            std::thread::scope(|scope| {
                for _ in 0..1_000 {
                    let call = || outcomes.note(client.incr("count"));
                    let thread = std::thread::Builder::new().stack_size(256 << 10);
                    thread.spawn_scoped(scope, call).expect("a thread");
                }
            });
        });
        let answered = outcomes.of(None);
        let refused = outcomes.of(Some(Cause::TooManyWaiting));
        assert_eq!(answered + refused, 1_000);
        assert!(answered >= 100, "{answered} answered");
        assert!(!all || refused == 0, "{refused} refused");
        assert!(client.stats().dialled <= 8 + 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tasks_share_one_connection() {
    let server = server();
    let options = "deadline=8s&ride_out=8s&waiters_max=10000";
    let client = asynchronous::Client::open(&url(server.addr(), options)).expect("a good URL");
    let tasks: Vec<_> = (0..10_000)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.incr("count").await })
        })
        .collect();
    let mut counts = Vec::new();
    for task in tasks {
        let count = tokio::time::timeout(Duration::from_secs(10), task).await;
        counts.push(
            count
                .expect("it ends")
                .expect("no panic")
                .expect("an answer"),
        );
    }
    counts.sort_unstable();
    assert!(counts.into_iter().eq(1..=10_000), "each has its own");
    assert_eq!(client.stats().dialled, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_command_of_a_task_takes_one_descriptor() {
    const TASKS: usize = 100;
    let server = server();
    let client = asynchronous::Client::open(&url(server.addr(), "deadline=8s&ride_out=8s"))
        .expect("a good URL");
    client.ping().await.expect("an answer");
    let before = descriptors();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let client = client.clone();
            let pop = Cmd::new("BLPOP").arg("queue").arg(0);
            tokio::spawn(async move { client.call::<Value>(&pop).await })
        })
        .collect();
    until("all of them wait", || {
        number(&server, "clients", "blocked_clients") == TASKS as u64
    });
    // The server is this process's child: its own are not counted.
    let taken = descriptors() - before;
    assert!(taken < TASKS + TASKS / 2, "{taken} for {TASKS} connections");
    for task in tasks {
        task.abort();
    }
}

#[test]
fn a_process_without_descriptors_is_told_and_goes_on_when_it_has_some() {
    let name = "many::a_process_without_descriptors_is_told_and_goes_on_when_it_has_some";
    alone(name, || {
        let server = server();
        let greedy = client(server.addr(), "pool_size=300&deadline=2s&ride_out=100ms");
        let other = client(server.addr(), "deadline=2s&ride_out=100ms");
        greedy.ping().expect("an answer");
        let limit = getrlimit(Resource::Nofile);
        let few = Rlimit {
            current: Some(descriptors() as u64 + 20),
            ..limit
        };
        setrlimit(Resource::Nofile, few).expect("less is allowed");
        let mut leases = Vec::new();
        let error = loop {
            match greedy.lease() {
                Ok(lease) => leases.push(lease),
                Err(error) => break error,
            }
            assert!(leases.len() < 100, "the limit does not hold");
        };
        for error in [
            error,
            ends("a call", || other.incr("count")).expect_err("it has no connection"),
        ] {
            assert_eq!(
                (error.kind(), error.cause()),
                (Kind::Refused, Cause::LocalLimit),
                "{error}"
            );
            assert!(error.to_string().contains("Too many open files"), "{error}");
            assert!(error.hint().contains("ulimit -n"), "{error}");
            assert!(error.retry_after().is_some(), "{error}");
            assert!(!error.may_have_run());
        }
        // Those that it has serve on.
        let lease = leases.last_mut().expect("it has some");
        lease.send(&Cmd::new("PING")).expect("it is sent");
        assert!(matches!(lease.recv(), Ok(Value::Simple(_))));
        for lease in leases {
            lease.abandon();
        }
        until("an answer", || other.incr("count").is_ok());
        until("an answer", || greedy.incr("count").is_ok());
        assert_eq!(other.stats().state.name(), "up");
    });
}
