//! A server that never let us in.

use super::*;

#[test]
fn who_was_turned_away_is_looked_at_again_once_a_second_if_somebody_asks() {
    let mut book = book(2, 8);
    let turned_away = |book: &mut Book, now: Moment| {
        let error = DialError::new(Cause::AuthFailed, "WRONGPASS");
        book.dial_failed(now, Purpose::Carry, now, &error);
    };
    wait(&mut book, ms(0), 1);
    assert_eq!(book.take_due(ms(0)).dials, 1);
    turned_away(&mut book, ms(1));
    let asked = |book: &mut Book, at: u64| {
        let orders = book.look_again(ms(at));
        (orders.wake_tender, book.take_due(ms(at)).dials)
    };
    assert_eq!(
        asked(&mut book, 500),
        (false, 0),
        "it was asked a moment ago"
    );
    assert_eq!(asked(&mut book, 1_500), (true, 1));
    assert_eq!(asked(&mut book, 1_501), (false, 0), "it is being asked");
    turned_away(&mut book, ms(1_510));
    assert_eq!(asked(&mut book, 1_600), (false, 0));
    assert_eq!(asked(&mut book, 3_000), (true, 1));
    book.dialled(
        ms(3_010),
        Purpose::Carry,
        ms(3_000),
        fresh(1, ms(3_010)),
        &Server::default(),
    );
    assert_eq!(asked(&mut book, 9_000), (false, 0), "it let us in");
}
