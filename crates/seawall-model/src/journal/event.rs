use core::net::SocketAddr;
use std::time::Duration;

use super::command::CommandName;
use super::field::{Cursor, Field, Unreadable};
use super::words::{HealthState, OutagePolicy, Restarted, RetryRefusal, WriteGate};
use crate::cause::Cause;
use crate::endpoint::Endpoint;
use crate::moment::Moment;
use crate::provenance::Close;

/// One connection of one process, numbered from 1 in the order of dialling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// One thing that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it happened, by the boot clock.
    pub at: Moment,
    /// The same by the wall clock, in milliseconds since 1970, where it was read: it may jump, and joins with logs of
    /// other hosts.
    pub wall_unix_ms: Option<u64>,
    /// What happened.
    pub event: Event,
}

/// Builds the enum, its numbers and both directions of the codec from one table.
macro_rules! events {
    ($($(#[doc = $doc:literal])+ $event:ident = $kind:literal { $($(#[doc = $field_doc:literal])+ $field:ident: $type:ty,)+ })+) => {
        /// What happened. Its numbers on disk are never given a second meaning; new fields are optional and stand last.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Event {
            $($(#[doc = $doc])+ $event { $($(#[doc = $field_doc])+ $field: $type,)+ },)+
        }

        impl Event {
            /// The number of its kind on disk.
            pub const fn kind(&self) -> u8 {
                match self { $(Self::$event { .. } => $kind,)+ }
            }

            pub(super) fn put(&self, out: &mut Vec<u8>) {
                match self { $(Self::$event { $($field,)+ } => { $($field.put(out);)+ })+ }
            }

            /// Reads the fields of a kind.
            pub(super) fn take(kind: u8, from: &mut Cursor<'_>) -> Result<Self, Unreadable> {
                match kind {
                    $($kind => Ok(Self::$event { $($field: <$type as Field>::take(from)?,)+ }),)+
                    _ => Err(Unreadable::Newer),
                }
            }
        }
    };
}

events! {
    /// A connection is ready for calls.
    Opened = 1 {
        /// Which one.
        connection: ConnectionId,
        /// Where to.
        endpoint: Endpoint,
        /// Our end; none for a Unix socket.
        local: Option<SocketAddr>,
        /// The address that answered; none for a Unix socket.
        peer: Option<SocketAddr>,
        /// The number that the server gave this client: its log and CLIENT LIST know it by that.
        client_id: Option<u64>,
        /// The server's run id, hashed: another hash is another process.
        run_id_hash: Option<u64>,
        /// From the beginning of the dial until it was ready.
        took: Duration,
    }
    /// A connection ended.
    Closed = 2 {
        /// Which one.
        connection: ConnectionId,
        /// Where to.
        endpoint: Endpoint,
        /// Why; none where it was retired in health.
        cause: Option<Cause>,
        /// How, as the socket told it.
        close: Close,
        /// How long nothing had come or gone on it.
        idle: Duration,
        /// How long it had been ready.
        age: Duration,
        /// What came, in bytes.
        bytes_in: u64,
        /// What went, in bytes.
        bytes_out: u64,
        /// Requests whose reply was owed.
        in_flight: u32,
        /// Replies that had come.
        replies: u64,
        /// The oldest request whose reply was owed.
        command: Option<CommandName>,
    }
    /// An attempt to connect failed.
    DialFailed = 3 {
        /// Where to.
        endpoint: Endpoint,
        /// Why.
        cause: Cause,
        /// How long it took to fail.
        took: Duration,
    }
    /// The health of an endpoint is another one.
    HealthChanged = 4 {
        /// Which one.
        endpoint: Endpoint,
        /// How it is now.
        state: HealthState,
        /// Why, unless it is up.
        cause: Option<Cause>,
    }
    /// The server began or ceased to refuse writes.
    WritesChanged = 5 {
        /// Which one.
        endpoint: Endpoint,
        /// How the gate stands now.
        gate: WriteGate,
        /// Why it is closed.
        cause: Option<Cause>,
    }
    /// An endpoint is down: from the first failure that made it suspect.
    OutageStarted = 6 {
        /// Which one.
        endpoint: Endpoint,
        /// Why, as far as it is known.
        cause: Cause,
    }
    /// It answers again.
    OutageEnded = 7 {
        /// Which one.
        endpoint: Endpoint,
        /// How long it was down, from the first failure to the first good probe.
        lasted: Duration,
        /// Why, as it turned out.
        cause: Cause,
        /// Whether the server came back as another process.
        restarted: Restarted,
        /// Calls that were answered in spite of it.
        answered: u64,
        /// Calls that failed, and surely did not run.
        failed: u64,
        /// Calls that failed, and may have run.
        maybe_ran: u64,
    }
    /// Calls were answered without Redis.
    AnsweredByPolicy = 8 {
        /// By which policy.
        policy: OutagePolicy,
        /// How many, since the last record of this policy.
        count: u64,
    }
    /// A call failed and was not tried again.
    RetryRefused = 9 {
        /// Why not.
        why: RetryRefusal,
        /// Why it failed.
        cause: Cause,
        /// What it was.
        command: Option<CommandName>,
    }
    /// A call failed and is tried again.
    Retried = 10 {
        /// Why it failed.
        cause: Cause,
        /// Which attempt comes now: 2 is the first retry.
        attempt: u32,
        /// What it is.
        command: Option<CommandName>,
    }
    /// Records were not kept: there were too many at once.
    Lost = 11 {
        /// How many.
        records: u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_from_before_a_field_was_added_still_reads() {
        let event = Event::Retried {
            cause: Cause::ConnectionReset,
            attempt: 2,
            command: None,
        };
        let mut payload = Vec::new();
        event.put(&mut payload);
        // The last field is optional: an older writer's record ends before it.
        payload.pop();
        assert_eq!(Event::take(10, &mut Cursor(&payload)), Ok(event));
    }

    #[test]
    fn an_unknown_kind_is_a_newer_writers() {
        assert_eq!(Event::take(200, &mut Cursor(&[])), Err(Unreadable::Newer));
    }
}
