//! One call on a connection of its own: a blocking command, or a pipeline with one, which would hold up everybody
//! else's.

use std::sync::Arc;
use std::time::Duration;

use seawall_model::Close;
use seawall_wire::Value;

use super::exchange::{self, Request};
use super::own::{Came, Own};
use super::park::{acquire_own, sleep_until};
use super::runtime;
use crate::clock;
use crate::error::Error;
use crate::link::call::{Again, Call};
use crate::link::connection::Loss;
use crate::link::shared::Link;
use crate::link::sink::ValueSink;

/// How often a wait looks whether the endpoint has gone down.
const GLANCE: Duration = Duration::from_millis(100);

/// Sends the request until it is answered or the call is over.
pub(super) async fn drive(
    call: &mut Call<'_>,
    link: &Arc<Link>,
    request: &Request<'_>,
    sink: &mut impl ValueSink,
) -> Result<(), Error> {
    loop {
        sink.restart();
        let from = sink.taken();
        let mut lent = acquire_own(call).await?;
        let sent_at = clock::now();
        call.sending();
        let established = lent.established;
        (request.pack)(&mut lent.connection.state, from, sent_at);
        let mut own =
            Own::new(Arc::clone(link), lent).map_err(|error| exchange::no_driver(call, &error))?;
        let mut values = Vec::with_capacity(request.replies - from);
        let end = converse(call, &mut own, request.replies - from, &mut values).await;
        let again = match (end, values.pop()) {
            (Ok(()), Some(Value::Error(error))) if request.replies == 1 => {
                let reply = call.reply(established, sent_at, true);
                let said = call.said(error, reply);
                if said.close {
                    own.part();
                }
                match said.answer {
                    Some(error) => {
                        sink.refused(&error);
                        return Err(call.answered(error));
                    }
                    None => Again::At(sent_at),
                }
            }
            (Ok(()), last) => {
                values.into_iter().chain(last).for_each(|v| sink.take(v));
                let reply = call.reply(established, sent_at, sink.shows_writes());
                if call.heard(sink, from, reply) {
                    own.part();
                }
                call.link.decide(|ledger, now| {
                    ledger.counters.answered += 1;
                    ledger.replied(now, reply)
                });
                return Ok(());
            }
            (Err(end), last) => {
                values.into_iter().chain(last).for_each(|v| sink.take(v));
                broken(call, &mut own, end).await
            }
        };
        match again {
            Again::At(at) => sleep_until(at).await,
            Again::Fail(error) => return Err(error),
        }
    }
}

/// It did not come to its end.
async fn broken(call: &mut Call<'_>, own: &mut Own, end: End) -> Again {
    let trail = own.trail();
    let again = match end {
        End::Lost(loss) => {
            let mut loss = loss.with(call.name);
            let (server, provenance) = own.bury_named(&mut loss).await;
            call.lost(&loss, &server, provenance)
        }
        End::Late => {
            let loss = own.loss(Close::Abandoned).with(call.name);
            let (server, provenance) = own.bury_alone(&loss);
            Again::Fail(call.timed_out(&loss, &server, provenance))
        }
    };
    match again {
        Again::Fail(error) => Again::Fail(error.with(|report| report.trail = trail)),
        again @ Again::At(_) => again,
    }
}

enum End {
    Lost(Loss),
    /// The deadline came, or the endpoint went down under a wait without an end.
    Late,
}

async fn converse(
    call: &Call<'_>,
    own: &mut Own,
    replies: usize,
    values: &mut Vec<Value>,
) -> Result<(), End> {
    loop {
        let now = clock::now();
        if call.deadline.too_late_to_answer(now) {
            // Also where something always comes.
            return Err(End::Late);
        }
        let until = call.deadline.answer_by().min(now + GLANCE);
        let ended = match runtime::timeout(until.since(now), own.step()).await {
            Ok(Ok(())) => None,
            Ok(Err(close)) => Some(close),
            Err(_) => {
                let down = call.link.ledger().health.ends_waits();
                if call.deadline.too_late_to_answer(clock::now())
                    || (call.deadline.ends_when_down() && down)
                {
                    return Err(End::Late);
                }
                continue;
            }
        };
        loop {
            match own.next() {
                Ok(Some(Came::Reply(value))) => values.push(value),
                Ok(Some(Came::Other(_))) => {}
                Ok(None) => break,
                Err(cause) => {
                    return Err(End::Lost(Loss {
                        cause,
                        ..own.loss(Close::Ours)
                    }));
                }
            }
            if values.len() == replies {
                return Ok(());
            }
        }
        if let Some(close) = ended {
            return Err(End::Lost(own.loss(close)));
        }
    }
}
