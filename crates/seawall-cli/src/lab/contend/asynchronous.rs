//! The client for tokio as a contender: a task for each call, and one for each subscription's consumer.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use seawall::asynchronous::{Client, Happening};
use seawall::{Cause, Error, Sent};
use seawall_lab::contender::serve::{Inbox, Outbox};
use seawall_lab::contender::{
    Ability, Answer, Call, Failure, Gap, Message, Order, Refused, Request,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::{ContendError, answer, builder, cmd, finish, left, list, pipeline, ready, single};

/// Between two attempts to subscribe for the first time.
const PAUSE: Duration = Duration::from_millis(20);

/// Speaks for the client until the lab says stop.
pub(super) fn contend() -> Result<(), ContendError> {
    let mut inbox = Inbox::new(io::stdin().lock());
    let Some(Order::Hello(settings)) = inbox.next_order()? else {
        return Err(ContendError::NoHello);
    };
    let (outbox, writer) = Outbox::start(io::stdout());
    let client = builder(&settings, &outbox)?.build_async()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    outbox.say(&ready(
        "seawall-tokio",
        &[Ability::Cancel, Ability::Subscribe],
    ));
    let mut calls = JoinSet::new();
    // Dropped at the end, which ends them.
    let mut consumers = JoinSet::new();
    let mut pauses: HashMap<u64, mpsc::UnboundedSender<Duration>> = HashMap::new();
    let under_way = UnderWay::default();
    loop {
        match inbox.next_order()? {
            Some(Order::Call(call)) => {
                while calls.try_join_next().is_some() {}
                let task = serve(
                    client.clone(),
                    outbox.clone(),
                    under_way.clone(),
                    under_way.begin(call.id),
                    call,
                );
                calls.spawn_on(task, runtime.handle());
            }
            Some(Order::Cancel { id }) => under_way.give_up(id),
            Some(Order::Subscribe { id, channels }) => {
                let (sender, paused) = mpsc::unbounded_channel();
                pauses.insert(id, sender);
                let task = consume(client.clone(), outbox.clone(), id, channels, paused);
                consumers.spawn_on(task, runtime.handle());
            }
            Some(Order::Pause { id, span }) => {
                // A consumer that has ended is told by its silence.
                let _ = pauses.get(&id).map(|consumer| consumer.send(span));
            }
            Some(Order::Hello(_)) => return Err(ContendError::NoHello),
            Some(Order::Stop) => break,
            None => return Ok(()),
        }
    }
    // A panic has been told on standard error, and the lab counts its call as hung.
    runtime.block_on(async { while calls.join_next().await.is_some() {} });
    finish(&client.stats(), &outbox);
    writer.finish()?;
    Ok(())
}

/// The calls that can still be given up.
#[derive(Clone, Default)]
struct UnderWay(Arc<Mutex<HashMap<u64, oneshot::Sender<()>>>>);

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes when the call is given up.
    fn begin(&self, id: u64) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(id, sender);
        receiver
    }

    fn give_up(&self, id: u64) {
        if let Some(call) = self.lock().remove(&id) {
            // Nobody hears it if the call has just ended.
            let _ = call.send(());
        }
    }

    fn end(&self, id: u64) {
        self.lock().remove(&id);
    }
}

/// Runs one call, and tells its end. A call that is given up is dropped where it is.
async fn serve(
    client: Client,
    outbox: Outbox,
    under_way: UnderWay,
    given_up: oneshot::Receiver<()>,
    call: Call,
) {
    let read_at = Instant::now();
    let told = tokio::select! {
        told = answered(&client, &call, read_at) => told,
        Ok(()) = given_up => Answer::Fail {
            id: call.id,
            failure: abandoned(),
        },
    };
    under_way.end(call.id);
    outbox.say(&told);
}

async fn answered(client: &Client, call: &Call, read_at: Instant) -> Answer {
    let client = client.within(left(call, read_at));
    answer(
        call.id,
        match &call.request {
            Request::Command(words) => single(client.call(&cmd(words)).await),
            Request::Transaction(commands) => list(client.transaction(&pipeline(commands)).await),
            Request::Pipeline(commands) => list(client.pipeline(&pipeline(commands)).await),
        },
    )
}

/// Who drops a future is told nothing by it: the call may have run.
fn abandoned() -> Failure {
    Failure {
        sent: Sent::Perhaps,
        cause: Some(Cause::Cancelled),
        refused: Refused::No,
        attempts: 1,
        message: "given up".into(),
    }
}

/// Tells what reaches a subscription's consumer, which is kept busy at times.
async fn consume(
    client: Client,
    outbox: Outbox,
    id: u64,
    channels: Vec<Vec<u8>>,
    mut paused: mpsc::UnboundedReceiver<Duration>,
) {
    let mut subscription = loop {
        match client.subscribe(&channels).await {
            Ok(subscription) => break subscription,
            Err(error) => tokio::time::sleep(error.retry_after().unwrap_or(PAUSE)).await,
        }
    };
    outbox.say(&Answer::Subscribed { id });
    loop {
        let happening = tokio::select! {
            biased;
            Some(span) = paused.recv() => {
                tokio::time::sleep(span).await;
                continue;
            }
            happening = subscription.next() => happening,
        };
        match happening {
            Ok(happening) => outbox.say(&told(id, happening)),
            Err(error) => return outbox.say(&ended(id, &error)),
        }
    }
}

fn told(id: u64, happening: Happening) -> Answer {
    let gap = |dropped, cause| Gap { dropped, cause };
    match happening {
        Happening::Message(message) => Answer::Message {
            id,
            message: Message::of(&message.channel, &message.payload),
        },
        Happening::Gap { cause, .. } => Answer::Gap {
            id,
            gap: gap(None, Some(cause)),
        },
        Happening::Overflow { dropped } => Answer::Gap {
            id,
            gap: gap(Some(dropped), Some(Cause::SubscriberSlow)),
        },
        _ => Answer::Gap {
            id,
            gap: gap(None, None),
        },
    }
}

/// The end of a subscription is a gap that never closes.
fn ended(id: u64, error: &Error) -> Answer {
    Answer::Gap {
        id,
        gap: Gap {
            dropped: None,
            cause: Some(error.cause()),
        },
    }
}
