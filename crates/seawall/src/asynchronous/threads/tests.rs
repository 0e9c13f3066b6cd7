//! Nobody who asked is left asleep while nobody watches.

use std::task::ready;
use std::thread;
use std::time::Instant;

use futures_channel::oneshot;

use super::*;
use crate::asynchronous::runtime::{self, Bell};

/// Nobody waits so long where somebody sees to it that the work is done.
const SOON: Duration = Duration::from_millis(200);

/// Answers each who asks, once nobody is waited for.
#[derive(Default)]
struct Desk {
    bell: Bell,
    asked: Mutex<Vec<oneshot::Sender<()>>>,
}

impl Desk {
    fn open(threads: &Arc<Threads>) -> Arc<Self> {
        let desk = Arc::<Self>::default();
        let served = Arc::clone(&desk);
        threads.spawn(Box::pin(std::future::poll_fn(move |context| {
            loop {
                ready!(served.bell.poll_rung(context));
                if runtime::gathers() {
                    served.bell.ring();
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                for one in std::mem::take(&mut *served.asked.lock().expect("no panic")) {
                    let _ = one.send(());
                }
            }
        })));
        desk
    }

    /// Asks as one of many of whom the others do not come, does something when that waits, and says how long it took.
    fn ask_while_others_are_waited_for(
        self: Arc<Self>,
        threads: &Arc<Threads>,
        meanwhile: impl FnOnce(&Threads, &Arc<Seat>),
    ) -> Duration {
        let began = Instant::now();
        threads.run();
        threads.lock().gathering.begin(16, false, clock::now());
        let asks = Arc::clone(threads);
        let asking = thread::spawn(move || {
            let (sender, answer) = oneshot::channel();
            let asks_now = async move {
                self.asked.lock().expect("no panic").push(sender);
                self.bell.ring();
                answer.await
            };
            asks.block_on(None, asks_now)
        });
        let seat = loop {
            let seat = threads.lock().parked.front().map(Arc::clone);
            if seat.is_some() || asking.is_finished() {
                break seat;
            }
            thread::yield_now();
        };
        if let Some(seat) = seat {
            meanwhile(threads, &seat);
        }
        let began_to_wait = Instant::now();
        while !asking.is_finished() && began.elapsed() < 10 * SOON {
            thread::sleep(Duration::from_millis(1));
        }
        let took = began_to_wait.elapsed();
        // One who hangs is helped by the next who comes.
        threads.run();
        asking
            .join()
            .expect("no panic")
            .expect("nobody calls it away")
            .expect("an answer");
        took
    }
}

#[test]
fn one_who_waits_for_others_is_not_left_alone_by_who_is_woken_too_late() {
    let threads = Threads::new().expect("descriptors");
    let desk = Desk::open(&threads);
    let took = desk.ask_while_others_are_waited_for(&threads, |threads, _| {
        let gone = Arc::new(Seat {
            threads: threads.ourselves.clone(),
            woken: AtomicBool::new(false),
            rung: AtomicU32::new(rung::NOT),
            place: AtomicU32::new(place::AWAY),
        });
        Waker::from(gone).wake();
    });
    assert!(took < SOON, "{took:?}");
}

#[test]
fn one_who_waits_for_others_still_does_after_it_was_woken_for_nothing() {
    let threads = Threads::new().expect("descriptors");
    let desk = Desk::open(&threads);
    let took = desk.ask_while_others_are_waited_for(&threads, |threads, seat| {
        // It was answered before, and had found that out for itself.
        let mut state = threads.lock();
        state.answered.push_back(Arc::clone(seat));
        let next = threads.next_in_chain(&mut state);
        drop(state);
        if let Some(next) = next {
            next.ring(rung::IN_CHAIN);
        }
    });
    assert!(took < SOON, "{took:?}");
}

#[test]
fn half_of_those_who_ask_are_heard_while_the_others_are_waited_for_if_the_server_works_meanwhile() {
    let threads = Threads::new().expect("descriptors to spare");
    let event_loop = Arc::clone(&threads) as Arc<dyn EventLoop>;
    let desk = Desk::open(&threads);
    for apart in [true, false] {
        let heard = loop {
            threads.run();
            threads.lock().gathering.begin(8, apart, clock::now());
            let (sender, mut answer) = oneshot::channel();
            desk.asked.lock().expect("no panic").push(sender);
            desk.bell.ring();
            for _ in 0..4 {
                threads.come(&event_loop);
            }
            let heard = answer.try_recv() == Ok(Some(()));
            // Unless this thread was put aside in between: then nobody is waited for any more.
            if threads.lock().gathering.holds() {
                break heard;
            }
        };
        assert_eq!(heard, apart);
    }
}
