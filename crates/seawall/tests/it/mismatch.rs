//! Whatever breaks, a reply reaches the call that asked for it, or nobody.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use seawall::blocking::Client;
use seawall::{Cmd, Pipeline, Value};
use seawall_lab::world::{Fault, Lost, Relay};

use crate::ground::{client, relay, server};

const WORKERS: u64 = 12;

/// Breaks connections in every way that leaves replies behind, until told to stop.
fn storm(relay: &Relay, over: &AtomicBool) {
    let faults = [
        Fault::CutInsideFrame {
            every: 7,
            then: Lost::Reset,
        },
        Fault::CutInsideFrame {
            every: 5,
            then: Lost::Fin,
        },
        Fault::CutInsideFrame {
            every: 40,
            then: Lost::Silence,
        },
        Fault::lose_reply(6, Lost::Reset, &[]),
        Fault::lose_reply(6, Lost::Fin, &[]),
        Fault::lose_reply(60, Lost::Silence, &[]),
        Fault::Delay(Duration::from_millis(15)),
    ];
    for round in 0.. {
        if over.load(Ordering::Acquire) {
            break;
        }
        relay.set(faults[round % faults.len()].clone());
        thread::sleep(Duration::from_millis(40));
        relay.set(if round % 2 == 0 {
            Fault::ResetAll
        } else {
            Fault::FinAll
        });
    }
    relay.clear();
}

/// One worker's calls; each answer that comes must be its own.
fn work(client: &Client, worker: u64, over: &AtomicBool, answered: &AtomicU64) {
    let hurried = client.within(Duration::from_millis(10));
    for round in 0_u64.. {
        if over.load(Ordering::Acquire) {
            return;
        }
        let word = format!("{worker}:{round}");
        let echo = Cmd::new("ECHO").arg(&word);
        let caller = if round % 3 == 0 { &hurried } else { client };
        match round % 4 {
            0 | 1 => {
                if let Ok(reply) = caller.call::<String>(&echo) {
                    assert_eq!(reply, word);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
            2 => {
                let mut pipeline = Pipeline::new();
                pipeline
                    .extend((0..5).map(|place| Cmd::new("ECHO").arg(format!("{word}:{place}"))));
                let results = caller.pipeline(&pipeline).expect("a result each");
                for (place, result) in results.into_iter().enumerate() {
                    let Ok(reply) = result else { continue };
                    assert_eq!(reply, Value::Bulk(format!("{word}:{place}").into_bytes()));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
            _ => {
                let Ok(mut lease) = caller.lease() else {
                    continue;
                };
                if lease.send(&echo).is_ok()
                    && let Ok(Some(reply)) = lease.recv_within(Duration::from_millis(round % 20))
                {
                    assert_eq!(reply, Value::Bulk(word.into_bytes()));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

#[test]
fn in_a_storm_of_broken_connections_every_answer_is_ones_own() {
    let server = server();
    let relay = relay(&server);
    let client = client(relay.addr(), "pool_size=4&deadline=300ms");
    let (over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| storm(&relay, &over));
        for worker in 0..WORKERS {
            let (client, over, answered) = (&client, &over, &answered);
            scope.spawn(move || work(client, worker, over, answered));
        }
        thread::sleep(Duration::from_secs(3));
        over.store(true, Ordering::Release);
    });
    let answered = answered.into_inner();
    assert!(answered > 500, "only {answered} answers in a storm of 3 s");
    crate::ground::until("an answer after the storm", || client.ping().is_ok());
    let stats = client.stats();
    assert_eq!((stats.in_use, stats.waiting), (0, 0));
    assert!(stats.idle <= 4, "{} rest in a pool of 4", stats.idle);
}
