//! What happens, as lines of `tracing`: outages as warnings, single connections and retries below that.
//!
//! At most one line a second of each name and cause; the next one says how many were not told (`suppressed`).

mod ration;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use seawall_model::Cause;
use seawall_model::journal::HealthState;
use tracing::{debug, info, warn};

use crate::clock;
use crate::events::{Event, Listener};
use ration::{Ration, Serving};

/// Tells `tracing`. One of each link: a forked child has its own, so that it never waits for a lock of its parent.
#[derive(Default)]
pub(crate) struct Log(Mutex<Ration>);

impl Log {
    fn serving(&self, line: &'static str, cause: Cause) -> Serving {
        let mut ration = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ration.ask(clock::now(), line, cause)
    }
}

/// One line, if its ration allows; `suppressed` is added to its fields.
macro_rules! line {
    ($log:expr, $level:ident, $name:literal, $cause:expr, $($fields:tt)*) => {
        if let Serving::Tell { suppressed } = $log.serving($name, $cause) {
            $level!($($fields)*, suppressed, $name);
        }
    };
}

impl Listener for Log {
    fn hear(&self, endpoint: &str, event: &Event<'_>) {
        match *event {
            Event::Opened { .. }
            | Event::DialFailed { .. }
            | Event::Closed { .. }
            | Event::Lost { .. } => self.connection(endpoint, event),
            Event::Retried { .. } | Event::RetryRefused { .. } => self.call(endpoint, event),
            Event::NameStale {
                address,
                cause,
                detail,
            } => {
                line!(
                    self, info, "name.stale", cause,
                    endpoint,
                    %address,
                    cause = cause.name(),
                    detail
                );
            }
            _ => self.health(endpoint, event),
        }
    }
}

impl Log {
    fn connection(&self, endpoint: &str, event: &Event<'_>) {
        match *event {
            Event::Opened {
                connection,
                client_id,
                took,
                ..
            } => {
                let took_ms = millis(took);
                debug!(endpoint, connection, client_id, took_ms, "connection.open");
            }
            Event::Closed {
                connection, why, ..
            } => debug!(endpoint, connection, why, "connection.close"),
            Event::DialFailed { cause, detail, .. } => {
                line!(
                    self,
                    debug,
                    "connection.failed",
                    cause,
                    endpoint,
                    cause = cause.name(),
                    detail
                );
            }
            Event::Lost {
                connection,
                cause,
                close,
                life,
                command,
            } => {
                line!(
                    self,
                    info,
                    "connection.lost",
                    cause,
                    endpoint,
                    connection,
                    cause = cause.name(),
                    close = close.name(),
                    cmd = command,
                    idle_ms = millis(life.idle),
                    age_ms = millis(life.age),
                    bytes_in = life.bytes_in,
                    bytes_out = life.bytes_out,
                    in_flight = life.owed
                );
            }
            _ => {}
        }
    }

    fn call(&self, endpoint: &str, event: &Event<'_>) {
        match *event {
            Event::Retried {
                command,
                cause,
                attempt,
                attempts_max,
                waited,
            } => {
                line!(
                    self, info, "retry", cause,
                    endpoint,
                    cmd = command,
                    cause = cause.name(),
                    attempt = %format_args!("{attempt}/{attempts_max}"),
                    waited_ms = millis(waited)
                );
            }
            Event::RetryRefused {
                command,
                cause,
                why,
            } => {
                line!(
                    self,
                    info,
                    "retry.refused",
                    cause,
                    endpoint,
                    cmd = command,
                    cause = cause.name(),
                    why = why.name()
                );
            }
            _ => {}
        }
    }

    fn health(&self, endpoint: &str, event: &Event<'_>) {
        match *event {
            Event::Suspected { cause } => {
                line!(
                    self,
                    info,
                    "outage.suspected",
                    cause,
                    endpoint,
                    cause = cause.name()
                );
            }
            Event::OutageStarted { cause, fails, .. } => {
                line!(
                    self,
                    warn,
                    "outage.start",
                    cause,
                    endpoint,
                    cause = cause.name(),
                    fails
                );
            }
            Event::OutageNamed { cause, .. } => {
                line!(
                    self,
                    warn,
                    "outage.cause",
                    cause,
                    endpoint,
                    cause = cause.name()
                );
            }
            Event::OutageProgress {
                cause,
                lasting,
                calls,
            } => {
                line!(
                    self, warn, "outage.progress", cause,
                    endpoint,
                    cause = cause.name(),
                    lasting = %seconds(lasting),
                    answered = calls.answered,
                    failed = calls.failed,
                    maybe_ran = calls.maybe_ran
                );
            }
            Event::Recovered {
                from: HealthState::Down,
                cause,
                lasted,
                restarted,
                calls,
            } => {
                line!(
                    self, warn, "outage.end", cause,
                    endpoint,
                    cause = cause.name(),
                    lasted = %seconds(lasted),
                    answered = calls.answered,
                    failed = calls.failed,
                    maybe_ran = calls.maybe_ran,
                    restarted = restarted.name()
                );
            }
            Event::Recovered { cause, lasted, .. } => {
                line!(
                    self, info, "outage.cleared", cause,
                    endpoint,
                    cause = cause.name(),
                    lasted = %seconds(lasted)
                );
            }
            Event::AnsweredByPolicy { policy, count } => {
                debug!(endpoint, policy = policy.name(), count, "policy.answered");
            }
            Event::WritesRefused { cause } => {
                line!(
                    self,
                    warn,
                    "writes.refused",
                    cause,
                    endpoint,
                    cause = cause.name()
                );
            }
            Event::WritesAccepted { lasted } => {
                warn!(endpoint, lasted = %seconds(lasted), "writes.accepted");
            }
            _ => {}
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn seconds(span: Duration) -> String {
    format!("{:.3}s", span.as_secs_f64())
}

#[cfg(test)]
mod tests;
