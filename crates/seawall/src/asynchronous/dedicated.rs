//! One call on a connection of its own: a blocking command, which would hold up everybody else's.

use std::sync::Arc;
use std::time::Duration;

use seawall_model::Close;
use seawall_policy::health::State;
use seawall_wire::Value;
use tokio::time::timeout;

use super::exchange;
use super::own::{Came, Own};
use super::park::{acquire_own, sleep_until};
use crate::clock;
use crate::command::Cmd;
use crate::error::Error;
use crate::link::call::{Again, Call};
use crate::link::connection::Loss;
use crate::link::shared::Link;

/// How often a wait looks whether the endpoint has gone down.
const GLANCE: Duration = Duration::from_millis(100);

/// Sends the command until it is answered or the call is over.
pub(super) async fn drive(
    call: &mut Call<'_>,
    link: &Arc<Link>,
    cmd: &Cmd,
) -> Result<Value, Error> {
    loop {
        let mut lent = acquire_own(call).await?;
        let sent_at = clock::now();
        call.sending();
        let established = lent.established;
        lent.connection.state.queue(sent_at, 1, |out| cmd.pack(out));
        let mut own =
            Own::new(Arc::clone(link), lent).map_err(|error| exchange::no_driver(call, &error))?;
        let again = match converse(call, &mut own).await {
            Ok(Value::Error(error)) => {
                let reply = call.reply(established, sent_at, true);
                let said = call.said(error, reply);
                if said.close {
                    own.abandon();
                }
                match said.answer {
                    Some(error) => return Err(call.answered(error)),
                    None => Again::At(sent_at),
                }
            }
            Ok(value) => {
                let reply = call.reply(established, sent_at, true);
                call.link.decide(|ledger, now| {
                    ledger.counters.answered += 1;
                    ledger.replied(now, reply)
                });
                return Ok(value);
            }
            Err(End::Lost(mut loss)) => {
                let (server, provenance) = own.bury_named(&mut loss).await;
                call.lost(&loss, &server, provenance)
            }
            Err(End::Late) => {
                let loss = own.loss(Close::Abandoned);
                let (server, provenance) = own.bury_alone(&loss);
                Again::Fail(call.timed_out(&loss, &server, provenance))
            }
        };
        match again {
            Again::At(at) => sleep_until(at).await,
            Again::Fail(error) => return Err(error),
        }
    }
}

enum End {
    Lost(Loss),
    /// The deadline came, or the endpoint went down under a wait without an end.
    Late,
}

async fn converse(call: &Call<'_>, own: &mut Own) -> Result<Value, End> {
    loop {
        let now = clock::now();
        let until = call.deadline.answer_by().min(now + GLANCE);
        match timeout(until.since(now), own.step()).await {
            Ok(Ok(())) => {}
            Ok(Err(close)) => return Err(End::Lost(own.loss(close))),
            Err(_) => {
                let down = matches!(call.link.ledger().health.state(), State::Down { .. });
                if call.deadline.too_late_to_answer(clock::now())
                    || (call.deadline.ends_when_down() && down)
                {
                    return Err(End::Late);
                }
                continue;
            }
        }
        match own.next() {
            Ok(Some(Came::Reply(value))) => return Ok(value),
            Ok(_) => {}
            Err(cause) => {
                return Err(End::Lost(Loss {
                    cause,
                    ..own.loss(Close::Ours)
                }));
            }
        }
    }
}
