//! The blocking client as a contender: a thread for each of the lab's workers.

use std::io;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use seawall::blocking::Client;
use seawall_lab::contender::serve::{Inbox, Outbox};
use seawall_lab::contender::{Call, Order, Request};

use super::{ContendError, answer, builder, cmd, finish, left, list, pipeline, ready, single};

/// Speaks for the client until the lab says stop. Its calls cannot be given up, and it has no subscriptions.
pub(super) fn contend() -> Result<(), ContendError> {
    let mut inbox = Inbox::new(io::stdin().lock());
    let Some(Order::Hello(settings)) = inbox.next_order()? else {
        return Err(ContendError::NoHello);
    };
    let (outbox, writer) = Outbox::start(io::stdout());
    let client = builder(&settings, &outbox)?.build()?;
    outbox.say(&ready("seawall-blocking", &[]));

    let (sender, receiver) = mpsc::channel::<(Instant, Call)>();
    let receiver = Arc::new(Mutex::new(receiver));
    let workers: Vec<_> = (0..settings.workers)
        .map(|_| {
            let (client, outbox, receiver) =
                (client.clone(), outbox.clone(), Arc::clone(&receiver));
            std::thread::spawn(move || work(&client, &outbox, &receiver))
        })
        .collect();
    loop {
        match inbox.next_order()? {
            Some(Order::Call(call)) => {
                // The workers end only when this side does.
                let _ = sender.send((Instant::now(), call));
            }
            Some(Order::Hello(_)) => return Err(ContendError::NoHello),
            Some(Order::Cancel { .. } | Order::Subscribe { .. } | Order::Pause { .. }) => {
                return Err(ContendError::Unable);
            }
            Some(Order::Stop) => break,
            None => return Ok(()),
        }
    }
    drop(sender);
    for worker in workers {
        // A panic has been told on standard error, and the lab counts its call as hung.
        let _ = worker.join();
    }
    finish(&client.stats(), &outbox);
    writer.finish()?;
    Ok(())
}

fn work(client: &Client, outbox: &Outbox, receiver: &Mutex<mpsc::Receiver<(Instant, Call)>>) {
    loop {
        let next = receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok((read_at, call)) = next else { return };
        let client = client.within(left(&call, read_at));
        let outcome = match &call.request {
            Request::Command(words) => single(client.call(&cmd(words))),
            Request::Transaction(commands) => list(client.transaction(&pipeline(commands))),
            Request::Pipeline(commands) => list(client.pipeline(&pipeline(commands))),
        };
        outbox.say(&answer(call.id, outcome));
    }
}
