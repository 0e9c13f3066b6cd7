//! From what is told to what is kept.

use seawall_model::Endpoint;
use seawall_model::journal::{
    CommandName, ConnectionId, Event as Kept, HealthState, WriteGate, run_id_hash,
};
use seawall_model::{Cause, Close};

use super::allowance::Weight;
use crate::events::{Event, Life};

/// What it is worth when there is too much to keep.
pub(super) fn weight(event: &Event<'_>) -> Weight {
    match event {
        Event::Opened { .. }
        | Event::DialFailed { .. }
        | Event::NameStale { .. }
        | Event::Closed { .. }
        | Event::Lost { .. }
        | Event::Retried { .. }
        | Event::RetryRefused { .. } => Weight::Detail,
        Event::Suspected { .. }
        | Event::OutageStarted { .. }
        | Event::OutageNamed { .. }
        | Event::OutageProgress { .. }
        | Event::AnsweredByPolicy { .. }
        | Event::Recovered { .. }
        | Event::WritesRefused { .. }
        | Event::WritesAccepted { .. }
        | Event::JournalInMemory { .. } => Weight::Kept,
    }
}

/// The records that an event makes, in order.
pub(super) fn of(endpoint: &Endpoint, event: &Event<'_>) -> [Option<Kept>; 2] {
    match *event {
        Event::Suspected { .. }
        | Event::OutageStarted { .. }
        | Event::OutageNamed { .. }
        | Event::Recovered { .. } => of_health(endpoint.clone(), event),
        _ => [of_other(endpoint.clone(), event), None],
    }
}

fn of_health(endpoint: Endpoint, event: &Event<'_>) -> [Option<Kept>; 2] {
    let health = |state, cause| Kept::HealthChanged {
        endpoint: endpoint.clone(),
        state,
        cause,
    };
    match *event {
        Event::Suspected { cause } => [Some(health(HealthState::Suspect, Some(cause))), None],
        Event::OutageNamed { state, cause } => [Some(health(state, Some(cause))), None],
        Event::OutageStarted { cause, .. } => {
            let changed = health(HealthState::Down, Some(cause));
            [Some(changed), Some(Kept::OutageStarted { endpoint, cause })]
        }
        Event::Recovered {
            from,
            cause,
            lasted,
            restarted,
            calls,
        } => {
            let changed = health(HealthState::Up, None);
            let ended = (from == HealthState::Down).then_some(Kept::OutageEnded {
                endpoint,
                lasted,
                cause,
                restarted,
                answered: calls.answered,
                failed: calls.failed,
                maybe_ran: calls.maybe_ran,
            });
            [Some(changed), ended]
        }
        _ => [None, None],
    }
}

fn of_other(endpoint: Endpoint, event: &Event<'_>) -> Option<Kept> {
    Some(match *event {
        Event::Opened {
            connection,
            local,
            peer,
            client_id,
            run_id,
            took,
        } => Kept::Opened {
            connection: ConnectionId(connection),
            endpoint,
            local,
            peer,
            client_id,
            run_id_hash: run_id.map(run_id_hash),
            took,
        },
        Event::DialFailed { cause, took, .. } => Kept::DialFailed {
            endpoint,
            cause,
            took,
        },
        Event::Closed {
            connection, life, ..
        } => closed(endpoint, connection, None, Close::Ours, &life, None),
        Event::Lost {
            connection,
            cause,
            close,
            life,
            command,
        } => closed(endpoint, connection, Some(cause), close, &life, command),
        Event::Retried {
            command,
            cause,
            attempt,
            ..
        } => Kept::Retried {
            cause,
            attempt,
            command: Some(command.into()),
        },
        Event::RetryRefused {
            command,
            cause,
            why,
        } => Kept::RetryRefused {
            why,
            cause,
            command: Some(command.into()),
        },
        Event::AnsweredByPolicy { policy, count } => Kept::AnsweredByPolicy { policy, count },
        Event::WritesRefused { cause } => Kept::WritesChanged {
            endpoint,
            gate: WriteGate::Closed,
            cause: Some(cause),
        },
        Event::WritesAccepted { .. } => Kept::WritesChanged {
            endpoint,
            gate: WriteGate::Open,
            cause: None,
        },
        _ => return None,
    })
}

fn closed(
    endpoint: Endpoint,
    connection: u64,
    cause: Option<Cause>,
    close: Close,
    life: &Life,
    command: Option<&str>,
) -> Kept {
    Kept::Closed {
        connection: ConnectionId(connection),
        endpoint,
        cause,
        close,
        idle: life.idle,
        age: life.age,
        bytes_in: life.bytes_in,
        bytes_out: life.bytes_out,
        in_flight: u32::try_from(life.owed).unwrap_or(u32::MAX),
        replies: life.replies,
        command: command.map(CommandName::from),
    }
}
