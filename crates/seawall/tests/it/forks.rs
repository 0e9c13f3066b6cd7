//! A child made by fork has connections of its own, and leaves its parent's alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use seawall::blocking::Client;
use seawall::{Cause, Cmd, Value};

use crate::alone::alone;
use crate::ground::{GUARD, asked, client, held, number, server, until, url};

/// A child process.
pub(crate) struct Child(libc::pid_t);

impl Child {
    /// Forks; the child runs `work` and ends, well if it does not panic.
    #[expect(unsafe_code, reason = "fork is what is tested")]
    pub(crate) fn run(work: impl FnOnce()) -> Self {
        // SAFETY: the child runs what an application's child would run, and leaves by `_exit`.
        match unsafe { libc::fork() } {
            0 => {
                let outcome = catch_unwind(AssertUnwindSafe(work));
                // SAFETY: ends the child without the parent's exit handlers.
                unsafe { libc::_exit(i32::from(outcome.is_err())) }
            }
            pid => {
                assert!(pid > 0, "no child was made");
                Self(pid)
            }
        }
    }

    /// Waits for its end.
    #[expect(
        unsafe_code,
        reason = "a child that is not a Command's has no safe wait"
    )]
    pub(crate) fn ends_well(self) {
        let began = Instant::now();
        loop {
            let mut status = 0;
            // SAFETY: the pid is a child of ours that nobody else waits for.
            let ended = unsafe { libc::waitpid(self.0, &raw mut status, libc::WNOHANG) };
            if ended == self.0 {
                assert_eq!(status, 0, "the child failed");
                return;
            }
            assert!(began.elapsed() < GUARD, "the child hangs");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn id(client: &Client) -> u64 {
    client.call(&Cmd::new("CLIENT ID")).expect("an answer")
}

#[test]
fn a_child_is_answered_on_connections_of_its_own_and_its_parents_serve_on() {
    alone(
        "forks::a_child_is_answered_on_connections_of_its_own_and_its_parents_serve_on",
        || {
            let server = server();
            let client = client(server.addr(), "");
            client.set("key", "value").expect("an answer");
            let parents = id(&client);
            let child = Child::run(|| {
                assert_ne!(id(&client), parents);
                let value: String = client.get("key").expect("an answer");
                assert_eq!(value, "value");
            });
            child.ends_well();
            assert_eq!(id(&client), parents);
            assert_eq!(client.stats().dialled, 1);
        },
    );
}

#[test]
fn the_first_calls_of_a_childs_threads_find_one_pool() {
    alone(
        "forks::the_first_calls_of_a_childs_threads_find_one_pool",
        || {
            const THREADS: u64 = 8;
            let server = server();
            let client = client(server.addr(), "deadline=5s");
            client.set("key", "value").expect("an answer");
            for _ in 0..40 {
                let child = Child::run(|| {
                    let together = Barrier::new(THREADS as usize);
                    thread::scope(|scope| {
                        for _ in 0..THREADS {
                            scope.spawn(|| {
                                together.wait();
                                client.get::<String>("key").expect("an answer");
                            });
                        }
                    });
                    assert_eq!(client.stats().answered, THREADS, "{:?}", client.stats());
                });
                child.ends_well();
            }
        },
    );
}

#[test]
fn many_children_of_a_busy_parent_get_their_own_answers() {
    alone(
        "forks::many_children_of_a_busy_parent_get_their_own_answers",
        || {
            let server = server();
            let client = client(server.addr(), "deadline=5s");
            let work = |who: &str, rounds: u32| {
                for round in 0..rounds {
                    let word = format!("{who}:{round}");
                    let echo: String = client
                        .call(&Cmd::new("ECHO").arg(&word))
                        .expect("an answer");
                    assert_eq!(echo, word);
                }
            };
            thread::scope(|scope| {
                for thread in 0..3 {
                    scope.spawn(move || work(&format!("parent {thread}"), 2_000));
                }
                let children: Vec<Child> = (0..8)
                    .map(|child| Child::run(|| work(&format!("child {child}"), 50)))
                    .collect();
                for child in children {
                    child.ends_well();
                }
            });
            assert!(client.stats().dialled <= 8);
        },
    );
}

#[test]
fn a_lease_stays_with_the_parent() {
    alone("forks::a_lease_stays_with_the_parent", || {
        let server = server();
        let client = client(server.addr(), "");
        let mut lease = client.lease().expect("a connection");
        lease
            .send(&Cmd::new("ECHO").arg("parents"))
            .expect("it is sent");
        let child = Child::run(|| {
            let error = lease
                .send(&Cmd::new("INCR").arg("childs"))
                .expect_err("not the child's");
            assert_eq!(error.cause(), Cause::ClientClosed);
            assert!(error.to_string().contains("before a fork"), "{error}");
            assert!(lease.recv().is_err());
            assert!(lease.can_read(Duration::ZERO).is_err());
            lease.close();
            assert_eq!(
                lease.again(seawall::now() + GUARD),
                None,
                "the parent began it"
            );
        });
        child.ends_well();
        let child = Child::run(|| {
            lease.begin(1);
            assert!(lease.send(&Cmd::new("MULTI")).is_err());
            lease.close();
            let again = lease.again(seawall::now() + GUARD);
            assert_eq!(again, Some(Duration::ZERO), "it was not sent");
        });
        child.ends_well();
        assert_eq!(
            lease.recv().expect("a reply"),
            Value::Bulk(b"parents".to_vec())
        );
        assert_eq!(asked(&server, "incr"), 0);
    });
}

#[test]
fn a_child_that_drops_what_it_inherited_closes_nothing_of_its_parents() {
    alone(
        "forks::a_child_that_drops_what_it_inherited_closes_nothing_of_its_parents",
        || {
            let server = server();
            let client = client(server.addr(), "");
            let lease = client.lease().expect("a connection");
            client.ping().expect("an answer");
            let parents = id(&client);
            let mut inherited = Some((client.clone(), lease));
            let child = Child::run(|| drop(inherited.take()));
            child.ends_well();
            let child = Child::run(|| client.close());
            child.ends_well();
            assert_eq!(id(&client), parents);
            let (_, mut lease) = inherited.expect("the child took its own copy");
            lease.send(&Cmd::new("PING")).expect("it is sent");
            lease.recv().expect("a reply");
            assert_eq!(client.stats().dialled, 2);
        },
    );
}

#[test]
fn a_child_that_gives_up_a_late_lease_touches_nothing_of_its_parents() {
    alone(
        "forks::a_child_that_gives_up_a_late_lease_touches_nothing_of_its_parents",
        || {
            let server = server();
            let heard = Arc::new(AtomicUsize::new(0));
            let ears = Arc::clone(&heard);
            let client = Client::builder(&url(server.addr(), ""))
                .expect("the URL is right")
                .on_event(move |_| {
                    ears.fetch_add(1, Ordering::Relaxed);
                })
                .build()
                .expect("the settings are right");
            let mut lease = client.lease().expect("a connection");
            client.ping().expect("an answer");
            server.freeze().expect("it stops");
            let wait = Cmd::new("BLPOP").arg("queue").arg("0.05");
            lease.send(&wait).expect("the kernel takes it");
            // Long enough that the parent would doubt what rests.
            thread::sleep(Duration::from_millis(400));
            let child = Child::run(|| {
                // Whoever is told of what a ledger decided has had its lock.
                let before = heard.load(Ordering::Relaxed);
                lease.close();
                assert_eq!(lease.again(seawall::now() + GUARD), None);
                assert_eq!(heard.load(Ordering::Relaxed), before);
            });
            child.ends_well();
            server.thaw().expect("it goes on");
            assert!(matches!(lease.recv(), Ok(Value::Null)));
        },
    );
}

#[test]
fn what_a_parent_abandons_does_not_run_although_a_child_inherited_the_socket() {
    alone(
        "forks::what_a_parent_abandons_does_not_run_although_a_child_inherited_the_socket",
        || {
            let server = server();
            let client = client(server.addr(), "deadline=500ms");
            let mut lease = client.lease().expect("a connection");
            let child = Child::run(|| thread::sleep(Duration::from_secs(4)));
            server.freeze().expect("it stops");
            let padding = Cmd::new("SET").arg("padding").arg(vec![b'x'; 1 << 20]);
            lease.send(&padding).expect("the kernel takes it");
            lease
                .send(&Cmd::new("INCR").arg("abandoned"))
                .expect("the kernel takes it");
            lease.abandon();
            server.thaw().expect("it goes on");
            until("a server without our connection", || {
                number(&server, "clients", "connected_clients") == 1
            });
            assert_eq!(held(&server, "abandoned"), None);
            child.ends_well();
        },
    );
}

#[test]
fn a_child_and_a_grandchild_work_while_their_parents_wait() {
    alone(
        "forks::a_child_and_a_grandchild_work_while_their_parents_wait",
        || {
            let server = server();
            let client = client(server.addr(), "");
            let parents = id(&client);
            let child = Child::run(|| {
                let childs = id(&client);
                assert_ne!(childs, parents);
                let grandchild = Child::run(|| {
                    let own = id(&client);
                    assert!(own != childs && own != parents);
                    client.incr("count").expect("an answer");
                });
                grandchild.ends_well();
                assert_eq!(id(&client), childs);
                client.incr("count").expect("an answer");
            });
            child.ends_well();
            assert_eq!(client.incr("count").expect("an answer"), 3);
        },
    );
}
