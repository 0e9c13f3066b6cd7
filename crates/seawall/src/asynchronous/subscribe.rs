//! A subscription that outlives its connections.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seawall_model::Cause;
use seawall_wire::Value;
use seawall_wire::error::Family;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::client::Client;
use super::lease::Lease;
use crate::clock;
use crate::command::Cmd;
use crate::error::{Error, Kind};

/// Messages that may wait for their subscriber, in bytes of channel and payload. A subscriber that falls further behind
/// loses messages here, by name, instead of the whole connection at the server's output buffer limit (32 MiB).
const QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What is counted for a message beside its bytes, so that empty ones fill the queue too.
const MESSAGE_OVERHEAD: usize = 64;

/// How long the reader waits for a message before it looks whether the client was closed.
const LISTEN: Duration = Duration::from_secs(1);

/// Between two attempts to subscribe anew.
const PAUSE: Duration = Duration::from_millis(50);

/// A message that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel it was published to.
    pub channel: Vec<u8>,
    /// What was published.
    pub payload: Vec<u8>,
}

/// What happens to a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happening {
    /// A message came.
    Message(Message),
    /// The connection was lost, and is made again: what was published in between is gone.
    Gap {
        /// Why it was lost.
        cause: Cause,
        /// From the loss to the new subscription.
        lasted: Duration,
    },
    /// The subscriber did not keep up ([`Cause::SubscriberSlow`]), and messages were dropped.
    Overflow {
        /// How many.
        dropped: u64,
    },
}

/// A subscription to channels: its messages, its gaps, and what was dropped, in order.
///
/// A task of its own reads the connection promptly into a queue of 16 MiB. It ends when this is dropped, or when the
/// server refuses the subscription or the client is closed.
pub struct Subscription {
    queue: Arc<Queue>,
    reader: JoinHandle<()>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Default)]
struct State {
    happened: VecDeque<Happening>,
    bytes: usize,
    dropped: u64,
    over: Option<Error>,
}

impl Subscription {
    pub(super) async fn start(
        client: Client,
        mut lease: Lease,
        channels: Vec<Vec<u8>>,
    ) -> Result<Self, Error> {
        subscribe(&mut lease, &channels).await?;
        let queue: Arc<Queue> = Arc::default();
        let reader = tokio::spawn(read(client, lease, channels, Arc::clone(&queue)));
        Ok(Self { queue, reader })
    }

    /// The next thing that happens; an error is the end of the subscription. Safe to drop at any point.
    pub async fn next(&mut self) -> Result<Happening, Error> {
        loop {
            let filled = self.queue.filled.notified();
            if let Some(happening) = self.queue.take() {
                return happening;
            }
            filled.await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Result<Happening, Error>> {
        let mut state = self.lock();
        let Some(happening) = state.happened.pop_front() else {
            if state.dropped > 0 {
                let dropped = std::mem::take(&mut state.dropped);
                return Some(Ok(Happening::Overflow { dropped }));
            }
            return state.over.clone().map(Err);
        };
        state.bytes -= weight(&happening);
        Some(Ok(happening))
    }

    fn put(&self, happening: Happening) {
        let mut state = self.lock();
        let bytes = weight(&happening);
        if state.bytes + bytes > QUEUE_BYTES_MAX && matches!(happening, Happening::Message(_)) {
            state.dropped += 1;
        } else {
            if state.dropped > 0 {
                let dropped = std::mem::take(&mut state.dropped);
                let overflow = Happening::Overflow { dropped };
                state.bytes += weight(&overflow);
                state.happened.push_back(overflow);
            }
            state.bytes += bytes;
            state.happened.push_back(happening);
        }
        drop(state);
        self.filled.notify_one();
    }

    fn end(&self, error: Error) {
        self.lock().over = Some(error);
        self.filled.notify_one();
    }
}

fn weight(happening: &Happening) -> usize {
    match happening {
        Happening::Message(message) => {
            message.channel.len() + message.payload.len() + MESSAGE_OVERHEAD
        }
        Happening::Gap { .. } | Happening::Overflow { .. } => MESSAGE_OVERHEAD,
    }
}

async fn subscribe(lease: &mut Lease, channels: &[Vec<u8>]) -> Result<(), Error> {
    lease.send(&Cmd::new("SUBSCRIBE").args(channels)).await?;
    for _ in channels {
        if let Value::Error(error) = lease.recv().await? {
            return Err(lease.refused(error));
        }
    }
    Ok(())
}

/// Reads messages until nobody wants them, subscribing anew whenever the connection is lost.
async fn read(client: Client, mut lease: Lease, channels: Vec<Vec<u8>>, queue: Arc<Queue>) {
    let mut looked = clock::now();
    loop {
        let now = clock::now();
        if now.since(looked) >= LISTEN {
            looked = now;
            if let Some(error) = client.closed() {
                return queue.end(error);
            }
        }
        let lost = match lease.recv_within(LISTEN).await {
            Ok(Some(value)) => {
                if let Some(message) = message(value) {
                    queue.put(Happening::Message(message));
                }
                continue;
            }
            Ok(None) => continue,
            Err(error) => error,
        };
        let since = clock::now();
        match again(&client, &channels).await {
            Ok(fresh) => lease = fresh,
            Err(error) => return queue.end(error),
        }
        queue.put(Happening::Gap {
            cause: lost.cause(),
            lasted: clock::now().since(since),
        });
    }
}

/// Subscribes anew, however long the outage lasts; an error is one that waiting does not cure.
async fn again(client: &Client, channels: &[Vec<u8>]) -> Result<Lease, Error> {
    loop {
        let outcome = match client.lease().await {
            Ok(mut lease) => subscribe(&mut lease, channels).await.map(|()| lease),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(lease) => return Ok(lease),
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => tokio::time::sleep(error.retry_after().unwrap_or(PAUSE).max(PAUSE)).await,
        }
    }
}

/// Whether waiting cures it. What the server says at its door (LOADING, no room) is part of an outage; what it says to
/// SUBSCRIBE itself is its answer.
fn is_final(error: &Error) -> bool {
    match error.kind() {
        Kind::Server => error
            .server_error()
            .is_none_or(|said| said.kind.family() != Family::Unavailable),
        Kind::Settings => true,
        _ => error.cause() == Cause::ClientClosed,
    }
}

/// A message out of a push; everything else (confirmations, replies to PING) is none.
fn message(value: Value) -> Option<Message> {
    let (Value::Push(items) | Value::Array(items)) = value.into_bare() else {
        return None;
    };
    let mut items = items.into_iter();
    let kind = items.next()?;
    if kind.as_bytes() != Some(b"message") {
        return None;
    }
    let bytes = |value: Value| value.as_bytes().map(<[u8]>::to_vec);
    Some(Message {
        channel: bytes(items.next()?)?,
        payload: bytes(items.next()?)?,
    })
}
