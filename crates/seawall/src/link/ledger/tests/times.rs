//! How long connections take to be made, are waited for, and are had.

use super::*;
use crate::stats::Histogram;

/// How often, and milliseconds in all.
fn noted(histogram: &Histogram) -> (u64, u128) {
    (histogram.count(), histogram.sum().as_millis())
}

#[test]
fn waiting_for_a_connection_and_having_it_are_measured() {
    let mut book = book(1, 4);
    wait(&mut book, ms(0), 1);
    book.take_due(ms(0));
    let (began, server) = (ms(5), Server::default());
    let orders = book.dialled(ms(30), Purpose::Carry, began, fresh(9, ms(30)), &server);
    assert_eq!(granted(&orders), [(1, 9)]);
    assert_eq!(noted(&book.counters.create_time), (1, 25));
    assert_eq!(noted(&book.counters.wait_time), (1, 30));
    assert_eq!(noted(&book.counters.use_time), (0, 0));
    let Some(Order::Grant(_, lent)) = orders.todo.into_iter().next() else {
        unreachable!("it was granted");
    };
    book.give_back(ms(130), lent);
    assert_eq!(noted(&book.counters.use_time), (1, 100));
    // One that is at rest is had at once; given up, it was had all the same.
    let Answer::Ready(lent) = book.ask(ms(200), read(ms(200)), || 2).0 else {
        unreachable!("one is at rest");
    };
    let _ = book.dropped(ms(207), lent.usage, lent.had_since);
    assert_eq!(noted(&book.counters.wait_time), (2, 30));
    assert_eq!(noted(&book.counters.use_time), (2, 107));
}

#[test]
fn a_shared_connection_is_had_by_each_call_at_once_and_by_nobody_for_long() {
    let mut book = book(1, 4);
    let shared = |now| Ask {
        usage: Use::Shared,
        ..read(now)
    };
    let server = Server::default();
    book.dialled(ms(1), Purpose::Carry, ms(0), fresh(9, ms(1)), &server);
    let Answer::Ready(lent) = book.ask(ms(1), shared(ms(1)), || 1).0 else {
        unreachable!("one is at rest");
    };
    book.shared_up(ms(1), lent.established);
    for call in 0..3 {
        let answer = book.ask(ms(2), shared(ms(2)), || call).0;
        assert!(matches!(answer, Answer::Shared));
    }
    assert_eq!(noted(&book.counters.wait_time), (4, 0));
    book.lost(
        ms(9_000),
        ms(1),
        Use::Shared,
        None,
        &loss(Cause::ConnectionReset),
    );
    assert_eq!(noted(&book.counters.use_time), (0, 0));
}
