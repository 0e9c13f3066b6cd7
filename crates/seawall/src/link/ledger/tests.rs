//! The ledger in virtual time: connections and waiters are numbers.

mod times;
mod turned_away;

use super::super::handshake::{DialError, Purpose, Server};
use super::*;
use proptest::prelude::*;
use seawall_policy::ageing::AgeingSettings;
use seawall_policy::backoff::BackoffSettings;
use seawall_policy::budget::BudgetSettings;
use seawall_policy::dial::DialSettings;
use seawall_policy::health::HealthSettings;

type Book = Ledger<u32, u32>;

const SECOND: Duration = Duration::from_secs(1);

fn ms(millis: u64) -> Moment {
    Moment::ORIGIN + Duration::from_millis(1_000 + millis)
}

fn book(size: usize, waiters_max: usize) -> Book {
    Ledger::new(
        Health::new(HealthSettings::default(), 1),
        Budget::new(BudgetSettings::default()),
        Backoff::new(BackoffSettings::default(), 1),
        DialGate::new(DialSettings::default(), 1),
        Ageing::new(AgeingSettings::default(), 1),
        Bounds {
            size,
            waiters_max,
            hints: true,
        },
    )
}

fn read(now: Moment) -> Ask {
    Ask {
        access: Access::Read,
        grows: true,
        shares: false,
        first: true,
        deadline: now + SECOND,
        ride_out: SECOND / 2,
        usage: Use::Call,
        since: now,
    }
}

fn fresh(number: u32, now: Moment) -> Lent<u32> {
    Lent {
        connection: number,
        established: now,
        last_used: now,
        seen_well: now,
        had_since: None,
        usage: Use::Call,
    }
}

/// Asks, expecting to wait; the waiter's number is its ticket's place.
fn wait(book: &mut Book, now: Moment, waiter: u32) -> u64 {
    match book.ask(now, read(now), || waiter).0 {
        Answer::Wait { ticket, .. } => ticket,
        other => panic!("expected to wait, got {other:?}"),
    }
}

fn loss(cause: Cause) -> Loss {
    Loss {
        cause,
        close: Close::Fin,
        idle: Duration::ZERO,
        age: SECOND,
        bytes_in: 0,
        bytes_out: 10,
        owed: 1,
        partial: 0,
        replies: 0,
        command: None,
    }
}

fn granted(orders: &Orders<u32, u32>) -> Vec<(u32, u32)> {
    orders
        .todo
        .iter()
        .filter_map(|order| match order {
            Order::Grant(waiter, lent) => Some((*waiter, lent.connection)),
            _ => None,
        })
        .collect()
}

fn refused(orders: &Orders<u32, u32>) -> Vec<(u32, Cause)> {
    orders
        .todo
        .iter()
        .filter_map(|order| match order {
            Order::Refuse(waiter, refusal) => Some((*waiter, refusal.cause)),
            _ => None,
        })
        .collect()
}

#[test]
fn writes_leave_the_connections_that_were_made_before_the_server_became_a_replica() {
    let mut book = book(4, 10);
    let keep = |book: &mut Book, number, at| {
        let server = Server::default();
        let _ = book.dialled(at, Purpose::Carry, at, fresh(number, at), &server);
    };
    keep(&mut book, 1, ms(0));
    keep(&mut book, 2, ms(0));
    let reply = Answered {
        established_at: ms(0),
        sent_at: ms(9),
        access: Access::Write,
    };
    let _ = book.said(ms(10), Family::WritesRefused, Cause::ReadOnly, reply);
    let (answer, _) = book.ask(ms(11), read(ms(11)), || 7);
    assert!(
        matches!(answer, Answer::Ready(lent) if lent.connection == 2),
        "reads go on"
    );
    // The trial of the closed gate.
    let write = Ask {
        access: Access::Write,
        ..read(ms(500))
    };
    let (answer, orders) = book.ask(ms(500), write, || 8);
    assert!(matches!(answer, Answer::Wait { .. }), "{answer:?}");
    assert!(
        orders
            .todo
            .iter()
            .any(|order| matches!(order, Order::Close(1, CloseWhy::Stale)))
    );
    assert_eq!(
        book.take_due(ms(500)).dials,
        1,
        "it resolves and dials anew"
    );
    keep(&mut book, 3, ms(501));
    assert_eq!(book.population().1, 2, "the new one carries the write");
}

#[test]
fn a_first_call_waits_for_a_dial_and_is_granted_its_connection() {
    let mut book = book(2, 10);
    wait(&mut book, ms(0), 7);
    assert_eq!(book.take_due(ms(0)).dials, 1);
    let orders = book.dialled(
        ms(1),
        Purpose::Carry,
        ms(0),
        fresh(1, ms(1)),
        &Server::default(),
    );
    assert_eq!(granted(&orders), [(7, 1)]);
}

#[test]
fn a_connection_that_comes_back_goes_to_who_waited_longest() {
    let mut book = book(1, 10);
    wait(&mut book, ms(0), 1);
    assert_eq!(book.take_due(ms(0)).dials, 1);
    let orders = book.dialled(
        ms(1),
        Purpose::Carry,
        ms(0),
        fresh(9, ms(1)),
        &Server::default(),
    );
    assert_eq!(granted(&orders), [(1, 9)]);
    wait(&mut book, ms(2), 2);
    wait(&mut book, ms(3), 3);
    assert_eq!(book.take_due(ms(3)).dials, 0, "the pool is full");
    assert_eq!(granted(&book.give_back(ms(4), fresh(9, ms(4)))), [(2, 9)]);
    assert_eq!(granted(&book.give_back(ms(5), fresh(9, ms(5)))), [(3, 9)]);
}

#[test]
fn who_leaves_is_not_served_and_loses_nobody_else_its_place() {
    let mut book = book(1, 10);
    let first = wait(&mut book, ms(0), 1);
    wait(&mut book, ms(0), 2);
    assert!(book.leave(first));
    assert!(!book.leave(first), "it has left already");
    book.take_due(ms(0));
    let orders = book.dialled(
        ms(1),
        Purpose::Carry,
        ms(0),
        fresh(5, ms(1)),
        &Server::default(),
    );
    assert_eq!(granted(&orders), [(2, 5)]);
}

#[test]
fn more_waiters_than_allowed_are_refused_by_name() {
    let mut book = book(1, 2);
    wait(&mut book, ms(0), 1);
    wait(&mut book, ms(0), 2);
    let (answer, _) = book.ask(ms(0), read(ms(0)), || 3);
    assert!(matches!(
        answer,
        Answer::Refused(Refusal {
            cause: Cause::TooManyWaiting,
            ..
        })
    ));
}

#[test]
fn a_refused_port_parks_calls_for_the_ride_out_and_then_refuses_them() {
    let mut book = book(2, 10);
    wait(&mut book, ms(0), 1);
    book.take_due(ms(0));
    let error = DialError::new(Cause::ConnectionRefused, "refused");
    let orders = book.dial_failed(ms(1), Purpose::Carry, ms(0), &error);
    assert!(refused(&orders).is_empty(), "it rides the failure out");
    for at in [1, 30] {
        let due = book.take_due(ms(at));
        let probe = due.probe.expect("a suspected endpoint is probed");
        assert_eq!(due.dials, 0, "nothing is dialled for calls meanwhile");
        let orders = book.dial_failed(ms(at + 1), Purpose::Probe(probe), ms(at), &error);
        assert!(refused(&orders).is_empty());
    }
    assert!(matches!(
        book.health.state(),
        State::Down {
            cause: Cause::ConnectionRefused,
            ..
        }
    ));
    let orders = book.sweep(ms(600));
    assert_eq!(refused(&orders), [(1, Cause::ConnectionRefused)]);
    let (answer, _) = book.ask(ms(601), read(ms(601)), || 2);
    assert!(matches!(
        answer,
        Answer::Refused(Refusal {
            cause: Cause::ConnectionRefused,
            retry_at: Some(_),
            ..
        })
    ));
}

#[test]
fn the_probe_that_finds_the_server_back_serves_the_first_waiter_itself() {
    let mut book = book(2, 10);
    wait(&mut book, ms(0), 1);
    book.take_due(ms(0));
    let error = DialError::new(Cause::ConnectionRefused, "refused");
    book.dial_failed(ms(1), Purpose::Carry, ms(0), &error);
    let probe = book.take_due(ms(1)).probe.expect("probed at once");
    let orders = book.dialled(
        ms(2),
        Purpose::Probe(probe),
        ms(1),
        fresh(4, ms(2)),
        &Server::default(),
    );
    assert_eq!(granted(&orders), [(1, 4)]);
    assert_eq!(book.health.state(), State::Up);
}

#[test]
fn dead_idle_connections_on_a_healthy_server_are_no_outage() {
    let mut book = book(4, 10);
    for number in 0..4 {
        wait(&mut book, ms(0), number);
    }
    let dials = book.take_due(ms(0)).dials;
    for number in 0..dials {
        let number = u32::try_from(number).unwrap();
        book.dialled(
            ms(1),
            Purpose::Carry,
            ms(0),
            fresh(number, ms(1)),
            &Server::default(),
        );
    }
    for _ in 0..dials {
        book.lost(ms(5_000), ms(1), Use::Call, None, &loss(Cause::IdleReset));
    }
    assert_eq!(book.health.state(), State::Up);
    assert_eq!(book.population().1, 0, "each was counted back once");
}

#[test]
fn a_restarted_server_costs_every_connection_that_led_to_the_old_one() {
    let run = |id: &str| Server {
        run_id: Some(id.into()),
        ..Server::default()
    };
    let mut book = book(4, 10);
    wait(&mut book, ms(0), 1);
    wait(&mut book, ms(0), 2);
    book.take_due(ms(0));
    book.dialled(ms(1), Purpose::Carry, ms(0), fresh(1, ms(1)), &run("old"));
    book.dialled(ms(1), Purpose::Carry, ms(0), fresh(2, ms(1)), &run("old"));
    book.give_back(ms(2), fresh(1, ms(1)));
    book.give_back(ms(2), fresh(2, ms(1)));
    let error = DialError::new(Cause::ConnectionRefused, "refused");
    book.dial_failed(ms(10), Purpose::Carry, ms(9), &error);
    let probe = book.take_due(ms(10)).probe.expect("probed at once");
    let orders = book.dialled(
        ms(12),
        Purpose::Probe(probe),
        ms(11),
        fresh(3, ms(12)),
        &run("new"),
    );
    let stale = orders
        .todo
        .iter()
        .filter(|order| matches!(order, Order::Close(_, CloseWhy::Stale)))
        .count();
    assert_eq!(stale, 2);
    assert_eq!(book.run_id(), Some("new"));
}

#[test]
fn blocking_commands_do_not_use_up_the_pool() {
    let mut book = book(1, 10);
    let apart = |now| Ask {
        usage: Use::Apart,
        ..read(now)
    };
    assert!(matches!(
        book.ask(ms(0), apart(ms(0)), || 1).0,
        Answer::Wait { .. }
    ));
    assert!(matches!(
        book.ask(ms(0), apart(ms(0)), || 2).0,
        Answer::Wait { .. }
    ));
    wait(&mut book, ms(0), 3);
    assert_eq!(book.take_due(ms(0)).dials, 3);
}

#[test]
fn a_large_pool_has_as_many_connections_for_leases() {
    for (size, leases) in [(8, 256), (1_000, 1_000)] {
        let mut book = book(size, 10);
        let mut lent = 0;
        loop {
            let lease = Ask {
                usage: Use::Apart,
                ..read(ms(0))
            };
            let _ = book.dialled(
                ms(0),
                Purpose::Carry,
                ms(0),
                fresh(1, ms(0)),
                &Server::default(),
            );
            match book.ask(ms(0), lease, || 1).0 {
                Answer::Ready(_) => lent += 1,
                _ => break,
            }
        }
        assert_eq!(lent, leases);
    }
}

#[test]
fn a_closed_client_refuses_who_waits_and_closes_what_comes_back() {
    let mut book = book(1, 10);
    wait(&mut book, ms(0), 1);
    book.take_due(ms(0));
    assert_eq!(refused(&book.close()), [(1, Cause::ClientClosed)]);
    let orders = book.dialled(
        ms(1),
        Purpose::Carry,
        ms(0),
        fresh(1, ms(1)),
        &Server::default(),
    );
    assert!(matches!(
        orders.todo[..],
        [Order::Close(1, CloseWhy::Closing)]
    ));
}

#[test]
fn an_output_limit_is_named_only_for_a_connection_that_died_alone() {
    let mut book = book(4, 10);
    let told = Server {
        output_limit: Some(1 << 20),
        ..Server::default()
    };
    book.lost(ms(0), ms(0), Use::Call, None, &loss(Cause::ClosedByServer));
    book.examine(ms(0));
    assert!(book.take_due(ms(0)).examine);
    assert!(!book.examined_since(ms(0)));
    book.dialled(ms(1), Purpose::Examine, ms(0), fresh(1, ms(1)), &told);
    assert!(book.examined_since(ms(0)));
    let mut alone = loss(Cause::ClosedByServer);
    book.name_anew(ms(0), &mut alone);
    assert_eq!(alone.cause, Cause::OutputLimit);

    book.give_back(ms(20), fresh(2, ms(1)));
    let dead = book.look_over(ms(20), |_| {
        Err(Loss {
            owed: 0,
            ..loss(Cause::IdleClosed)
        })
    });
    assert_eq!(dead.len(), 2);
    let mut among_others = loss(Cause::ClosedByServer);
    book.name_anew(ms(20), &mut among_others);
    assert_eq!(among_others.cause, Cause::ClosedByServer);
}

#[test]
fn a_connection_at_rest_that_dies_with_one_in_use_dies_of_the_same_cause() {
    let at_rest = || Loss {
        owed: 0,
        ..loss(Cause::IdleClosed)
    };
    let mut book = book(4, 10);
    book.give_back(ms(0), fresh(1, ms(0)));
    book.look_over(ms(500), |_| Ok(()));
    let cause = Cause::ClosedByServer;
    book.lost(ms(900), ms(0), Use::Call, None, &loss(cause));
    let dead = book.look_over(ms(901), |_| Err(at_rest()));
    assert_eq!(dead[0].1.cause, Cause::ClosedByServer);

    book.give_back(ms(1_000), fresh(2, ms(1_000)));
    let dead = book.look_over(ms(4_000), |_| Err(at_rest()));
    assert_eq!(
        dead[0].1.cause,
        Cause::IdleClosed,
        "nothing in use was lost since"
    );
}

#[test]
fn one_forgotten_flow_costs_those_that_were_idle_as_long_and_no_others() {
    let mut book = book(4, 10);
    book.give_back(ms(0), fresh(1, ms(0)));
    book.give_back(ms(900), fresh(2, ms(900)));
    let orders = book.distrust(ms(1_000), Duration::from_millis(500));
    assert!(matches!(
        orders.todo[..],
        [Order::Close(1, CloseWhy::Forgotten)]
    ));
    assert_eq!(book.population().0, 1);
}

#[test]
fn calls_that_share_a_connection_want_one_dial_and_wake_together() {
    let shared = |now| Ask {
        usage: Use::Shared,
        ..read(now)
    };
    let mut book = book(8, 100);
    for waiter in 0..50 {
        assert!(matches!(
            book.ask(ms(0), shared(ms(0)), || waiter).0,
            Answer::Wait { .. }
        ));
    }
    assert_eq!(book.take_due(ms(0)).dials, 1);
    let orders = book.dialled(
        ms(1),
        Purpose::Carry,
        ms(0),
        fresh(1, ms(1)),
        &Server::default(),
    );
    assert_eq!(granted(&orders), [(0, 1)], "one puts it up");
    let orders = book.shared_up(ms(2), ms(1));
    let woken = orders
        .todo
        .iter()
        .filter(|order| matches!(order, Order::Wake(_)));
    assert_eq!(woken.count(), 49, "and the others use it");
    assert!(matches!(
        book.ask(ms(3), shared(ms(3)), || 99).0,
        Answer::Shared
    ));
    let cause = Cause::ConnectionReset;
    book.lost(ms(4), ms(1), Use::Shared, None, &loss(cause));
    assert!(matches!(
        book.ask(ms(5), shared(ms(5)), || 100).0,
        Answer::Wait { .. }
    ));
    assert_eq!(book.take_due(ms(5)).dials, 1);
}

#[test]
fn a_shared_connection_that_retires_makes_room_for_another_and_its_end_costs_that_one_nothing() {
    let mut book = book(4, 10);
    let shared = |now| Ask {
        usage: Use::Shared,
        ..read(now)
    };
    let put_up = |book: &mut Book, number, at| {
        let server = Server::default();
        let _ = book.dialled(at, Purpose::Carry, at, fresh(number, at), &server);
        let (answer, _) = book.ask(at, shared(at), || number);
        assert!(matches!(answer, Answer::Ready(_)), "{answer:?}");
        let _ = book.shared_up(at, at);
    };
    put_up(&mut book, 1, ms(0));
    let _ = book.shared_retired(ms(1));
    let (answer, orders) = book.ask(ms(2), shared(ms(2)), || 7);
    let Answer::Wait { ticket, .. } = answer else {
        panic!("{answer:?}: it takes no more");
    };
    assert!(orders.wake_tender, "another is dialled");
    assert!(book.leave(ticket));
    let _ = book.dropped(ms(3), Use::Apart, None);
    assert_eq!(book.population().1, 0);
    put_up(&mut book, 2, ms(4));
    let _ = book.shared_retired(ms(5));
    put_up(&mut book, 3, ms(6));
    let _ = book.dropped(ms(7), Use::Apart, None);
    let (answer, _) = book.ask(ms(8), shared(ms(8)), || 8);
    assert!(matches!(answer, Answer::Shared), "{answer:?}");
}

#[test]
fn writes_that_wait_at_a_closed_gate_want_no_connection() {
    let mut book = book(8, 100);
    let reply = Answered {
        established_at: ms(0),
        sent_at: ms(0),
        access: Access::Write,
    };
    book.said(ms(0), Family::WritesRefused, Cause::SaveFailed, reply);
    for waiter in 0..20 {
        let usage = if waiter % 2 == 0 {
            Use::Call
        } else {
            Use::Apart
        };
        let ask = Ask {
            access: Access::Write,
            usage,
            ..read(ms(1))
        };
        assert!(matches!(
            book.ask(ms(1), ask, || waiter).0,
            Answer::Wait { .. }
        ));
    }
    assert_eq!(book.take_due(ms(1)).dials, 0);
    wait(&mut book, ms(1), 99);
    assert_eq!(book.take_due(ms(1)).dials, 1, "a read does");
}

#[test]
fn a_server_without_memory_is_sent_the_writes_that_make_room() {
    let mut book = book(8, 100);
    let server = Server::default();
    let _ = book.dialled(ms(0), Purpose::Carry, ms(0), fresh(1, ms(0)), &server);
    let reply = Answered {
        established_at: ms(0),
        sent_at: ms(0),
        access: Access::Write,
    };
    book.said(ms(0), Family::WritesRefused, Cause::OutOfMemory, reply);
    let write = |grows| Ask {
        access: Access::Write,
        grows,
        ..read(ms(1))
    };
    let (answer, _) = book.ask(ms(1), write(true), || 1);
    assert!(matches!(answer, Answer::Wait { .. }), "{answer:?}");
    let (answer, _) = book.ask(ms(1), write(false), || 2);
    assert!(matches!(answer, Answer::Ready(_)), "{answer:?}");
    let (answer, _) = book.ask(ms(1), write(false), || 3);
    assert!(matches!(answer, Answer::Wait { .. }), "{answer:?}");
    assert_eq!(
        book.take_due(ms(1)).dials,
        1,
        "for the one that may be sent"
    );
}

#[test]
fn a_read_takes_a_resting_connection_past_the_writes_at_a_closed_gate() {
    let mut book = book(8, 100);
    let server = Server::default();
    let _ = book.dialled(ms(0), Purpose::Carry, ms(0), fresh(1, ms(0)), &server);
    let reply = Answered {
        established_at: ms(0),
        sent_at: ms(0),
        access: Access::Write,
    };
    book.said(ms(0), Family::WritesRefused, Cause::SaveFailed, reply);
    let write = Ask {
        access: Access::Write,
        ..read(ms(1))
    };
    assert!(matches!(
        book.ask(ms(1), write, || 1).0,
        Answer::Wait { .. }
    ));
    let (answer, _) = book.ask(ms(1), read(ms(1)), || 2);
    assert!(matches!(answer, Answer::Ready(_)), "{answer:?}");
    assert_eq!(book.take_due(ms(1)).dials, 0);
}

#[test]
fn the_write_that_is_due_to_try_a_closed_gate_gets_a_connection_made_for_it() {
    let mut book = book(8, 100);
    let reply = Answered {
        established_at: ms(0),
        sent_at: ms(0),
        access: Access::Write,
    };
    book.said(ms(0), Family::WritesRefused, Cause::ReadOnly, reply);
    let due = book.next_wake().map_or(ms(60), |due| due.max(ms(60)));
    let write = |at| Ask {
        access: Access::Write,
        ..read(at)
    };
    for waiter in 0..20 {
        assert!(matches!(
            book.ask(due, write(due), || waiter).0,
            Answer::Wait { .. }
        ));
    }
    assert_eq!(book.take_due(due).dials, 1);
    let Refusal { cause, .. } = book.why_nothing(due, Access::Write);
    assert_eq!(cause, Cause::ReadOnly);
}

/// What a random schedule does to a ledger.
#[derive(Clone, Debug)]
enum Deed {
    Ask,
    AskApart,
    GiveBack,
    Lose,
    Tend { well: bool },
    Leave,
    Sweep,
}

fn deeds() -> impl Strategy<Value = Vec<(u64, Deed)>> {
    let deed = prop_oneof![
        4 => Just(Deed::Ask),
        1 => Just(Deed::AskApart),
        3 => Just(Deed::GiveBack),
        1 => Just(Deed::Lose),
        3 => any::<bool>().prop_map(|well| Deed::Tend { well }),
        1 => Just(Deed::Leave),
        1 => Just(Deed::Sweep),
    ];
    proptest::collection::vec((0_u64..200, deed), 1..120)
}

/// The world around the ledger, as far as the ledger can tell.
struct World {
    book: Book,
    now: Moment,
    lent: Vec<Lent<u32>>,
    waiting: Vec<(u64, u32)>,
    next: u32,
    served: Vec<u32>,
}

impl World {
    fn absorb(&mut self, orders: Orders<u32, u32>) {
        for order in orders.todo {
            let told = match order {
                Order::Grant(waiter, lent) => {
                    self.lent.push(lent);
                    waiter
                }
                Order::Refuse(waiter, _) | Order::Wake(waiter) => waiter,
                Order::Close(..) => continue,
            };
            assert!(!self.served.contains(&told), "waiter {told} was told twice");
            self.served.push(told);
            self.waiting.retain(|&(_, waiter)| waiter != told);
        }
    }

    fn ask(&mut self, usage: Use) {
        let waiter = self.next;
        self.next += 1;
        let ask = Ask {
            usage,
            ..read(self.now)
        };
        let (answer, orders) = self.book.ask(self.now, ask, || waiter);
        match answer {
            Answer::Ready(lent) => self.lent.push(lent),
            Answer::Wait { ticket, .. } => self.waiting.push((ticket, waiter)),
            Answer::Refused(_) | Answer::Shared => {}
        }
        self.absorb(orders);
    }

    fn tend(&mut self, well: bool) {
        let due = self.book.take_due(self.now);
        let purposes =
            std::iter::repeat_n(Purpose::Carry, due.dials).chain(due.probe.map(Purpose::Probe));
        for purpose in purposes {
            let orders = if well {
                let lent = fresh(self.next, self.now);
                self.next += 1;
                self.book
                    .dialled(self.now, purpose, self.now, lent, &Server::default())
            } else {
                let error = DialError::new(Cause::ConnectionRefused, "refused");
                self.book.dial_failed(self.now, purpose, self.now, &error)
            };
            self.absorb(orders);
        }
    }

    fn act(&mut self, deed: &Deed) {
        match deed {
            Deed::Ask => self.ask(Use::Call),
            Deed::AskApart => self.ask(Use::Apart),
            Deed::Tend { well } => self.tend(*well),
            Deed::GiveBack => {
                if let Some(lent) = self.lent.pop() {
                    let orders = self.book.give_back(self.now, lent);
                    self.absorb(orders);
                }
            }
            Deed::Lose => {
                if let Some(lent) = self.lent.pop() {
                    let orders = self.book.lost(
                        self.now,
                        lent.established,
                        lent.usage,
                        lent.had_since,
                        &loss(Cause::ConnectionReset),
                    );
                    self.absorb(orders);
                }
            }
            Deed::Leave => {
                if let Some((ticket, waiter)) = self.waiting.pop() {
                    assert!(
                        self.book.leave(ticket),
                        "waiter {waiter} was not told, so it must still be there"
                    );
                }
            }
            Deed::Sweep => {
                let orders = self.book.sweep(self.now);
                self.absorb(orders);
            }
        }
    }
}

proptest! {
    /// Whatever happens: nobody is told twice, the books match the world, the pool keeps its size, and once the server
    /// is well again every waiter is served.
    #[test]
    fn the_books_balance_and_everybody_is_told_once(schedule in deeds(), size in 1_usize..4) {
        let mut world = World {
            book: book(size, 16),
            now: ms(0),
            lent: Vec::new(),
            waiting: Vec::new(),
            next: 0,
            served: Vec::new(),
        };
        for (pause, deed) in &schedule {
            world.now += Duration::from_millis(*pause);
            world.act(deed);
            let (idle, lent, _) = world.book.population();
            prop_assert_eq!(lent, world.lent.len(), "lent connections");
            prop_assert_eq!(world.book.waiting(), world.waiting.len(), "waiters");
            prop_assert!(world.lent.iter().filter(|lent| lent.usage == Use::Call).count() <= size);
            prop_assert!(idle <= size + 16);
        }
        // The server is well: tend until nobody waits.
        for _ in 0..400 {
            world.now += Duration::from_millis(25);
            world.tend(true);
            world.act(&Deed::GiveBack);
        }
        prop_assert!(world.waiting.is_empty(), "still waiting: {:?}", world.waiting);
    }
}
